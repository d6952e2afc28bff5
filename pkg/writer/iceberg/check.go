package iceberg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

var _ writer.Checker = (*Sink)(nil)

// Check looks at names, space and rights, and at what is there of the tables.
func (s *Sink) Check(ctx context.Context, tables []*schema.Table, mode writer.Mode, p finding.Purpose) ([]finding.Finding, error) {
	ctx = s.shared(ctx)
	found := s.collisions(tables)
	found = append(found, s.space(tables)...)
	if p.Before { // Open tries the rest
		return found, nil
	}
	more, err := s.refusals(ctx, tables, mode)
	if err != nil {
		return nil, advise(err)
	}
	found = append(append(found, more...), s.rights(ctx, tables)...)
	if p.Tail && len(tables) > 1 && errors.Is(s.cat.commitAll(ctx, nil), errors.ErrUnsupported) {
		found = append(found, finding.Finding{
			Level: finding.Note, Check: "one-by-one", Thing: "the catalog commits one table at a time",
			Why: "readers may see a transaction in one table shortly before they see it in another", Remedy: "iceberg+rest://… with a catalog that commits several tables at once",
		})
	}
	return found, nil
}

// collisions are tables that would become one, or that readers cannot tell apart.
func (s *Sink) collisions(tables []*schema.Table) []finding.Finding {
	same, alike := map[string][]string{}, map[string][]string{}
	for _, t := range tables {
		name := strings.Join(s.identifier(t), ".")
		same[name] = append(same[name], t.String())
	}
	for name := range same {
		low := strings.ToLower(name)
		alike[low] = append(alike[low], name)
	}
	var found []finding.Finding
	for _, t := range tables {
		name := strings.Join(s.identifier(t), ".")
		if list := same[name]; len(list) > 1 && list[0] == t.String() {
			found = append(found, finding.Finding{
				Level: finding.Error, Check: "name-collision", Thing: "they would all become " + name, Why: "the sink's URL names one namespace for tables of several databases",
				Remedy: "--exclude '" + strings.Join(list[1:], ",") + "'", Tables: list,
			})
		}
		if list := alike[strings.ToLower(name)]; len(list) > 1 && slices.Min(list) == name {
			slices.Sort(list)
			found = append(found, finding.Finding{
				Level: finding.Warning, Check: "name-case", Thing: "they differ at the sink in their case alone", Why: "Spark, DuckDB and others cannot tell them apart",
				Remedy: "copy one of them into another ?namespace=… of the sink", Tables: list,
			})
		}
	}
	return found
}

// space compares what is free with what may come. Files are compressed, and the
// source has indexes; a half of its size is more than most tables take.
func (s *Sink) space(tables []*schema.Table) []finding.Finding {
	dir, err := localPath(s.root)
	if s.root == "" || err != nil || strings.Contains(dir, "://") {
		return nil
	}
	var bytes int64
	for _, t := range tables {
		bytes += t.Bytes
	}
	free := freeSpace(existing(dir))
	if free < 0 || free >= bytes/2 {
		return nil
	}
	return []finding.Finding{{
		Level: finding.Warning, Check: "space", Thing: fmt.Sprintf("%d MiB are free below %s", free>>20, dir),
		Why: fmt.Sprintf("the source has %d MiB in these tables, of which a half may be needed", bytes>>20), Remedy: "df -h " + dir,
	}}
}

// existing returns the folder, or the nearest one above it that is there.
func existing(dir string) string {
	for {
		if _, err := os.Stat(dir); err == nil || dir == filepath.Dir(dir) {
			return dir
		}
		dir = filepath.Dir(dir)
	}
}

