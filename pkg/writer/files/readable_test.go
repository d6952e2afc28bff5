package files

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A readable table is one that all kinds of readers must read as it is.
type readable struct {
	*schema.Table
	partition string
	commits   [][]batchtest.Row
}

func (r readable) rows() (all []batchtest.Row) {
	for _, rows := range r.commits {
		all = append(all, rows...)
	}
	return all
}

// lineTexts are those that end lines, for some readers.
var lineTexts = []any{
	"\n", "a\nb", "\n\n", "a\n", "\r", "a\rb", "\r\n", "a\r\nb", "漢字\t😀\n", "\\\n", "\\\r", "\"\n\"", "\n,\n",
}

// oddTexts are those that end values or readers.
var oddTexts = []any{
	"", nil, " ", "  x  ", "null", "NULL", `\N`, `\\N`, `"`, `""`, `"a"`, `\`, `\\`, `\"`, `"\`, `a\`, `\t`, `\n`, "'", ",", ",,", "a,b", `a","b`,
	"\t", "a\tb", "\ta", "a\t", "\x00", "a\x00b", "\x01\x02\x03", "\x1a", "\x7f", "\u0085", "\u2028",
	"\ufeff", "😀", "漢字\t😀", "{}", "[]", "#", "--", "NaN", "0x", "true", "1e3", "\\\t", "\\,", "é\u0301",
}

// readables are tables of a database.
func readables(t *testing.T, db string) []readable {
	t.Helper()
	all := batchtest.AllTypes(db, "every")

	edges := batchtest.Shape(db, "edges", "id bigint key",
		"f float", "d double", "day date", "at datetime(6)", "ts timestamp(6)", "n decimal(38,38)", "s varchar(100)", "b varbinary(20)", "v vector(3)", "last varchar(100)")
	rows := []batchtest.Row{
		{
			1, float32(math.Copysign(0, -1)), math.Copysign(0, -1),
			"0001-01-01", "0001-01-01 00:00:00.000000", "0001-01-01 00:00:00.000001Z", "-0." + strings.Repeat("9", 38), "x", []byte("\n"),
			[]float32{},
			nil,
		},
		{
			2, float32(math.SmallestNonzeroFloat32), math.SmallestNonzeroFloat64,
			"9999-12-31", "9999-12-31 23:59:59.999999", "9999-12-31 23:59:59.999999Z", "0." + strings.Repeat("0", 37) + "1", nil, nil, nil, "",
		},
		{3, float32(1e21), 1e-7, "1582-10-04", "1582-10-04 23:59:59.999999", "1582-10-15 00:00:00.000000Z", nil, "", []byte{}, []float32{1e-7, 1e21}, "y"},
		{4, nil, nil, nil, nil, nil, nil, nil, nil, nil, nil},
	}
	for i, s := range oddTexts {
		rows = append(rows, batchtest.Row{int64(100 + i), float32(i), float64(i), "2024-02-29", "2024-03-31 02:30:00.000000", "2024-03-31 01:30:00.000000Z", nil, s, []byte{byte(i)}, nil, s})
	}

	lines := batchtest.Shape(db, "lines", "id bigint key", "s varchar(100)", "last varchar(100)")
	var ended []batchtest.Row
	for i, s := range lineTexts {
		ended = append(ended, batchtest.Row{int64(i), s, s})
	}

	// Values that come again are numbered by Parquet.
	again := batchtest.Shape(db, "again", "id bigint key", "i int", "n decimal(5,2)", "m decimal(15,3)", "w decimal(30,4)", "at datetime(6)", "ts timestamp(6)", "s varchar(20)", "b varbinary(20)", "d double", "f float", "t bit(1)")
	var repeated []batchtest.Row
	for i := range 300 {
		k := i % 7
		row := batchtest.Row{
			int64(i), k, fmt.Sprintf("%d.25", k-3), fmt.Sprintf("%d.125", k-3), fmt.Sprintf("%d.1250", k+3), fmt.Sprintf("%04d-03-04 05:06:07.00000%d", 1600+k*1300, k),
			fmt.Sprintf("%04d-03-04 05:06:07.00000%dZ", 1960+k*10, k), fmt.Sprint("s", k),
			[]byte{byte(k)},
			float64(k), float32(k), k%2 == 0,
		}
		if k == 3 {
			row[2] = nil
		}
		repeated = append(repeated, row)
	}

	changes, err := schema.Changelog(batchtest.Shape(db, "changes", "id bigint key", "note varchar(20)", "day date"))
	storeMust(t, err)
	const pos, gtid = "binlog.000001:00000000000000004711:0000000", "3e11fa47-71ca-11e1-9e33-c80aa9429562:"
	folders := batchtest.Shape(db, "folders", "id bigint key", "region varchar(20)", "at datetime(6)")
	return []readable{
		{Table: all.Table, commits: [][]batchtest.Row{all.Rows[:3], all.Rows[3:]}},
		{Table: edges, commits: [][]batchtest.Row{rows}},
		{Table: lines, commits: [][]batchtest.Row{ended}},
		{Table: again, commits: [][]batchtest.Row{repeated}},
		{Table: changes, commits: [][]batchtest.Row{
			{{1, "a", "2024-02-29", schema.OpRead, nil, nil, nil}, {2, "", nil, schema.OpRead, nil, nil, nil}},
			{
				{1, "a", "2024-02-29", schema.OpBefore, "2024-03-31 01:30:00.000001Z", gtid + "7", pos + "1"},
				{1, nil, "2024-02-29", schema.OpUpdate, "2024-03-31 01:30:00.000001Z", gtid + "7", pos + "2"},
				{2, "", nil, schema.OpDelete, "2024-03-31 01:30:00.000002Z", nil, pos + "3"},
				{3, "b", nil, schema.OpInsert, "2024-03-31 01:30:00.000002Z", nil, pos + "4"},
				{nil, nil, nil, schema.OpTruncate, "2024-03-31 01:30:00.000003Z", nil, pos + "5"},
			},
		}},
		{Table: folders, partition: "dt=day(at), p_region=region", commits: [][]batchtest.Row{
			{{1, "north", "2024-02-29 23:59:59.999999"}, {2, "", "2024-02-29 00:00:00.000000"}, {3, nil, "2024-03-01 00:00:00.000000"}, {4, "a/b=c%d \"e\"", nil}},
			{{5, "north", "2024-02-29 12:00:00.000000"}, {6, "ü 😀{x}[y]^#?*:'\\", "1969-12-31 23:59:59.000000"}, {7, "0012", "9999-12-31 00:00:00.000000"}, {8, "a+b&c", "0001-01-01 00:00:00.000000"}},
		}},
	}
}

// writeReadable writes the table, a file or more a commit.
func writeReadable(t *testing.T, st store, o Options, r readable) {
	t.Helper()
	o.Partition = func(*schema.Table) string { return r.partition }
	s := newSink(st, "", o)
	s.run = "run" // so that files of the same table have the same names, wherever they are
	w, err := s.Open(t.Context(), r.Table, writer.Create)
	storeMust(t, err)
	for i, rows := range r.commits {
		b := batchtest.Build(memory.DefaultAllocator, r.Table, rows)
		storeMust(t, w.Write(t.Context(), b))
		b.Release()
		storeMust(t, w.Commit(t.Context(), batch.Position(rune('a'+i))))
	}
	storeMust(t, w.Close())
	storeMust(t, s.Close())
}
