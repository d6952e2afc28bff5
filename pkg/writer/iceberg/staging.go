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
	"sync/atomic"
	"time"

	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
)

// What a run stages it announces by a record, TABLE/metadata/_staging/RUN, that
// goes when its files are committed or removed. A record that outlives its run
// tells the next Open which files to discard: RUN-00000.parquet and on.
//
// On a local disk the run holds a lock on the record, which ends with the
// process, however it ends. Object stores have no locks: there a record counts
// as dead when its run has not touched it for recordDead. The same goes for a
// run that has sent a commit to a server and not heard of it: the server may
// still be at it, and the commit names the files.

const (
	recordTouch = 10 * time.Minute
	recordDead  = 24 * time.Hour
)

// sentMark is the content of the record of a run that has sent a commit.
const sentMark = "a commit was sent"

// A stagingRecord is the record of a live run.
type stagingRecord struct {
	st       *storage
	location string
	lock     *os.File      // local
	stop     chan struct{} // else: ends touching
	done     chan struct{}
	mark     atomic.Bool // a commit was sent
}

func (w *Writer) stagingFolder() string { return w.location + "/metadata/_staging" }

// begin names the run and announces it, before its first file. The caller holds
// w.mu or is alone.
func (w *Writer) begin(ctx context.Context) error {
	if w.st == nil {
		if err := w.createBare(ctx); err != nil {
			return err
		}
	}
	if w.run != "" {
		return nil
	}
	var b [6]byte
	_, _ = rand.Read(b[:]) // never fails
	run := time.Now().UTC().Format("20060102T150405Z-") + hex.EncodeToString(b[:])
	r, err := newRecord(w.st, w.stagingFolder()+"/"+run)
	if err != nil {
		return fmt.Errorf("announce run: %w", err)
	}
	w.run, w.record, w.files = run, r, 0
	return nil
}

// endRun withdraws the record.
func (w *Writer) endRun() error {
	if w.run == "" {
		return nil
	}
	w.run = ""
	r := w.record
	w.record = nil
	return r.remove(w.exists)
}

func newRecord(st *storage, location string) (*stagingRecord, error) {
	r := &stagingRecord{st: st, location: location}
	if !st.local() {
		r.stop, r.done = make(chan struct{}), make(chan struct{})
		if err := st.io.WriteFile(location, r.content()); err != nil {
			return nil, err
		}
		go r.touch()
		return r, nil
	}
	name, err := localPath(location)
	if err != nil {
		return nil, err
	}
	if err := st.dirs.make(filepath.Dir(name)); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	// Until the lock is held, a run that is looking for dead ones may take this
	// record for one; it has no files yet, so all it loses is the record.
	if err := lockFile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if _, err := os.Stat(name); err != nil {
		_ = f.Close()
		return newRecord(st, location)
	}
	r.lock = f
	return r, nil
}

func (r *stagingRecord) touch() {
	defer close(r.done)
	t := time.NewTicker(recordTouch)
	defer t.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-t.C:
			// One that fails is made up for by the next; alive checks in the end.
			_ = r.st.io.WriteFile(r.location, r.content())
		}
	}
}

func (r *stagingRecord) content() []byte {
	if r.mark.Load() {
		return []byte(sentMark)
	}
	return []byte("staging")
}

// sent notes that a commit is about to be sent. r may be nil: nothing is staged.
func (r *stagingRecord) sent() error {
	if r == nil || r.mark.Swap(true) && r.lock != nil {
		return nil
	}
	if r.lock == nil {
		return r.st.io.WriteFile(r.location, r.content())
	}
	if _, err := r.lock.WriteAt(r.content(), 0); err != nil {
		return err
	}
	return r.lock.Sync()
}

// alive checks that nobody has taken the run for dead, which may happen to a
// process that was suspended for long.
func (r *stagingRecord) alive() error {
	if r == nil || r.lock != nil {
		return nil
	}
	f, err := r.st.io.Open(r.location)
	if err != nil {
		return fmt.Errorf("the staging record of this run is gone, and its files may be too: %w", err)
	}
	return f.Close()
}

