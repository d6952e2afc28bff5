package iceberg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go/catalog"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
	"golang.org/x/sync/errgroup"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

var _ writer.Scanner = (*Sink)(nil)

// Scan reads the table's current snapshot, see writer.Scanner. Each goroutine reads one file
// at a time: it holds a row group of it, as it is in the file, and some thousand rows. All of
// them share Options.Memory for deleted keys. Nothing is written or changed.
func (s *Sink) Scan(ctx context.Context, t *schema.Table, parallel int, rows func(goroutine int, b arrow.RecordBatch) error) (batch.Position, error) {
	ctx = s.shared(ctx)
	sc, err := s.openScan(ctx, t)
	if err != nil || sc == nil {
		return "", advise(err)
	}
	if err := sc.run(ctx, max(parallel, 1), rows); err != nil {
		return "", advise(fmt.Errorf("scan %s: %w", sc.w.name(), err))
	}
	return sc.w.pos, nil
}

// A tableScan is a Scan of one snapshot.
type tableScan struct {
	w       *Writer // which knows the table and where its files are, and writes nothing
	columns *scanColumns
	reading reading
	files   []*liveFile
}

// openScan looks at the table and at what its snapshot has. It returns nil if there is none.
func (s *Sink) openScan(ctx context.Context, t *schema.Table) (*tableScan, error) {
	ctx, cancel := context.WithTimeout(ctx, s.retry.timeout)
	defer cancel()
	sc := &tableScan{w: &Writer{sink: s, ident: s.identifier(t), mode: writer.Append, src: t}}
	tbl, err := s.cat.LoadTable(ctx, sc.w.ident)
	if errors.Is(err, catalog.ErrNoSuchTable) || errors.Is(err, catalog.ErrNoSuchNamespace) {
		return nil, nil
	}
	if err == nil {
		err = sc.w.adoptAsIs(ctx, tbl)
	}
	if err != nil {
		return nil, sc.w.unloaded(err)
	}
	if src := sc.w.props[sourceProperty]; src != "" && src != t.String() {
		return nil, sc.w.otherSource(src)
	}
	if sc.columns, err = sc.w.scanColumns(tbl); err != nil {
		return nil, err
	}
	// What the catalog grants access with is renewed while the files are read.
	fs := func(ctx context.Context) (iceio.IO, error) {
		if err := sc.w.st.fresh(ctx); err != nil {
			return nil, err
		}
		return sc.w.st.last(), nil
	}
	tbl = table.New(sc.w.ident, tbl.Metadata(), tbl.MetadataLocation(), fs, s.cat)
	all, err := contentsOf(tbl, sc.w.st.files(), manifestCache{})
	if err != nil {
		return nil, fmt.Errorf("scan %s: %w", sc.w.name(), err)
	}
	sc.reading = reading{tbl: tbl, all: all, most: s.opts.Memory / 2}
	sc.files = slices.Clone(all.data)
	// The largest first, so that no goroutine begins with it when all others are done.
	slices.SortStableFunc(sc.files, func(a, b *liveFile) int { return cmp.Compare(b.df.FileSizeBytes(), a.df.FileSizeBytes()) })
	return sc, nil
}

// run reads the files.
func (s *tableScan) run(ctx context.Context, parallel int, rows func(int, arrow.RecordBatch) error) error {
	keys, gone, err := s.deleted(ctx, parallel)
	if err != nil {
		return err
	}
	read := s.reading
	if read.options, err = s.selected(keys); err != nil {
		return err
	}
	return s.eachFile(ctx, parallel, func(ctx context.Context, goroutine int, f *liveFile) error {
		return read.rows(ctx, keys, f, gone[f], func(rec arrow.RecordBatch) error {
			b, err := s.columns.convert(ctx, rec)
			if err != nil {
				return fmt.Errorf("read %s: %w", f.df.FilePath(), err)
			}
			defer b.Release()
			return rows(goroutine, b)
		})
	})
}

// eachFile calls read with the files, from up to parallel goroutines.
func (s *tableScan) eachFile(ctx context.Context, parallel int, read func(ctx context.Context, goroutine int, f *liveFile) error) error {
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for n := range min(parallel, len(s.files)) {
		g.Go(func() error {
			for {
				i := next.Add(1) - 1
				if i >= int64(len(s.files)) {
					return nil
				}
				if err := read(ctx, n, s.files[i]); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}
