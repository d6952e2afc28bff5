package doris

import (
	"context"
	"errors"
	"math"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/doris/doristest"
)

// scanned reads a table by Scan.
func scanned(t *testing.T, s *Sink, table *schema.Table) (batch.Position, []batchtest.Row) {
	t.Helper()
	var all []batchtest.Row
	pos, err := s.Scan(t.Context(), table, 4, func(n int, b arrow.RecordBatch) error {
		if n != 0 || !b.Schema().Equal(table.Arrow) {
			t.Errorf("%s: goroutine %d has batches %s", table, n, b.Schema())
		}
		rows, err := batchtest.Rows(b)
		all = append(all, rows...)
		return err
	})
	if err != nil {
		t.Fatalf("%s: %v", table, err)
	}
	return pos, all
}

// scannedAlike compares what others read of a table with what Scan does.
func scannedAlike(t *testing.T, s *Sink, table *schema.Table, read []arrow.RecordBatch) {
	t.Helper()
	if table.IsChangelog() {
		return
	}
	var names []string
	for _, c := range table.Columns {
		names = append(names, c.Name)
	}
	var want []batchtest.Row
	for _, b := range read {
		rows, err := batchtest.Rows(b, names...)
		if err != nil {
			t.Log(err) // a table of another shape, which is the test's own affair
			return
		}
		want = append(want, rows...)
	}
	if _, got := scanned(t, s, table); batchtest.Diff(got, want) != "" {
		t.Errorf("%s, by Scan: %s", table, batchtest.Diff(got, want))
	}
}

func scanCluster(t *testing.T) *doristest.Cluster {
	t.Helper()
	c, err := doristest.Start(doristest.Options{MaxString: 1 << 30})
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	return c
}

// write commits rows, as changes if there are ops.
func write(t *testing.T, s *Sink, table *schema.Table, mode writer.Mode, pos batch.Position, ops []batch.Op, rows ...batchtest.Row) {
	t.Helper()
	w, err := s.Open(t.Context(), table, mode)
	must(t, err)
	if len(rows) > 0 {
		must(t, put(t, w, table, rows, ops))
	}
	must(t, w.Commit(t.Context(), pos))
	must(t, w.Close())
}

// TestScan reads every type, keys of several kinds, texts and numbers that are odd, and many rows.
func TestScan(t *testing.T) {
	c := scanCluster(t)
	s := testSink(t, c, Options{})
	all := batchtest.AllTypes("shop", "every")
	edges := batchtest.Shape("shop", "edges", "id bigint key", "d double", "f float", "day date", "at datetime(3)", "n decimal(38,38)", "s varchar(100)", "g geometry")
	var odd []batchtest.Row
	for i, text := range []any{"", nil, " ", "NULL", `\N`, `"`, `\`, "\x00", "\x01\x02", "\t\r\n", "\ufeff", "😀 漢字", "'`", "{}", "é\u0301", "trailing  "} {
		odd = append(odd, batchtest.Row{int64(i), nil, nil, nil, nil, nil, text, nil})
	}
	odd = append(odd,
		batchtest.Row{int64(100), math.SmallestNonzeroFloat64, float32(math.SmallestNonzeroFloat32), "0001-01-01", "0001-01-01 00:00:00.001000", "-0." + strings.Repeat("9", 38), "x", nil},
		batchtest.Row{int64(101), math.Copysign(0, -1), float32(1e21), "9999-12-31", "9999-12-31 23:59:59.999000", "0." + strings.Repeat("0", 37) + "1", "x", nil},
		batchtest.Row{int64(102), 1e-7, float32(16777217), "1582-10-04", "1582-10-04 00:00:00.000000", nil, "x", nil},
	)
	keys := batchtest.Shape("shop", "keys", "s varchar(20) key", "n bigint unsigned key", "at datetime(6) key", "t time(3) key", "b bit(1) key", "i int unsigned key", "v int")
	keyed := []batchtest.Row{
		{"", "18446744073709551615", "2024-02-29 00:00:00.000001", int64(-1e6), true, int64(math.MaxUint32), nil},
		{"ü\\\"", "0", "2024-02-29 00:00:00.000000", int64(1000), false, int64(0), int64(7)},
	}
	keyless := batchtest.Shape("shop", "keyless", "v int", "s longtext")
	long := batchtest.Shape("shop", "long", "id bigint key", "s longtext")
	var many []batchtest.Row
	for i := range 10_000 {
		many = append(many, batchtest.Row{int64(i), strings.Repeat("x", i%50)})
	}
	many = append(many, batchtest.Row{int64(-1), strings.Repeat("漢", 1<<20)})
	for _, c := range []struct {
		table *schema.Table
		rows  []batchtest.Row
	}{
		{all.Table, all.Rows},
		{edges, odd},
		{keys, keyed},
		{keyless, []batchtest.Row{{int64(1), "a"}, {int64(1), "a"}, {nil, nil}}},
		{long, many},
		{batchtest.Shape("shop", "empty", "id int key"), nil},
	} {
		write(t, s, c.table, writer.Create, "p", nil, c.rows...)
		if pos, got := scanned(t, s, c.table); pos != "p" || batchtest.Diff(got, c.rows) != "" {
			t.Errorf("%s at %q: %s", c.table, pos, batchtest.Diff(got, c.rows))
		}
	}
}

