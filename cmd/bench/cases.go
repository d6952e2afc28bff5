package main

import (
	"fmt"
	"slices"
)

// A benchCase is one table and what is asked of the product on it.
type benchCase struct {
	name   string // as -bench matches it
	table  string
	ddl    string // columns and primary key
	after  string // an ALTER TABLE once the rows are in, where one is needed
	rows   int64  // default
	row    func(dst []byte, id, rows int64, rnd *random) []byte
	binary bool // read by the binary protocol: cheaper for the server on typed tables
	// columns are what the throwaway makes of the table.
	columns []column
	goals   []goal
	log     *logCase // nil: a snapshot
	scale   bool     // very many tables
	// backfill has the table redone while a dump runs, instead of copied.
	backfill bool
	topic    *topicCase
	format   string // of plain files; "" is a lake
	sink     string // "doris"; "" is as the others tell
}

// A goal is what a figure is asked to be.
type goal struct {
	name  string // cpu_us_per_row, peak_mib, lag_max_s, first_row_s or a ratio
	limit float64
	least bool // the figure must be at least the limit, not at most
}

func (g goal) met(got float64) bool {
	if g.least {
		return got >= g.limit
	}
	return got <= g.limit
}

func (g goal) String() string {
	if g.least {
		return fmt.Sprintf("≥ %g", g.limit)
	}
	return fmt.Sprintf("≤ %g", g.limit)
}

var cases = slices.Concat(snapshotCases(), fileCases(), tailCases(), shapeCases(), dorisCases(), topicCases(), scaleCases(), backfillCases())

func snapshotCases() []*benchCase {
	return []*benchCase{
		{
			name: "snapshot/sbtest", table: "sbtest", rows: 5_000_000,
			ddl: sbtestDDL, after: "ADD INDEX k_1 (k)", row: sbtestRow, columns: sbtestColumns,
			goals: []goal{
				{name: "cpu_us_per_row", limit: 1.3},
				{name: "peak_mib", limit: 400},
				{name: "drain1", limit: 2},
				{name: "mydumper", limit: 0.5, least: true},
				{name: "duckdb", limit: 6, least: true},
				{name: "size", limit: 1.02},
			},
		},
		{
			name: "snapshot/orders", table: "orders", rows: 2_000_000,
			ddl: ordersDDL, row: ordersRow, columns: ordersColumns, binary: true,
			goals: []goal{
				{name: "cpu_us_per_row", limit: 2},
				{name: "peak_mib", limit: 400},
				{name: "drain1", limit: 1.3},
				{name: "mydumper", limit: 1, least: true},
				{name: "duckdb", limit: 3, least: true},
				{name: "size", limit: 1.02},
			},
		},
	}
}

func findCase(name string) (*benchCase, error) {
	for _, c := range cases {
		if c.name == name {
			return c, nil
		}
	}
	return nil, fmt.Errorf("no case %q", name)
}

// database names the database that holds the tables of so many rows. Each
// number has its own, so that a short run does not throw away a long load.
func database(rows int64) string { return fmt.Sprintf("bench_%d", rows) }
