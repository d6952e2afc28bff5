package files

import (
	"context"
	"path"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/naming"
)

// List returns the tables that hold a position.
func (s *Sink) List(ctx context.Context) ([]writer.Held, error) {
	dirs, err := s.tables(ctx)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex
	var held []writer.Held
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for _, dir := range dirs {
		g.Go(func() error {
			m, err := s.load(ctx, dir)
			if err != nil || m.Number == 0 {
				return err
			}
			name := strings.ReplaceAll(dir, "/", ".")
			if db, table, ok := strings.Cut(m.Source, "."); ok && s.folderNamed(db, table) == dir {
				name = m.Source
				if s.db != "" {
					name = s.db + "." + table
				}
			}
			m.Location = s.store.url(path.Join(dir, m.Generation)) // the root may have been moved
			mu.Lock()
			defer mu.Unlock()
			held = append(held, writer.Held{
				Name: name, Source: m.Source, Position: m.Position, Shape: m.Shape, Committed: m.Committed, Rows: m.Rows, DDL: m.hiveDDL(),
			})
			return nil
		})
	}
	err = g.Wait()
	slices.SortFunc(held, func(a, b writer.Held) int { return strings.Compare(a.Name, b.Name) })
	return held, err
}

// folderNamed is folder for a table of which the names are known.
func (s *Sink) folderNamed(db, table string) string {
	if s.db != "" {
		db = s.db
	}
	return path.Join(naming.Folder(db), naming.Folder(table))
}

// tables returns the folders of tables that this sink might have written.
func (s *Sink) tables(ctx context.Context) ([]string, error) {
	var dbs []string
	if s.db != "" {
		dbs = []string{naming.Folder(s.db)}
	} else {
		found, err := s.store.list(ctx, "")
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			if f.folder {
				dbs = append(dbs, f.name)
			}
		}
	}
	var dirs []string
	for _, db := range dbs {
		found, err := s.store.list(ctx, db)
		if err != nil {
			return nil, err
		}
		for _, f := range found {
			if f.folder {
				dirs = append(dirs, path.Join(db, f.name))
			}
		}
	}
	return dirs, nil
}
