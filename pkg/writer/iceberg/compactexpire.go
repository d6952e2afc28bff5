package iceberg

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"sync"

	"github.com/apache/iceberg-go"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
	"golang.org/x/sync/errgroup"
)

// keepSnapshots is how many snapshots stay whatever their age, where the table does not
// say it.
const keepSnapshots = 10

// expire has the table forget old snapshots, but for those that a branch or tag names, and
// removes the files that none of the others needs.
//
// The files are listed beside the record before the commit: of a run that dies behind it
// the next one removes them.
func (c *compaction) expire(ctx context.Context) error {
	if c.o.KeepFor < 0 {
		return nil
	}
	tbl, err := c.sink.cat.LoadTable(ctx, c.ident)
	if err != nil {
		return err
	}
	if !tbl.Properties().GetBool("gc.enabled", true) {
		c.leaves("its snapshots and files stay: the table's property gc.enabled is false")
		return nil
	}
	if c.o.DryRun {
		old, _, err := c.expiring(tbl.NewTransaction(), tbl.Metadata())
		c.out.Snapshots = len(old)
		return err
	}
	var unnamed []string
	expired := 0
	_, _, err = c.publish(ctx, func(ctx context.Context, tbl *table.Table, tx *table.Transaction, _ iceberg.Properties) error {
		old, kept, err := c.expiring(tx, tbl.Metadata())
		if err != nil {
			return err
		}
		if expired = len(old); expired == 0 {
			return errNothing
		}
		files, err := tbl.FS(ctx)
		if err != nil {
			return err
		}
		if unnamed, err = c.known.unnamedBy(ctx, files, old, kept); err != nil {
			return err
		}
		return c.noteUnnamed(unnamed)
	})
	if err != nil && len(c.attempts) == 0 && c.prefix != "" {
		err = errors.Join(err, c.st.remove(c.unnamedNote(c.prefix)))
	}
	if errors.Is(err, errNothing) {
		return nil
	}
	if err != nil {
		return err
	}
	c.out.Snapshots += expired
	c.sink.step("compact: expired")
	if err := c.st.removeAll(unnamed); err != nil {
		return err
	}
	c.out.Unnamed += len(unnamed)
	return c.st.remove(c.unnamedNote(c.prefix))
}

// expiring stages the expiry and tells which snapshots go and which stay.
func (c *compaction) expiring(tx *table.Transaction, meta table.Metadata) (old, kept []table.Snapshot, err error) {
	options := []table.ExpireSnapshotsOpt{table.WithPostCommit(false)}
	if c.o.KeepFor > 0 {
		options = append(options, table.WithOlderThan(c.o.KeepFor))
	}
	if n := c.o.KeepLast; n > 0 {
		options = append(options, table.WithRetainLast(n))
	} else if _, set := meta.Properties()[table.MinSnapshotsToKeepKey]; !set {
		options = append(options, table.WithRetainLast(keepSnapshots))
	}
	if err := tx.ExpireSnapshots(options...); err != nil {
		return nil, nil, err
	}
	staged, err := tx.StagedTable()
	if err != nil {
		return nil, nil, err
	}
	stay := make(map[int64]bool)
	for _, s := range staged.Metadata().Snapshots() {
		stay[s.SnapshotID] = true
	}
	for _, s := range meta.Snapshots() {
		if stay[s.SnapshotID] {
			kept = append(kept, s)
		} else {
			old = append(old, s)
		}
	}
	return old, kept, nil
}

// unnamedBy lists the files that the old snapshots name and none of those that stay does.
func (k *knownFiles) unnamedBy(ctx context.Context, files iceio.IO, old, kept []table.Snapshot) ([]string, error) {
	stay, err := k.manifestsOf(ctx, files, kept)
	if err != nil {
		return nil, err
	}
	gone, err := k.manifestsOf(ctx, files, old)
	if err != nil {
		return nil, err
	}
	for name := range stay {
		delete(gone, name)
	}
	var out []string
	for _, s := range old {
		if s.ManifestList != "" {
			out = append(out, s.ManifestList)
		}
	}
	for name := range gone {
		out = append(out, name)
	}
	data, err := k.dataOf(ctx, files, gone, false)
	if err != nil || len(data) == 0 {
		return out, err
	}
	live, err := k.dataOf(ctx, files, stay, true)
	if err != nil {
		return nil, err
	}
	for name := range data {
		if !live[name] {
			out = append(out, name)
		}
	}
	return out, nil
}

