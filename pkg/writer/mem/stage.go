package mem

import (
	"errors"
	"fmt"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A stage is what one writer has staged since its last commit.
type stage struct {
	emptied bool // before the changes
	changes []change

	published bool
	pos       batch.Position // that came with it
}

type change struct {
	op     batch.Op
	row    batchtest.Row
	origin int
}

// add stages a batch.
func (s *stage) add(b *batch.Batch, t *schema.Table) error {
	if b.Ops != nil && len(t.Key) == 0 {
		return errors.New("a batch with Ops for a table without a key")
	}
	var rows []batchtest.Row
	if b.Rows != nil {
		var err error
		if rows, err = batchtest.Rows(b.Rows); err != nil {
			return err
		}
	}
	if b.Ops != nil && len(b.Ops) != len(rows) {
		return fmt.Errorf("a batch of %d rows with %d Ops", len(rows), len(b.Ops))
	}
	if b.Emptied {
		*s = stage{emptied: true}
	}
	for i, row := range rows {
		c := change{batch.Insert, row, b.Origin}
		if b.Ops != nil {
			c.op = b.Ops[i]
		}
		s.changes = append(s.changes, c)
	}
	return nil
}

// as returns the stage with its rows in another shape, that begins with the same
// columns.
func (s *stage) as(from, to *schema.Table) *stage {
	out := &stage{emptied: s.emptied, changes: make([]change, len(s.changes))}
	for i, c := range s.changes {
		out.changes[i] = change{c.op, reshape([]batchtest.Row{c.row}, from, to)[0], c.origin}
	}
	return out
}

// apply returns the rows with what is staged applied to them. An Insert whose
// key is there already, which no source may send, gives a second row of the key,
// as in a sink that believes what it is told.
func (s *stage) apply(rows []batchtest.Row, t *schema.Table) []batchtest.Row {
	if s.emptied {
		rows = nil
	}
	if len(t.Key) == 0 {
		out := append([]batchtest.Row(nil), rows...)
		for _, c := range s.changes {
			out = append(out, c.row)
		}
		return out
	}
	out := make([]batchtest.Row, 0, len(rows)+len(s.changes))
	at := make(map[string][]int, len(rows))
	put := func(row batchtest.Row) {
		k := keyOf(row, t)
		at[k] = append(at[k], len(out))
		out = append(out, row)
	}
	for _, row := range rows {
		put(row)
	}
	for _, c := range s.changes {
		if c.op != batch.Insert {
			k := keyOf(c.row, t)
			for _, i := range at[k] {
				out[i] = nil
			}
			delete(at, k)
		}
		if c.op == batch.Insert || c.op == batch.After {
			put(c.row)
		}
	}
	left := out[:0]
	for _, row := range out {
		if row != nil {
			left = append(left, row)
		}
	}
	return left
}

func keyOf(row batchtest.Row, t *schema.Table) string {
	key := make(batchtest.Row, len(t.Key))
	for i, k := range t.Key {
		key[i] = row[k]
	}
	return key.String()
}
