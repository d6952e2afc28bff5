package readertest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// DB is the database that holds the suite's tables.
const DB = "readertest"

// oddName is a table name that must be quoted well and holds what patterns are
// made of.
const oddName = "odd.name `é` [1]* \\"

// content returns the suite's tables, each with its rows in key order.
func content() []batchtest.Table {
	filled := func(rows int, name string, columns ...string) batchtest.Table {
		t := batchtest.Shape(DB, name, columns...)
		return batchtest.Table{Table: t, Rows: batchtest.Fill(t, rows)}
	}
	same := filled(0, "keyless", "a int", "b varchar(50)")
	for i := range 300 {
		same.Rows = append(same.Rows, batchtest.Row{i / 3, "three of each"}, batchtest.Row{nil, nil})
	}
	wide := filled(0, "wide", "id bigint key", "body longtext")
	for i := range 60 { // some rows fill a batch on their own
		wide.Rows = append(wide.Rows, batchtest.Row{i, strings.Repeat("0123456789", 100+i%7*1500)})
	}
	skewed := filled(0, "skewed", "a int key", "b varchar(50) key", "c int")
	for i := range 3000 { // nearly all of one a, so that no bound on a alone can part them
		skewed.Rows = append(skewed.Rows, batchtest.Row{max(i-2900, 0), fmt.Sprintf("%06d", i), i})
	}
	reverse := filled(0, "reverse", "b int not null", "a int not null")
	reverse.Table = schema.New(DB, "reverse", reverse.Columns, []int{1, 0}) // the key is (a, b)
	for i := range 500 {
		reverse.Rows = append(reverse.Rows, batchtest.Row{i % 5, i / 5})
	}
	return []batchtest.Table{
		filled(0, "empty", "id bigint key", "v varchar(50)"),
		filled(1, "one", "id bigint key", "v varchar(50)"),
		filled(5000, "numbers", "id bigint key", "v varchar(50)", "n int", "d decimal(5,2)", "t datetime(6)"),
		filled(3000, "texts", "id varchar(50) key", "n int"),
		filled(2000, "pairs", "a varchar(50) key", "b int unsigned key", "n int"),
		filled(1000, "unsigned", "id bigint unsigned key", "n int"),
		filled(10, oddName, "id bigint key", "v varchar(50)"),
		filled(700, "moving", "id bigint key", "v varchar(50)"),
		filled(700, "moving_too", "id bigint key", "v varchar(50)"),
		filled(700, "doomed", "id bigint key", "v varchar(50)"),
		same, wide, skewed, reverse, allTypes(),
	}
}

// allTypes is batchtest.AllTypes without the vector: no two servers take the same
// literal for one, and many have none.
func allTypes() batchtest.Table {
	t := batchtest.AllTypes(DB, "types")
	last := len(t.Columns) - 1
	for i, r := range t.Rows {
		t.Rows[i] = r[:last]
	}
	return batchtest.Table{Table: schema.New(DB, "types", t.Columns[:last], t.Key), Rows: t.Rows}
}

// names returns the names of the suite's tables for which keep holds, sorted.
func (k *kit) names(keep func(name string) bool) []string {
	var names []string
	for _, t := range k.tables {
		if keep(t.Name) {
			names = append(names, t.String())
		}
	}
	slices.Sort(names)
	return names
}
