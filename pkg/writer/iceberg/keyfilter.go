package iceberg

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"
)

// A keyFilter finds the rows whose keys are deleted. One goroutine uses it.
type keyFilter struct {
	keys    *deletedKeys
	hashers []*keyHasher // by group, of rows as they are read
}

// filter returns a keyFilter for rows that a scan of sc gives.
func (k *deletedKeys) filter(sc *iceberg.Schema) (*keyFilter, error) {
	f := &keyFilter{keys: k}
	for _, g := range k.groups {
		h, err := hasherOf(sc, g.ids)
		if err != nil {
			return nil, err
		}
		f.hashers = append(f.hashers, h)
	}
	return f, nil
}

// mark calls gone with the numbers of those rows of a file that are deleted, some of them
// more than once.
func (k *keyFilter) mark(f *liveFile, rec arrow.RecordBatch, gone func(row int)) error {
	seq, salt := rowRef(f.seq), saltOf(f.where) //nolint:gosec // from 0 up
	for n, g := range k.keys.groups {
		if g.index.n == 0 {
			continue
		}
		hashes, err := k.hashers[n].hash(rec)
		if err != nil {
			return err
		}
		for i, h := range hashes {
			if g.all && g.index.get(h) > seq || g.some && f.where != "" && g.index.get(h.salted(salt)) > seq {
				gone(i)
			}
		}
	}
	return nil
}

// without returns the rows of a file that are not deleted by keys, and not gone; a nil gone
// is none. The caller releases them.
func (k *keyFilter) without(ctx context.Context, f *liveFile, rec arrow.RecordBatch, gone []bool) (arrow.RecordBatch, error) {
	err := k.mark(f, rec, func(row int) {
		if gone == nil {
			gone = make([]bool, rec.NumRows())
		}
		gone[row] = true
	})
	if err != nil {
		return nil, err
	}
	if gone == nil {
		rec.Retain()
		return rec, nil
	}
	mask := array.NewBooleanBuilder(memory.DefaultAllocator)
	defer mask.Release()
	mask.Reserve(len(gone))
	for _, g := range gone {
		mask.UnsafeAppend(!g)
	}
	keep := mask.NewBooleanArray()
	defer keep.Release()
	return compute.FilterRecordBatch(ctx, rec, keep, compute.DefaultFilterOptions())
}
