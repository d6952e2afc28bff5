package iceberg

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// transformCases are columns with values that have gone wrong in one program or
// another, and the transforms that go with them.
var transformCases = []struct {
	native     string
	transforms []string
	values     []any
}{
	{"int", []string{"c", "bucket(16,c)", "bucket(7,c)", "truncate(10,c)"}, []any{0, 1, -1, 9, -10, -11, 34, 2147483647, -2147483648}},
	{"bigint", []string{"c", "bucket(16,c)", "truncate(3,c)", "truncate(1000000,c)"}, []any{0, -1, 34, int64(1) << 40, -(int64(1) << 62)}},
	{"bigint unsigned", []string{"c", "bucket(16,c)", "truncate(10,c)"}, []any{"0", "18446744073709551615", "255"}},
	{"decimal(5,2)", []string{"c", "bucket(16,c)", "truncate(50,c)"}, []any{"0.00", "14.20", "-14.20", "-0.01", "10.65", "-10.65", "999.99"}},
	{"decimal(38,10)", []string{"c", "bucket(100,c)", "truncate(7,c)"}, []any{"9999999999999999999999999999.9999999999", "-1.0000000001", "-9999999999999999999999999999.9999999999"}},
	{"date", []string{"c", "year(c)", "month(c)", "day(c)", "bucket(16,c)"}, []any{
		"1970-01-01", "1969-12-31", "1969-12-01", "1969-01-01", "1968-02-29", "1000-01-01", "0001-01-01", "2000-02-29", "2100-03-01", "9999-12-31", "2017-11-16",
	}},
	{"datetime(6)", []string{"c", "year(c)", "month(c)", "day(c)", "hour(c)", "bucket(16,c)"}, []any{
		"1970-01-01 00:00:00.000000", "1969-12-31 23:59:59.999999", "1969-12-31 23:00:00.000000", "1969-12-31 22:59:59.999999",
		"1969-01-01 00:00:00.000000", "1000-01-01 00:00:00.000001", "9999-12-31 23:59:59.999999", "2017-11-16 22:31:08.000000",
	}},
	{"timestamp(6)", []string{"c", "year(c)", "month(c)", "day(c)", "hour(c)", "bucket(16,c)"}, []any{
		"1970-01-01 00:00:01.000001Z", "2038-01-19 03:14:07.999999Z", "2024-03-31 01:30:00.000000Z",
	}},
	{"varchar(50)", []string{"c", "bucket(16,c)", "truncate(3,c)", "truncate(1,c)"}, []any{"", "a", "iceberg", "äöü漢字", "😀😀😀😀", "a😀b漢c", "trailing  "}},
	{"varbinary(20)", []string{"c", "bucket(16,c)", "truncate(2,c)"}, []any{[]byte{}, []byte{0, 1, 2, 3}, []byte("\xff\x80\x00")}},
	{"bit(1)", []string{"c"}, []any{true, false}},
}

// partitionOf computes the values of a one-field spec for each of the column's
// values and for null.
func partitionOf(t *testing.T, term, native string, values []any) []any {
	t.Helper()
	tbl := batchtest.Shape("d", "t", "c "+native)
	sc, err := icebergSchema(tbl)
	must(t, err)
	lay, err := newLayout(Layout{Partition: term}, sc)
	must(t, err)
	p, err := newPartitioner(lay.spec, sc, tbl)
	must(t, err)
	rows := make([]batchtest.Row, 0, len(values)+1)
	for _, v := range values {
		rows = append(rows, batchtest.Row{v})
	}
	rec := batchtest.Build(memory.DefaultAllocator, tbl, append(rows, batchtest.Row{nil})).Rows
	defer rec.Release()
	numbers, err := p.assign(rec.Columns(), len(rows)+1, nil)
	must(t, err)
	out := make([]any, len(numbers))
	for i, n := range numbers {
		out[i] = p.part(n).values[1000]
	}
	return out
}

// literal is a value as iceberg-go's transforms take it.
func literal(col arrow.Array, i int) iceberg.Literal {
	switch a := col.(type) {
	case *array.Int32:
		return iceberg.Int32Literal(a.Value(i))
	case *array.Int64:
		return iceberg.Int64Literal(a.Value(i))
	case *array.Date32:
		return iceberg.DateLiteral(a.Value(i))
	case *array.Timestamp:
		return iceberg.TimestampLiteral(a.Value(i))
	case *array.String:
		return iceberg.StringLiteral(a.Value(i))
	case *array.Binary:
		return iceberg.BinaryLiteral(a.Value(i))
	case *array.Boolean:
		return iceberg.BoolLiteral(a.Value(i))
	case *array.Decimal128:
		return iceberg.DecimalLiteral{Val: a.Value(i), Scale: int(a.DataType().(*arrow.Decimal128Type).Scale)}
	}
	panic(col.DataType().String())
}

