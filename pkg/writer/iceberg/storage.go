package iceberg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"

	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/io/gocloud/blobfs"
)

// A storage is where one table's files lie.
type storage struct {
	mu sync.Mutex
	io iceio.WriteFileIO
	// renew, if set, returns the IO to use from now on: see lease.
	renew func(context.Context) (iceio.IO, error)
	// dirs are the folders, on a local disk, that new files were put into and
	// that a commit has to sync so that the names survive a power loss.
	dirs *dirSet
}

// A stagedFile is a data file being written.
type stagedFile interface {
	io.Writer
	// Close makes the file durable.
	Close() error
	// Abort gives the file up. In an object store there may be one afterwards.
	Abort()
	// Interrupt makes a Write or Close that hangs fail, from another goroutine.
	Interrupt()
}

// openStorage returns the storage at a location that table.Table or a warehouse
// names. ctx must live as long as the storage.
func openStorage(ctx context.Context, props map[string]string, location string) (*storage, error) {
	durableLocalFiles()
	registerStores()
	f, err := iceio.LoadFS(ctx, props, location)
	if errors.Is(err, iceio.ErrIOSchemeNotFound) { // whose text is for programmers
		scheme, _, _ := strings.Cut(location, ":")
		return nil, plainError{"stores of the kind " + scheme + ":// are not built in", err}
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", location, plain(err))
	}
	return storageOf(f)
}

func storageOf(f iceio.IO) (*storage, error) {
	w, ok := f.(iceio.WriteFileIO)
	if !ok {
		return nil, errors.New("the warehouse cannot be written")
	}
	return &storage{io: w, dirs: &dirSet{}}, nil
}

// files returns the IO.
func (s *storage) files() iceio.WriteFileIO {
	// Where it cannot be brought up to date, what is done with the old one tells.
	_ = s.fresh(context.Background())
	return s.last()
}

// last returns the IO as it is.
func (s *storage) last() iceio.WriteFileIO {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.io
}

// fresh brings the IO up to date.
func (s *storage) fresh(ctx context.Context) error {
	if s.renew == nil || s.local() {
		return nil
	}
	f, err := s.renew(ctx)
	if err != nil {
		return err
	}
	n, err := storageOf(f)
	if err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.io = n.io
	return nil
}

// local reports whether the storage is a folder of this machine.
func (s *storage) local() bool {
	_, ok := s.last().(localFS)
	return ok
}

// create starts a file that must not be there yet.
func (s *storage) create(ctx context.Context, location string) (stagedFile, error) {
	if s.local() {
		path, err := localPath(location)
		if err != nil {
			return nil, err
		}
		f, err := s.dirs.create(path)
		if err != nil {
			return nil, err
		}
		return &localFile{File: f}, nil
	}
	if err := s.fresh(ctx); err != nil {
		return nil, err
	}
	if h, ok := s.files().(hdfsIO); ok {
		f, err := h.create(ctx, location)
		if err != nil {
			return nil, err
		}
		return f, nil
	}
	// The file outlives the call, whose context does not.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	if b, ok := s.files().(*blobfs.FileIO); ok {
		// NewWriter and not Create: only a cancelled context keeps Close from
		// completing the upload.
		w, err := b.NewWriter(ctx, location, true, uploadOptions(b))
		if err != nil {
			cancel()
			return nil, err
		}
		return &objectFile{WriteCloser: w, cancel: cancel}, nil
	}
	w, err := s.files().Create(location)
	if err != nil {
		cancel()
		return nil, err
	}
	return &objectFile{WriteCloser: w, cancel: cancel}, nil
}

// holds reports whether there is such a file.
func (s *storage) holds(location string) (bool, error) {
	f, err := s.files().Open(location)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return true, f.Close()
}

// try writes a file to the folder and removes it. It has one name for all: who dies
// here leaves what the next one removes.
func (s *storage) try(ctx context.Context, folder string) error {
	if err := s.fresh(ctx); err != nil {
		return err
	}
	name := folder + "/_tablehaul-probe"
	err := s.files().WriteFile(name, []byte("probe"))
	if unconnected(err) {
		return err // removing it would be as long in vain
	}
	// Who cannot write would only be told once more by removing it.
	if e := s.remove(name); err == nil {
		err = e
	}
	return err
}

