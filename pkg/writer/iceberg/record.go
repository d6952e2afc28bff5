package iceberg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer/runs"
)

// What a run stages it announces by a record, TABLE/metadata/_staging/RUN, that
// goes when its files are committed or removed. A record that outlives its run
// tells the next Open which files to take over (keep.go) or to discard:
// RUN-00000.parquet and on, and RUN.ATTEMPT-00000.parquet of those that took over.
//
// On a local disk the run holds a lock on the record, which ends with the
// process, however it ends. Object stores have no locks, and disks on a network
// may not have them between machines: there a run is dead whose process is seen to
// be gone, or that has not touched its record for a while. One that has sent a
// commit to a server and not heard of it counts as alive for a day: the server may
// still be at it, and the commit names the files.
const (
	recordTouch = 2 * time.Minute
	quietTime   = 15 * time.Minute
)

// A stagingRecord is the record of a live run.
type stagingRecord struct {
	st       *storage
	location string
	attempts []string    // names of those that took the run over, the last of them this one
	base     int64       // the table's last sequence number when the run began, or less
	mu       sync.Mutex  // for made, and one write at a time
	made     []string    // UUIDs of metadata files, see made.go
	lock     *os.File    // local
	mark     atomic.Bool // a commit was sent
	stop     func()      // ends touching
}

func newRecord(st *storage, location string, base int64) (*stagingRecord, error) {
	r := &stagingRecord{st: st, location: location, base: base, stop: func() {}}
	if st.local() {
		if err := r.acquire(); err != nil {
			return nil, err
		}
	}
	if err := r.start(); err != nil {
		return nil, errors.Join(err, r.remove(true))
	}
	return r, nil
}

// start writes the record and sees to it that it is touched from then on.
func (r *stagingRecord) start() error {
	if err := r.write(""); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	r.stop = func() { cancel(); <-done }
	go func() {
		defer close(done)
		r.touch(ctx)
	}()
	return nil
}

// acquire makes a local record and locks it.
func (r *stagingRecord) acquire() error {
	name, err := localPath(r.location)
	if err != nil {
		return err
	}
	for {
		f, err := r.st.dirs.create(name)
		if err != nil {
			return err
		}
		// Until the lock is held, a run that is looking for dead ones may take
		// this record for one; it has no files yet, so all it loses is the record.
		if err := lockFile(f); err != nil {
			return errors.Join(err, f.Close(), os.Remove(name))
		}
		if _, err := os.Stat(name); err == nil {
			r.lock = f
			return nil
		}
		_ = f.Close()
	}
}

func (r *stagingRecord) touch(ctx context.Context) {
	t := time.NewTicker(recordTouch)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			// One that fails is made up for by the next; alive checks in the end.
			_ = r.again()
		}
	}
}

// again touches the record, but never brings it back: a run that has slept for too
// long must find out by it.
func (r *stagingRecord) again() error {
	if r.lock == nil {
		if err := r.alive(); err != nil {
			return err
		}
	}
	return r.put("", false)
}

// write puts the record's content in place, which also touches it.
func (r *stagingRecord) write(mark string) error { return r.put(mark, true) }

// put is write, on a local disk durable or not.
func (r *stagingRecord) put(mark string, durable bool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.mark.Load() {
		mark = sentMark
	}
	text := []byte(r.owner() + strings.Join(r.made, " ") + "\n" + mark)
	if r.lock == nil {
		return r.st.files().WriteFile(r.location, text)
	}
	if _, err := r.lock.WriteAt(text, 0); err != nil {
		return err
	}
	// What was there before may have been longer.
	if err := r.lock.Truncate(int64(len(text))); err != nil || !durable {
		return err
	}
	return r.lock.Sync()
}

// owner is what the record says of whose it is.
func (r *stagingRecord) owner() string {
	return runs.Machine() + "\n" + runs.Process() + "\n" + strings.Join(r.attempts, " ") + "\n" + strconv.FormatInt(r.base, 10) + "\n"
}

// sent notes that a commit is about to be sent. r may be nil: nothing is staged.
func (r *stagingRecord) sent() error {
	if r == nil || r.mark.Swap(true) {
		return nil
	}
	return r.write("")
}

// alive checks that nobody has taken the run for dead, which may happen to a
// process that was suspended for long.
func (r *stagingRecord) alive() error {
	if r == nil {
		return nil
	}
	text, err := readAll(r.st.files(), r.location)
	if err == nil && !strings.HasPrefix(text, r.owner()) {
		err = errors.New("another run has taken it over")
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("look for the staging record: %w", err)
	}
	if err != nil {
		err = fmt.Errorf("the staging record of this run is gone, and its files may be too: %w", err)
		return hint.Transient(hint.Wrap(err, "run the same command again"))
	}
	return nil
}

// leave ends the run but lets its record and files stay for the next Open.
func (r *stagingRecord) leave() error {
	if r == nil {
		return nil
	}
	r.stop()
	if r.lock == nil {
		return nil
	}
	return r.lock.Close()
}

// giveUp is leave with a word that nobody has to be waited for: no commit is on its way.
func (r *stagingRecord) giveUp() error {
	r.stop()
	r.stop = func() {}
	if r.alive() != nil {
		// Somebody else's by now, if this process has slept for long, or nobody can
		// tell: the next Open finds out.
		return r.leave()
	}
	r.mark.Store(false)
	return errors.Join(r.write(leftMark), r.leave())
}

// remove deletes the record. If the table does not exist, the folders that were
// made for it go too, as far as they are empty.
func (r *stagingRecord) remove(exists bool) error {
	r.stop() // a touch that is under way would bring the record back
	err := r.st.remove(r.location)
	if r.lock == nil {
		return err
	}
	name := r.lock.Name()
	_ = os.Remove(filepath.Dir(name))
	if !exists {
		removeEmpty(filepath.Dir(filepath.Dir(filepath.Dir(name))))
	}
	// The lock goes last: nobody may take the record for dead before it is gone.
	return errors.Join(err, r.lock.Close())
}

// removeEmpty deletes the folders of a table that has no files.
func removeEmpty(dir string) {
	for _, d := range []string{filepath.Join(dir, "data"), filepath.Join(dir, "metadata"), dir, filepath.Dir(dir)} {
		_ = os.Remove(d) // refused unless it is empty
	}
}
