package message

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

func encodeArrow(t testing.TB, b *batch.Batch, p Partitions) []Record {
	t.Helper()
	e, err := NewArrow(b.Table, p)
	if err != nil {
		t.Fatal(err)
	}
	records, err := e.Encode(nil, b)
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// standardRows reads a message as anybody would: by Arrow's own library.
func standardRows(t *testing.T, value []byte) []batchtest.Row {
	t.Helper()
	r, err := ipc.NewReader(bytes.NewReader(value))
	if err != nil {
		t.Fatal(err)
	}
	defer r.Release()
	var all []batchtest.Row
	for r.Next() {
		rows, err := batchtest.Rows(r.RecordBatch())
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, rows...)
	}
	if r.Err() != nil {
		t.Fatal(r.Err())
	}
	return all
}

// TestArrowTypes has every type go there and back, as rows of a table and of a changelog,
// in one message, in many, and in one for each row.
func TestArrowTypes(t *testing.T) {
	table := batchtest.AllTypes("shop", "types")
	for _, keyed := range []bool{true, false} {
		for _, partitions := range []int32{1, 3} {
			in := logged(t, table.Table, slices.Repeat([]string{schema.OpInsert}, len(table.Rows)), table.Rows)
			want, err := batchtest.Rows(in.Rows)
			if err != nil {
				t.Fatal(err)
			}
			records := encodeArrow(t, in, spread(partitions))
			var standard []batchtest.Row
			c := collector{log: !keyed}
			r := NewArrowReader(&c)
			for _, m := range records {
				standard = append(standard, standardRows(t, m.Value)...)
				if err := r.Decode(nil, m.Value); err != nil {
					t.Fatal(err)
				}
			}
			if diff := batchtest.Diff(standard, want); diff != "" {
				t.Errorf("arrow-go reads others: %s", diff)
			}
			got := c.rows["shop.types"].Into
			for i, f := range got.Table.Columns[:len(table.Columns)] {
				w := table.Columns[i]
				if f.Name != w.Name || f.Native != w.Native || keyed && f.Nullable != w.Nullable {
					t.Errorf("column %d: got %+v, want %+v", i, f, w)
				}
			}
			if keyed {
				want = table.Rows
			}
			b := got.Batch()
			rows, err := batchtest.Rows(b.Rows)
			if err != nil {
				t.Fatal(err)
			}
			if diff := batchtest.Diff(rows, want); diff != "" {
				t.Error(diff)
			}
			if keyed != (len(b.Ops) == len(rows)) {
				t.Errorf("got %d ops of %d rows", len(b.Ops), len(rows))
			}
		}
	}
}

// spread are n partitions, as far as it matters which one a key has.
func spread(n int32) Partitions {
	return Partitions{Count: n, Of: func(key []byte) int32 {
		h := uint32(1)
		for _, c := range key {
			h = h*31 + uint32(c)
		}
		return int32(h % uint32(n))
	}}
}

// changed is every kind of change, of several keys; two of the updates change the key.
func changed(t *testing.T) *batch.Batch {
	table := batchtest.Shape("shop", "orders", "id int key", "note varchar(20)")
	return logged(t, table, []string{"r", "c", "b", "u", "b", "u", "d", "b", "u", "c", "t", "c"}, []batchtest.Row{
		{int64(1), "a"},
		{int64(2), nil},
		{int64(1), "a"},
		{int64(1), "b"},
		{int64(1), "b"},
		{int64(3), "b"},
		{int64(2), nil},
		{int64(3), "b"},
		{int64(4), nil},
		{int64(5), "x"},
		{nil, nil},
		{int64(6), "y"},
	})
}

