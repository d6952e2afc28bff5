package iceberg

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync"

	iceio "github.com/apache/iceberg-go/io"

	"github.com/tablehaul/tablehaul/pkg/hdfs"
)

// hdfsClients are the clients of this process by the addresses in locations: each tells the
// NameNode every second that it is there.
var hdfsClients struct {
	sync.Mutex
	m map[string]*hdfs.Client
}

// openHDFS opens the HDFS of hdfs://ADDRESS/….
func openHDFS(ctx context.Context, u *url.URL, _ map[string]string) (iceio.IO, error) {
	_, err := hdfsClient(ctx, u.Host)
	return hdfsIO{}, err
}

func hdfsClient(ctx context.Context, address string) (*hdfs.Client, error) {
	hdfsClients.Lock()
	defer hdfsClients.Unlock()
	if c := hdfsClients.m[address]; c != nil {
		return c, nil
	}
	c, err := hdfs.Open(ctx, hdfs.Options{Address: address})
	if err != nil {
		return nil, err
	}
	if hdfsClients.m == nil {
		hdfsClients.m = make(map[string]*hdfs.Client)
	}
	hdfsClients.m[address] = c
	return c, nil
}

// A hdfsIO is HDFS as iceberg-go has its stores. Folders are made as they are needed; those
// of tables stay.
type hdfsIO struct{}

var (
	_ iceio.WriteFileIO = hdfsIO{}
	_ iceio.ListableIO  = hdfsIO{}
)

// find returns where a location is.
func (hdfsIO) find(ctx context.Context, location string) (c *hdfs.Client, name string, err error) {
	address, name := splitLocation(location)
	c, err = hdfsClient(ctx, address)
	return c, path.Clean("/" + name), err
}

// A hdfsFile is a file that is read.
type hdfsFile struct {
	*io.SectionReader
	r *hdfs.Reader
}

func (f hdfsFile) Stat() (fs.FileInfo, error) { return f.r.Stat() }
func (f hdfsFile) Close() error               { return f.r.Close() }

// Open opens a file to be read.
func (h hdfsIO) Open(location string) (iceio.File, error) {
	ctx := context.Background()
	c, name, err := h.find(ctx, location)
	if err != nil {
		return nil, err
	}
	r, err := c.Open(ctx, name)
	if err != nil {
		return nil, err
	}
	return hdfsFile{io.NewSectionReader(r, 0, r.Size()), r}, nil
}

// Remove removes a file, and the folder of records when it is empty.
func (h hdfsIO) Remove(location string) error {
	ctx := context.Background()
	c, name, err := h.find(ctx, location)
	if err == nil {
		err = c.Remove(ctx, name)
	}
	if dir := path.Dir(name); err == nil && path.Base(dir) == "_staging" {
		_ = c.Remove(ctx, dir) // refused unless it is empty
	}
	return err
}

// A hdfsOutput is a file that is written.
type hdfsOutput struct{ *hdfs.File }

func (o hdfsOutput) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{o.File}, r)
}

// Create begins a file that is not there yet: all that are written piece by piece have names
// of their own.
func (h hdfsIO) Create(location string) (iceio.FileWriter, error) {
	return h.create(context.Background(), location)
}

func (h hdfsIO) create(ctx context.Context, location string) (hdfsOutput, error) {
	c, name, err := h.find(ctx, location)
	if err != nil {
		return hdfsOutput{}, err
	}
	for n := 0; ; n++ {
		f, err := c.Create(ctx, name, hdfs.CreateOptions{})
		// Another run may be removing the folder, empty as it still was.
		if !errors.Is(err, fs.ErrNotExist) || n == 10 {
			return hdfsOutput{f}, err
		}
		if err := c.MkdirAll(ctx, path.Dir(name)); err != nil {
			return hdfsOutput{}, err
		}
	}
}

// WriteFile puts a file in place, or in the place of another one, which is there until the
// new one is whole.
func (h hdfsIO) WriteFile(location string, content []byte) error {
	err := h.writeNew(location, content)
	if !errors.Is(err, fs.ErrExist) {
		return err
	}
	// By its name it belongs to the run whose record is written anew: who finds that run
	// dead removes it.
	fresh := location + ".tmp-" + strconv.FormatUint(rand.Uint64(), 36)
	if err := h.writeNew(fresh, content); err != nil {
		return err
	}
	ctx := context.Background()
	c, name, err := h.find(ctx, location)
	if err == nil {
		err = c.Rename(ctx, name+strings.TrimPrefix(fresh, location), name)
	}
	if err != nil {
		_ = h.Remove(fresh)
	}
	return err
}

func (h hdfsIO) writeNew(location string, content []byte) error {
	f, err := h.create(context.Background(), location)
	if err != nil {
		return err
	}
	if _, err = f.Write(content); err == nil {
		err = f.Close()
	}
	if err != nil {
		f.Abort()
	}
	return err
}

// WalkDir calls fn with what is below a folder. One that is not there is empty, as in other
// stores, and so is one that others remove meanwhile.
func (h hdfsIO) WalkDir(root string, fn fs.WalkDirFunc) error {
	ctx := context.Background()
	c, name, err := h.find(ctx, root)
	if err != nil {
		return err
	}
	err = walkHDFS(ctx, c, strings.TrimSuffix(root, "/"), name, fn)
	if errors.Is(err, fs.SkipDir) || errors.Is(err, fs.SkipAll) {
		return nil
	}
	return err
}

func walkHDFS(ctx context.Context, c *hdfs.Client, location, dir string, fn fs.WalkDirFunc) error {
	list, err := c.List(ctx, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fn(location, nil, err)
	}
	for _, st := range list {
		at := location + "/" + st.Name()
		err := fn(at, fs.FileInfoToDirEntry(st), nil)
		if st.IsDir() && err == nil {
			err = walkHDFS(ctx, c, at, path.Join(dir, st.Name()), fn)
		}
		if errors.Is(err, fs.SkipDir) {
			if st.IsDir() {
				continue
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}
