package iceberg

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	iceio "github.com/apache/iceberg-go/io"

	"github.com/tablehaul/tablehaul/pkg/writer/runs"
)

// A deadRun is a run whose record has outlived it, or of which there are notes without
// a record: a process has written them that was suspended while others took the run for
// dead, looked at the record before that, and was killed behind it.
type deadRun struct {
	name   string
	text   recordText
	orphan bool     // there is no record
	beside []string // files in the record's folder that belong to it
	lock   *os.File // of the record, on a local disk; held until release
}

// release gives the lock up. r may be nil.
func (r *deadRun) release() {
	if r != nil && r.lock != nil {
		_ = r.lock.Close()
	}
}

// unchanged reports whether a dead run is still nobody's. On a local disk its lock says
// so; in an object store hours may lie between finding a run and taking it over.
func (r *deadRun) unchanged(st *storage, folder string) (bool, error) {
	if r.lock != nil {
		return true, nil
	}
	text, err := readAll(st.files(), folder+"/"+r.name)
	if errors.Is(err, fs.ErrNotExist) {
		return r.orphan, nil
	}
	return !r.orphan && reflect.DeepEqual(parseRecord(text), r.text), err
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
	beside := make(map[string][]string)
	for _, name := range names {
		if run, _, ok := strings.Cut(name, "."); ok && isRunName(run) {
			beside[run] = append(beside[run], name)
		}
	}
	for _, name := range names {
		if strings.Contains(name, ".") {
			continue
		}
		others := beside[name]
		delete(beside, name)
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
		run.beside = others
		runs = append(runs, run)
	}
	for name, others := range beside {
		if len(others) == 1 && others[0] == name+timeSuffix { // of who has looked at a run that then ended
			if err := st.remove(folder + "/" + others[0]); err != nil {
				return runs, err
			}
			continue
		}
		// A record comes before them and goes after them. It may have come since the
		// folder was listed.
		there, err := st.holds(folder + "/" + name)
		if err != nil {
			return runs, err
		}
		if !there {
			runs = append(runs, &deadRun{name: name, orphan: true, beside: others})
		}
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
	dead := false
	if tryLock(f) == nil {
		dead, err = run.readLocal(st, folder, after)
	}
	if !dead {
		run.release()
		return nil, err
	}
	return run, nil
}

// readLocal reads the record of a run behind its lock, whose holder may have written
// until then, and reports whether the run is dead.
func (r *deadRun) readLocal(st *storage, folder string, after time.Duration) (bool, error) {
	info, err := r.lock.Stat()
	if err != nil {
		return false, nil //nolint:nilerr // nobody's any more
	}
	text, err := readAll(st.files(), folder+"/"+r.name)
	if err != nil { // removed meanwhile
		return false, nil //nolint:nilerr // as said
	}
	r.text = parseRecord(text)
	if !r.text.sent && runs.SameMachine(r.text.machine, runs.Machine()) {
		return true, nil
	}
	return r.overdue(st, folder, info.ModTime(), after)
}

// deadObject returns the run of a record in an object store if it is dead.
func deadObject(st *storage, folder, name string, touched time.Time, after time.Duration) (*deadRun, error) {
	text, err := readAll(st.files(), folder+"/"+name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil && time.Since(touched) < recordTouch {
		// Some stores give half an object while somebody, who is alive, writes it anew.
		return nil, nil // the next Open tries again
	}
	if err != nil {
		return nil, err
	}
	run := &deadRun{name: name, text: parseRecord(text)}
	if run.text.ended() {
		return run, nil
	}
	if dead, err := run.overdue(st, folder, touched, after); !dead {
		return nil, err
	}
	return run, nil
}

// overdue reports whether a record has not been touched for so long that its run
// must be dead.
func (r *deadRun) overdue(st *storage, folder string, touched time.Time, after time.Duration) (bool, error) {
	if !r.text.sent {
		after = min(after, quietTime)
	}
	if time.Since(touched) <= after {
		return false, nil
	}
	// This machine's clock may be ahead of that by which files are dated.
	now, err := storeTime(st, folder+"/"+r.name+timeSuffix)
	if errors.Is(err, fs.ErrNotExist) { // somebody else is discarding the run
		return false, nil
	}
	return err == nil && now.Sub(touched) >= after, err
}

// timeSuffix is behind the name of a run in that of the file by which it is told how late
// it is.
const timeSuffix = ".time"

// storeTime tells how late it is where files are dated, by a file of that name.
func storeTime(st *storage, location string) (at time.Time, err error) {
	if err := st.files().WriteFile(location, []byte("what is the time?")); err != nil {
		return at, err
	}
	f, err := st.files().Open(location)
	if err == nil {
		var info fs.FileInfo
		if info, err = f.Stat(); err == nil {
			at = info.ModTime()
		}
		err = errors.Join(err, f.Close())
	}
	return at, errors.Join(err, st.remove(location))
}
