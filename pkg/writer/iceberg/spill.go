package iceberg

import (
	"bufio"
	"container/heap"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
)

// An spillFile is an index that was written to a temporary file, in the order of
// its hashes. On Unix the file has no name any more, so that it goes whatever
// becomes of the process.
type spillFile struct {
	file *os.File
	n    int
}

// spill empties the index into a run. The rows that it knows are in files.
func (f *fold) spill() error {
	if f.index.n == 0 {
		return nil
	}
	file, err := os.CreateTemp(f.w.sink.opts.SpillDir, "tablehaul-keys-*")
	if err != nil {
		return fmt.Errorf("spill keys: %w", err)
	}
	r := &spillFile{file: file, n: f.index.n}
	_ = os.Remove(file.Name()) // where this is refused, close does it
	f.spilled = append(f.spilled, r)
	out := bufio.NewWriterSize(file, 256<<10)
	var b [indexEntryBytes]byte
	err = f.index.sorted(func(e indexEntry) error {
		binary.LittleEndian.PutUint64(b[:], e.hash[0])
		binary.LittleEndian.PutUint64(b[8:], e.hash[1])
		binary.LittleEndian.PutUint64(b[16:], uint64(e.ref))
		_, err := out.Write(b[:])
		return err
	})
	if err = errors.Join(err, out.Flush()); err != nil {
		return fmt.Errorf("spill keys: %w", err)
	}
	f.index.reset()
	return nil
}

func (r *spillFile) close() {
	_ = r.file.Close()
	_ = os.Remove(r.file.Name())
}

// A spillReader reads a run.
type spillReader struct {
	in   *bufio.Reader
	left int
	age  int // 0 is the oldest
	indexEntry
}

// next reads an entry; at the end of the run it returns false.
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

// spillHeap orders runs by their next entries, those of one key by age.
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

// mergeSpilled finds the rows that a later run has superseded.
func (f *fold) mergeSpilled(ctx context.Context) error {
	h := make(spillHeap, 0, len(f.spilled))
	for i, run := range f.spilled {
		if _, err := run.file.Seek(0, io.SeekStart); err != nil {
			return fmt.Errorf("read keys back: %w", err)
		}
		r := &spillReader{in: bufio.NewReaderSize(run.file, 32<<10), left: run.n, age: i}
		ok, err := r.next()
		if err != nil {
			return fmt.Errorf("read keys back: %w", err)
		}
		if ok {
			h = append(h, r)
		}
	}
	heap.Init(&h)
	var last indexEntry
	for len(h) > 0 {
		r := h[0]
		if last.ref.live() && last.hash == r.hash {
			f.gone = append(f.gone, f.where(last.ref))
			if len(f.gone) >= maxGone {
				if err := f.writeGone(ctx); err != nil {
					return err
				}
			}
		}
		last = r.indexEntry
		ok, err := r.next()
		switch {
		case err != nil:
			return fmt.Errorf("read keys back: %w", err)
		case ok:
			heap.Fix(&h, 0)
		default:
			heap.Pop(&h)
		}
	}
	return nil
}