// leave ends the run but lets its record and files stay for the next Open.
func (r *stagingRecord) leave() error {
	if r == nil {
		return nil
	}
	if r.lock != nil {
		return r.lock.Close()
	}
	close(r.stop)
	<-r.done
	return nil
}

// remove deletes the record. If the table does not exist, the folders that were
// made for it go too, as far as they are empty.
func (r *stagingRecord) remove(exists bool) error {
	if r.lock == nil {
		_ = r.leave()
		return r.st.remove(r.location)
	}
	name, err := localPath(r.location)
	if err != nil {
		return err
	}
	// The lock goes last: nobody may take the record for dead before it is gone.
	err = os.Remove(name)
	_ = os.Remove(filepath.Dir(name))
	if !exists {
		removeEmpty(filepath.Dir(filepath.Dir(filepath.Dir(name))))
	}
	return errors.Join(err, r.lock.Close())
}

// removeEmpty deletes the folders of a table that has no files.
func removeEmpty(dir string) {
	for _, d := range []string{filepath.Join(dir, "data"), filepath.Join(dir, "metadata"), dir, filepath.Dir(dir)} {
		_ = os.Remove(d) // refused unless it is empty
	}
}

// discardDead deletes what runs that ended without a word have staged. Files
// that a snapshot of tbl names stay: such a run died after its commit.
func (w *Writer) discardDead(_ context.Context, tbl *table.Table) error {
	runs, release, err := deadRuns(w.st, w.stagingFolder())
	if err != nil || len(runs) == 0 {
		return err
	}
	defer release()
	keep, err := referenced(tbl, w.st.io)
	if err != nil {
		// Without the whole history nothing is safe to delete. The leftovers
		// cost space and are seen by nobody.
		return nil //nolint:nilerr // see above
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
		err = w.st.io.Remove(loc)
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

// referenced lists the data files of every snapshot in the table's history.
func referenced(tbl *table.Table, io iceio.IO) (map[string]bool, error) {
	if tbl == nil {
		return nil, nil
	}
	files := make(map[string]bool)
	seen := make(map[string]bool)
	for _, s := range tbl.Metadata().Snapshots() {
		manifests, err := s.Manifests(io)
		if err != nil {
			return nil, err
		}
		for _, m := range manifests {
			if seen[m.FilePath()] {
				continue
			}
			seen[m.FilePath()] = true
			entries, err := m.FetchEntries(io, false)
			if err != nil {
				return nil, err
			}
			for _, e := range entries {
				files[e.DataFile().FilePath()] = true
			}
		}
	}
	return files, nil
}

// deadRuns lists the runs whose records are dead. On a local disk their locks
// are held until release.
func deadRuns(st *storage, folder string) (runs []string, release func(), err error) {
	if st.local() {
		return deadLocal(folder)
	}
	list, ok := st.io.(iceio.ListableIO)
	if !ok {
		return nil, nil, nil
	}
	err = list.WalkDir(folder, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && time.Since(info.ModTime()) > recordDead {
			runs = append(runs, path.Base(p))
		}
		return err
	})
	return runs, func() {}, err
}

func deadLocal(folder string) (runs []string, release func(), err error) {
	dir, err := localPath(folder)
	if err != nil {
		return nil, nil, err
	}
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	var locks []*os.File
	release = func() {
		for _, l := range locks {
			_ = l.Close()
		}
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") || e.IsDir() {
			continue
		}
		f, err := os.OpenFile(filepath.Join(dir, e.Name()), os.O_RDWR, 0)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			release()
			return nil, nil, err
		}
		if tryLock(f) != nil { // its run lives
			_ = f.Close()
			continue
		}
		if maySettle(f) {
			_ = f.Close()
			continue
		}
		locks = append(locks, f)
		runs = append(runs, e.Name())
	}
	return runs, release, nil
}

// maySettle reports whether a dead run's commit may still land.
func maySettle(record *os.File) bool {
	info, err := record.Stat()
	return err != nil || info.Size() > 0 && time.Since(info.ModTime()) < recordDead
}
