package iceberg

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/apache/iceberg-go/catalog"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
)

func (w *Writer) stagingFolder() string { return w.location + "/metadata/_staging" }

// begin names the run and announces it, before its first file. The caller holds
// w.mu or is alone.
func (w *Writer) begin(ctx context.Context) error {
	if w.st == nil {
		if err := w.createBare(ctx); err != nil {
			return err
		}
	}
	if w.prefix != "" {
		return nil
	}
	if err := w.dropKept(ctx); err != nil { // nobody has asked for it
		return err
	}
	run := newRunName()
	r, err := newRecord(w.st, w.stagingFolder()+"/"+run, w.sequence)
	if err != nil {
		return fmt.Errorf("announce run: %w", err)
	}
	w.prefix, w.record, w.files = run, r, 0
	return nil
}

// endRun withdraws the record. It goes last, and stays if anything else does: by it the
// next run finds the others.
func (w *Writer) endRun() error {
	err := w.removeAbandoned()
	if w.prefix == "" {
		return err
	}
	k, r := w.keep, w.record
	w.prefix, w.keep, w.record = "", nil, nil
	if err = errors.Join(err, k.forget(w.st, w.stagingFolder())); err != nil {
		return errors.Join(err, r.giveUp())
	}
	return r.remove(w.exists)
}

// discardDead deletes what runs that ended without a word have staged, but for
// stock that can be gone on with: that is noted. Files that a snapshot of the table
// names stay: such a run died after its commit.
func (w *Writer) discardDead(ctx context.Context) error {
	runs, err := deadRuns(w.st, w.stagingFolder(), w.sink.dead)
	defer func() {
		for _, r := range runs {
			r.release()
		}
	}()
	if err != nil || len(runs) == 0 {
		return err
	}
	// The table is loaded now and not before: until its lock was free, a run may
	// have committed.
	tbl, err := w.sink.cat.LoadTable(ctx, w.ident)
	if errors.Is(err, catalog.ErrNoSuchTable) {
		tbl, err = nil, nil
	}
	if err != nil {
		return err
	}
	if tbl != nil && w.sink.kind == embedded {
		if err := discardAliases(w.location); err != nil {
			return err
		}
	}
	named, err := referenced(tbl, w.st.files(), earliest(runs))
	if err != nil {
		// Without the whole history nothing is safe to delete. The leftovers
		// cost space and are seen by nobody.
		return nil
	}
	for i, run := range runs {
		kept, err := w.keepOrDiscard(run, named)
		if err != nil {
			return err
		}
		if kept {
			runs[i] = nil // its lock is held on
		}
	}
	if w.st.local() && w.kept == nil {
		if name, err := localPath(w.stagingFolder()); err == nil {
			_ = os.Remove(name)
			if tbl == nil {
				removeEmpty(filepath.Dir(filepath.Dir(name)))
			}
		}
	}
	return nil
}

// keepOrDiscard notes a dead run that can be gone on with, the first there is, and
// discards any other.
func (w *Writer) keepOrDiscard(run *deadRun, named map[string]bool) (kept bool, err error) {
	if w.tends && len(run.beside) > 0 || slices.Contains(run.beside, run.name+unnamedSuffix) {
		return false, nil // for a run of the same kind to go on with
	}
	k, err := w.keptBy(run, named)
	if err != nil {
		return false, err
	}
	if k != nil && w.kept == nil {
		w.kept = k
		return true, nil
	}
	// Another run may have found it too, and taken it over.
	if ok, err := run.unchanged(w.st, w.stagingFolder()); err != nil || !ok {
		return false, err
	}
	return false, w.discardRun(run, named)
}

// discardRun deletes the files of a run, what it has kept, and its record. The
// record goes last, so that a run that dies here is followed by one that goes on.
func (w *Writer) discardRun(run *deadRun, named map[string]bool) error {
	if err := errors.Join(w.discardFiles(run, named), w.discardMade(run, named)); err != nil {
		return err
	}
	w.sink.step("dead run discarded")
	for _, name := range run.beside {
		if err := w.st.remove(w.stagingFolder() + "/" + name); err != nil {
			return err
		}
	}
	return w.st.remove(w.stagingFolder() + "/" + run.name)
}

// discardFiles deletes the data and delete files of all of a run's attempts, but for those
// to spare. They are listed and not counted up to: numbers are missing where files have
// been given up.
func (w *Writer) discardFiles(run *deadRun, spare map[string]bool) error {
	prefix, err := w.filePrefix(run.name)
	if err != nil {
		return err
	}
	own := func(location string) bool {
		_, rest, ok := strings.Cut(path.Base(location), run.name)
		return ok && (strings.HasPrefix(rest, "-") || strings.HasPrefix(rest, ".")) // RUN-00000…, RUN.ATTEMPT-00000…
	}
	files, err := w.st.under(prefix)
	if err != nil {
		return err
	}
	files = slices.DeleteFunc(files, func(loc string) bool { return !own(loc) || spare[path.Base(loc)] })
	return errors.Join(w.st.removeAll(files), w.st.abortUploads(prefix, own))
}

// filePrefix returns what the locations of a run's files begin with, or more of them
// where hashes come before the names.
func (w *Writer) filePrefix(run string) (string, error) {
	flat := maps.Clone(w.props)
	delete(flat, table.ObjectStoreEnabledKey)
	p, err := table.LoadLocationProvider(w.location, flat)
	if err != nil {
		return "", err
	}
	prefix := p.NewDataLocation(run)
	if w.props.GetBool(table.ObjectStoreEnabledKey, table.ObjectStoreEnabledDefault) {
		prefix = strings.TrimSuffix(prefix, run)
	}
	return prefix, nil
}

// runTime is how the name of a run begins, for people to read.
const runTime = "20060102T150405Z"

func newRunName() string {
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails
	return time.Now().UTC().Format(runTime+"-") + hex.EncodeToString(b[:])
}

// isRunName reports whether a name is one that newRunName makes.
func isRunName(name string) bool {
	at, id, _ := strings.Cut(name, "-")
	_, notTime := time.Parse(runTime, at)
	b, notHex := hex.DecodeString(id)
	return notTime == nil && notHex == nil && len(b) == 6
}

// earliest returns the table's sequence number when the first of the runs began, or
// less. Times would not do: clocks are set.
func earliest(runs []*deadRun) int64 {
	first := runs[0].text.base
	for _, run := range runs {
		first = min(first, run.text.base)
	}
	return first
}

// referenced lists the data files of every snapshot that was made since, and the table's
// manifests, lists and metadata files, all by name. In format version 1 all snapshots
// have the number 0.
func referenced(tbl *table.Table, io iceio.IO, since int64) (map[string]bool, error) {
	if tbl == nil {
		return nil, nil
	}
	files := map[string]bool{path.Base(tbl.MetadataLocation()): true}
	for f := range tbl.Metadata().PreviousFiles() {
		files[path.Base(f.MetadataFile)] = true
	}
	seen := make(map[string]bool)
	for _, s := range tbl.Metadata().Snapshots() {
		if s.SequenceNumber < since {
			continue
		}
		manifests, err := s.Manifests(io)
		if err != nil {
			return nil, err
		}
		files[path.Base(s.ManifestList)] = true
		for _, m := range manifests {
			if seen[m.FilePath()] {
				continue
			}
			seen[m.FilePath()] = true
			files[path.Base(m.FilePath())] = true
			for e, err := range m.Entries(io, false) {
				if err != nil {
					return nil, err
				}
				files[path.Base(e.DataFile().FilePath())] = true
			}
		}
	}
	return files, nil
}
