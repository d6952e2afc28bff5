package iceberg

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"

	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/io/gocloud/blobfs"
	"gocloud.dev/blob"
	"golang.org/x/sync/errgroup"
)

// under lists the files whose locations begin with prefix, however deep they lie.
func (s *storage) under(prefix string) (locations []string, err error) {
	folder := prefix[:strings.LastIndexByte(prefix, '/')]
	found := func(location string) {
		if strings.HasPrefix(location, prefix) {
			locations = append(locations, location)
		}
	}
	switch files := s.files().(type) {
	case localFS:
		err = walkLocal(folder, found)
	case *blobfs.FileIO:
		// Not by WalkDir, which asks for each folder: hashes make a million of them.
		_, key := splitLocation(prefix)
		for it := files.List(&blob.ListOptions{Prefix: key}); ; {
			o, err := it.Next(context.Background())
			if errors.Is(err, io.EOF) {
				return locations, nil
			}
			if err != nil {
				return nil, err
			}
			found(strings.TrimSuffix(prefix, key) + o.Key)
		}
	case iceio.ListableIO:
		err = files.WalkDir(folder, func(p string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				found(p)
			}
			return err
		})
	}
	return locations, err
}

// splitLocation returns the bucket and the name that it knows an object by.
func splitLocation(location string) (bucket, key string) {
	_, rest, _ := strings.Cut(location, "://")
	bucket, key, _ = strings.Cut(rest, "/")
	return bucket, key
}

// walkLocal calls f with the files of a local folder, if there is one.
func walkLocal(folder string, f func(location string)) error {
	dir, err := localPath(folder)
	if err != nil {
		return err
	}
	return filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		f(folder + "/" + filepath.ToSlash(rel))
		return err
	})
}

// removeAll deletes files; all are tried, whatever becomes of one of them.
func (s *storage) removeAll(locations []string) error {
	var g errgroup.Group
	g.SetLimit(16)
	for _, loc := range locations {
		g.Go(func() error { return s.remove(loc) })
	}
	return g.Wait()
}
