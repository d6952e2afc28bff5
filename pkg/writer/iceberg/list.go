package iceberg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"
	"golang.org/x/sync/errgroup"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// List returns the tables that hold a position, in the sink's namespace or, if
// each database has one of its own, in all.
func (s *Sink) List(ctx context.Context) ([]writer.Held, error) {
	ctx, cancel := context.WithTimeout(s.shared(ctx), s.retry.timeout)
	defer cancel()
	held, err := s.list(ctx, "")
	if err != nil {
		return nil, advise(fmt.Errorf("list tables: %w", err))
	}
	return held, nil
}

// list is List for namespaces whose names begin so.
func (s *Sink) list(ctx context.Context, prefix string) ([]writer.Held, error) {
	idents, err := s.tables(ctx, prefix)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var held []writer.Held
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for _, ident := range idents {
		g.Go(func() error {
			tbl, err := s.cat.LoadTable(ctx, ident)
			if errors.Is(err, catalog.ErrNoSuchTable) {
				return nil // dropped meanwhile
			}
			if err != nil {
				return fmt.Errorf("load %s: %w", strings.Join(ident, "."), err)
			}
			if pos := tbl.Properties()[positionProperty]; pos != "" {
				mu.Lock()
				defer mu.Unlock()
				held = append(held, writer.Held{
					Name: strings.Join(ident, "."), Source: tbl.Properties()[sourceProperty], Position: batch.Position(pos), Shape: tbl.Properties()[shapeProperty],
					Committed: committedAt(tbl), Rows: countedRows(tbl),
				})
			}
			return nil
		})
	}
	err = g.Wait()
	slices.SortFunc(held, func(a, b writer.Held) int { return strings.Compare(a.Name, b.Name) })
	return held, err
}

// tables lists all tables that this sink might have written.
func (s *Sink) tables(ctx context.Context, prefix string) ([]table.Identifier, error) {
	namespaces := []table.Identifier{s.identifierOf(s.ns)}
	if s.ns == nil {
		var err error
		if namespaces, err = s.namespaces(ctx, nil, prefix); err != nil {
			return nil, err
		}
	}
	return s.tablesIn(ctx, namespaces)
}

// allTables lists the tables of the catalog, whoever has written them.
func (s *Sink) allTables(ctx context.Context) ([]table.Identifier, error) {
	namespaces, err := s.namespaces(ctx, nil, "")
	if err != nil {
		return nil, err
	}
	return s.tablesIn(ctx, namespaces)
}

func (s *Sink) tablesIn(ctx context.Context, namespaces []table.Identifier) ([]table.Identifier, error) {
	var idents []table.Identifier
	for _, ns := range namespaces {
		for ident, err := range s.cat.ListTables(ctx, ns) {
			if errors.Is(err, catalog.ErrNoSuchNamespace) {
				break
			}
			if err != nil {
				return nil, err
			}
			idents = append(idents, ident)
		}
	}
	return idents, nil
}

// namespaces lists the namespaces below parent, at all depths: ours have one
// name, but there are catalogs that take a dot in it for a border.
func (s *Sink) namespaces(ctx context.Context, parent table.Identifier, prefix string) ([]table.Identifier, error) {
	found, err := s.cat.ListNamespaces(ctx, parent)
	if errors.Is(err, catalog.ErrNoSuchNamespace) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var all []table.Identifier
	for _, ns := range found {
		if len(ns) <= len(parent) || !strings.HasPrefix(ns[0], prefix) {
			continue
		}
		all = append(all, ns)
		below, err := s.namespaces(ctx, ns, prefix)
		if err != nil {
			return nil, err
		}
		all = append(all, below...)
	}
	return all, nil
}

// committedAt is when the commit was made that brought the position. Commits of
// other programs come later and leave it alone.
func committedAt(tbl *table.Table) time.Time {
	id := tbl.Properties()[commitProperty]
	for _, snap := range slices.Backward(tbl.Metadata().Snapshots()) {
		if snap.Summary != nil && snap.Summary.Properties[commitProperty] == id {
			return time.UnixMilli(snap.TimestampMs)
		}
	}
	return time.UnixMilli(tbl.Metadata().LastUpdatedMillis())
}

// countedRows is the table's own count, which holds rows that are deleted too.
func countedRows(tbl *table.Table) int64 {
	snap := tbl.CurrentSnapshot()
	if snap == nil || snap.Summary == nil {
		return -1
	}
	n, err := strconv.ParseInt(snap.Summary.Properties["total-records"], 10, 64)
	if err != nil {
		return -1
	}
	return n
}
