package files

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/writertest"
)

// remoteParts are those of the suite in which stores differ.
var remoteParts = []string{
	"a commit publishes all with its position", "a crash leaves nothing staged", "a cancelled context commits nothing",
	"a commit repeated after a lost reply", "a commit repeated after a reply lost within", "two writers on one table",
	"replace", "evolve", "extend", "shared", "shared by a crowd", "cleared while others commit", "cleared after a lost reply", "changes of a key", "emptied", "stock and changes in one commit",
	"changes after every fault", "list", "every type", "a huge row", "odd names", "concurrent writes", "many tables at once",
}

func TestSuiteHDFS(t *testing.T) {
	rd := newReader(t)
	writertest.Some(t, func(t *testing.T) writertest.Harness {
		return remoteHarness(t, rd, folders{testHDFS(t)}, Options{Format: Parquet})
	}, remoteParts...)
}

func TestSuiteS3(t *testing.T) {
	rd := newReader(t)
	writertest.Some(t, func(t *testing.T) writertest.Harness {
		place := s3Place(t)
		place.copyBytes = 1 << 30
		return remoteHarness(t, rd, s3At(t, place), Options{Format: CSV, Compression: "gzip"})
	}, remoteParts...)
}

// remoteHarness is a store whose files are copied to be read.
func remoteHarness(t *testing.T, rd *reader, st store, o Options) writertest.Harness {
	var loss loss
	return writertest.Harness{
		Open: func(*testing.T) writer.Sink { return smallSink(unclosed{losing{st, &loss}}, o) },
		Rows: func(t *testing.T, table *schema.Table) []arrow.RecordBatch {
			return rd.rows(t, fetch(t, st, new(Sink).folder(table)))
		},
		LoseReply: func(*testing.T) { loss.next() },
	}
}

// An unclosed store is one for several sinks.
type unclosed struct{ store }

func (unclosed) close() error { return nil }

// fetch copies what readers of a manifest read, and returns where the manifest is then.
func fetch(t *testing.T, st store, dir string) string {
	t.Helper()
	root := t.TempDir()
	get := func(name string) bool {
		data, err := readAll(t.Context(), st, path.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) {
			return false
		}
		to := filepath.Join(root, filepath.FromSlash(name))
		if err := errors.Join(err, os.MkdirAll(filepath.Dir(to), 0o777), os.WriteFile(to, data, 0o666)); err != nil {
			t.Fatal(err)
		}
		return true
	}
	manifest := filepath.Join(root, manifestFile)
	if !get(manifestFile) {
		return manifest
	}
	text, err := os.ReadFile(manifest)
	if err != nil {
		t.Fatal(err)
	}
	var table struct{ Files []file }
	if err := json.Unmarshal(text, &table); err != nil {
		t.Fatal(err)
	}
	for _, f := range table.Files {
		if !get(f.Path) {
			t.Fatalf("%s is not there", st.url(path.Join(dir, f.Path)))
		}
	}
	return manifest
}
