package hdfs

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"github.com/colinmarc/hdfs/v2"
)

// do makes a call, and makes it again while what keeps it from being granted passes by itself.
func (c *Client) do(ctx context.Context, op, path string, f func() error) error {
	start := time.Now()
	for n := 0; ; n++ {
		err := call(ctx, f)
		if err == nil || ctx.Err() != nil {
			return err
		}
		if !mayPass(err) || time.Since(start) > c.patience {
			return c.translate(op, path, err)
		}
		if n == 5 && c.link.warn != nil {
			c.link.warn("waiting for the NameNode: " + c.translate(op, path, err).Error())
		}
		if err := sleep(ctx, min(100*time.Millisecond<<min(n, 10), longestPause)); err != nil {
			return err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// get is do for a call with a result, which must not be written once the caller is gone.
func get[T any](ctx context.Context, c *Client, op, path string, f func() (T, error)) (T, error) {
	results := make(chan T, 1)
	err := c.do(ctx, op, path, func() error {
		v, err := f()
		if err == nil {
			results <- v
		}
		return err
	})
	if err != nil {
		var zero T
		return zero, err
	}
	return <-results, nil
}

// Stat tells of a file or folder.
func (c *Client) Stat(ctx context.Context, path string) (fs.FileInfo, error) {
	return get(ctx, c, "stat", path, func() (os.FileInfo, error) { return c.c.Stat(path) })
}

// List tells of what is in a folder, sorted by name.
func (c *Client) List(ctx context.Context, dir string) ([]fs.FileInfo, error) {
	return get(ctx, c, "list", dir, func() ([]os.FileInfo, error) { return c.c.ReadDir(dir) })
}

// MkdirAll makes a folder and those above it, with the rights that fs.permissions.umask-mode
// leaves.
func (c *Client) MkdirAll(ctx context.Context, dir string) error {
	mask, err := c.conf.umask()
	if err != nil {
		return err
	}
	return c.do(ctx, "mkdir", dir, func() error { return c.c.MkdirAll(dir, 0o777&^mask) })
}

// Rename moves a file, in the place of what may be there, or a folder to where no folder is
// that something is in: that is an fs.ErrExist. A folder for the new name must be there.
// After NameNodes were away for long, a fs.ErrNotExist can mean that it was moved before
// they were.
func (c *Client) Rename(ctx context.Context, from, to string) error {
	return c.do(ctx, "rename", from, func() error { return c.c.Rename(from, to) })
}

// RemoveAll removes a file, or a folder with all that is in it. What is not there is no error.
func (c *Client) RemoveAll(ctx context.Context, path string) error {
	return c.do(ctx, "remove", path, func() error { return c.c.RemoveAll(path) })
}

// Remove removes a file or an empty folder; one that is not there is an fs.ErrNotExist.
func (c *Client) Remove(ctx context.Context, path string) error {
	return c.do(ctx, "remove", path, func() error { return c.c.Remove(path) })
}

// Now is the time by the clock that files are modified by, the NameNode's. It is learnt from
// a file that is made in the folder and removed.
func (c *Client) Now(ctx context.Context, dir string) (now time.Time, err error) {
	f, err := c.Create(ctx, probeName(dir), CreateOptions{})
	if err != nil {
		return now, err
	}
	st, err := c.Stat(ctx, f.path)
	f.Abort()
	if err != nil {
		return now, err
	}
	return st.ModTime(), nil
}

func (c *Client) serverDefaults(ctx context.Context) (hdfs.ServerDefaults, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.defaults == nil {
		d, err := get(ctx, c, "ask for the settings of", "/", c.c.ServerDefaults)
		if err != nil {
			return d, err
		}
		c.defaults = &d
	}
	return *c.defaults, nil
}

// mayPass reports whether the same call may be granted later. That NameNodes do not answer
// has been waited for by then.
func mayPass(err error) bool {
	var e hdfs.Error
	return errors.As(err, &e) && (e.Exception() == safeModeException || e.Exception() == retriableException)
}