// remove deletes a file; that it is not there is no error.
func (s *storage) remove(location string) error {
	err := s.files().Remove(location)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// A localFile is durable once closed.
type localFile struct{ *os.File }

func (f *localFile) Close() error {
	err := f.Sync()
	return errors.Join(err, f.File.Close())
}

func (f *localFile) Abort() {
	_ = f.File.Close()
	_ = os.Remove(f.Name())
}

// Interrupt does nothing: a local disk does not hang.
func (f *localFile) Interrupt() {}

type objectFile struct {
	io.WriteCloser
	cancel context.CancelFunc
	closed bool
}

func (f *objectFile) Close() error {
	err := f.WriteCloser.Close()
	f.closed = true
	f.cancel()
	return err
}

func (f *objectFile) Interrupt() { f.cancel() }

func (f *objectFile) Abort() {
	f.cancel()
	if !f.closed {
		_ = f.WriteCloser.Close()
	}
}

// localPath returns the path of a location without or with the scheme file.
func localPath(location string) (string, error) {
	if !strings.HasPrefix(location, "file:") {
		return location, nil
	}
	u, err := url.Parse(location)
	if err != nil {
		return "", err
	}
	return filepath.FromSlash(u.Path), nil
}

// A localFS is iceberg-go's local file IO, but that what it writes is on disk
// when Close returns: a catalog must not name metadata that a power loss takes.
type localFS struct{ iceio.LocalFS }

func (l localFS) Create(name string) (iceio.FileWriter, error) {
	path, err := localPath(name)
	if err != nil {
		return nil, err
	}
	var d dirSet
	if err := d.make(filepath.Dir(path)); err != nil {
		return nil, err
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	return &syncedFile{File: f, dirs: &d}, nil
}

type syncedFile struct {
	*os.File
	dirs *dirSet
}

func (f *syncedFile) Close() error {
	err := f.Sync()
	return errors.Join(err, f.File.Close(), f.dirs.sync())
}

func (l localFS) WriteFile(name string, content []byte) error {
	f, err := l.Create(name)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

// durableLocalFiles makes localFS the local IO of iceberg-go, whose catalogs
// write metadata files through its registry and offer no other way in.
var durableLocalFiles = sync.OnceFunc(func() {
	for _, scheme := range []string{"file", ""} {
		iceio.Unregister(scheme)
		iceio.Register(scheme, func(context.Context, *url.URL, map[string]string) (iceio.IO, error) {
			return localFS{}, nil
		})
	}
})

// A dirSet remembers the folders whose entries have changed.
type dirSet struct {
	mu   sync.Mutex
	dirs map[string]bool
}

// make creates dir as needed and notes every folder that got a new entry by it
// or is about to.
func (d *dirSet) make(dir string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.dirs == nil {
		d.dirs = make(map[string]bool)
	}
	for p := dir; ; p = filepath.Dir(p) {
		if _, err := os.Stat(p); err == nil || p == filepath.Dir(p) {
			d.dirs[p] = true
			break
		}
		d.dirs[p] = true
	}
	return os.MkdirAll(dir, 0o755)
}

// create makes a file that must not be there yet, and the folders above it.
func (d *dirSet) create(path string) (*os.File, error) {
	for n := 0; ; n++ {
		if err := d.make(filepath.Dir(path)); err != nil {
			return nil, err
		}
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
		// Another run may be removing the folder, empty as it still was.
		if !errors.Is(err, fs.ErrNotExist) || n == 10 {
			return f, err
		}
	}
}

// sync makes the entries durable and forgets the folders.
func (d *dirSet) sync() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	for dir := range d.dirs {
		if err := syncDir(dir); err != nil {
			return err
		}
		delete(d.dirs, dir)
	}
	return nil
}

func syncDir(dir string) error {
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}
