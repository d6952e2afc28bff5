// Package mem is a source that lives in memory, for tests.
package mem

import (
	"errors"
	"slices"
	"sync"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A DB is a database in memory, which any number of Stocks read. It is safe for
// concurrent use.
type DB struct {
	mu      sync.Mutex
	tables  []batchtest.Table
	version int // grows with each change, and is the position
	inUse   int
	log     []transaction
	purged  int // versions up to here are no longer in the log
	status  map[string]float64
	lags    []reader.Lag
}

// NewDB returns a DB of tables. Each table's rows must be in key order.
func NewDB(tables ...batchtest.Table) *DB {
	d := &DB{}
	for _, t := range tables {
		d.Set(t.Table, t.Rows)
	}
	return d
}

// Set exchanges the content of a table, or adds the table. What is pinned
// already keeps the old content.
func (d *DB) Set(t *schema.Table, rows []batchtest.Row) {
	listed := *t // the estimates belong to the listing, not to the caller's table
	listed.Rows, listed.Bytes = int64(len(rows)), 0
	for _, r := range rows {
		listed.Bytes += int64(r.Size())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.version++
	d.tables = slices.DeleteFunc(d.tables, func(old batchtest.Table) bool { return same(old.Table, t) })
	d.tables = append(d.tables, batchtest.Table{Table: &listed, Rows: slices.Clone(rows)})
}

// Drop removes a table. As in a real database, that reaches what is pinned too.
func (d *DB) Drop(t *schema.Table) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.version++
	d.tables = slices.DeleteFunc(d.tables, func(old batchtest.Table) bool { return same(old.Table, t) })
}

// InUse returns how many Snapshots and Readers have not been closed.
func (d *DB) InUse() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.inUse
}

func (d *DB) use(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inUse += n
}

func (d *DB) find(t *schema.Table) int {
	return slices.IndexFunc(d.tables, func(o batchtest.Table) bool { return same(o.Table, t) })
}

// same compares the parts: "a.b"."c" and "a"."b.c" are two tables.
func same(a, b *schema.Table) bool { return a.DB == b.DB && a.Name == b.Name }

func missing(t *schema.Table) error {
	return &schema.TableError{Table: t.String(), Err: errors.New("the table does not exist")}
}

// Rows returns what a table holds now.
func (d *DB) Rows(t *schema.Table) []batchtest.Row {
	d.mu.Lock()
	defer d.mu.Unlock()
	if at := d.find(t); at >= 0 {
		return slices.Clone(d.tables[at].Rows)
	}
	return nil
}
