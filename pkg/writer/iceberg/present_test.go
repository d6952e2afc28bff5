package iceberg

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"testing"

	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"
)

// A listed is a catalog of tables that counts its listings.
type listed struct {
	catalog.Catalog
	names []string
	err   error
	asked int
}

func (l *listed) ListTables(_ context.Context, ns table.Identifier) iter.Seq2[table.Identifier, error] {
	l.asked++
	return func(yield func(table.Identifier, error) bool) {
		for _, n := range l.names {
			if !yield(append(ns[:len(ns):len(ns)], n), nil) {
				return
			}
		}
		if l.err != nil {
			yield(nil, l.err)
		}
	}
}

// TestPresent asks for many tables, and makes one of them.
func TestPresent(t *testing.T) {
	var p present
	cat := &listed{names: []string{"t7", "t99"}}
	ask := func(n int) (absent int) {
		for i := range n {
			if p.absent(t.Context(), cat, table.Identifier{"shop", fmt.Sprintf("t%d", i)}) {
				absent++
			}
		}
		return absent
	}
	if got := ask(listAfter); got != 0 || cat.asked != 0 {
		t.Errorf("few tables: %d absent, %d listings", got, cat.asked)
	}
	if got := ask(1000); got != 998 || cat.asked != 1 {
		t.Errorf("many: %d absent, %d listings", got, cat.asked)
	}
	cat.names = append(cat.names, "t8")
	p.forget()
	if got := ask(listAfter + 1000); got != 999 || cat.asked != 2 {
		t.Errorf("after one was made: %d absent, %d listings", got, cat.asked)
	}
	if p.absent(t.Context(), cat, table.Identifier{"shop", "t8"}) {
		t.Error("what was made is not seen")
	}
	cat.err = errors.New("not allowed")
	p.forget()
	if got := ask(1000); got != 0 {
		t.Errorf("without a listing: %d absent", got)
	}
}