func TestTransformsAreThoseOfIcebergGo(t *testing.T) {
	for _, c := range transformCases {
		tbl := batchtest.Shape("d", "t", "c "+c.native)
		rows := make([]batchtest.Row, 0, len(c.values))
		for _, v := range c.values {
			rows = append(rows, batchtest.Row{v})
		}
		col := batchtest.Build(memory.DefaultAllocator, tbl, rows).Rows.Column(0)
		for _, term := range c.transforms {
			terms, err := parsePartition(term)
			must(t, err)
			got := partitionOf(t, term, c.native, c.values)
			if last := got[len(got)-1]; last != nil {
				t.Errorf("%s of a null %s: %v", term, c.native, last)
			}
			for i := range c.values {
				want := terms[0].transform.Apply(iceberg.Optional[iceberg.Literal]{Valid: true, Val: literal(col, i)})
				if !reflect.DeepEqual(got[i], want.Val.Any()) {
					t.Errorf("%s of %s %v: %T %v, want %T %v", term, c.native, c.values[i], got[i], got[i], want.Val.Any(), want.Val.Any())
				}
			}
		}
	}
}

// TestTransformsAreThoseOfPyIceberg computes the same values with another program.
func TestTransformsAreThoseOfPyIceberg(t *testing.T) {
	services.Need(t)
	var script, want strings.Builder
	for _, c := range transformCases {
		for _, term := range c.transforms {
			terms, err := parsePartition(term)
			must(t, err)
			typ, err := icebergType(batchtest.Column("c", c.native, true).Arrow, new(int))
			must(t, err)
			got := partitionOf(t, term, c.native, c.values)
			for i, v := range c.values {
				if v == -2147483648 && strings.HasPrefix(term, "truncate") {
					continue // less than the least int: Java and iceberg-go wrap around, Python does not
				}
				fmt.Fprintf(&script, "%q, %q, %s\n", terms[0].transform.String(), typ.String(), pythonLiteral(c.native, v))
				fmt.Fprintln(&want, pythonText(got[i]))
			}
		}
	}
	got := python(t, `
from pyiceberg.transforms import parse_transform
from pyiceberg.schema import NestedField
from pyiceberg.conversions import to_bytes
import pyiceberg.types as T, re
D, dt = decimal.Decimal, datetime
epoch = dt.datetime(1970, 1, 1)
def micros(s): return (dt.datetime.fromisoformat(s) - epoch) // dt.timedelta(microseconds=1)
def days(s): return (dt.date.fromisoformat(s) - epoch.date()).days
lines = []
for line in sys.argv[1].splitlines():
    name, typ, v = eval(line)
    ty = T.NestedField.model_validate(dict(id=1, name='c', required=False, type=typ)).field_type
    r = parse_transform(name).transform(ty)(v)
    lines.append(r.hex() if isinstance(r, bytes) else str(r))
out('\n'.join(lines) + '\n')`, script.String())
	if got != want.String() {
		g, w := strings.Split(got.(string), "\n"), strings.Split(want.String(), "\n")
		for i, line := range strings.Split(script.String(), "\n") {
			if i < len(g) && i < len(w) && g[i] != w[i] {
				t.Errorf("%s: %s, PyIceberg says %s", line, w[i], g[i])
			}
		}
	}
}

func pythonLiteral(native string, v any) string {
	switch v := v.(type) {
	case string:
		switch base, _, _ := strings.Cut(native, "("); base {
		case "date":
			return "days('" + v + "')"
		case "datetime", "timestamp":
			return "micros('" + strings.TrimSuffix(v, "Z") + "')"
		case "decimal", "bigint unsigned":
			return "D('" + v + "')"
		}
		return fmt.Sprintf("%q", v)
	case []byte:
		return fmt.Sprintf("bytes.fromhex('%x')", v)
	case bool:
		return map[bool]string{true: "True", false: "False"}[v]
	}
	return fmt.Sprint(v)
}

func pythonText(v any) string {
	switch v := v.(type) {
	case []byte:
		return fmt.Sprintf("%x", v)
	case bool:
		return map[bool]string{true: "True", false: "False"}[v]
	case iceberg.Decimal:
		return v.String()
	case iceberg.Date, iceberg.Timestamp:
		return fmt.Sprintf("%d", v)
	}
	return fmt.Sprint(v)
}

