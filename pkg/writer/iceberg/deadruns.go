package iceberg

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	iceio "github.com/apache/iceberg-go/io"
)

// A deadRun is a run whose record has outlived it.
type deadRun struct {
	name   string
	text   recordText
	beside []string // files in the record's folder that belong to it
	lock   *os.File // of the record, on a local disk; held until release
}

// release gives the lock up. r may be nil.
func (r *deadRun) release() {
	if r != nil && r.lock != nil {
		_ = r.lock.Close()
	}
}

// deadRuns lists the runs whose records are dead: of this machine and without a
// lock or a process, or not touched for long. after is how long a commit that was
// sent may be on its way.
func deadRuns(st *storage, folder string, after time.Duration) ([]*deadRun, error) {
	names, touched, err := listStaging(st, folder)
	if err != nil {
		return nil, err
	}
	var runs []*deadRun
	for _, name := range names {
		if strings.Contains(name, ".") {
			continue
		}
		var run *deadRun
		if st.local() {
			run, err = deadLocal(st, folder, name, after)
		} else {
			run, err = deadObject(st, folder, name, touched[name], after)
		}
		if err != nil {
			return runs, err
		}
		if run == nil {
			continue
		}
		for _, other := range names {
			if strings.HasPrefix(other, name+".") {
				run.beside = append(run.beside, other)
			}
		}
		runs = append(runs, run)
	}
	return runs, nil
}

// listStaging lists the files of the folder, and, of an object store, when each was
// written.
func listStaging(st *storage, folder string) (names []string, touched map[string]time.Time, err error) {
	if st.local() {
		dir, err := localPath(folder)
		if err != nil {
			return nil, nil, err
		}
		entries, err := os.ReadDir(dir)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return names, nil, err
	}
	list, ok := st.files().(iceio.ListableIO)
	if !ok {
		return nil, nil, nil
	}
	touched = make(map[string]time.Time)
	err = list.WalkDir(folder, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		name := path.Base(p)
		names = append(names, name)
		if info, err := d.Info(); err == nil {
			touched[name] = info.ModTime()
		}
		return nil
	})
	return names, touched, err
}

// deadLocal returns the run of a record, with its lock, if it is dead.
func deadLocal(st *storage, folder, name string, after time.Duration) (*deadRun, error) {
	dir, err := localPath(folder)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, name), os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	run := &deadRun{name: name, lock: f}
	if locked := tryLock(f) == nil; locked && run.readLocal(st, folder, after) {
		return run, nil
	}
	run.release()
	return nil, nil
}

// readLocal reads the record of a run behind its lock, whose holder may have written
// until then, and reports whether the run is dead.
func (r *deadRun) readLocal(st *storage, folder string, after time.Duration) bool {
	info, err := r.lock.Stat()
	if err != nil {
		return false
	}
	text, err := readAll(st.files(), folder+"/"+r.name)
	if err != nil { // removed meanwhile
		return false
	}
	r.text = parseRecord(text)
	return !r.text.sent && sameMachine(r.text.machine, machine()) || r.text.overdue(info.ModTime(), after)
}

// deadObject returns the run of a record in an object store if it is dead.
func deadObject(st *storage, folder, name string, touched time.Time, after time.Duration) (*deadRun, error) {
	text, err := readAll(st.files(), folder+"/"+name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	run := &deadRun{name: name, text: parseRecord(text)}
	if run.text.ended() || run.text.overdue(touched, after) {
		return run, nil
	}
	return nil, nil
}

// overdue reports whether a record has not been touched for so long that its run
// must be dead.
func (t recordText) overdue(touched time.Time, after time.Duration) bool {
	if !t.sent {
		after = min(after, quietTime)
	}
	return time.Since(touched) > after
}