// TestScanChanged reads a table that is followed, is altered, is exchanged, and is not there.
func TestScanChanged(t *testing.T) {
	c := scanCluster(t)
	s := testSink(t, c, Options{})
	table := batchtest.Shape("shop", "t", "id int key", "v varchar(20)", "n int")
	if pos, rows := scanned(t, s, table); pos != "" || len(rows) > 0 {
		t.Errorf("a table that is not there has %v at %q", rows, pos)
	}
	write(t, s, table, writer.Create, "p1", nil, batchtest.Row{1, "one", 1}, batchtest.Row{2, "two", 2}, batchtest.Row{3, nil, nil})
	w, err := s.Open(t.Context(), table, writer.Follow)
	must(t, err)
	must(t, put(t, w, table, []batchtest.Row{{1, "ünë", 1}, {2, "x", 9}, {4, "", 4}}, []batch.Op{batch.After, batch.Delete, batch.Insert}))
	if pos, got := scanned(t, s, table); pos != "p1" || len(got) != 3 {
		t.Errorf("at %q before the commit: %v", pos, got)
	}
	must(t, w.Commit(t.Context(), "p2"))
	must(t, w.Close())
	want := []batchtest.Row{{int64(1), "ünë", int64(1)}, {int64(3), nil, nil}, {int64(4), "", int64(4)}}
	if pos, got := scanned(t, s, table); pos != "p2" || batchtest.Diff(got, want) != "" {
		t.Errorf("at %q: %s", pos, batchtest.Diff(got, want))
	}

	// Columns in another order, and fewer, one of them wider than the sink's.
	part := batchtest.Shape("shop", "t", "N bigint", "id int key")
	want = []batchtest.Row{{int64(1), int64(1)}, {nil, int64(3)}, {int64(4), int64(4)}}
	if _, got := scanned(t, s, part); batchtest.Diff(got, want) != "" {
		t.Error(batchtest.Diff(got, want))
	}
	write(t, s, part, writer.Replace, "p3", nil, batchtest.Row{5, 5})
	if pos, got := scanned(t, s, part); pos != "p3" || batchtest.Diff(got, []batchtest.Row{{int64(5), int64(5)}}) != "" {
		t.Errorf("exchanged, it is %v at %q", got, pos)
	}
}

