package iceberg

import (
	"context"
	"path"
	"strings"

	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
)

// removeOrphans deletes files in the table's folder that nothing names: not the table, and
// not the record of a run, be it alive or one that is to be gone on with.
//
// What is younger than OrphanAge stays: other programs have no records, and name their
// files only once they commit.
func (c *compaction) removeOrphans(ctx context.Context) error {
	if c.o.OrphanAge < 0 {
		return nil
	}
	tbl, err := c.sink.cat.LoadTable(ctx, c.ident)
	if err != nil {
		return err
	}
	if !tbl.Properties().GetBool("gc.enabled", true) {
		return nil // expire has told
	}
	if _, ok := c.st.files().(iceio.ListableIO); !ok && !c.st.local() {
		c.leaves("orphans stay: files of this store cannot be listed")
		return nil
	}
	// The records are looked at first: a run that begins now makes files that are young.
	runs, err := c.runsOnRecord()
	if err != nil {
		return err
	}
	plan, err := tbl.PlanOrphanFiles(ctx, table.WithFilesOlderThan(c.o.OrphanAge), table.WithPrefixMismatchMode(table.PrefixMismatchIgnore))
	if err != nil {
		return err
	}
	var files []string
	for _, f := range plan.OrphanFiles() {
		if c.orphan(f.Path, runs) {
			files = append(files, f.Path)
			c.out.OrphanBytes += f.SizeBytes
		}
	}
	if len(files) == 0 {
		return nil
	}
	if other, err := c.sharesFolder(ctx); err != nil || other != "" {
		c.out.OrphanBytes = 0
		c.leaves("orphans stay: the folder is that of %s too", other)
		return err
	}
	c.out.Orphans = len(files)
	if c.o.DryRun {
		return nil
	}
	c.sink.step("compact: orphans found")
	return c.st.removeAll(files)
}

// runsOnRecord lists the runs that have records or notes.
func (c *compaction) runsOnRecord() ([]string, error) {
	names, _, err := listStaging(c.st, c.stagingFolder())
	if err != nil {
		return nil, err
	}
	var runs []string
	for _, name := range names {
		run, _, _ := strings.Cut(name, ".")
		if isRunName(run) {
			runs = append(runs, run)
		}
	}
	return runs, nil
}

// orphan reports whether a file that the table does not name is nobody else's either: it
// is of a kind that tables are made of, and of no run that is on record.
func (c *compaction) orphan(location string, runs []string) bool {
	name := path.Base(location)
	if strings.Contains(location, "/metadata/_staging/") || strings.HasPrefix(name, "version-hint") || strings.HasPrefix(name, "_") || strings.HasPrefix(name, ".") {
		return false
	}
	if c.sink.kind == embedded && strings.HasPrefix(name, "v") && strings.HasSuffix(name, ".metadata.json") {
		return false // second names, which syncHint looks after
	}
	known := false
	for _, suffix := range []string{".parquet", ".avro", ".orc", ".puffin", ".stats", ".metadata.json", ".metadata.json.gz"} {
		known = known || strings.HasSuffix(name, suffix)
	}
	if !known {
		return false
	}
	for _, run := range runs {
		if strings.Contains(name, run) {
			return false
		}
	}
	return true
}

// sharesFolder returns another table of the catalog whose files lie in the same folder, or
// in one below or above it: its files are no orphans.
func (c *compaction) sharesFolder(ctx context.Context) (string, error) {
	idents, err := c.sink.allTables(ctx)
	if err != nil {
		return "", err
	}
	own := strings.TrimSuffix(c.location, "/") + "/"
	for _, ident := range idents {
		if strings.Join(ident, "\x00") == strings.Join(c.ident, "\x00") {
			continue
		}
		tbl, err := c.sink.cat.LoadTable(ctx, ident)
		if err != nil {
			return "", err
		}
		other := strings.TrimSuffix(tbl.Location(), "/") + "/"
		if strings.HasPrefix(own, other) || strings.HasPrefix(other, own) {
			return strings.Join(ident, "."), nil
		}
	}
	return "", nil
}
