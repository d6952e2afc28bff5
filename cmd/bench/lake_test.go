package main

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"
)

func TestLakeReport(t *testing.T) {
	dir := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	metadata := func(records int) string {
		return fmt.Sprintf(`{"current-snapshot-id": 9007199254740993, "snapshots": [{"snapshot-id": 9007199254740992, "summary": {}},
			{"snapshot-id": 9007199254740993, "summary": {"total-records": "%d"}}]}`, records)
	}
	if _, err := lakeReport(dir); err == nil {
		t.Error("an empty lake is taken")
	}
	write("db/t/metadata/00001-a.metadata.json", metadata(1))
	write("db/t/metadata/00010-b.metadata.json", metadata(3))
	write("db/t/metadata/00009-c.metadata.json", metadata(2))
	writeParquet(t, filepath.Join(dir, "a.parquet"), 3)
	r, err := lakeReport(dir)
	if err != nil || r.Rows != 3 || r.Bytes == 0 {
		t.Errorf("got %+v, %v, want 3 rows", r, err)
	}
	writeParquet(t, filepath.Join(dir, "orphan.parquet"), 1)
	if _, err := lakeReport(dir); err == nil {
		t.Error("files that hold more rows than the metadata counts are taken")
	}
}

func writeParquet(t *testing.T, path string, rows int) {
	t.Helper()
	columns := sbtestColumns[:1]
	b := array.NewRecordBuilder(memory.DefaultAllocator, throwawaySchema(columns))
	defer b.Release()
	for i := range rows {
		b.Field(0).(*array.Int32Builder).Append(int32(i))
	}
	rec := b.NewRecordBatch()
	defer rec.Release()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	w, err := pqarrow.NewFileWriter(rec.Schema(), f, throwawayProperties(columns), pqarrow.DefaultWriterProps())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.WriteBuffered(rec); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
}

// TestCountInserts reads with blocks of every small size, so that every cut
// between blocks comes up.
func TestCountInserts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "t.sql")
	text := "/*!40101 SET NAMES binary*/;\nINSERT INTO `t` VALUES\n(1,\"a,(b\\n(\"),\n(2,\"\"),\n(3,NULL);\nINSERT INTO `t` VALUES\n(4,\"x\")\n,(5,\"y\");\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for size := 4; size < len(text)+2; size++ {
		rows, bytes, err := countInserts(path, make([]byte, size))
		if err != nil || rows != 5 || int(bytes) != len(text) {
			t.Fatalf("block of %d: got %d rows, %d bytes, %v, want 5 rows", size, rows, bytes, err)
		}
	}
}
