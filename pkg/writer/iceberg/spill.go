package iceberg

import (
	"bufio"
	"container/heap"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
)

// A spillFile is an index that was written to a temporary file, in the order of
// its hashes. On Unix the file has no name any more, so that it goes whatever
// becomes of the process.
type spillFile struct {
	file  *os.File
	out   *bufio.Writer // nil once it is complete
	n     int
	level int // how often its entries have been merged
}

// mergeFan is how many files of one level become one of the next: a commit holds
// a hundred or so open, be it as large as it may.
const mergeFan = 64

// spill empties the index into a file. The rows that it knows are in files.
func (f *fold) spill(ctx context.Context) error {
	if f.index.n == 0 {
		return nil
	}
	s, err := f.newSpill(0)
	if err == nil {
		if err = f.index.sorted(s.put); err == nil {
			err = s.end()
		}
	}
	if err != nil {
		return fmt.Errorf("spill keys: %w", err)
	}
	f.index.reset()
	for n := len(f.spilled) - mergeFan; n >= 0 && f.spilled[n].level == f.spilled[len(f.spilled)-1].level; n = len(f.spilled) - mergeFan {
		if err := f.mergeYoungest(ctx, n); err != nil {
			return fmt.Errorf("spill keys: %w", err)
		}
	}
	return nil
}

// newSpill begins a file, which is the youngest.
func (f *fold) newSpill(level int) (*spillFile, error) {
	file, err := os.CreateTemp(f.w.sink.opts.SpillDir, "tablehaul-keys-*")
	if err != nil {
		return nil, err
	}
	_ = os.Remove(file.Name()) // where this is refused, close does it
	s := &spillFile{file: file, out: bufio.NewWriterSize(file, 256<<10), level: level}
	f.spilled = append(f.spilled, s)
	return s, nil
}

func (s *spillFile) put(e indexEntry) error {
	var b [indexEntryBytes]byte
	binary.LittleEndian.PutUint64(b[:], e.hash[0])
	binary.LittleEndian.PutUint64(b[8:], e.hash[1])
	binary.LittleEndian.PutUint64(b[16:], uint64(e.ref))
	s.n++
	_, err := s.out.Write(b[:])
	return err
}

// end completes the file.
func (s *spillFile) end() error {
	err := s.out.Flush()
	s.out = nil
	return err
}

func (s *spillFile) close() {
	_ = s.file.Close()
	_ = os.Remove(s.file.Name())
}

// mergeYoungest makes one file of those from the n-th on.
func (f *fold) mergeYoungest(ctx context.Context, n int) error {
	parts := f.spilled[n:len(f.spilled):len(f.spilled)]
	s, err := f.newSpill(parts[0].level + 1)
	if err != nil {
		return err
	}
	if err = f.mergeSpilled(ctx, parts, s.put); err != nil {
		return err
	}
	for _, p := range parts {
		p.close()
	}
	f.spilled = append(f.spilled[:n], s)
	return s.end()
}

// A spillReader reads a file.
type spillReader struct {
	in   *bufio.Reader
	left int
	age  int // 0 is the oldest
	indexEntry
}

// next reads an entry; at the end of the file it returns false.
func (r *spillReader) next() (bool, error) {
	if r.left == 0 {
		return false, nil
	}
	r.left--
	var b [indexEntryBytes]byte
	if _, err := io.ReadFull(r.in, b[:]); err != nil {
		return false, err
	}
	r.hash = keyHash{binary.LittleEndian.Uint64(b[:]), binary.LittleEndian.Uint64(b[8:])}
	r.ref = rowRef(binary.LittleEndian.Uint64(b[16:]))
	return true, nil
}

// spillHeap orders files by their next entries, those of one key by age.
type spillHeap []*spillReader

func (h spillHeap) Len() int      { return len(h) }
func (h spillHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h spillHeap) Less(i, j int) bool {
	if c := h[i].hash.compare(h[j].hash); c != 0 {
		return c < 0
	}
	return h[i].age < h[j].age
}
func (h *spillHeap) Push(x any) { *h = append(*h, x.(*spillReader)) }
func (h *spillHeap) Pop() any {
	old := *h
	r := old[len(old)-1]
	*h = old[:len(old)-1]
	return r
}

// mergeSpilled finds the rows that a later file has superseded. It calls newest
// with the last entry of each key, in the order of the hashes.
func (f *fold) mergeSpilled(ctx context.Context, files []*spillFile, newest func(indexEntry) error) error {
	h := make(spillHeap, 0, len(files))
	for i, s := range files {
		if _, err := s.file.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("read keys back: %w", err)
		}
		r := &spillReader{in: bufio.NewReaderSize(s.file, 32<<10), left: s.n, age: i}
		ok, err := r.next()
		if err != nil {
			return fmt.Errorf("read keys back: %w", err)
		}
		if ok {
			h = append(h, r)
		}
	}
	heap.Init(&h)
	for len(h) > 0 {
		r := h[0]
		e := r.indexEntry
		ok, err := r.next()
		switch {
		case err != nil:
			return fmt.Errorf("read keys back: %w", err)
		case ok:
			heap.Fix(&h, 0)
		default:
			heap.Pop(&h)
		}
		switch {
		case len(h) == 0 || h[0].hash != e.hash:
			err = newest(e)
		case e.ref.live():
			err = f.lose(ctx, e.ref)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lose notes that a row in a file is gone.
func (f *fold) lose(ctx context.Context, ref rowRef) error {
	f.gone = append(f.gone, f.where(ref))
	if len(f.gone) < maxGone {
		return nil
	}
	return f.writeGone(ctx)
}
