package calendar

import (
	"slices"
	"sync"
	"sync/atomic"
)

// A Tally counts, column by column, the dates of one table that a Policy has changed.
// A nil *Tally counts nothing.
type Tally struct {
	mu      sync.Mutex
	columns []string // in the order that they were met in
	changed map[string]*atomic.Int64
}

func (t *Tally) column(name string) *atomic.Int64 {
	if t == nil {
		return new(atomic.Int64)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	n := t.changed[name]
	if n == nil {
		if t.changed == nil {
			t.changed = map[string]*atomic.Int64{}
		}
		n = new(atomic.Int64)
		t.changed[name] = n
		t.columns = append(t.columns, name)
	}
	return n
}

// Changed calls f for each column that dates were changed of, and how many.
func (t *Tally) Changed(f func(column string, dates int64)) {
	t.mu.Lock()
	columns := slices.Clone(t.columns)
	t.mu.Unlock()
	for _, c := range columns {
		if n := t.column(c).Load(); n > 0 {
			f(c, n)
		}
	}
}