func TestArrowChanges(t *testing.T) {
	const keyed = `Insert 1 | "a"; Insert 2 | NULL; After 1 | "b"; Delete 1 | "b"; Insert 3 | "b"; Delete 2 | NULL; Delete 3 | "b"; Insert 4 | NULL; Insert 5 | "x"; Insert 6 | "y"`
	const log = `"r" 1; "c" 2; "b" 1; "u" 1; "d" 1; "c" 3; "d" 2; "d" 3; "c" 4; "c" 5; "c" 6`
	b := changed(t)
	for _, ofLog := range []bool{false, true} {
		c := collector{log: ofLog}
		r := NewArrowReader(&c)
		records := encodeArrow(t, b, one)
		if len(records) != 3 {
			t.Errorf("got %d messages, want 3: up to the table's end, that, and from it on", len(records))
		}
		for _, m := range records {
			if got, want := string(m.Key), `{"database":"shop","table":"orders"}`; got != want {
				t.Errorf("got key %s, want %s", got, want)
			}
			if err := r.Decode(nil, m.Value); err != nil {
				t.Fatal(err)
			}
		}
		into := c.rows["shop.orders"].Into
		if got, want := *into.Micros, int64(1772240523456789); got != want {
			t.Errorf("got time %d, want %d", got, want)
		}
		ops := into.Ops
		rows, err := batchtest.Rows(into.Batch().Rows)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for i, row := range rows {
			if ofLog {
				got = append(got, batchtest.Row{row[2]}.String()+" "+batchtest.Row{row[0]}.String())
				if row[4] != "uuid:7" || !strings.HasPrefix(row[5].(string), "binlog.000001:00000000000000004711:0000") || row[3] != "2026-02-28 01:02:03.456789Z" {
					t.Errorf("row %d: got %s", i, row)
				}
			} else {
				got = append(got, [...]string{"Insert", "Before", "After", "Delete"}[ops[i]]+" "+row.String())
			}
		}
		want := keyed
		if ofLog {
			want = log
		}
		if text := strings.Join(got, "; "); text != want {
			t.Errorf("changelog %v:\ngot  %s\nwant %s", ofLog, text, want)
		}
		if got, want := fmt.Sprint(c.emptied), "[shop.orders uuid:7 1772240523456789]"; got != want {
			t.Errorf("got emptied %s, want %s", got, want)
		}
	}
}

// TestArrowPartitions wants each row where canal-json puts it, in the same order.
func TestArrowPartitions(t *testing.T) {
	b := changed(t)
	e, err := NewCanal(b.Table, spread(5))
	if err != nil {
		t.Fatal(err)
	}
	records, err := e.Encode(nil, b)
	if err != nil {
		t.Fatal(err)
	}
	read := func(decoder func(Target) Decoder, records []Record, p int32) string {
		c := collector{log: true}
		d := decoder(&c)
		for _, m := range records {
			if m.Partition != p {
				continue
			}
			if err := d.Decode(nil, m.Value); err != nil {
				t.Fatal(err)
			}
		}
		if c.rows == nil {
			return fmt.Sprint(c.emptied)
		}
		rows, err := batchtest.Rows(c.rows["shop.orders"].Into.Batch().Rows, "id", "note", "_op", "_ts", "_gtid", "_pos")
		if err != nil {
			t.Fatal(err)
		}
		text := ""
		for _, r := range rows {
			if r[2] == "b" || r[2] == "r" {
				r[3], r[5] = nil, nil // Canal's message has those of the row of after alone, and none of stock
			}
			text += r.String() + "; "
		}
		return text + fmt.Sprint(c.emptied)
	}
	used := 0
	for p := range int32(5) {
		got := read(func(to Target) Decoder { return NewArrowReader(to) }, encodeArrow(t, b, spread(5)), p)
		want := read(func(to Target) Decoder { return NewCanalReader(to) }, records, p)
		if got != want {
			t.Errorf("partition %d:\ngot  %s\nwant %s", p, got, want)
		}
		if strings.Contains(got, "|") {
			used++
		}
	}
	if used < 3 {
		t.Errorf("rows are in %d partitions only", used)
	}
}

// TestArrowCut has batches that are too large for one message.
func TestArrowCut(t *testing.T) {
	table := batchtest.Shape("shop", "t", "id int key", "note longtext")
	var rows []batchtest.Row
	var ops []string
	r := rand.New(rand.NewPCG(5, 6))
	for i := range 600 {
		size := r.IntN(20_000)
		if i%100 == 77 {
			size = 1_100_000 // more than a message may have
		}
		row := batchtest.Row{int64(i), strings.Repeat("x", size)}
		rows = append(rows, row, row)
		ops = append(ops, "b", "u")
	}
	c := collector{log: true}
	d := NewArrowReader(&c)
	b := logged(t, table, ops, rows)
	records := encodeArrow(t, b, one)
	large := 0
	for _, m := range records {
		if n := len(m.Value); n > arrowMost {
			large++
		}
		if err := d.Decode(nil, m.Value); err != nil { // an error if an update is torn
			t.Fatal(err)
		}
	}
	if large != 6 || len(records) > 40 {
		t.Errorf("got %d messages, %d of them too large; want some 30, and those of 6 rows too large", len(records), large)
	}
	want, _ := batchtest.Rows(b.Rows)
	got, err := batchtest.Rows(c.rows["shop.t"].Into.Batch().Rows)
	if err != nil {
		t.Fatal(err)
	}
	if diff := batchtest.DiffOrdered(got, want); diff != "" {
		t.Error(diff)
	}
}

