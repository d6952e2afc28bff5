package files

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// TestSpark has files in HDFS read by Spark, by Hive's SerDes within it and by hdfs dfs: in
// one test, for a Spark takes long to start.
func TestSpark(t *testing.T) {
	services.Env(t, "TABLEHAUL_TEST_SPARK_JARS")
	t.Setenv("TABLEHAUL_TEST_WAREHOUSE", t.TempDir())
	remote, twin := unclosed{folders{testHDFS(t)}}, t.TempDir()
	tables := map[Format][]readable{}
	for _, f := range []Format{Parquet, ParquetLegacy, CSV, TSV, JSONL} {
		tables[f] = readables(t, strings.ReplaceAll(string(f), "-", "_"))
		if f == ParquetLegacy {
			afterJulius(tables[f])
		}
		for _, r := range tables[f] {
			writeReadable(t, remote, Options{Format: f}, r)
			writeReadable(t, folders{local{twin}}, Options{Format: f}, r)
		}
	}
	t.Run("hdfs dfs", func(t *testing.T) { sameFiles(t, hdfsGet(t, remote.url("")), twin) })
	rd := newReaderOf(t, "testdata/readers.py")
	for f, all := range tables {
		for _, r := range all {
			t.Run(r.String(), func(t *testing.T) {
				manifest, ddl := fetchManifest(t, remote, new(Sink).folder(r.Table))
				if f != TSV { // of which Spark's own readers know no escapes
					wantReadable(t, rd.ask(t, manifest, "folder", ddl), r.rows())
				}
				switch {
				case f != CSV:
					wantReadable(t, rd.ask(t, manifest, "hive", ddl), r.rows())
				case r.Name != "every" && r.Name != "lines": // a row ends where its line does
					wantReadable(t, rd.ask(t, manifest, "hive", ddl), withoutNull(r))
				}
			})
		}
	}
}

// TestDuckDBFolders has DuckDB find the files of folders by their names.
func TestDuckDBFolders(t *testing.T) {
	rd := newReaderOf(t, "testdata/readers.py")
	for _, f := range []Format{Parquet, ParquetLegacy, CSV, JSONL} {
		root := local{t.TempDir()}
		s3 := s3At(t, s3Place(t))
		for _, r := range readables(t, strings.ReplaceAll(string(f), "-", "_")) {
			writeReadable(t, folders{root}, Options{Format: f}, r)
			dir := new(Sink).folder(r.Table)
			wantReadable(t, rd.ask(t, filepath.Join(root.root, dir, manifestFile), "duckdb", ""), r.rows())
			if r.partition != "" {
				continue // DuckDB asks for lists of encoded names, which the server does not know
			}
			writeReadable(t, unclosed{s3}, Options{Format: f}, r)
			manifest, _ := fetchManifest(t, s3, dir)
			wantReadable(t, rd.ask(t, manifest, "duckdb", ""), r.rows())
		}
	}
}

// fetchManifest copies a table's manifest, and returns the statement that declares it.
func fetchManifest(t *testing.T, st store, dir string) (name, ddl string) {
	t.Helper()
	text, err := readAll(t.Context(), st, path.Join(dir, manifestFile))
	storeMust(t, err)
	var m manifest
	storeMust(t, json.Unmarshal(text, &m))
	name = filepath.Join(t.TempDir(), "manifest.json")
	storeMust(t, os.WriteFile(name, text, 0o666))
	return name, m.hiveDDL()
}

func wantReadable(t *testing.T, got []arrow.RecordBatch, want []batchtest.Row) {
	t.Helper()
	var rows []batchtest.Row
	for _, rec := range got {
		r, err := batchtest.Rows(rec)
		storeMust(t, err)
		rows = append(rows, r...)
	}
	if diff := batchtest.Diff(rows, want); diff != "" {
		t.Error(diff)
	}
}

// afterJulius moves days to 1583 that lie before the calendar's reform: Hive 2 counts days as
// the file does, and tells them by the calendar of their time.
func afterJulius(tables []readable) {
	for _, r := range tables {
		for _, row := range r.rows() {
			for i, c := range r.Columns {
				s, ok := row[i].(string)
				if id := c.Arrow.ID(); ok && (id == arrow.DATE32 || id == arrow.TIMESTAMP) && s < "1583" {
					row[i] = "1583" + s[4:]
				}
			}
		}
	}
}

// withoutNull has empty texts where there are none.
func withoutNull(r readable) []batchtest.Row {
	rows := r.rows()
	for _, row := range rows {
		for i, c := range r.Columns {
			if row[i] == nil && c.Arrow.ID() == arrow.STRING {
				row[i] = ""
			} else if row[i] == nil && c.Arrow.ID() == arrow.BINARY {
				row[i] = []byte{}
			}
		}
	}
	return rows
}

// hdfsGet copies a folder by Hadoop's own program.
func hdfsGet(t *testing.T, url string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), "got")
	out, err := exec.Command(services.Env(t, "TABLEHAUL_TEST_HDFS_RUN"), "org.apache.hadoop.fs.FsShell", "-get", url, to).CombinedOutput()
	if err != nil {
		t.Fatalf("get %s: %v: %s", url, err, out)
	}
	return to
}

// sameFiles compares what readers see of two folders.
func sameFiles(t *testing.T, got, want string) {
	t.Helper()
	a, b := visibleFiles(t, got), visibleFiles(t, want)
	if len(a) != len(b) || len(b) == 0 {
		t.Errorf("got %d files, want %d", len(a), len(b))
	}
	for name, content := range b {
		if !bytes.Equal(a[name], content) {
			t.Errorf("%s: got %d bytes, which are not the %d bytes wanted", name, len(a[name]), len(content))
		}
	}
}

func visibleFiles(t *testing.T, root string) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	storeMust(t, filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == hidden:
			return filepath.SkipDir
		case !d.IsDir():
			files[strings.TrimPrefix(name, root)], err = os.ReadFile(name)
		}
		return err
	}))
	return files
}
