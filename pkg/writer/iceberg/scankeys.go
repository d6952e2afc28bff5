package iceberg

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go/table"
)

// Deleted keys that do not fit into memory are gone through part by part. With each part but
// the last the keys of all files are read, and the rows noted, a bit each, that it deletes;
// the last one goes along when the rows are read.

// maxKeyParts is how many parts there may be.
const maxKeyParts = 1 << 12

// deleted returns the keys to read the rows with, and for each file the rows that others have
// deleted.
func (s *tableScan) deleted(ctx context.Context, parallel int) (*deletedKeys, map[*liveFile]bitmap, error) {
	for of := uint64(1); ; of *= 2 {
		keys, err := s.reading.readKeys(ctx, s.files, keyPart{n: of - 1, of: of}, parallel)
		var many *errManyKeys
		switch {
		case errors.As(err, &many) && of < maxKeyParts:
			continue // they are spread evenly: of two parts each has about half of them
		case err != nil:
			return nil, nil, err
		case of == 1:
			return keys, nil, nil
		}
		gone, err := s.markParts(ctx, of, parallel)
		if errors.As(err, &many) && of < maxKeyParts {
			continue
		}
		return keys, gone, err
	}
}

// markParts notes the rows that all parts but the last one delete.
func (s *tableScan) markParts(ctx context.Context, of uint64, parallel int) (map[*liveFile]bitmap, error) {
	gone := make(map[*liveFile]bitmap, len(s.files))
	for _, f := range s.files {
		gone[f] = newBitmap(f.df.Count())
	}
	read := s.reading
	var err error
	if read.options, err = s.keyColumns(); err != nil {
		return nil, err
	}
	for n := range of - 1 {
		keys, err := read.readKeys(ctx, s.files, keyPart{n: n, of: of}, parallel)
		if err != nil {
			return nil, err
		}
		err = s.eachFile(ctx, parallel, func(ctx context.Context, _ int, f *liveFile) error {
			return read.each(ctx, keys, f, func(filter *keyFilter, first int64, rec arrow.RecordBatch) error {
				var past error
				err := filter.mark(f, rec, func(row int) {
					if err := gone[f].add(first + int64(row)); err != nil {
						past = err
					}
				})
				if err = errors.Join(err, past); err != nil {
					return fmt.Errorf("read %s: %w", f.df.FilePath(), err)
				}
				return nil
			})
		})
		if err != nil {
			return nil, err
		}
	}
	return gone, nil
}

// keyColumns selects the columns by which rows are deleted.
func (s *tableScan) keyColumns() ([]table.ScanOption, error) {
	var ids []int
	for _, d := range s.reading.all.keys {
		ids = append(ids, d.df.EqualityFieldIDs()...)
	}
	slices.Sort(ids)
	names, err := columnsOf(s.reading.tbl.Schema(), slices.Compact(ids))
	return []table.ScanOption{table.WithSelectedFields(names...)}, err
}

// selected selects the columns that are wanted, and those by which rows are deleted.
func (s *tableScan) selected(keys *deletedKeys) ([]table.ScanOption, error) {
	names := s.columns.names()
	for _, g := range keys.groups {
		own, err := columnsOf(s.reading.tbl.Schema(), g.ids)
		if err != nil {
			return nil, err
		}
		names = append(names, own...)
	}
	slices.Sort(names)
	return []table.ScanOption{table.WithSelectedFields(slices.Compact(names)...)}, nil
}