// TestArrowWider reads into a table that has got more and wider columns.
func TestArrowWider(t *testing.T) {
	table := batchtest.Shape("d", "t", "id int key", "f float", "n decimal(5,2)", "v varchar(5)")
	wide := batchtest.Shape("d", "t", "more date", "V longtext", "n decimal(9,2)", "id bigint key", "f double")
	rows := []batchtest.Row{{int64(-1), float32(0.5), "-1.00", "a"}, {int64(1 << 30), nil, nil, nil}}
	c := collector{shape: wide}
	d := NewArrowReader(&c)
	for _, m := range encodeArrow(t, logged(t, table, []string{"c", "d"}, rows), one) {
		if err := d.Decode(nil, m.Value); err != nil {
			t.Fatal(err)
		}
	}
	got, err := batchtest.Rows(c.rows["d.t"].Into.Batch().Rows)
	if err != nil {
		t.Fatal(err)
	}
	want := []batchtest.Row{{nil, "a", "-1.00", int64(-1), 0.5}, {nil, nil, nil, int64(1 << 30), nil}}
	if diff := batchtest.DiffOrdered(got, want); diff != "" {
		t.Error(diff)
	}
	c = collector{shape: batchtest.Shape("d", "t", "id bigint key", "f text", "n decimal(5,2)", "v varchar(5)")}
	if err := NewArrowReader(&c).Decode(nil, encodeArrow(t, logged(t, table, []string{"c"}, rows[:1]), one)[0].Value); err == nil {
		t.Error("a float is read into a text")
	}
}

