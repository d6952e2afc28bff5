package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"
)

// A fileSystem is what a store with folders and renaming is made of. Paths are as those of
// a store.
type fileSystem interface {
	// create begins a file, whose folder is there, and of whose name is none.
	create(ctx context.Context, path string) (output, error)
	mkdirs(ctx context.Context, dir string) error
	// rename moves a file in the place of what may be there, or a folder to where no
	// folder is that something is in: that is an fs.ErrExist.
	rename(ctx context.Context, from, to string) error
	open(ctx context.Context, path string) (input, error)
	list(ctx context.Context, dir string) ([]info, error)
	modified(ctx context.Context, path string) (time.Time, error)
	// now is the time by the clock that files are modified by.
	now(ctx context.Context) (time.Time, error)
	remove(ctx context.Context, path string) error
	url(path string) string
	close() error
}

// A folders store keeps the files of a stage in a folder, which becomes that of the commit:
// neither a local file system nor HDFS lets a folder take the place of another one that is
// not empty, whoever comes first. A run whose stage was taken away from it can commit
// nothing.
type folders struct{ fileSystem }

const (
	entryFile = "entry.json"
	ownerFile = "owner.json"
)

func stageDir(at stage) string { return path.Join(at.table, hidden, "staging", at.name) }

func commitDir(table string, n int64) string {
	return path.Join(table, hidden, "commits", fmt.Sprintf("%012d", n))
}

func (s folders) there(ctx context.Context, dir string) error {
	_, err := s.modified(ctx, dir)
	return err
}

func (s folders) create(ctx context.Context, at stage, name string) (output, error) {
	file := path.Join(stageDir(at), "files", name)
	out, err := s.fileSystem.create(ctx, file)
	if !errors.Is(err, fs.ErrNotExist) {
		return out, err
	}
	// The folder of the stage itself is hold's: one that was taken away does not come back.
	if _, err := s.modified(ctx, stageDir(at)); err != nil {
		return nil, fmt.Errorf("look for the folder of this run: %w", err)
	}
	if err := s.mkdirs(ctx, path.Dir(file)); err != nil {
		return nil, err
	}
	return s.fileSystem.create(ctx, file)
}

func (s folders) reveal(ctx context.Context, at stage, name, _ string) (input, error) {
	return s.open(ctx, path.Join(stageDir(at), "files", name))
}

func (s folders) unstage(ctx context.Context, at stage, name, _ string) error {
	return s.fileSystem.remove(ctx, path.Join(stageDir(at), "files", name))
}

func (s folders) claim(ctx context.Context, at stage, n int64, entry []byte) error {
	from, to := stageDir(at), commitDir(at.table, n)
	err := s.write(ctx, path.Join(from, entryFile), entry)
	if err == nil {
		err = s.mkdirs(ctx, path.Dir(to))
	}
	if err != nil {
		return err
	}
	if err = s.rename(ctx, from, to); errors.Is(err, fs.ErrExist) {
		return errTaken
	}
	return err
}

// write makes a small file anew.
func (s folders) write(ctx context.Context, name string, data []byte) error {
	if err := s.fileSystem.remove(ctx, name); err != nil {
		return err
	}
	out, err := s.fileSystem.create(ctx, name)
	if err != nil {
		return err
	}
	if _, err = out.Write(data); err == nil {
		_, err = out.finish()
	}
	if err != nil {
		out.abort()
	}
	return err
}

func (s folders) entry(ctx context.Context, table string, n int64) ([]byte, error) {
	return readAll(ctx, s, path.Join(commitDir(table, n), entryFile))
}

func (s folders) publish(ctx context.Context, table string, n int64, name, _ string) error {
	from, to := path.Join(commitDir(table, n), "files", name), path.Join(table, name)
	err := s.rename(ctx, from, to)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// It has been published, or there is no folder for it yet.
	if _, at := s.modified(ctx, to); at == nil {
		return nil
	}
	if err := s.mkdirs(ctx, path.Dir(to)); err != nil {
		return err
	}
	if err = s.rename(ctx, from, to); errors.Is(err, fs.ErrNotExist) {
		if _, at := s.modified(ctx, to); at == nil {
			return nil
		}
	}
	return err
}

