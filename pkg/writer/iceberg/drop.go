package iceberg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

var _ writer.Dropper = (*Sink)(nil)

// Drop removes a table from the catalog, and then its files: a catalog behind HTTP sees to them by
// itself. What a run leaves of them that dies in between belongs to no table.
func (s *Sink) Drop(ctx context.Context, db, name string, held batch.Position) error {
	ctx, cancel := context.WithTimeout(s.shared(ctx), s.retry.timeout)
	defer cancel()
	ident := s.identifier(&schema.Table{DB: db, Name: name})
	if err := s.drop(ctx, ident, db+"."+name, held); err != nil {
		return advise(fmt.Errorf("drop %s: %w", strings.Join(ident, "."), err))
	}
	return nil
}

func (s *Sink) drop(ctx context.Context, ident table.Identifier, source string, held batch.Position) error {
	tbl, err := s.cat.LoadTable(ctx, ident)
	if errors.Is(err, catalog.ErrNoSuchTable) || errors.Is(err, catalog.ErrNoSuchNamespace) {
		return nil
	}
	if err != nil {
		return err
	}
	if p := tbl.Properties(); p[sourceProperty] != source || batch.Position(p[positionProperty]) != held {
		return writer.ErrFenced
	}
	s.step("drop: begun")
	if c, ok := s.cat.(restCatalog); !ok {
		err = s.dropHere(ctx, ident, tbl)
	} else if p, ok := c.Catalog.(interface {
		PurgeTable(ctx context.Context, ident table.Identifier) error
	}); ok {
		err = p.PurgeTable(ctx, ident)
	} else {
		err = s.cat.DropTable(ctx, ident)
	}
	s.present.forget()
	s.step("drop: done")
	if errors.Is(err, catalog.ErrNoSuchTable) { // an attempt was well, and its reply was lost
		return nil
	}
	return err
}

// dropHere removes a table of a catalog that removes no files.
func (s *Sink) dropHere(ctx context.Context, ident table.Identifier, tbl *table.Table) error {
	dir := ""
	if s.kind == embedded {
		var err error
		if dir, err = localPath(tbl.Location()); err != nil {
			return err
		}
		// Who reads the folder alone finds no table from here on, whatever becomes of this run.
		if err := os.Remove(filepath.Join(dir, "metadata", "version-hint.text")); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
		s.step("drop: hint removed")
	}
	if err := s.cat.DropTable(ctx, ident); err != nil {
		return err
	}
	s.step("drop: out of the catalog")
	var err error
	if root, e := localPath(s.root); e == nil && dir != "" && strings.HasPrefix(dir, root+string(filepath.Separator)) {
		err = os.RemoveAll(dir)
	} else {
		err = tbl.PurgeFiles(ctx)
	}
	if err != nil && s.opts.Warn != nil {
		s.opts.Warn(fmt.Sprintf("%s is dropped, and files of it are still there: %v", strings.Join(ident, "."), err))
	}
	return nil
}
