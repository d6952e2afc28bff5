package mysql

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/tablehaul/tablehaul/pkg/reader/mysql/calendar"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// zeroDates counts the dates of each table that were read as another value, since no
// calendar holds what is stored.
type zeroDates struct {
	mu     sync.Mutex
	tables map[string]*calendar.Tally
}

// of returns the tally of a table.
func (z *zeroDates) of(t *schema.Table) *calendar.Tally {
	z.mu.Lock()
	defer z.mu.Unlock()
	name := t.String()
	if z.tables[name] == nil {
		if z.tables == nil {
			z.tables = map[string]*calendar.Tally{}
		}
		z.tables[name] = &calendar.Tally{}
	}
	return z.tables[name]
}

// maxToldTables is how many tables tell their dates; of the others it is said that
// there are some.
const maxToldTables = 20

// tell warns of each table with such dates. Rows that were read twice count twice.
func (z *zeroDates) tell(p calendar.Policy, warn func(string)) {
	z.mu.Lock()
	defer z.mu.Unlock()
	type told struct{ table, columns string }
	var all []told
	for name, tally := range z.tables {
		var columns []string
		tally.Changed(func(column string, dates int64) {
			columns = append(columns, fmt.Sprintf("%s %d", column, dates))
		})
		if len(columns) > 0 {
			all = append(all, told{name, strings.Join(columns, ", ")})
		}
	}
	slices.SortFunc(all, func(a, b told) int { return cmp.Compare(a.table, b.table) })
	became := map[calendar.Policy]string{calendar.Null: "NULL", calendar.Epoch: "1970-01-01"}[p]
	for i, t := range all {
		if i == maxToldTables {
			warn(fmt.Sprintf("dates that no calendar holds became %s in %d more tables", became, len(all)-i))
			break
		}
		warn(fmt.Sprintf("%s: dates that no calendar holds became %s, as --zero-date says: %s", t.table, became, t.columns))
	}
}
