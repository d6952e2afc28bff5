package iceberg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/apache/iceberg-go/catalog"
	restcat "github.com/apache/iceberg-go/catalog/rest"
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
	all, err := askEach(ctx, idents, func(ctx context.Context, ident table.Identifier) ([]tableNote, error) {
		tbl, err := s.cat.LoadTable(ctx, ident)
		switch {
		case errors.Is(err, catalog.ErrNoSuchTable):
			return nil, nil // dropped meanwhile
		case err != nil:
			err = fmt.Errorf("load %s: %w", strings.Join(ident, "."), err)
			if aboutOneTable(err) {
				return []tableNote{{unread: err}}, nil
			}
			return nil, err
		}
		pos := tbl.Properties()[positionProperty]
		return []tableNote{{held: writer.Held{
			Name: strings.Join(ident, "."), Source: tbl.Properties()[sourceProperty], Position: batch.Position(pos), Shape: tbl.Properties()[shapeProperty],
			Committed: committedAt(tbl), Rows: countedRows(tbl),
		}}}, nil
	})
	if err != nil {
		return nil, err
	}
	return s.heldOf(all)
}

// tableNote is what a table of the catalog tells: what it holds, or why it cannot be read.
type tableNote struct {
	held   writer.Held
	unread error
}

// aboutOneTable reports whether an error is about one table. A catalog that many use lists tables
// that are not for this user, or are broken, or are none of Iceberg; one that a run is to write it
// is told of when it opens it.
func aboutOneTable(err error) bool {
	return errors.Is(err, restcat.ErrForbidden) || errors.Is(err, restcat.ErrBadRequest) || lostFiles(err)
}

// lostFiles reports whether the catalog has a table whose metadata is gone. One in Java says so
// with the status of a server that fails, and the name of its exception.
func lostFiles(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, restcat.ErrServerError) && notFound.MatchString(err.Error())
}

// notFound is the exception for a file, whatever stands before it; there are others whose names end
// so, of classes and resources.
var notFound = regexp.MustCompile(`\bNotFoundException\b`)

// heldOf returns those that hold a position, sorted, and warns once of those that cannot be read. A
// lake none of whose tables can has been moved, or lost its files.
func (s *Sink) heldOf(all []tableNote) ([]writer.Held, error) {
	var held []writer.Held
	var unread []error
	for _, l := range all {
		switch {
		case l.unread != nil:
			unread = append(unread, l.unread)
		case l.held.Position != "":
			held = append(held, l.held)
		}
	}
	switch n := len(unread); {
	case n == 0:
	case n == len(all) && lostFiles(unread[0]):
		return nil, unread[0]
	default:
		s.unread.Do(func() {
			s.warn(fmt.Sprintf("%d of the %d tables of the catalog cannot be read, and are taken for others': %v", n, len(all), unread[0]))
		})
	}
	slices.SortFunc(held, func(a, b writer.Held) int { return strings.Compare(a.Name, b.Name) })
	return held, nil
}

// tables lists all tables that this sink might have written.
func (s *Sink) tables(ctx context.Context, prefix string) ([]table.Identifier, error) {
	namespaces := []table.Identifier{s.identifierOf(s.ns)}
	if s.ns == nil {
		var err error
		if namespaces, err = s.namespaces(ctx, prefix); err != nil {
			return nil, err
		}
	}
	return s.tablesIn(ctx, namespaces)
}

// allTables lists the tables of the catalog, whoever has written them.
func (s *Sink) allTables(ctx context.Context) ([]table.Identifier, error) {
	namespaces, err := s.namespaces(ctx, "")
	if err != nil {
		return nil, err
	}
	return s.tablesIn(ctx, namespaces)
}

func (s *Sink) tablesIn(ctx context.Context, namespaces []table.Identifier) ([]table.Identifier, error) {
	return askEach(ctx, namespaces, func(ctx context.Context, ns table.Identifier) (idents []table.Identifier, err error) {
		for ident, err := range s.cat.ListTables(ctx, ns) {
			if errors.Is(err, catalog.ErrNoSuchNamespace) {
				break
			}
			if err != nil {
				return nil, err
			}
			idents = append(idents, ident)
		}
		return idents, nil
	})
}

// namespaces lists the namespaces whose names begin so, at all depths: ours have one
// name, but there are catalogs that take a dot in it for a border.
func (s *Sink) namespaces(ctx context.Context, prefix string) (all []table.Identifier, err error) {
	for level := []table.Identifier{nil}; len(level) > 0; all = append(all, level...) {
		level, err = askEach(ctx, level, func(ctx context.Context, parent table.Identifier) ([]table.Identifier, error) {
			found, err := s.cat.ListNamespaces(ctx, parent)
			if errors.Is(err, catalog.ErrNoSuchNamespace) {
				return nil, nil
			}
			return slices.DeleteFunc(found, func(ns table.Identifier) bool {
				return len(ns) <= len(parent) || !strings.HasPrefix(ns[0], prefix)
			}), err
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// askedAtOnce is how many requests a list has under way: a catalog may hold thousands of
// namespaces and tables, most of them others', and be some milliseconds away.
const askedAtOnce = 16

// askEach returns what ask tells of each of the things, in their order.
func askEach[T, R any](ctx context.Context, things []T, ask func(context.Context, T) ([]R, error)) ([]R, error) {
	found := make([][]R, len(things))
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(askedAtOnce)
	for i, thing := range things {
		g.Go(func() (err error) {
			found[i], err = ask(ctx, thing)
			return err
		})
	}
	err := g.Wait()
	return slices.Concat(found...), err
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
