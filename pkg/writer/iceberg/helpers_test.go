package iceberg

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go/catalog"

	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// service returns a setting of a service of testdata/services: from the
// environment that `make test` has made, else from the script, which starts it.
func service(t *testing.T, name, setting string, args ...string) string {
	t.Helper()
	services.Need(t)
	if v := os.Getenv(setting); v != "" && len(args) == 0 {
		return v
	}
	script := filepath.Join("..", "..", "..", "testdata", "services", name)
	if out, err := exec.CommandContext(t.Context(), script, append([]string{"start"}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("start %s: %v: %s", name, err, out)
	}
	if len(args) > 0 && args[0] == "--port" { // a server of this test's own
		t.Cleanup(func() {
			if out, err := exec.Command(script, append([]string{"stop", "--wipe"}, args[:2]...)...).CombinedOutput(); err != nil {
				t.Errorf("stop %s: %v: %s", name, err, out)
			}
		})
	}
	out, err := exec.CommandContext(t.Context(), script, append([]string{"env"}, args...)...).Output()
	must(t, err)
	for line := range strings.Lines(string(out)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), setting+"="); ok {
			return strings.Trim(v, "'\"")
		}
	}
	t.Fatalf("%s env does not print %s", name, setting)
	return ""
}

// measures ends a test under -short that measures memory or sizes, which takes many rows
// and shows the race detector nothing that fewer do not.
func measures(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("measures what takes many rows: left out by -short")
	}
}

// cols makes columns from "name native" strings; a trailing ! makes one required.
func cols(specs ...string) []schema.Column {
	out := make([]schema.Column, len(specs))
	for i, s := range specs {
		s, required := strings.CutSuffix(s, "!")
		name, native, _ := strings.Cut(s, " ")
		typ, err := schema.ParseMySQL(native)
		if err != nil {
			panic(err)
		}
		out[i] = schema.Column{Name: name, Native: native, Type: typ, Arrow: typ.Arrow(), Nullable: !required}
	}
	return out
}

// accounts is the table that most tests use.
func accounts(name string) *schema.Table {
	return schema.New("shop", name, cols("id int!", "owner varchar(20)"), []int{0})
}

// rows makes a batch of accounts with ids from..to-1.
func rows(t *schema.Table, from, to int) *batch.Batch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, t.Arrow)
	defer b.Release()
	for i := from; i < to; i++ {
		b.Field(0).(*array.Int32Builder).Append(int32(i))
		if i%7 == 3 {
			b.Field(1).AppendNull()
		} else {
			b.Field(1).(*array.StringBuilder).Append(fmt.Sprintf("owner-%d", i%100))
		}
		for c := 2; c < len(t.Columns); c++ {
			b.Field(c).AppendNull()
		}
	}
	return &batch.Batch{Table: t, Rows: b.NewRecordBatch()}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func openSink(t *testing.T, url string, opts Options) *Sink {
	t.Helper()
	s, err := Open(t.Context(), url, opts)
	must(t, err)
	t.Cleanup(func() { must(t, s.Close()) })
	return s
}

func openTable(t *testing.T, s *Sink, tbl *schema.Table, mode writer.Mode) *Writer {
	t.Helper()
	w, err := s.Open(t.Context(), tbl, mode)
	must(t, err)
	return w.(*Writer)
}

func write(t *testing.T, w writer.Writer, b *batch.Batch) {
	t.Helper()
	defer b.Release()
	must(t, w.Write(t.Context(), b))
}

// load writes rows from..to-1 and commits them at pos.
func load(t *testing.T, s *Sink, tbl *schema.Table, mode writer.Mode, from, to int, pos batch.Position) {
	t.Helper()
	w := openTable(t, s, tbl, mode)
	if to > from {
		write(t, w, rows(tbl, from, to))
	}
	must(t, w.Commit(t.Context(), pos))
	must(t, w.Close())
}

// ids reads the first column back through iceberg-go, in no order.
func ids(t *testing.T, s *Sink, name string) map[int]int {
	t.Helper()
	got := make(map[int]int)
	tbl, err := s.cat.LoadTable(context.Background(), s.identifier(accounts(name)))
	must(t, err)
	_, recs, err := tbl.Scan().ToArrowRecords(context.Background())
	must(t, err)
	for r, err := range recs {
		must(t, err)
		c := r.Column(0).(*array.Int32)
		for i := range c.Len() {
			got[int(c.Value(i))]++
		}
		r.Release()
	}
	return got
}

// wantIDs checks that each id of from..to-1 is there once, and nothing else.
func wantIDs(t *testing.T, got map[int]int, from, to int) {
	t.Helper()
	for i := from; i < to; i++ {
		if got[i] != 1 {
			t.Fatalf("id %d is there %d times, want once", i, got[i])
		}
	}
	if len(got) != to-from {
		t.Fatalf("got %d ids, want %d", len(got), to-from)
	}
}

// filesIn lists the files below dir, by their paths from it.
func filesIn(t *testing.T, dir string) []string {
	t.Helper()
	var out []string
	err := filepath.Walk(dir, func(p string, info os.FileInfo, err error) error {
		if err == nil && !info.IsDir() {
			rel, _ := filepath.Rel(dir, p)
			out = append(out, rel)
		}
		return err
	})
	if !os.IsNotExist(err) {
		must(t, err)
	}
	return out
}

func tableExists(t *testing.T, s *Sink, name string) bool {
	t.Helper()
	ok, err := s.cat.CheckTableExists(t.Context(), s.identifier(accounts(name)))
	if err != nil && err != catalog.ErrNoSuchNamespace {
		must(t, err)
	}
	return ok
}

// wideRows makes rows of an int and any number of strings.
func wideRows(t *schema.Table, from, n int) *batch.Batch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, t.Arrow)
	defer b.Release()
	for i := range n {
		b.Field(0).(*array.Int32Builder).Append(int32(from + i))
		for c := 1; c < len(t.Columns); c++ {
			b.Field(c).(*array.StringBuilder).Append(fmt.Sprintf("%x", uint32(i+1)*uint32(c)*2654435761))
		}
	}
	return &batch.Batch{Table: t, Rows: b.NewRecordBatch()}
}

// forgetAdded has a table followed in spite of rows that were added to it, all of other
// keys: for tests of what deletes do to rows of several shapes and snapshots.
func forgetAdded(t *testing.T, s *Sink, tbl *schema.Table) {
	t.Helper()
	if loaded(t, s, tbl).Properties()[addedProperty] == "" {
		t.Error("rows were added, and the table does not say so")
	}
	_, _, err := s.cat.CommitTable(t.Context(), s.identifier(tbl), nil, []table.Update{table.NewRemovePropertiesUpdate([]string{addedProperty})})
	must(t, err)
}
