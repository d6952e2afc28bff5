package iceberg

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"
)

// present knows which tables a namespace has, so that a run that opens thousands of
// new ones does not ask a catalog behind HTTP for each. What it takes for absent may
// have been made by another run since: its creation then fails as any conflict does.
type present struct {
	mu    sync.Mutex
	asked map[string]int // by namespace, since this sink has made a table
	names map[string]map[string]bool
	at    map[string]time.Time
}

const (
	// listAfter is how many tables of a namespace are asked for one by one: a
	// listing of it may be long.
	listAfter = 32
	// listFor is how long a listing is believed.
	listFor = 30 * time.Second
)

// absent reports whether there certainly was no such table a moment ago.
func (p *present) absent(ctx context.Context, cat catalog.Catalog, ident table.Identifier) bool {
	ns := catalog.NamespaceFromIdent(ident)
	key := strings.Join(ns, "\x00")
	// Held while the catalog is asked: others wait for the answer, and a table that
	// this sink makes meanwhile ends the listing.
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.asked == nil {
		p.asked, p.names, p.at = map[string]int{}, map[string]map[string]bool{}, map[string]time.Time{}
	}
	if p.asked[key]++; p.asked[key] <= listAfter {
		return false
	}
	if p.names[key] == nil || time.Since(p.at[key]) > listFor {
		names := map[string]bool{}
		at := time.Now()
		for found, err := range cat.ListTables(ctx, ns) {
			if err != nil {
				p.asked[key] = 0 // asking one by one does it too
				return false
			}
			names[strings.ToLower(catalog.TableNameFromIdent(found))] = true // some catalogs fold names
		}
		p.names[key], p.at[key] = names, at
	}
	return !p.names[key][strings.ToLower(catalog.TableNameFromIdent(ident))]
}

// forget is to be called when this sink may have made a table.
func (p *present) forget() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.asked, p.names, p.at = nil, nil, nil
}

// load returns the table, or catalog.ErrNoSuchTable.
func (s *Sink) load(ctx context.Context, ident table.Identifier) (*table.Table, error) {
	if s.rest && s.present.absent(ctx, s.cat, ident) {
		return nil, catalog.ErrNoSuchTable
	}
	return s.cat.LoadTable(ctx, ident)
}
