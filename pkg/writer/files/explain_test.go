package files

import (
	"io/fs"
	"strings"
	"syscall"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// TestExplain is what keeps a folder of this machine from being written.
func TestExplain(t *testing.T) {
	for _, c := range []struct {
		err    error
		want   string
		passes bool
	}{
		{&fs.PathError{Op: "mkdir", Path: "/data/ods", Err: syscall.EACCES}, " write to /data, by chown or chmod", false},
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