// TestArrowBad has messages between good ones that cannot be read: nothing of them stays.
func TestArrowBad(t *testing.T) {
	table := batchtest.Shape("d", "t", "id int key", "v varchar(5)")
	row := batchtest.Row{int64(1), "x"}
	message := func(ops ...string) []byte {
		return encodeArrow(t, logged(t, table, ops, slices.Repeat([]batchtest.Row{row}, len(ops))), one)[0].Value
	}
	good := message("c")
	change := func(from, to string) []byte {
		if !bytes.Contains(good, []byte(from)) {
			t.Fatalf("no %q", from)
		}
		return bytes.Replace(bytes.Clone(good), []byte(from), []byte(to), 1)
	}
	bad := map[string][]byte{
		"no stream":     []byte("{}"),
		"version":       change(`"version":1`, `"version":2`),
		"no key column": change(`"key":["id"]`, `"key":["ix"]`),
		"type":          change(`"type":"varchar(5)"`, `"type":"nosuch(15)"`),
		"other type":    change(`"type":"int"`, `"type":"bit"`),
		"too much":      append(bytes.Clone(good), 1),
		"nothing told":  change(`tablehaul`, `tablehaus`),
	}
	for n := 1; n < len(good); n++ { // cut short anywhere
		bad[fmt.Sprintf("cut at %d", n)] = good[:n]
	}
	at := bytes.LastIndex(good, []byte("c\x00\x00\x00\x00\x00\x00\x00")) // the only _op
	for _, op := range "bt\x00x" {
		m := bytes.Clone(good)
		m[at] = byte(op)
		if op != 't' {
			bad[fmt.Sprintf("op %q", op)] = m
		}
	}
	for name, ops := range map[string]string{"emptied among others": "ct", "torn": "bc", "torn too": "bb"} {
		m := message("c", "c")
		at := bytes.LastIndex(m, []byte("cc\x00\x00\x00\x00\x00\x00"))
		copy(m[at:], ops)
		bad[name] = m
	}
	for name, b := range bad {
		var c collector
		r := NewArrowReader(&c)
		for i := range 2 {
			if err := r.Decode(nil, good); err != nil {
				t.Fatal(err)
			}
			if err := r.Decode(nil, b); err == nil {
				t.Errorf("%s: got no error", name)
			}
			into := c.rows["d.t"].Into
			if got := into.Builder.Rows(); got != i+1 || len(into.Ops) != i+1 || into.Builder.Bytes() != got*len(good) {
				t.Errorf("%s: got %d rows, %d ops, %d bytes, want %d rows", name, got, len(into.Ops), into.Builder.Bytes(), i+1)
			}
		}
		got, err := batchtest.Rows(c.rows["d.t"].Into.Batch().Rows)
		if err != nil {
			t.Fatal(err)
		}
		if diff := batchtest.DiffOrdered(got, []batchtest.Row{row, row}); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestArrowOver has the shape of a table change at the sink between two messages, and at
// the source.
func TestArrowOver(t *testing.T) {
	table := batchtest.Shape("d", "t", "id int key")
	var c collector
	r := NewArrowReader(&c)
	decode := func(table *schema.Table, row batchtest.Row) {
		t.Helper()
		if err := r.Decode(nil, encodeArrow(t, logged(t, table, []string{"c"}, []batchtest.Row{row}), one)[0].Value); err != nil {
			t.Fatal(err)
		}
	}
	decode(table, batchtest.Row{int64(1)})
	first := c.rows["d.t"].Into
	first.Over = true
	decode(table, batchtest.Row{int64(2)})
	second := c.rows["d.t"].Into
	if first == second || first.Builder.Rows() != 1 || second.Builder.Rows() != 1 {
		t.Error("rows have come to changes that were over")
	}
	decode(batchtest.Shape("d", "t", "id int key", "v text"), batchtest.Row{int64(3), "x"})
	if got := c.rows["d.t"].Into; got == second || len(got.Table.Columns) != 2 {
		t.Error("another shape has not been asked for")
	}
	c.rows["d.t"].Skip = func() bool { return true }
	decode(batchtest.Shape("d", "t", "id int key", "v text"), batchtest.Row{int64(4), "x"})
	if got := c.rows["d.t"].Into.Builder.Rows(); got != 1 {
		t.Errorf("got %d rows, want 1, as the other was to be skipped", got)
	}
}

// mangled decodes a message that may be anything: there is an error, or rows that can be
// read.
func mangled(t *testing.T, value []byte) {
	for _, ofLog := range []bool{false, true} {
		c := collector{log: ofLog}
		r := NewArrowReader(&c)
		_ = r.Decode(nil, value)
		_ = r.Decode(nil, value)
		for _, rows := range c.rows {
			b := rows.Into.Batch()
			if _, err := batchtest.Rows(b.Rows); err != nil {
				t.Error(err)
			}
			b.Release()
		}
	}
}

// smallArrow is a message with a column of each layout, with and without a null.
func smallArrow(t testing.TB) []byte {
	log, err := schema.Changelog(batchtest.Shape("d", "t", "id int key", "v varchar(5)", "b bit(1)", "l vector(2)"))
	if err != nil {
		t.Fatal(err)
	}
	row := batchtest.Row{int64(1), "x", true, []float32{1, 2}, "b", nil, nil, nil}
	other := slices.Clone(row)
	other[1], other[4] = nil, "u"
	return encodeArrow(t, batchtest.Build(memory.DefaultAllocator, log, []batchtest.Row{row, other}), one)[0].Value
}

// TestArrowMangled has each byte of a message be another one.
func TestArrowMangled(t *testing.T) {
	good := smallArrow(t)
	for i := range good {
		for _, by := range []byte{1, 4, 0x80, 0xff} {
			bad := bytes.Clone(good)
			bad[i] ^= by
			mangled(t, bad)
		}
	}
}

// FuzzArrow feeds the reader what nobody would write.
func FuzzArrow(f *testing.F) {
	f.Add(smallArrow(f))
	f.Fuzz(mangled)
}

func BenchmarkArrow(b *testing.B) {
	for _, n := range []int{1, 10, 100, 1000} {
		in := narrow(b, n)
		e, err := NewArrow(in.Table, one)
		if err != nil {
			b.Fatal(err)
		}
		var records []Record
		perRow := func(b *testing.B) {
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/row")
		}
		b.Run(fmt.Sprintf("write/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for range b.N {
				if records, err = e.Encode(records[:0], in); err != nil {
					b.Fatal(err)
				}
			}
			perRow(b)
			b.ReportMetric(float64(len(records[0].Value))/float64(n), "B/row")
		})
		b.Run(fmt.Sprintf("read/%d", n), func(b *testing.B) {
			var c collector
			r := NewArrowReader(&c)
			b.ReportAllocs()
			for i := range b.N {
				if err := r.Decode(nil, records[0].Value); err != nil {
					b.Fatal(err)
				}
				if into := c.rows["shop.orders"].Into; i%max(1000/n, 1) == 0 {
					into.Batch().Release()
				}
			}
			perRow(b)
		})
	}
	b.Run("write/8 partitions", func(b *testing.B) {
		in := narrow(b, 1000)
		e, err := NewArrow(in.Table, spread(8))
		if err != nil {
			b.Fatal(err)
		}
		b.ReportAllocs()
		for range b.N {
			if _, err = e.Encode(nil, in); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*1000), "ns/row")
	})
}
