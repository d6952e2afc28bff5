package iceberg

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
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
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails
	run := time.Now().UTC().Format(runTime+"-") + hex.EncodeToString(b[:])
	r, err := newRecord(w.st, w.stagingFolder()+"/"+run)
	if err != nil {
		return fmt.Errorf("announce run: %w", err)
	}
	w.prefix, w.record, w.files = run, r, 0
	return nil
}

// endRun withdraws the record.
func (w *Writer) endRun() error {
	if w.prefix == "" {
		return nil
	}
	w.prefix = ""
	r := w.record
	w.record = nil
	return r.remove(w.exists)
}

// discardDead deletes what runs that ended without a word have staged. Files
// that a snapshot of the table names stay: such a run died after its commit.
func (w *Writer) discardDead(ctx context.Context) error {
	runs, release, err := deadRuns(w.st, w.stagingFolder(), w.sink.dead)
	if err != nil || len(runs) == 0 {
		return err
	}
	defer release()
	// The table is loaded now and not before: until its lock was free, a run may
	// have committed.
	tbl, err := w.sink.cat.LoadTable(ctx, w.ident)
	if errors.Is(err, catalog.ErrNoSuchTable) {
		tbl, err = nil, nil
	}
	if err != nil {
		return err
	}
	keep, err := referenced(tbl, w.st.files(), earliest(runs))
	if err != nil {
		// Without the whole history nothing is safe to delete. The leftovers
		// cost space and are seen by nobody.
		return nil
	}
	for _, run := range runs {
		if err := w.discardRun(run, keep); err != nil {
			return err
		}
		if err := w.st.remove(w.stagingFolder() + "/" + run); err != nil {
			return err
		}
	}
	if w.st.local() {
		if name, err := localPath(w.stagingFolder()); err == nil {
			_ = os.Remove(name)
			if tbl == nil {
				removeEmpty(filepath.Dir(filepath.Dir(name)))
			}
		}
	}
	return nil
}

// discardRun deletes the files of a run. Numbers may be missing where files
// were open at the same time, but never that many in a row.
func (w *Writer) discardRun(run string, keep map[string]bool) error {
	for n, missing := 0, 0; missing < 256; n++ {
		loc, err := w.fileLocation(run, n)
		if err != nil {
			return err
		}
		if keep[loc] {
			missing = 0
			continue
		}
		err = w.st.files().Remove(loc)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing++
		case err != nil:
			return err
		default:
			missing = 0
		}
	}
	return nil
}

// runTime is how the name of a run begins.
const runTime = "20060102T150405Z"

// earliest returns when the first of the runs began, with an hour to spare for
// clocks that were set; the zero time if a name does not tell.
func earliest(runs []string) time.Time {
	var first time.Time
	for i, run := range runs {
		at, err := time.Parse(runTime, run[:min(len(run), len(runTime))])
		if err != nil {
			return time.Time{}
		}
		if i == 0 || at.Before(first) {
			first = at
		}
	}
	return first.Add(-time.Hour)
}

// referenced lists the files of every snapshot that was made since.
func referenced(tbl *table.Table, io iceio.IO, since time.Time) (map[string]bool, error) {
	if tbl == nil {
		return nil, nil
	}
	files := make(map[string]bool)
	seen := make(map[string]bool)
	for _, s := range tbl.Metadata().Snapshots() {
		if s.TimestampMs < since.UnixMilli() {
			continue
		}
		manifests, err := s.Manifests(io)
		if err != nil {
			return nil, err
		}
		for _, m := range manifests {
			if seen[m.FilePath()] {
				continue
			}
			seen[m.FilePath()] = true
			for e, err := range m.Entries(io, false) {
				if err != nil {
					return nil, err
				}
				files[e.DataFile().FilePath()] = true
			}
		}
	}
	return files, nil
}

// deadRuns lists the runs whose records are dead: of this machine and without a
// lock, or not touched for so long. On a local disk their locks are held until
// release.
func deadRuns(st *storage, folder string, after time.Duration) (runs []string, release func(), err error) {
	if st.local() {
		return deadLocal(folder, after)
	}
	list, ok := st.files().(iceio.ListableIO)
	if !ok {
		return nil, func() {}, nil
	}
	err = list.WalkDir(folder, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && time.Since(info.ModTime()) > after {
			runs = append(runs, path.Base(p))
		}
		return err
	})
	return runs, func() {}, err
}

func deadLocal(folder string, after time.Duration) (runs []string, release func(), err error) {
	dir, err := localPath(folder)
	if err != nil {
		return nil, nil, err
	}
	var locks []*os.File
	release = func() {
		for _, l := range locks {
			_ = l.Close()
		}
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, release, nil
	}
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		f, err := os.OpenFile(filepath.Join(dir, e.Name()), os.O_RDWR, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			release()
			return nil, nil, err
		}
		if !isDead(f, after) {
			_ = f.Close()
			continue
		}
		locks = append(locks, f)
		runs = append(runs, e.Name())
	}
	return runs, release, nil
}

// isDead reports whether a local record is dead, and if so holds its lock.
func isDead(f *os.File, after time.Duration) bool {
	if tryLock(f) != nil {
		return false
	}
	info, err := f.Stat()
	if err != nil {
		return false
	}
	if time.Since(info.ModTime()) > after {
		return true
	}
	text := make([]byte, 1<<10)
	n, _ := f.ReadAt(text, 0) // to the end, which is an error to ReadAt
	content := string(text[:n])
	return sameMachine(content, machine()) && !strings.HasSuffix(content, sentMark)
}
