package files

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// TestExplain is what keeps a folder of this machine from being written.
func TestExplain(t *testing.T) {
	root := t.TempDir()
	for _, c := range []struct {
		err    error
		want   string
		passes bool
	}{
		{&fs.PathError{Op: "mkdir", Path: filepath.Join(root, "not", "there"), Err: syscall.EACCES}, " read and write in " + root + ", by chown or chmod", false},
		{&fs.PathError{Op: "mkdir", Path: "/data/ods", Err: syscall.EROFS}, "name another folder", false},
		{&fs.PathError{Op: "write", Path: "/data/ods", Err: syscall.ENOSPC}, "make room on the disk", true},
		{&fs.PathError{Op: "write", Path: "/data/ods", Err: syscall.EIO}, "", false},
	} {
		err := explain(c.err)
		if got := hint.Of(err); !strings.Contains(got, c.want) || (got == "") != (c.want == "") || hint.IsTransient(err) != c.passes {
			t.Errorf("%v: hint %q, may pass: %v", err, got, hint.IsTransient(err))
		}
	}
}

// TestNoBucketName is a URL whose bucket can be none.
func TestNoBucketName(t *testing.T) {
	place := s3Place(t)
	place.bucket = "No_Bucket"
	if _, err := s3At(t, place).list(t.Context(), ""); !strings.Contains(hint.Of(err), "check the bucket in the URL") {
		t.Errorf("got %v (hint %q)", err, hint.Of(err))
	}
}

// TestMadeRoot is a folder that is made to see whether that can be done, and a link to none.
func TestMadeRoot(t *testing.T) {
	root := t.TempDir()
	for _, written := range []bool{false, true} {
		s, err := Open(t.Context(), "file:"+filepath.Join(root, "a", "b"), Options{Format: CSV})
		storeMust(t, err)
		if written {
			storeMust(t, s.store.replace(t.Context(), "", "c/d", nil))
		}
		storeMust(t, s.Close())
		if _, err := os.Stat(filepath.Join(root, "a")); (err == nil) != written {
			t.Errorf("written: %v; after the end: %v", written, err)
		}
	}
	storeMust(t, os.Symlink(filepath.Join(root, "nowhere"), filepath.Join(root, "link")))
	if _, err := Open(t.Context(), "file:"+filepath.Join(root, "link"), Options{}); !strings.Contains(hint.Of(err), "mount or make") {
		t.Errorf("a link to nothing: %v", err)
	}
}