// refusals are tables that Open would refuse.
func (s *Sink) refusals(ctx context.Context, tables []*schema.Table, mode writer.Mode) ([]finding.Finding, error) {
	all := make([]writer.Description, len(tables))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i, t := range tables {
		g.Go(func() (err error) {
			all[i], err = s.describe(gctx, t, mode)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	var found []finding.Finding
	for i, d := range all {
		if d.Fate == writer.Refused {
			found = append(found, finding.Finding{
				Level: finding.Error, Check: "table-refused", Thing: d.Detail, Why: "the run would end", Remedy: d.Remedy, Tables: []string{tables[i].String()},
			})
		}
	}
	return found, nil
}

// rights tries to write a file where tables are to go, and with a catalog that
// keeps that to itself, to make a table. All of it is removed.
func (s *Sink) rights(ctx context.Context, tables []*schema.Table) []finding.Finding {
	tried := map[string]bool{}
	for _, t := range tables {
		ns := catalog.NamespaceFromIdent(s.identifier(t))
		if key := strings.Join(ns, "\x00"); tried[key] {
			continue
		} else if tried[key] = true; len(tried) > maxTried {
			break
		}
		if err := s.tryNamespace(ctx, ns); err != nil {
			err = advise(err)
			return []finding.Finding{{
				Level: finding.Error, Check: "sink-write", Thing: "namespace " + strings.Join(ns, ".") + " cannot be written", Why: err.Error(), Remedy: hint.Of(err),
			}}
		}
	}
	return nil
}

// maxTried bounds how many namespaces are tried.
const maxTried = 20

// tryNamespace tries what the first table of a namespace takes.
func (s *Sink) tryNamespace(ctx context.Context, ns table.Identifier) error {
	if !s.rest { // its catalog is a file
		return s.tryFiles(ctx, ns)
	}
	there, err := s.cat.CheckNamespaceExists(ctx, ns)
	if err != nil {
		return fmt.Errorf("look for namespace %s: %w", strings.Join(ns, "."), err)
	}
	if !there {
		if err := s.cat.CreateNamespace(ctx, ns, nil); err != nil {
			return fmt.Errorf("create namespace %s: %w", strings.Join(ns, "."), err)
		}
		defer func() { _ = s.cat.DropNamespace(context.WithoutCancel(ctx), ns) }()
	}
	probe := schema.New("", probeTable+strings.ReplaceAll(uuid.NewString(), "-", ""), nil, nil)
	sc, err := icebergSchema(probe)
	if err != nil {
		return err
	}
	ident := append(slices.Clone(ns), probe.Name)
	tbl, err := s.cat.CreateTable(ctx, ident, sc)
	if err != nil {
		return fmt.Errorf("create a table: %w", err)
	}
	f, err := tbl.FS(context.WithoutCancel(ctx))
	if err != nil {
		return errors.Join(err, s.cat.DropTable(context.WithoutCancel(ctx), ident))
	}
	st, err := storageOf(f)
	if err == nil {
		err = tryFile(ctx, st, tbl.Location()+"/data")
	}
	err = errors.Join(err, s.cat.DropTable(context.WithoutCancel(ctx), ident))
	if st != nil {
		err = errors.Join(err, removeProbe(st, tbl))
	}
	return err
}

// removeProbe removes what dropping the table has left: its metadata, and on a
// local disk what the catalog's own file system may have put beside it.
func removeProbe(st *storage, tbl *table.Table) error {
	err := st.remove(tbl.MetadataLocation())
	dir, e := localPath(tbl.Location())
	if e != nil || !st.local() || !strings.HasPrefix(filepath.Base(dir), probeTable) {
		return err
	}
	err = errors.Join(err, os.RemoveAll(dir))
	_ = os.Remove(filepath.Dir(dir)) // the namespace's, refused unless it is empty
	return err
}

// probeTable is how the name of a table begins that is made to be removed.
const probeTable = "tablehaul_check_"

// tryFiles writes a file to where a namespace's tables go, without folders for it.
func (s *Sink) tryFiles(ctx context.Context, ns table.Identifier) error {
	home := s.home(ctx, ns)
	if home == "" {
		return nil
	}
	st, err := s.storageAt(ctx, home)
	if err != nil {
		return err
	}
	if st.local() {
		dir, err := localPath(home)
		if err != nil {
			return err
		}
		home = existing(dir)
	}
	if err := tryFile(ctx, st, home); err != nil || s.file == "" {
		return err
	}
	// The catalog itself, and its journal beside it.
	if err := tryFile(ctx, localDisk(), existing(filepath.Dir(s.file))); err != nil {
		return err
	}
	f, err := os.OpenFile(s.file, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// localDisk is the local disk.
func localDisk() *storage { return &storage{io: localFS{}, dirs: &dirSet{}} }

func tryFile(ctx context.Context, st *storage, folder string) error {
	if err := st.try(ctx, folder); err != nil {
		return fmt.Errorf("write to %s: %w", folder, err)
	}
	return nil
}