// settle removes the folders that the files were in: each is one of the file system's too.
func (s folders) settle(ctx context.Context, table string, n int64) error {
	return s.fileSystem.remove(ctx, path.Join(commitDir(table, n), "files"))
}

func (s folders) forget(ctx context.Context, table string, n int64) error {
	return s.fileSystem.remove(ctx, commitDir(table, n))
}

func (s folders) stages(ctx context.Context, table string) ([]stageInfo, error) {
	found, err := s.list(ctx, path.Join(table, hidden, "staging"))
	if err != nil || len(found) == 0 {
		return nil, err
	}
	now, err := s.now(ctx)
	if err != nil {
		return nil, err
	}
	var stages []stageInfo
	for _, f := range found {
		dir := stageDir(stage{table: table, name: f.name})
		at, err := s.modified(ctx, path.Join(dir, ownerFile))
		if errors.Is(err, fs.ErrNotExist) {
			at, err = s.modified(ctx, dir) // killed between the two, or about to say so
		}
		if errors.Is(err, fs.ErrNotExist) {
			continue // claimed meanwhile
		}
		if err != nil {
			return nil, err
		}
		owner, err := readAll(ctx, s, path.Join(dir, ownerFile))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		stages = append(stages, stageInfo{f.name, owner, now.Sub(at)})
	}
	return stages, nil
}

func (s folders) hold(ctx context.Context, at stage, owner []byte) error {
	dir := stageDir(at)
	if err := s.mkdirs(ctx, dir); err != nil {
		return err
	}
	return s.write(ctx, path.Join(dir, ownerFile), owner)
}

func (s folders) renew(ctx context.Context, at stage, owner []byte) error {
	return s.write(ctx, path.Join(stageDir(at), ownerFile), owner) // never makes the folder
}

// gone is what the names of stages begin with that are being discarded.
const gone = "gone-"

// discard takes the stage away in one step, before its files go: its owner may be about to
// claim it.
func (s folders) discard(ctx context.Context, at stage) error {
	if strings.HasPrefix(at.name, gone) {
		return s.fileSystem.remove(ctx, stageDir(at))
	}
	away := stage{table: at.table, name: gone + at.name}
	if err := s.rename(ctx, stageDir(at), stageDir(away)); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	return s.fileSystem.remove(ctx, stageDir(away))
}

func (s folders) replace(ctx context.Context, via, name string, data []byte) error {
	if via == "" {
		via = path.Dir(name)
	}
	fresh := path.Join(via, "."+path.Base(name)+"."+strconv.FormatInt(time.Now().UnixNano(), 36))
	err := s.write(ctx, fresh, data)
	if errors.Is(err, fs.ErrNotExist) && via == path.Dir(name) {
		if err = s.mkdirs(ctx, via); err == nil {
			err = s.write(ctx, fresh, data)
		}
	}
	if err != nil {
		return err
	}
	if err = s.rename(ctx, fresh, name); errors.Is(err, fs.ErrNotExist) {
		if err = s.mkdirs(ctx, path.Dir(name)); err == nil {
			err = s.rename(ctx, fresh, name)
		}
	}
	if err != nil {
		return errors.Join(err, s.fileSystem.remove(ctx, fresh))
	}
	return nil
}

func (s folders) remove(ctx context.Context, name string) error {
	return s.fileSystem.remove(ctx, strings.TrimSuffix(name, "/"))
}

// readAll returns the content of a small file.
func readAll(ctx context.Context, s interface {
	open(ctx context.Context, path string) (input, error)
}, name string,
) ([]byte, error) {
	f, err := s.open(ctx, name)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.NewSectionReader(f, 0, f.length()))
	if err == nil && int64(len(data)) != f.length() {
		err = io.ErrUnexpectedEOF // another one has taken its place
	}
	return data, errors.Join(err, f.Close())
}
