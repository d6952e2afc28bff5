package writertest

import (
	"fmt"
	"math"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// carry takes a table through the sink and wants it back unchanged.
func (k *kit) carry(t *schema.Table, rows []batchtest.Row) {
	k.Helper()
	w := k.restart(t, writer.Create, "")
	k.write(w, t, rows)
	k.commit(w, "p1")
	k.close(w)
	k.visible(t, rows)
}

func (k *kit) everyType() {
	all := batchtest.AllTypes("types", "nullable")
	k.carry(all.Table, all.Rows)

	columns := append([]schema.Column{}, all.Columns...)
	for i := range columns {
		columns[i].Nullable = false
	}
	required := schema.New("types", "required", columns, nil)
	k.carry(required, batchtest.Fill(required, 20))

	// What no server holds today but Arrow does: it must not be bent.
	edges := batchtest.Shape("types", "edges", "id bigint key",
		"f float", "d double", "day date", "at datetime(6)", "ts timestamp(6)", "n decimal(38,38)")
	k.carry(edges, []batchtest.Row{
		{
			1, float32(math.Copysign(0, -1)), math.Copysign(0, -1),
			"0001-01-01", "0001-01-01 00:00:00.000000", "0001-01-01 00:00:00.000001Z", "-0." + strings.Repeat("9", 38),
		},
		{
			2, float32(math.SmallestNonzeroFloat32), math.SmallestNonzeroFloat64,
			"9999-12-31", "9999-12-31 23:59:59.999999", "9999-12-31 23:59:59.999999Z", "0." + strings.Repeat("0", 37) + "1",
		},
	})
}

// everyKey has a key of each type that MySQL takes as one, and none.
func (k *kit) everyKey() {
	for i, columns := range [][]string{
		{"a int unsigned key", "v int"},
		{"a bigint unsigned key", "v int"},
		{"v int", "b varchar(50) key", "a int key"},
		{"a decimal(5,2) not null", "v int"},
		{"a double not null", "v int"},
		{"a float not null", "v int"},
		{"a datetime(6) not null", "b date not null", "v int"},
		{"a varbinary(20) not null", "v int"},
		{"a bit(1) not null", "v int"},
	} {
		t := batchtest.Shape("keys", fmt.Sprintf("k%d", i), columns...)
		rows := batchtest.Fill(t, 20)
		if t.Key == nil { // Fill gives a key numbers, so these become keys afterwards
			t = schema.New(t.DB, t.Name, t.Columns, []int{0})
			rows = rows[:2]
		}
		k.carry(t, rows)
	}
	keyless := batchtest.Shape("keys", "none", "a int", "b varchar(50)")
	k.carry(keyless, []batchtest.Row{{1, "x"}, {1, "x"}, {1, "x"}, {nil, nil}, {nil, nil}})
}

func (k *kit) hugeRow() {
	t := batchtest.Shape("shop", "huge", "id bigint key", "note longtext", "body longblob")
	const mib = 1 << 20
	k.carry(t, []batchtest.Row{
		{1, "small", []byte{}},
		{2, strings.Repeat("0123456789abcdef", mib), []byte(strings.Repeat("\x00\xff", 4*mib))},
		{3, "small", nil},
	})
}

func (k *kit) thousandColumns() {
	types := []string{"int", "varchar(50)", "decimal(5,2)", "datetime(6)", "double"}
	columns := []string{"id bigint key"}
	for i := 1; i < 1000; i++ {
		columns = append(columns, fmt.Sprintf("column_%03d %s", i, types[i%len(types)]))
	}
	t := batchtest.Shape("shop", "wide", columns...)
	k.carry(t, batchtest.Fill(t, 10))
}

func (k *kit) emptyTable() {
	t := orders()
	w := k.restart(t, writer.Create, "")
	k.commit(w, "p1")
	k.visible(t, nil)
	// It is there and whole, or the next run would copy it again.
	k.restart(t, writer.Create, "p1")
}

func (k *kit) emptyBatches() {
	t := orders()
	w := k.restart(t, writer.Create, "")
	k.write(w, t, nil)
	k.write(w, t, ids(1, 2))
	k.write(w, t, nil)
	k.commit(w, "p1")
	k.write(w, t, nil)
	k.commit(w, "p2")
	k.visible(t, ids(1, 2))
	k.restart(t, writer.Create, "p2")
}

// concurrentWrites sends several splits at once, as package move does.
func (k *kit) concurrentWrites() {
	t := orders()
	w := k.restart(t, writer.Create, "")
	const splits, batches, size = 8, 25, 40
	g, ctx := errgroup.WithContext(k.Context())
	for s := range splits {
		g.Go(func() error {
			for b := range batches {
				first := (s*batches+b)*size + 1
				err := k.lend(t, ids(first, first+size-1), func(b *batch.Batch) error {
					b.Origin = s
					return w.Write(ctx, b)
				})
				if err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		k.Fatalf("write: %v", err)
	}
	k.visible(t, nil)
	k.commit(w, "p1")
	k.visible(t, ids(1, splits*batches*size))
}

// manyTables opens, fills and commits tables at once through one sink.
func (k *kit) manyTables() {
	s := k.sink()
	tables := make([]*schema.Table, 40)
	g, ctx := errgroup.WithContext(k.Context())
	g.SetLimit(8)
	for i := range tables {
		t := orders()
		t.DB, t.Name = fmt.Sprintf("db%d", i%3), fmt.Sprintf("table_%d", i)
		tables[i] = t
		g.Go(func() error {
			w, err := s.Open(ctx, t, writer.Create)
			if err != nil {
				return fmt.Errorf("open %s: %w", t, err)
			}
			defer w.Close()
			err = k.lend(t, ids(i, 2*i), func(b *batch.Batch) error { return w.Write(ctx, b) })
			if err != nil {
				return fmt.Errorf("write %s: %w", t, err)
			}
			if err := w.Commit(ctx, batch.Position(fmt.Sprint(i))); err != nil {
				return fmt.Errorf("commit %s: %w", t, err)
			}
			return nil
		})
	}
	if err := g.Wait(); err != nil {
		k.Fatal(err)
	}
	for i, t := range tables {
		k.visible(t, ids(i, 2*i))
		k.restart(t, writer.Create, batch.Position(fmt.Sprint(i)))
	}
}