// knownFiles is what lists and manifests hold, by their names: they never change, and a
// commit that others come before is built again and again.
type knownFiles struct {
	mu    sync.Mutex
	lists map[string][]iceberg.ManifestFile
	named map[string]namedFiles
}

// namedFiles are the names in a manifest.
type namedFiles struct{ all, live []string }

func newKnownFiles() *knownFiles {
	return &knownFiles{lists: make(map[string][]iceberg.ManifestFile), named: make(map[string]namedFiles)}
}

func (k *knownFiles) list(files iceio.IO, s table.Snapshot) ([]iceberg.ManifestFile, error) {
	k.mu.Lock()
	known, ok := k.lists[s.ManifestList]
	k.mu.Unlock()
	if ok {
		return known, nil
	}
	manifests, err := s.Manifests(files)
	if err != nil {
		return nil, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if s.ManifestList != "" {
		k.lists[s.ManifestList] = manifests
	}
	return manifests, nil
}

func (k *knownFiles) names(files iceio.IO, m iceberg.ManifestFile) (out namedFiles, err error) {
	k.mu.Lock()
	known, ok := k.named[m.FilePath()]
	k.mu.Unlock()
	if ok {
		return known, nil
	}
	for e, err := range m.Entries(files, false) {
		if err != nil {
			return out, err
		}
		name := e.DataFile().FilePath()
		if out.all = append(out.all, name); e.Status() != iceberg.EntryStatusDELETED {
			out.live = append(out.live, name)
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.named[m.FilePath()] = out
	return out, nil
}

// manifestsOf returns the manifests of snapshots by name.
func (k *knownFiles) manifestsOf(ctx context.Context, files iceio.IO, snaps []table.Snapshot) (map[string]iceberg.ManifestFile, error) {
	var mu sync.Mutex
	all := make(map[string]iceberg.ManifestFile)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for _, s := range snaps {
		g.Go(func() error {
			if err := ctx.Err(); err != nil {
				return err
			}
			manifests, err := k.list(files, s)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			for _, m := range manifests {
				all[m.FilePath()] = m
			}
			return nil
		})
	}
	return all, g.Wait()
}

// dataOf returns the names of the files that manifests list, those alone that are live, or
// also those that are told to have been removed.
func (k *knownFiles) dataOf(ctx context.Context, files iceio.IO, manifests map[string]iceberg.ManifestFile, live bool) (map[string]bool, error) {
	var mu sync.Mutex
	all := make(map[string]bool)
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for _, m := range manifests {
		g.Go(func() error {
			names, err := k.names(files, m)
			if err != nil {
				return err
			}
			list := names.all
			if live {
				list = names.live
			}
			mu.Lock()
			defer mu.Unlock()
			for _, name := range list {
				all[name] = true
			}
			return ctx.Err()
		})
	}
	return all, g.Wait()
}

// unnamedSuffix is behind the name of a run in that of the list of files that nothing
// names any more once its commit has landed.
const unnamedSuffix = ".unnamed"

func (c *compaction) unnamedNote(run string) string {
	return c.stagingFolder() + "/" + run + unnamedSuffix
}

// noteUnnamed lists the files beside the record.
func (c *compaction) noteUnnamed(files []string) error {
	return c.st.files().WriteFile(c.unnamedNote(c.prefix), []byte(strings.Join(files, "\n")))
}

// removeUnnamed removes what dead runs have listed so, as far as the table does not name
// it: their commits may not have landed.
func (c *compaction) removeUnnamed(ctx context.Context) error {
	runs, err := deadRuns(c.st, c.stagingFolder(), c.sink.dead)
	defer func() {
		for _, r := range runs {
			r.release()
		}
	}()
	if err != nil {
		return err
	}
	for _, run := range runs {
		text, err := readAll(c.st.files(), c.unnamedNote(run.name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		if ok, err := run.unchanged(c.st, c.stagingFolder()); err != nil || !ok {
			return err
		}
		// Loaded now, as the lock is held: nobody commits for this run any more.
		tbl, err := c.sink.cat.LoadTable(ctx, c.ident)
		if err != nil {
			return err
		}
		named, err := referenced(tbl, c.st.files(), 0)
		if err != nil {
			return err
		}
		var files []string
		for _, f := range strings.Split(text, "\n") {
			if f != "" && !named[f[strings.LastIndexByte(f, '/')+1:]] {
				files = append(files, f)
			}
		}
		if err := c.st.removeAll(files); err != nil {
			return err
		}
		c.out.Unnamed += len(files)
		if err := c.discardRun(run, named); err != nil {
			return err
		}
	}
	return nil
}
