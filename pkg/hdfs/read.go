package hdfs

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"sync"

	"github.com/colinmarc/hdfs/v2"
)

// A Reader is a file that is being read. ReadAt may be called concurrently.
type Reader struct {
	c      *Client
	ctx    context.Context
	cancel context.CancelFunc
	path   string
	info   fs.FileInfo

	mu     sync.Mutex
	closed bool
	idle   []*cursor
}

// A cursor is one of the library's readers, each of which is at one place.
type cursor struct {
	r  *hdfs.FileReader
	at int64
}

// Open opens a file. ctx is that of the call; what ends the reading is Close.
func (c *Client) Open(ctx context.Context, name string) (*Reader, error) {
	r, err := c.open(ctx, name)
	if err != nil {
		return nil, err
	}
	info := r.Stat()
	if info.IsDir() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("it is a folder")}
	}
	f := &Reader{c: c, path: name, info: info, idle: []*cursor{{r: r}}}
	f.ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return f, nil
}

func (c *Client) open(ctx context.Context, name string) (*hdfs.FileReader, error) {
	return get(ctx, c, "open", name, func() (*hdfs.FileReader, error) { return c.c.Open(name) })
}

// Stat tells of the file as it was when it was opened.
func (r *Reader) Stat() (fs.FileInfo, error) { return r.info, nil }

// Size is the file's length.
func (r *Reader) Size() int64 { return r.info.Size() }

// ReadAt reads at a place.
func (r *Reader) ReadAt(b []byte, off int64) (int, error) {
	switch {
	case off < 0:
		return 0, &fs.PathError{Op: "read", Path: r.path, Err: fs.ErrInvalid}
	case len(b) == 0:
		return 0, nil
	case off >= r.Size():
		return 0, io.EOF
	}
	cur, err := r.take(off)
	if err != nil {
		return 0, err
	}
	want := b[:min(int64(len(b)), r.Size()-off)]
	err = r.read(cur, want, off)
	if err != nil {
		return 0, err
	}
	if len(want) < len(b) {
		return len(want), io.EOF
	}
	return len(want), nil
}

// read fills b. It may be left early, so what is read has memory of its own.
func (r *Reader) read(cur *cursor, b []byte, off int64) error {
	into := make([]byte, len(b))
	// ReadAt begins anew at the DataNode, wherever the reader is.
	next := cur.at == off && off > 0
	err := r.c.do(r.ctx, "read", r.path, func() error {
		read := func(b []byte) (int, error) { return cur.r.ReadAt(b, off) }
		if next {
			read = func(b []byte) (int, error) { return io.ReadFull(cur.r, b) }
		}
		next = false
		n, err := read(into)
		if n == len(into) {
			err = nil
		}
		if r.ctx.Err() != nil {
			_ = cur.r.Close() // here, where nobody may be left to do it
		}
		return err
	})
	if err != nil {
		if r.ctx.Err() == nil {
			_ = cur.r.Close()
		}
		return err
	}
	copy(b, into)
	cur.at = off + int64(len(b))
	r.give(cur)
	return nil
}

// take returns a reader that nobody uses, at off if there is one there.
func (r *Reader) take(off int64) (*cursor, error) {
	r.mu.Lock()
	if r.closed {
		r.mu.Unlock()
		return nil, &fs.PathError{Op: "read", Path: r.path, Err: fs.ErrClosed}
	}
	if n := len(r.idle); n > 0 {
		best := n - 1
		for i, c := range r.idle {
			if c.at == off {
				best = i
			}
		}
		cur := r.idle[best]
		r.idle[best] = r.idle[n-1]
		r.idle = r.idle[:n-1]
		r.mu.Unlock()
		return cur, nil
	}
	r.mu.Unlock()
	f, err := r.c.open(r.ctx, r.path)
	if err != nil {
		return nil, err
	}
	return &cursor{r: f}, nil
}

func (r *Reader) give(cur *cursor) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed {
		_ = cur.r.Close()
		return
	}
	r.idle = append(r.idle, cur)
}

// Close ends the reading, also that of others.
func (r *Reader) Close() error {
	r.cancel()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.closed = true
	for _, c := range r.idle {
		_ = c.r.Close()
	}
	r.idle = nil
	return nil
}
