package iceberg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// What a run stages it announces by a record, TABLE/metadata/_staging/RUN, that
// goes when its files are committed or removed. A record that outlives its run
// tells the next Open which files to discard: RUN-00000.parquet and on.
//
// On a local disk the run holds a lock on the record, which ends with the
// process, however it ends. Object stores have no locks, and disks on a network
// may not have them between machines: there a record counts as dead when its run
// has not touched it for a day. The same goes for a run that has sent a commit
// to a server and not heard of it: the server may still be at it, and the commit
// names the files.
const recordTouch = 10 * time.Minute

// sentMark is the last line of the record of a run that has sent a commit.
const sentMark = "a commit was sent"

// A stagingRecord is the record of a live run.
type stagingRecord struct {
	st       *storage
	location string
	lock     *os.File    // local
	mark     atomic.Bool // a commit was sent
	stop     func()      // ends touching
}

func newRecord(st *storage, location string) (*stagingRecord, error) {
	r := &stagingRecord{st: st, location: location, stop: func() {}}
	if st.local() {
		if err := r.acquire(); err != nil {
			return nil, err
		}
	}
	if err := r.write(); err != nil {
		return nil, errors.Join(err, r.remove(true))
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	r.stop = func() { cancel(); <-done }
	go func() {
		defer close(done)
		r.touch(ctx)
	}()
	return r, nil
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
			_ = r.write()
		}
	}
}

// write puts the record's content in place, which also touches it.
func (r *stagingRecord) write() error {
	text := machine() + "\n"
	if r.mark.Load() {
		text += sentMark
	}
	if r.lock == nil {
		return r.st.files().WriteFile(r.location, []byte(text))
	}
	if _, err := r.lock.WriteAt([]byte(text), 0); err != nil {
		return err
	}
	return r.lock.Sync()
}

// machine tells the machine that a lock is known to: its name, which kernel runs
// since when, and the id that it keeps over a restart. Containers of one machine
// have names of their own, but one kernel; machines with disks in common may have
// one name.
var machine = sync.OnceValue(func() string {
	name, _ := os.Hostname()
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	id, _ := os.ReadFile("/etc/machine-id")
	return name + " " + strings.TrimSpace(string(boot)) + " " + strings.TrimSpace(string(id))
})

// sameMachine reports whether the record that has this content is of a run on
// this machine.
func sameMachine(content, machine string) bool {
	line, _, _ := strings.Cut(content, "\n")
	theirs, ours := append(strings.Split(line, " "), "", ""), append(strings.Split(machine, " "), "", "")
	if boot := ours[1]; boot != "" && boot == theirs[1] {
		return true
	}
	// Started anew since, or a system that tells no more than its name.
	return ours[0] != "" && ours[0] == theirs[0] && ours[2] == theirs[2] && (ours[2] != "" || ours[1] == "")
}

// sent notes that a commit is about to be sent. r may be nil: nothing is staged.
func (r *stagingRecord) sent() error {
	if r == nil || r.mark.Swap(true) {
		return nil
	}
	return r.write()
}

// alive checks that nobody has taken the run for dead, which may happen to a
// process that was suspended for long.
func (r *stagingRecord) alive() error {
	if r == nil {
		return nil
	}
	f, err := r.st.files().Open(r.location)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		err = fmt.Errorf("the staging record of this run is gone, and its files may be too: %w", err)
		return hint.Transient(hint.Wrap(err, "run the same command again"))
	case err != nil:
		return fmt.Errorf("look for the staging record: %w", err)
	}
	return f.Close()
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