// TestScanRefuses reads what cannot be.
func TestScanRefuses(t *testing.T) {
	c := scanCluster(t)
	s := testSink(t, c, Options{})
	table := batchtest.Shape("shop", "t", "id bigint key", "v varchar(20)", "d double")
	write(t, s, table, writer.Create, "p", nil, batchtest.Row{int64(1) << 40, "7", 0.1})
	changes, err := schema.Changelog(table)
	must(t, err)
	for want, of := range map[string]*schema.Table{
		"no column gone":              batchtest.Shape("shop", "t", "id bigint key", "gone int"),
		"row for each change":         changes,
		"is no number of 32 bits":     batchtest.Shape("shop", "t", "id int key"),
		"is no number of 32 bits\x00": batchtest.Shape("shop", "t", "d float"),
		"column v is varchar":         batchtest.Shape("shop", "t", "v varbinary(20)"),
	} {
		_, err := s.Scan(t.Context(), of, 1, func(int, arrow.RecordBatch) error { return nil })
		var own *schema.TableError
		if !errors.As(err, &own) || !strings.Contains(err.Error(), strings.TrimSuffix(want, "\x00")) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	enough := errors.New("enough")
	if _, err := s.Scan(t.Context(), table, 1, func(int, arrow.RecordBatch) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("got %v, want the error of who is called", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Scan(ctx, table, 1, func(int, arrow.RecordBatch) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v of a context that has ended", err)
	}
	s.mark(t.Context()) // or the commit would be taken back
	query(t, c, doristest.Options{}, "DROP TABLE shop.t")
	_, err = s.Scan(t.Context(), table, 1, func(int, arrow.RecordBatch) error { return nil })
	var own *schema.TableError
	if !errors.As(err, &own) || !strings.Contains(hint.Of(err), "--mode replace") {
		t.Errorf("a table that was dropped by hand: %v", err)
	}
}

// TestScanFaults has what is asked go wrong once: it is asked again, until rows were handed on.
func TestScanFaults(t *testing.T) {
	c := scanCluster(t)
	s := testSink(t, c, Options{})
	s.store.patience = 10 * time.Second
	table := batchtest.Shape("shop", "t", "id bigint key")
	write(t, s, table, writer.Create, "p", nil, batchtest.Row{1})
	var due, seen atomic.Int64
	c.Inject(func(call doristest.Call) doristest.Fault {
		if call.What == "sql" && seen.Add(1) == due.Load() {
			return doristest.Fault{After: true}
		}
		return doristest.Fault{}
	})
	for n := int64(1); ; n++ {
		due.Store(n)
		seen.Store(0)
		if pos, got := scanned(t, s, table); pos != "p" || len(got) != 1 {
			t.Errorf("fault %d: got %v at %q", n, got, pos)
		}
		if seen.Load() < n {
			if n < 5 {
				t.Errorf("only %d statements were seen", n)
			}
			break
		}
	}
}

// TestScanLooked reads, as one that changes nothing, what a run that has died has not shown.
func TestScanLooked(t *testing.T) {
	for _, mode := range []writer.Mode{writer.Follow, writer.Replace} {
		c := scanCluster(t)
		table := batchtest.Shape("shop", "t", "id int key")
		write(t, testSink(t, c, Options{}), table, writer.Create, "p1", nil, batchtest.Row{1})
		dies := hastySink(t, c, Options{Step: func(name string) {
			if name == "commit landed" {
				c.Inject(func(call doristest.Call) doristest.Fault { return doristest.Fault{Before: true} })
			}
		}})
		w, err := dies.Open(t.Context(), table, mode)
		must(t, err)
		must(t, put(t, w, table, []batchtest.Row{{2}}, nil))
		if err := w.Commit(t.Context(), "p2"); err == nil {
			t.Error("the commit was shown")
		}
		c.Inject(nil)
		looks := testSink(t, c, Options{Look: true})
		if pos, got := scanned(t, looks, table); pos != "p1" || len(got) != 1 {
			t.Errorf("%v: who looks finds %v at %q", mode, got, pos)
		}
		pos, got := scanned(t, testSink(t, c, Options{}), table)
		if want := map[writer.Mode]int{writer.Follow: 2, writer.Replace: 1}[mode]; pos != "p2" || len(got) != want {
			t.Errorf("%v: who reads finds %v at %q", mode, got, pos)
		}
		if pos, again := scanned(t, looks, table); pos != "p2" || len(again) != len(got) {
			t.Errorf("%v: who looks then finds %v at %q", mode, again, pos)
		}
	}
}

// TestScanValues reads values as a server sends them that tells their types, and in other forms than
// the stand-in's.
func TestScanValues(t *testing.T) {
	text := func(s string) mysql.FieldValue { return mysql.NewFieldValue(mysql.FieldValueTypeString, 0, []byte(s)) }
	signed := func(v int64) mysql.FieldValue { return mysql.NewFieldValue(mysql.FieldValueTypeSigned, uint64(v), nil) }
	float := func(v float64) mysql.FieldValue {
		return mysql.NewFieldValue(mysql.FieldValueTypeFloat, math.Float64bits(v), nil)
	}
	for _, c := range []struct {
		of, native string
		value      mysql.FieldValue
		want       any // nil: an error
	}{
		{"boolean", "bit(1)", signed(1), true},
		{"boolean", "bit(1)", text("false"), false},
		{"boolean", "bit(1)", signed(2), nil},
		{"tinyint", "tinyint", signed(-128), int64(-128)},
		{"bigint", "bigint", signed(math.MinInt64), int64(math.MinInt64)},
		{"bigint", "int", signed(math.MaxInt32 + 1), nil},
		{"largeint", "bigint unsigned", text("18446744073709551615"), "18446744073709551615"},
		{"largeint", "bigint", text("9223372036854775808"), nil},
		{"decimal(20,2)", "bigint", text("7.00"), int64(7)},
		{"decimal(20,2)", "bigint", text("7.01"), nil},
		{"decimal(12,4)", "decimal(10,2)", text("1.2500"), "1.25"},
		{"decimal(12,4)", "decimal(10,2)", text("1.2501"), nil},
		{"float", "float", float(float64(float32(0.1))), float32(0.1)},
		{"float", "float", float(0.1), float32(0.1)},
		{"float", "double", text("0.5"), 0.5},
		{"double", "float", float(0.1), nil},
		{"double", "float", float(1e300), nil},
		{"double", "double", float(math.MaxFloat64), math.MaxFloat64},
		{"datetime(6)", "datetime(6)", text("2024-02-29 01:02:03"), "2024-02-29 01:02:03.000000"},
		{"datetime(6)", "datetime(6)", text("2024-02-30 01:02:03"), nil},
		{"date", "date", text("2024-02-29"), "2024-02-29"},
		{"time(2)", "time(2)", text("-838:59:59.00"), int64(-(838*3600 + 59*60 + 59) * 1e6)},
		{"base64 string", "blob", text("AP8="), []byte{0, 255}},
		{"base64 string", "blob", text("A"), nil},
		{"wkt string", "point", text("POINT(1"), nil},
		{"array<float>", "vector(2)", text("[1.5, -2]"), []float32{1.5, -2}},
		{"array<float>", "vector(2)", text("[]"), []float32{}},
		{"array<float>", "vector(2)", text("[null]"), nil},
		{"array<float>", "vector(2)", text("x"), nil},
	} {
		table := batchtest.Shape("shop", "t", "v "+c.native)
		b, err := batch.NewBuilder(table, memory.DefaultAllocator)
		must(t, err)
		value := valueFuncOf(c.of, table.Columns[0].Arrow, b.Columns[0])
		if value == nil {
			t.Errorf("%s is never %s", c.of, c.native)
			continue
		}
		if _, err := value(&c.value); (err != nil) != (c.want == nil) {
			t.Errorf("%s as %s: %v, want %v", c.of, c.native, err, c.want)
		} else if err == nil {
			b.EndRow(1)
			rows, err := batchtest.Rows(b.Batch().Rows)
			must(t, err)
			if diff := batchtest.Diff(rows, []batchtest.Row{{c.want}}); diff != "" {
				t.Errorf("%s as %s: %s", c.of, c.native, diff)
			}
		}
	}
	for of, native := range map[string]string{
		"string": "int", "int": "varchar(5)", "time(3)": "varchar(20)", "base64 string": "text", "varchar(9)": "blob", "date": "datetime", "boolean": "int", "json": "double",
	} {
		table := batchtest.Shape("shop", "t", "v "+native)
		b, err := batch.NewBuilder(table, memory.DefaultAllocator)
		must(t, err)
		if valueFuncOf(of, table.Columns[0].Arrow, b.Columns[0]) != nil {
			t.Errorf("%s is taken for %s", of, native)
		}
	}
}

// TestScanMeanwhile has commits come between what the position is read of and the rows.
func TestScanMeanwhile(t *testing.T) {
	c := scanCluster(t)
	s, other := testSink(t, c, Options{}), testSink(t, c, Options{})
	s.store.patience = 10 * time.Second
	table := batchtest.Shape("shop", "t", "id int key", "v int")
	write(t, other, table, writer.Create, "p1", nil, batchtest.Row{1, 1})
	var once atomic.Bool
	meanwhile := func(do func()) {
		once.Store(false)
		c.Inject(func(call doristest.Call) doristest.Fault {
			if strings.HasPrefix(call.SQL, "SELECT `id`, `v` FROM `shop`.`t`") && once.CompareAndSwap(false, true) {
				do()
			}
			return doristest.Fault{}
		})
	}
	meanwhile(func() { write(t, other, table, writer.Follow, "p2", nil, batchtest.Row{2, 2}) })
	if pos, got := scanned(t, s, table); pos != "p1" || len(got) != 2 {
		t.Errorf("got %v at %q", got, pos)
	}
	// The column that is asked for is there no more: it is found out why.
	meanwhile(func() {
		write(t, other, batchtest.Shape("shop", "t", "id int key", "w int"), writer.Replace, "p3", nil, batchtest.Row{3, 3})
	})
	_, err := s.Scan(t.Context(), table, 1, func(int, arrow.RecordBatch) error { return nil })
	var own *schema.TableError
	if !errors.As(err, &own) || !strings.Contains(err.Error(), "no column v") {
		t.Errorf("got %v", err)
	}
}

// TestScanCut has the cluster go away when some of the rows were handed on, which cannot be taken back.
func TestScanCut(t *testing.T) {
	c, err := doristest.Start(doristest.Options{})
	must(t, err)
	s := testSink(t, c, Options{})
	s.store.patience = 10 * time.Second
	table := batchtest.Shape("shop", "t", "id bigint key", "v longtext")
	var rows []batchtest.Row
	for i := range 10_000 {
		rows = append(rows, batchtest.Row{i, strings.Repeat("x", 4000)}) // more than lies on the way
	}
	write(t, s, table, writer.Create, "p", nil, rows...)
	s.mark(t.Context())
	calls := 0
	_, err = s.Scan(t.Context(), table, 1, func(int, arrow.RecordBatch) error {
		if calls++; calls == 1 {
			must(t, c.Close())
		}
		return nil
	})
	if !hint.IsTransient(err) || calls > 8 {
		t.Errorf("got %v after %d batches, want what may pass", err, calls)
	}
}
