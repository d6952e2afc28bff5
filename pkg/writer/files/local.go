package files

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// A local is a file system of this machine, from a folder on.
type local struct{ root string }

var _ fileSystem = local{}

func (l local) at(name string) string { return filepath.Join(l.root, filepath.FromSlash(name)) }

func (l local) url(name string) string { return filepath.ToSlash(l.at(name)) }

func (l local) close() error { return nil }

// A madeRoot is a local whose root was not there. What was made of it goes again, unless
// something is in it.
type madeRoot struct {
	local
	made []string // with what is on its way; the root comes first
}

func makeRoot(root string) (m madeRoot, err error) {
	m.root = root
	for dir := root; ; dir = filepath.Dir(dir) {
		if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		m.made = append(m.made, dir)
	}
	if err = os.MkdirAll(root, 0o777); err != nil {
		_ = m.close()
		return m, explain(err)
	}
	return m, nil
}

func (m madeRoot) close() error {
	for _, dir := range m.made {
		_ = os.Remove(dir)
	}
	return nil
}

// A localFile is written with little calls, and synced to the disk before it counts.
type localFile struct{ *os.File }

func (l local) create(ctx context.Context, name string) (output, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(l.at(name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if err != nil {
		return nil, explain(err)
	}
	return localFile{f}, nil
}

// Write has a full disk told as something that may pass.
func (f localFile) Write(b []byte) (int, error) {
	n, err := f.File.Write(b)
	return n, explain(err)
}

func (f localFile) finish() (string, error) {
	err := errors.Join(f.Sync(), f.Close())
	if err == nil {
		err = syncDir(filepath.Dir(f.Name()))
	}
	return "", explain(err)
}

// explain adds a remedy to why something could not be read or written.
func explain(err error) error {
	var at *fs.PathError
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return hint.Transient(hint.Wrap(err, "make room on the disk, or have less kept there"))
	case errors.Is(err, fs.ErrPermission) && errors.As(err, &at):
		return hint.Wrap(err, "let %s read and write in %s, by chown or chmod, or name another folder", userName(), lastThere(at.Path))
	case errors.Is(err, syscall.EROFS), errors.Is(err, syscall.ENOTDIR):
		return hint.Wrap(err, "name another folder")
	}
	return err
}

// lastThere is the folder on the way to a path, whose own name does not count, of which one
// knows that it is there: what lies behind it is not, or may not be looked at.
func lastThere(path string) string {
	dir := filepath.Dir(path)
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(dir); err == nil {
			break
		}
		dir = filepath.Dir(dir)
	}
	return dir
}

// userName is who this process is to the system.
func userName() string {
	if u, err := user.Current(); err == nil {
		return "the user " + u.Username
	}
	return "the user of number " + strconv.Itoa(os.Geteuid())
}

func (f localFile) abort() {
	_ = f.Close()
	_ = os.Remove(f.Name())
}

// syncDir makes names in a folder durable, where the system can.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) && !errors.Is(err, errors.ErrUnsupported) {
		return err
	}
	return nil
}

func (l local) mkdirs(ctx context.Context, dir string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return explain(os.MkdirAll(l.at(dir), 0o777))
}

func (l local) rename(ctx context.Context, from, to string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	a, b := l.at(from), l.at(to)
	err := os.Rename(a, b)
	if errors.Is(err, syscall.ENOTEMPTY) { // which is no fs.ErrExist
		return &os.LinkError{Op: "rename", Old: a, New: b, Err: fs.ErrExist}
	}
	if err == nil {
		err = errors.Join(syncDir(filepath.Dir(b)), syncDir(filepath.Dir(a)))
	}
	return err
}

type localInput struct {
	*os.File
	size int64
}

func (i localInput) length() int64 { return i.size }

func (l local) open(ctx context.Context, name string) (input, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	f, err := os.Open(l.at(name))
	if err != nil {
		return nil, explain(err)
	}
	st, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return localInput{f, st.Size()}, nil
}

func (l local) list(ctx context.Context, dir string) ([]info, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	found, err := os.ReadDir(l.at(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var list []info
	for _, e := range found {
		st, err := e.Info()
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone meanwhile
		}
		if err != nil {
			return nil, err
		}
		list = append(list, info{e.Name(), e.IsDir(), st.Size()})
	}
	slices.SortFunc(list, func(a, b info) int { return strings.Compare(a.name, b.name) })
	return list, explain(err)
}

func (l local) modified(_ context.Context, name string) (time.Time, error) {
	st, err := os.Stat(l.at(name))
	if err != nil {
		return time.Time{}, err
	}
	return st.ModTime(), nil
}

func (l local) now(context.Context) (time.Time, error) { return time.Now(), nil }

func (l local) remove(ctx context.Context, name string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return os.RemoveAll(l.at(name))
}
