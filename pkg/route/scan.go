package route

import (
	"context"
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

var _ writer.Scanner = (*Sink)(nil)

// Scan reads a table's own rows of its target, and returns its own position.
func (s *Sink) Scan(ctx context.Context, t *schema.Table, parallel int, rows func(goroutine int, b arrow.RecordBatch) error) (batch.Position, error) {
	inner, ok := s.inner.(writer.Scanner)
	if !ok {
		return "", errors.ErrUnsupported
	}
	db, name, ok := s.routes.Target(t.DB, t.Name)
	if !ok {
		return inner.Scan(ctx, t, parallel, rows)
	}
	form, err := s.routes.form(t, db, name)
	if err != nil {
		return "", err
	}
	own, n := [2]string{s.routes.Named(t.DB), t.Name}, len(form.Columns)-len(t.Columns)
	pos, err := inner.Scan(ctx, form, parallel, func(goroutine int, b arrow.RecordBatch) error {
		if n > 0 {
			var err error
			if b, err = ownRows(ctx, b, own); err != nil {
				return err
			}
			defer b.Release()
		}
		// The columns of shards come first.
		out := array.NewRecordBatch(t.Arrow, b.Columns()[n:], b.NumRows())
		defer out.Release()
		return rows(goroutine, out)
	})
	if err != nil || pos == "" {
		return pos, err
	}
	p, ok := parsePlaces(pos)
	at, there := p[s.routes.Named(t.String())]
	switch {
	case !ok:
		err = fmt.Errorf("%s.%s was made by no route", db, name)
	case !there:
		return "", nil // of others alone
	case n == 0 && len(p) > 1:
		err = fmt.Errorf("%s.%s has rows of other tables too, and no columns that tell whose they are", db, name)
	}
	if err != nil {
		return "", &schema.TableError{Table: t.String(), Err: err}
	}
	return at.pos, nil
}

// ownRows returns the rows of a batch whose first two columns are those texts.
func ownRows(ctx context.Context, b arrow.RecordBatch, own [2]string) (arrow.RecordBatch, error) {
	db, ok1 := b.Column(0).(*array.String)
	table, ok2 := b.Column(1).(*array.String)
	if !ok1 || !ok2 {
		return nil, errors.New("the columns of shards are no texts")
	}
	mask := array.NewBooleanBuilder(memory.DefaultAllocator)
	defer mask.Release()
	mask.Reserve(int(b.NumRows()))
	for i := range int(b.NumRows()) {
		mask.UnsafeAppend(db.Value(i) == own[0] && table.Value(i) == own[1])
	}
	keep := mask.NewArray()
	defer keep.Release()
	return compute.FilterRecordBatch(ctx, b, keep, compute.DefaultFilterOptions())
}
