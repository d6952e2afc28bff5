package iceberg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"
	"golang.org/x/sync/errgroup"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

var _ writer.Scanner = (*Sink)(nil)

// A rereading reads a table again, as of its newest snapshot: data files by iceberg-go's reader, which
// applies deletes of positions; those of keys as upkeep applies them, since iceberg-go would hold a
// key for each file that it is deleted from.
type rereading struct {
	*compaction
	all  *contents
	want *schema.Table
	rows func(goroutine int, b arrow.RecordBatch) error
}

// Scan reads the table of t, see writer.Scanner.
func (s *Sink) Scan(ctx context.Context, t *schema.Table, parallel int, rows func(goroutine int, b arrow.RecordBatch) error) (batch.Position, error) {
	ctx = s.shared(ctx)
	ident := s.identifier(t)
	tbl, err := s.cat.LoadTable(ctx, ident)
	if errors.Is(err, catalog.ErrNoSuchTable) || errors.Is(err, catalog.ErrNoSuchNamespace) {
		return "", nil
	}
	if err != nil {
		return "", advise(fmt.Errorf("load %s: %w", strings.Join(ident, "."), err))
	}
	pos := batch.Position(tbl.Properties()[positionProperty])
	if pos == "" {
		err := hint.Wrap(errors.New("it holds no position: Tablehaul has not made it"), "snapshot --mode replace exchanges its content")
		return "", &schema.TableError{Table: t.String(), Err: err}
	}
	r := &rereading{want: t, rows: rows, compaction: &compaction{
		Writer: &Writer{sink: s, ident: ident, mode: writer.Append, src: schema.New("", t.String(), nil, nil)}, tbl: tbl, cache: manifestCache{},
	}}
	if err := r.run(ctx, parallel); err != nil {
		var te *schema.TableError
		if errors.As(err, &te) {
			return "", err
		}
		return "", advise(fmt.Errorf("read %s: %w", strings.Join(ident, "."), err))
	}
	return pos, nil
}

func (r *rereading) run(ctx context.Context, parallel int) (err error) {
	if err := r.adoptAsIs(ctx, r.tbl); err != nil {
		return err
	}
	if r.src, err = asSource(strings.Join(r.ident, "."), r.tbl.Schema()); err != nil {
		return err
	}
	if err := r.fitsWanted(); err != nil {
		return err
	}
	if r.all, err = contentsOf(r.tbl, r.st.files(), r.cache); err != nil {
		return err
	}
	keys, err := r.readKeys(ctx, r.all, r.all.data)
	if err != nil {
		return err
	}
	todo := make(chan *liveFile, len(r.all.data))
	for _, f := range r.all.data {
		todo <- f
	}
	close(todo)
	g, gctx := errgroup.WithContext(ctx)
	for n := range max(parallel, 1) {
		g.Go(func() error {
			own := keys.fork()
			for f := range todo {
				if err := r.readRows(gctx, own, f, n); err != nil {
					return fmt.Errorf("%s: %w", f.df.FilePath(), err)
				}
			}
			return nil
		})
	}
	return g.Wait()
}

// fitsWanted refuses a table that lacks columns.
func (r *rereading) fitsWanted() error {
	for _, c := range r.want.Columns {
		if r.src.Index(c.Name) < 0 {
			err := hint.Wrap(fmt.Errorf("the lake's table has no column %s", c.Name), "tail brings it there with the next change; or leave it out with --columns")
			return &schema.TableError{Table: r.want.String(), Err: err}
		}
	}
	return nil
}

// readRows hands on the rows of a file that are not deleted.
func (r *rereading) readRows(ctx context.Context, keys *deletedKeys, f *liveFile, n int) error {
	_, recs, err := r.tbl.Scan(table.WithMaxConcurrency(1), table.WithArrowBatchSize(readRows)).ReadTasks(ctx, []table.FileScanTask{r.all.task(f)})
	if err != nil {
		return err
	}
	for rec, err := range recs {
		if err != nil {
			return err
		}
		left, err := keys.without(ctx, f, rec)
		rec.Release()
		if err != nil {
			return err
		}
		err = r.hand(ctx, left, n)
		left.Release()
		if err != nil {
			return err
		}
	}
	return ctx.Err()
}

// hand gives rows the wanted columns and types.
func (r *rereading) hand(ctx context.Context, rec arrow.RecordBatch, n int) error {
	if rec.NumRows() == 0 {
		return nil
	}
	columns := make([]arrow.Array, len(r.want.Columns))
	defer func() {
		for _, c := range columns {
			if c != nil {
				c.Release()
			}
		}
	}()
	for i, c := range r.want.Columns {
		at := slices.IndexFunc(rec.Schema().Fields(), func(f arrow.Field) bool { return f.Name == r.src.Columns[r.src.Index(c.Name)].Name })
		if at < 0 {
			return fmt.Errorf("column %s is not in what was read", c.Name)
		}
		var err error
		if columns[i], err = as(ctx, rec.Column(at), c.Arrow); err != nil {
			return &schema.TableError{Table: r.want.String(), Err: fmt.Errorf("column %s: %w", c.Name, err)}
		}
	}
	out := array.NewRecordBatch(r.want.Arrow, columns, rec.NumRows())
	defer out.Release()
	return r.rows(n, out)
}

// as returns values in another type, if it holds them all.
func as(ctx context.Context, a arrow.Array, to arrow.DataType) (arrow.Array, error) {
	if arrow.TypeEqual(a.DataType(), to) {
		a.Retain()
		return a, nil
	}
	if l, ok := a.(*array.List); ok && to.ID() == arrow.LIST {
		// Items that may be NULL, and have other names.
		data := array.NewData(to, l.Len(), l.Data().Buffers(), []arrow.ArrayData{l.ListValues().Data()}, l.NullN(), l.Data().Offset())
		defer data.Release()
		return array.NewListData(data), nil
	}
	out, err := compute.CastArray(ctx, a, compute.SafeCastOptions(to))
	if err != nil {
		return nil, fmt.Errorf("its values in the lake, of the type %s, are no %s: %w", a.DataType(), to, err)
	}
	return out, nil
}
