package files

import (
	"context"
	"errors"
	"io/fs"
	"path"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hdfs"
)

// A hdfsFS is an HDFS, from a folder on.
type hdfsFS struct {
	client *hdfs.Client
	root   string
	opts   hdfs.CreateOptions
}

var _ fileSystem = hdfsFS{}

// newHDFS returns what is below root, whose files have blocks of a size, so many times. 0 is
// as Hadoop's settings say, from which the rights of files and folders are too. The client
// is closed with it.
func newHDFS(client *hdfs.Client, root string, blockSize int64, replication int) hdfsFS {
	return hdfsFS{client, path.Clean("/" + root), hdfs.CreateOptions{BlockSize: blockSize, Replication: replication}}
}

func (h hdfsFS) at(name string) string { return path.Join(h.root, name) }

func (h hdfsFS) url(name string) string { return "hdfs://" + h.client.Address() + h.at(name) }

func (h hdfsFS) close() error { return h.client.Close() }

// A hdfsOutput is durable once it is closed.
type hdfsOutput struct{ *hdfs.File }

func (o hdfsOutput) finish() (string, error) { return "", o.Close() }
func (o hdfsOutput) abort()                  { o.Abort() }

func (h hdfsFS) create(ctx context.Context, name string) (output, error) {
	first := true
	return resend(ctx, func(ctx context.Context) (output, error) {
		if !first {
			if err := h.remove(ctx, name); err != nil {
				return nil, err
			}
		}
		first = false
		f, err := h.client.Create(ctx, h.at(name), h.opts)
		if err != nil {
			return nil, err
		}
		return hdfsOutput{f}, nil
	})
}

func (h hdfsFS) mkdirs(ctx context.Context, dir string) error {
	return h.client.MkdirAll(ctx, h.at(dir))
}

func (h hdfsFS) rename(ctx context.Context, from, to string) error {
	return h.client.Rename(ctx, h.at(from), h.at(to))
}

type hdfsInput struct{ *hdfs.Reader }

func (i hdfsInput) length() int64 { return i.Size() }

func (h hdfsFS) open(ctx context.Context, name string) (input, error) {
	r, err := h.client.Open(ctx, h.at(name))
	if err != nil {
		return nil, err
	}
	return hdfsInput{r}, nil
}

func (h hdfsFS) list(ctx context.Context, dir string) ([]info, error) {
	found, err := h.client.List(ctx, h.at(dir))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	list := make([]info, 0, len(found))
	for _, st := range found {
		list = append(list, info{st.Name(), st.IsDir(), st.Size()})
	}
	return list, nil
}

func (h hdfsFS) modified(ctx context.Context, name string) (time.Time, error) {
	st, err := h.client.Stat(ctx, h.at(name))
	if err != nil {
		return time.Time{}, err
	}
	return st.ModTime(), nil
}

// now is what the NameNode takes for the time: that of a file that is made and removed.
func (h hdfsFS) now(ctx context.Context) (time.Time, error) { return h.client.Now(ctx, h.root) }

func (h hdfsFS) remove(ctx context.Context, name string) error {
	return h.client.RemoveAll(ctx, h.at(name))
}
