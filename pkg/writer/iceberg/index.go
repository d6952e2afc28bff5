package iceberg

import (
	"cmp"
	"slices"
)

// A keyHash stands for a key: two different keys have the same one so rarely
// that no commit will ever see it.
type keyHash [2]uint64

func (h keyHash) compare(o keyHash) int {
	return cmp.Or(cmp.Compare(h[0], o[0]), cmp.Compare(h[1], o[1]))
}

// A rowRef is where the newest row of a key is, among those of one commit: a
// chunk and a row in it, or gone. The zero rowRef is none.
type rowRef uint64

const (
	liveRef rowRef = 1 << 63
	goneRef rowRef = 1 << 62 // there is no row of the key, or none that this commit has not taken care of
)

// maxChunks bounds the chunks of a commit.
const maxChunks = 1 << 30

func refTo(chunk, row int) rowRef { return liveRef | rowRef(chunk)<<32 | rowRef(row) }

func (r rowRef) live() bool { return r&liveRef != 0 }
func (r rowRef) chunk() int { return int(r >> 32 & (maxChunks - 1)) }
func (r rowRef) row() int   { return int(r & (1<<32 - 1)) }

// An indexEntry is what is known of a key.
type indexEntry struct {
	hash keyHash
	ref  rowRef
}

const indexEntryBytes = 24

// A keyIndex finds entries by hash. It is a table with linear probing whose
// slots follow the order of the hashes, so that both growing it and writing it
// out in order are one walk through memory.
type keyIndex struct {
	slots []indexEntry // 1<<bits, and some more behind, for there is no wrapping around
	bits  int
	n     int
}

// The table holds minIndexBits slots at least; behind the last ones follow
// indexTail more, for what was pushed out of its slot.
const (
	minIndexBits = 8
	indexTail    = 64
)

// find returns the entry of h, which is a new one, without ref, if there was
// none. The entry is good until the next call.
func (x *keyIndex) find(h keyHash) *indexEntry {
	if x.slots == nil {
		x.init(minIndexBits)
	}
	for {
		for i := h[0] >> (64 - x.bits); i < uint64(len(x.slots)); i++ {
			e := &x.slots[i]
			if e.ref == 0 {
				if x.n >= len(x.slots)*5/8 {
					break
				}
				x.n++
				e.hash = h
				return e
			}
			if e.hash == h {
				return e
			}
		}
		x.grow()
	}
}

func (x *keyIndex) init(bits int) {
	x.slots, x.bits, x.n = make([]indexEntry, 1<<bits+indexTail), bits, 0
}

// grow doubles the table.
func (x *keyIndex) grow() {
	old := *x
	for bits := old.bits + 1; ; bits++ {
		x.init(bits)
		if x.take(old.slots) {
			x.n = old.n
			return
		}
	}
}

// take puts the entries in. It fails if they do not fit, by an odd cluster at
// the very end.
func (x *keyIndex) take(entries []indexEntry) bool {
	for _, e := range entries {
		if e.ref == 0 {
			continue
		}
		i := e.hash[0] >> (64 - x.bits)
		for i < uint64(len(x.slots)) && x.slots[i].ref != 0 {
			i++
		}
		if i == uint64(len(x.slots)) {
			return false
		}
		x.slots[i] = e
	}
	return true
}

// bytes is the memory that the table takes.
func (x *keyIndex) bytes() int64 { return int64(len(x.slots)) * indexEntryBytes }

// full reports whether n more entries may make the table larger than limit.
func (x *keyIndex) full(n int, limit int64) bool {
	return x.n+n >= len(x.slots)*5/8 && 2*x.bytes() > limit && x.n > 0
}

// sorted calls f with the entries in the order of their hashes. It puts them
// into that order, after which the index must not be used but reset.
func (x *keyIndex) sorted(f func(indexEntry) error) error {
	for i := 0; i < len(x.slots); i++ {
		from := i
		for i < len(x.slots) && x.slots[i].ref != 0 {
			i++
		}
		run := x.slots[from:i]
		if len(run) > 1 {
			slices.SortFunc(run, func(a, b indexEntry) int { return a.hash.compare(b.hash) })
		}
		for _, e := range run {
			if err := f(e); err != nil {
				return err
			}
		}
	}
	return nil
}

// reset empties the index. It keeps memory that the next commit is likely to use.
func (x *keyIndex) reset() {
	if x.n == 0 {
		return
	}
	if x.n < len(x.slots)/8 {
		x.slots = nil
	}
	clear(x.slots)
	x.n = 0
}
