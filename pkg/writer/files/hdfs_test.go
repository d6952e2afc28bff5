package files

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hdfs"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// testHDFS returns a store in a folder of HDFS that is this test's own.
func testHDFS(t *testing.T) hdfsFS {
	t.Helper()
	c, err := hdfs.Open(t.Context(), hdfs.Options{Address: services.Env(t, "TABLEHAUL_TEST_HDFS")})
	storeMust(t, err)
	root := fmt.Sprintf("/%s-%d", strings.NewReplacer("/", "-", " ", "-").Replace(t.Name()), time.Now().UnixNano())
	t.Cleanup(func() {
		c, err := hdfs.Open(context.Background(), hdfs.Options{Address: os.Getenv("TABLEHAUL_TEST_HDFS")})
		storeMust(t, err)
		storeMust(t, c.RemoveAll(context.Background(), root))
		storeMust(t, c.Close())
	})
	return newHDFS(c, root, 1<<20, 0)
}

func TestHDFSStore(t *testing.T) {
	testStore(t, func(t *testing.T) store { return folders{testHDFS(t)} })
}

// What a store names a file, Hadoop's own tools find.
func TestHDFSURL(t *testing.T) {
	h := testHDFS(t)
	ctx := t.Context()
	storeMust(t, h.mkdirs(ctx, "a/b"))
	storeMust(t, folders{h}.replace(ctx, "", "a/b/f", []byte("content")))
	out, err := exec.Command(services.Env(t, "TABLEHAUL_TEST_HDFS_RUN"), "org.apache.hadoop.fs.FsShell", "-cat", h.url("a/b/f")).Output()
	if err != nil || string(out) != "content" {
		t.Errorf("%s: got %q, %v", h.url("a/b/f"), out, err)
	}
	storeMust(t, h.close())
}
