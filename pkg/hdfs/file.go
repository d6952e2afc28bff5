package hdfs

import (
	"cmp"
	"context"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/colinmarc/hdfs/v2"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// CreateOptions are those of one file. What is 0 is as Hadoop's settings say, else as the
// server does.
type CreateOptions struct {
	BlockSize   int64
	Replication int
	// Perm is what umask takes rights from; 0 is 0666.
	Perm fs.FileMode
}

// bufferSize is what is gathered before the library is called.
const bufferSize = 256 << 10

// A File is being written. It is nobody's until Close is well, though its name is seen.
type File struct {
	c      *Client
	ctx    context.Context
	cancel context.CancelFunc
	path   string
	buf    []byte
	err    error // what has ended it
	closed atomic.Bool

	mu     sync.Mutex // guards w, which is used by one goroutine at a time
	w      *hdfs.FileWriter
	broken bool // w must not be closed any more
}

// Create begins a file, whose folder must be there, and whose name must be nobody's. ctx is
// that of the call; what ends the writing is Abort.
func (c *Client) Create(ctx context.Context, name string, o CreateOptions) (*File, error) {
	o, err := c.complete(ctx, o)
	if err != nil {
		return nil, err
	}
	w, err := get(ctx, c, "create", name, func() (*hdfs.FileWriter, error) {
		return c.c.CreateFile(name, o.Replication, o.BlockSize, o.Perm)
	})
	if err != nil {
		return nil, err
	}
	f := &File{c: c, path: name, w: w}
	f.ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return f, nil
}

// complete fills in what the settings and the server say.
func (c *Client) complete(ctx context.Context, o CreateOptions) (CreateOptions, error) {
	mask, err := c.conf.umask()
	if err != nil {
		return o, err
	}
	o.Perm = cmp.Or(o.Perm, 0o666) &^ mask
	size, err := c.conf.number("dfs.blocksize")
	if err != nil {
		return o, err
	}
	replication, err := c.conf.number("dfs.replication")
	if err != nil {
		return o, err
	}
	o.BlockSize, o.Replication = cmp.Or(o.BlockSize, size), cmp.Or(o.Replication, int(replication))
	if o.BlockSize == 0 || o.Replication == 0 {
		d, err := c.serverDefaults(ctx)
		if err != nil {
			return o, err
		}
		o.BlockSize, o.Replication = cmp.Or(o.BlockSize, d.BlockSize), cmp.Or(o.Replication, d.Replication)
	}
	return o, nil
}

// Write returns before what it was given is safe: that is only when Close was well.
func (f *File) Write(b []byte) (n int, err error) {
	for f.err == nil && len(b) > 0 {
		if f.buf == nil {
			f.buf = make([]byte, 0, bufferSize)
		}
		m := min(len(b), cap(f.buf)-len(f.buf))
		f.buf, b, n = append(f.buf, b[:m]...), b[m:], n+m
		if len(f.buf) == cap(f.buf) {
			f.flush()
		}
	}
	return n, f.err
}

// flush hands over what was gathered.
func (f *File) flush() {
	buf := f.buf
	err := f.do(func() error {
		_, err := f.w.Write(buf)
		return err
	})
	if err != nil {
		f.err = f.c.translate("write", f.path, err)
		f.buf = nil // which may still be read
		return
	}
	f.buf = f.buf[:0]
}

// do calls the library. After an error that is none of being slow, its writer would take
// what is missing for written.
func (f *File) do(do func() error) error {
	return call(f.ctx, func() error {
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.broken {
			return fs.ErrClosed
		}
		err := do()
		if err != nil && !hdfs.IsErrReplicating(err) {
			f.broken = true
		}
		return err
	})
}

// closePatience is for how long DataNodes may take to tell the NameNode of their blocks.
const closePatience = 2 * time.Minute

// Close makes the file durable.
func (f *File) Close() error {
	if len(f.buf) > 0 && f.err == nil {
		f.flush()
	}
	if f.err != nil {
		return f.err
	}
	start := time.Now()
	for n := 0; ; n++ {
		err := f.do(func() error { return f.w.Close() })
		if err != nil && hdfs.IsErrReplicating(err) && time.Since(start) < closePatience {
			if err = sleep(f.ctx, min(10*time.Millisecond<<min(n, 8), time.Second)); err == nil {
				continue
			}
		}
		switch {
		case err == nil:
			f.err, f.buf = fs.ErrClosed, nil
			f.closed.Store(true)
			f.cancel()
			return nil
		case hdfs.IsErrReplicating(err):
			f.err = hint.Transient(hint.Wrap(fmt.Errorf("close %s: no DataNode has told the NameNode of its last block for %s", f.path, closePatience),
				"hdfs dfsadmin -report shows which DataNodes are there"))
		default:
			f.err = f.c.translate("close", f.path, err)
		}
		return f.err
	}
}

// Interrupt makes a Write or Close that is under way in another goroutine fail.
func (f *File) Interrupt() { f.cancel() }

// Abort gives the file up and removes it. It may be called at any time, also while another
// goroutine is writing; after Close was well it does nothing.
func (f *File) Abort() {
	if f.closed.Load() {
		return
	}
	f.cancel()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(f.ctx), abortTimeout)
	defer cancel()
	_ = f.c.RemoveAll(ctx, f.path)
	// Closing it now cannot complete it, which is gone, but ends what the library has begun.
	go func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		if !f.broken {
			f.broken = true
			_ = f.w.SetDeadline(time.Unix(1, 0))
			_ = f.w.Close()
		}
	}()
}

const abortTimeout = 10 * time.Second

// probeName is one that nobody else makes.
func probeName(dir string) string {
	return path.Join(dir, ".tablehaul-clock-"+strconv.FormatUint(rand.Uint64(), 36))
}