// TestSpecExamples are those of the format's appendix B.
func TestSpecExamples(t *testing.T) {
	const n = "bucket(2147483647,c)"
	for _, c := range []struct {
		native string
		value  any
		want   int32
	}{
		{"int", 34, 2017239379},
		{"bigint", 34, 2017239379},
		{"decimal(4,2)", "14.20", -500754589 & 0x7fffffff},
		{"date", "2017-11-16", -653330422 & 0x7fffffff},
		{"datetime(6)", "2017-11-16 22:31:08.000000", -2047944441 & 0x7fffffff},
		{"varchar(9)", "iceberg", 1210000089},
		{"varbinary(9)", []byte{0, 1, 2, 3}, -188683207 & 0x7fffffff},
	} {
		if got := partitionOf(t, n, c.native, []any{c.value})[0]; got != c.want {
			t.Errorf("%s %v: %v, want %d", c.native, c.value, got, c.want)
		}
	}
}

// TestPartitionerNumbersTuples checks that equal tuples have one number whatever
// comes between them, in one batch and in the next, and that what lies under a
// null does not matter.
func TestPartitionerNumbersTuples(t *testing.T) {
	tbl := batchtest.Shape("d", "t", "a int", "b varchar(5)", "c decimal(20,0)")
	sc, err := icebergSchema(tbl)
	must(t, err)
	lay, err := newLayout(Layout{Partition: "a, truncate(1,b), c"}, sc)
	must(t, err)
	p, err := newPartitioner(lay.spec, sc, tbl)
	must(t, err)
	want := make(map[string]uint32)
	for n := range 3 {
		var rows []batchtest.Row
		for i := range 500 {
			row := batchtest.Row{i % (3 + n), fmt.Sprint(i % 23), fmt.Sprint(i % 2)}
			if i%5 == 0 {
				row[i%3] = nil
			}
			rows = append(rows, row)
		}
		rec := batchtest.Build(memory.DefaultAllocator, tbl, rows).Rows
		numbers, err := p.assign(rec.Columns(), len(rows), nil)
		must(t, err)
		for i, row := range rows {
			b := row[1]
			if b != nil {
				b = b.(string)[:1]
			}
			key := fmt.Sprint(row[0], "|", b, "|", row[2])
			if n, ok := want[key]; ok && n != numbers[i] {
				t.Fatalf("%s is %d and %d", key, n, numbers[i])
			}
			want[key] = numbers[i]
			v := p.part(numbers[i]).values
			d, _ := v[1002].(iceberg.Decimal)
			if got := fmt.Sprint(v[1000], "|", v[1001], "|", map[bool]any{true: nil, false: d.Val.ToString(0)}[v[1002] == nil]); got != key {
				t.Fatalf("%s is called %s", key, got)
			}
		}
	}
	if p.count() != len(want) {
		t.Errorf("%d partitions, want %d", p.count(), len(want))
	}
}

func TestShortestBytes(t *testing.T) {
	for _, c := range []struct {
		v    decimal128.Num
		want []byte
	}{
		{decimal128.FromI64(0), []byte{0}},
		{decimal128.FromI64(-1), []byte{0xff}},
		{decimal128.FromI64(127), []byte{0x7f}},
		{decimal128.FromI64(128), []byte{0, 0x80}},
		{decimal128.FromI64(-128), []byte{0x80}},
		{decimal128.FromI64(-129), []byte{0xff, 0x7f}},
	} {
		var b [16]byte
		if got := shortest(&b, c.v); !bytes.Equal(got, c.want) {
			t.Errorf("%v: %x, want %x", c.v, got, c.want)
		}
	}
}

// BenchmarkAssign measures the partitions of a row, for rows that come by time and
// at random.
func BenchmarkAssign(b *testing.B) {
	for _, random := range []bool{false, true} {
		for _, term := range []string{"day(c)", "bucket(16,c)", "day(c), bucket(16,c)"} {
			b.Run(fmt.Sprintf("%s/random %v", term, random), func(b *testing.B) {
				typ := &arrow.TimestampType{Unit: arrow.Microsecond}
				tbl := schema.New("d", "t", []schema.Column{{Name: "c", Arrow: typ}}, nil)
				sc, _ := icebergSchema(tbl)
				lay, _ := newLayout(Layout{Partition: term}, sc)
				p, _ := newPartitioner(lay.spec, sc, tbl)
				tb := array.NewTimestampBuilder(memory.DefaultAllocator, typ)
				const n = 1 << 16
				for i := range int64(n) {
					v := i * 1_000_000
					if random {
						v = i * 7919 % 3650 * 24 * hourMicros
					}
					tb.Append(arrow.Timestamp(v))
				}
				cols := []arrow.Array{tb.NewArray()}
				var out []uint32
				for b.Loop() {
					out, _ = p.assign(cols, n, out)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/row")
			})
		}
	}
}
