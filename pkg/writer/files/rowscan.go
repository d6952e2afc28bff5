package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"sync/atomic"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"golang.org/x/sync/errgroup"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/kept"
)

var _ writer.Scanner = (*Sink)(nil)

// Scan reads the files of the last commit, each by one goroutine. One that a later commit has
// taken out meanwhile is gone: then all is read as of that commit, unless rows were handed on
// already, which makes it an error that may pass.
func (s *Sink) Scan(ctx context.Context, t *schema.Table, parallel int, rows func(goroutine int, b arrow.RecordBatch) error) (batch.Position, error) {
	sc := &rowScan{sink: s, table: t, dir: s.folder(t), rows: rows}
	pos, err := sc.run(ctx, max(parallel, 1))
	var own *schema.TableError
	if err != nil && ctx.Err() == nil && !errors.As(err, &own) {
		err = fmt.Errorf("read %s: %w", s.store.url(sc.dir), err)
	}
	return pos, err
}

// A rowScan is one Scan.
type rowScan struct {
	sink  *Sink
	table *schema.Table
	dir   string
	rows  func(goroutine int, b arrow.RecordBatch) error

	handed atomic.Bool // rows were called
	form   form
	at     []int // of each column of the table, its place in the form
}

func (sc *rowScan) run(ctx context.Context, parallel int) (batch.Position, error) {
	if sc.table.IsChangelog() {
		return "", sc.refuse(errors.New("a table that has a row for each change is not read again"))
	}
	var gone error
	before := int64(-1)
	for range loads {
		m, err := sc.held(ctx)
		if err != nil || m.Number == 0 {
			return "", err
		}
		switch {
		case m.Number == before:
			return "", sc.missing(ctx, m, gone)
		case sc.handed.Load():
			return "", hint.Transient(hint.Wrap(fmt.Errorf("a later commit has taken away what was being read: %w", gone), "read it again, or while nobody writes to it"))
		}
		before = m.Number
		if err := sc.bind(m); err != nil {
			return "", err
		}
		err = sc.readAll(ctx, m, parallel)
		switch {
		case err == nil:
			return m.Position, nil
		case !errors.Is(err, fs.ErrNotExist) || ctx.Err() != nil:
			return "", err
		}
		gone = err
	}
	return "", hint.Transient(gone)
}

// held is what the table holds. Who only looks takes what other readers find, as what was
// committed and not published has files that are still to be shown.
func (sc *rowScan) held(ctx context.Context) (manifest, error) {
	if !sc.sink.opts.Look {
		return sc.sink.load(ctx, sc.dir)
	}
	m, err := sc.sink.manifest(ctx, sc.dir)
	if err == nil && m.Number > 0 {
		err = m.check(m.Number)
	}
	return m, err
}

// missing is the error of a file that is not there, of the commit that is still the last one
// that readers find.
func (sc *rowScan) missing(ctx context.Context, m manifest, gone error) error {
	if sc.sink.opts.Look {
		if n, err := sc.sink.lastNumber(ctx, sc.dir); err != nil || n > m.Number {
			return hint.Transient(errors.Join(fmt.Errorf("commit %d is about to be shown: %w", n, gone), err))
		}
	}
	return lost(gone)
}

func (sc *rowScan) refuse(err error) error {
	return &schema.TableError{Table: sc.table.String(), Err: err}
}

// bind finds the table's columns among those of the files.
func (sc *rowScan) bind(m manifest) (err error) {
	if m.IsChangelog() {
		return sc.refuse(fmt.Errorf("%s holds a row for each change, and not the source's rows", sc.sink.store.url(sc.dir)))
	}
	if sc.form, err = formOf(m.Format, m.Compression, m.Header, m.Columns); err != nil {
		return err
	}
	sc.at = make([]int, len(sc.table.Columns))
	for i, c := range sc.table.Columns {
		own := kept.Find(m.Columns, c.Name)
		if own == nil {
			return sc.refuse(fmt.Errorf("%s has no column %s", sc.sink.store.url(sc.dir), c.Name))
		}
		sc.at[i] = slices.IndexFunc(m.Columns, func(k kept.Column) bool { return k.Name == own.Name })
		if from := sc.form.types[sc.at[i]]; !alike(from, c.Arrow) {
			return sc.refuse(fmt.Errorf("column %s is %s in %s, of which no value is one of %s", c.Name, own.Type, sc.sink.store.url(sc.dir), c.Native))
		}
	}
	return nil
}

// readAll reads the files of a commit.
func (sc *rowScan) readAll(ctx context.Context, m manifest, parallel int) error {
	g, ctx := errgroup.WithContext(ctx)
	var next atomic.Int64
	for n := range min(parallel, len(m.Files)) {
		g.Go(func() error {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(m.Files) {
					return nil
				}
				if err := sc.read(ctx, n, m.Files[i]); err != nil {
					return err
				}
			}
		})
	}
	return g.Wait()
}

// read reads a file.
func (sc *rowScan) read(ctx context.Context, goroutine int, f file) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	name := path.Join(sc.dir, f.Path)
	in, err := sc.sink.store.open(ctx, name)
	if err != nil {
		return err
	}
	defer in.Close()
	var own error // of rows
	seen := int64(0)
	err = sc.form.scan(ctx, in, sc.at, func(columns []arrow.Array, n int) error {
		seen += int64(n)
		own = sc.hand(ctx, goroutine, columns, n)
		return own
	})
	switch {
	case own != nil:
		return own
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil:
		// Some stores do not say that the rest of a file is gone.
		if again, gone := sc.sink.store.open(ctx, name); errors.Is(gone, fs.ErrNotExist) {
			err = gone
		} else if gone == nil {
			_ = again.Close()
		}
		return fmt.Errorf("%s: %w", sc.sink.store.url(name), err)
	case seen != f.Rows:
		return fmt.Errorf("%s has %d rows, and the manifest says that it has %d", sc.sink.store.url(name), seen, f.Rows)
	}
	return nil
}

// hand hands rows on, as the table has them.
func (sc *rowScan) hand(ctx context.Context, goroutine int, columns []arrow.Array, n int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	out := make([]arrow.Array, len(sc.at))
	defer func() {
		for _, a := range out {
			if a != nil {
				a.Release()
			}
		}
	}()
	for i, c := range sc.table.Columns {
		var err error
		if out[i], err = cast(ctx, columns[sc.at[i]], c.Arrow); err != nil {
			return sc.refuse(fmt.Errorf("column %s: %w", c.Name, err))
		}
	}
	rec := array.NewRecordBatch(sc.table.Arrow, out, int64(n))
	defer rec.Release()
	sc.handed.Store(true)
	return sc.rows(goroutine, rec)
}
