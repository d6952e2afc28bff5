package files

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

func TestParseFolders(t *testing.T) {
	for text, want := range map[string]string{
		"":                                       "",
		"dt=day(at)":                             "dt",
		"day(at), hour(at)":                      "dt hour",
		" d = day( at ) ,h=hour(at)":             "d h",
		"year(at), month(at)":                    "year month",
		"region":                                 "p_region",
		"p=region, dt=day(@commit)":              "p dt",
		"dt=day(at), h=hour(other)":              "error: an hour of which day?",
		"hour(at), day(at)":                      "error: an hour of which day?",
		"bucket(16,id)":                          "error: names no folder",
		"dt=week(at)":                            "error: names no folder",
		"dt=@commit":                             "error: the time of writing is no folder as it is",
		"dt=day(a), DT=day(b)":                   "error: two folders are called DT",
		"dt=day(at),":                            "error: names no folder",
		"dt=day(at), hour=hour(at), p_x=x, y=yy": "dt hour p_x y",
	} {
		levels, err := ParseFolders(text)
		var names []string
		for _, l := range levels {
			names = append(names, l.name)
		}
		got := strings.Join(names, " ")
		if part, ok := strings.CutPrefix(want, "error: "); ok {
			if err == nil || !strings.Contains(err.Error(), part) || hint.Of(err) == "" {
				t.Errorf("%q: got %q, %v (hint %q), want %s", text, got, err, hint.Of(err), want)
			}
		} else if err != nil || got != want {
			t.Errorf("%q: got %q, %v, want %q", text, got, err, want)
		}
	}
}

// fileFolders writes rows with these folders and returns those that files are in.
func fileFolders(t *testing.T, table *schema.Table, partition string, rows []batchtest.Row) []string {
	t.Helper()
	root := t.TempDir()
	s := newSink(folders{local{root}}, "", Options{Format: CSV, Partition: func(*schema.Table) string { return partition }})
	w, err := s.Open(t.Context(), table, writer.Create)
	storeMust(t, err)
	b := batchtest.Build(memory.DefaultAllocator, table, rows)
	storeMust(t, w.Write(t.Context(), b))
	storeMust(t, w.Commit(t.Context(), "p"))
	found, err := filepath.Glob(filepath.Join(root, "shop/t/g1", strings.Repeat("*/", strings.Count(partition, ",")+1), "*.csv"))
	storeMust(t, err)
	var dirs []string
	for _, f := range found {
		rel, _ := filepath.Rel(filepath.Join(root, "shop/t/g1"), filepath.Dir(f))
		dirs = append(dirs, rel)
	}
	slices.Sort(dirs)
	return slices.Compact(dirs)
}

func TestFolders(t *testing.T) {
	table := batchtest.Shape("shop", "t", "id int key", "day date", "at datetime(6)", "ts timestamp(6)", "name varchar(50)", "n decimal(5,2)", "b bit(1)")
	rows := []batchtest.Row{
		{1, "2026-11-22", "2026-11-22 09:59:59.999999", "2026-11-22 09:59:59.999999Z", "a/b", "1.50", true},
		{2, "1969-12-31", "1969-12-31 23:59:59.999999", "1970-01-01 00:00:00.000000Z", "", "-0.05", false},
		{3, nil, nil, nil, nil, nil, nil},
		{4, "0999-01-01", "9999-12-31 00:00:00.000000", "2038-01-19 03:14:07.000000Z", "a=b:c%\x01ü", "0.00", true},
	}
	null := hiveNull
	for partition, want := range map[string][]string{
		"dt=day(day)":               {"dt=0999-01-01", "dt=1969-12-31", "dt=2026-11-22", "dt=" + null},
		"dt=day(at), hour=hour(at)": {"dt=1969-12-31/hour=23", "dt=2026-11-22/hour=09", "dt=9999-12-31/hour=00", "dt=" + null + "/hour=" + null},
		"y=year(ts), m=month(ts)":   {"y=1970/m=1970-01", "y=2026/m=2026-11", "y=2038/m=2038-01", "y=" + null + "/m=" + null},
		"name":                      {"p_name=__HIVE_DEFAULT_PARTITION__", "p_name=a%2Fb", "p_name=a%3Db%3Ac%25%01ü"},
		"price=n":                   {"price=-0.05", "price=0.00", "price=1.50", "price=" + null},
		"p_b=b":                     {"p_b=" + null, "p_b=false", "p_b=true"},
		"p_id=id":                   {"p_id=1", "p_id=2", "p_id=3", "p_id=4"},
	} {
		if got := fileFolders(t, table, partition, rows); !slices.Equal(got, want) {
			t.Errorf("%s: got %q, want %q", partition, got, want)
		}
	}
	s := newSink(folders{local{t.TempDir()}}, "", Options{})
	for partition, want := range map[string]string{
		"id=day(day)": "folder id has the name of a column", "dt=day(id)": "makes no folder by day", "dt=day(day), hour(day)": "makes no folder by hour",
		"dt=day(date)": "there is no column date",
	} {
		s.opts.Partition = func(*schema.Table) string { return partition }
		if _, err := s.Open(t.Context(), table, writer.Create); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", partition, err, want)
		}
	}
}

// The folder of an hour gets _SUCCESS with the first commit behind its end, be it of rows or
// of a position alone.
func TestHoursThatAreOver(t *testing.T) {
	table := batchtest.Shape("shop", "t", "id int")
	root := t.TempDir()
	s := newSink(folders{local{root}}, "", Options{Partition: func(*schema.Table) string { return "dt=day(@commit), hour=hour(@commit)" }})
	now := time.Date(2026, 11, 22, 9, 0, 0, 0, time.Local)
	s.clock = func() time.Time { return now }
	w, err := s.Open(t.Context(), table, writer.Follow)
	storeMust(t, err)
	rows := func() {
		t.Helper()
		b := batchtest.Build(memory.DefaultAllocator, table, []batchtest.Row{{1}})
		storeMust(t, w.Write(t.Context(), b))
	}
	pos := batch.Position("p")
	check := func(want ...string) {
		t.Helper()
		pos += "p"
		storeMust(t, w.Commit(t.Context(), pos))
		found, err := filepath.Glob(filepath.Join(root, "shop/t/g1/*/*", successFile))
		storeMust(t, err)
		var hours []string
		for _, f := range found {
			hours = append(hours, filepath.Base(filepath.Dir(f)))
		}
		if !slices.Equal(hours, want) {
			t.Errorf("at %v: got %q, want %q", now, hours, want)
		}
	}
	rows()
	check()
	now = now.Add(50 * time.Minute)
	rows()
	now = now.Add(20 * time.Minute) // which are of the hour in which they were written
	check()
	check("hour=09")
	rows()
	check("hour=09")
	now = now.Add(time.Hour)
	rows()
	check("hour=09", "hour=10")
	for hour, want := range map[string]int{"09": 3, "10": 2, "11": 1} { // with the mark
		found, err := os.ReadDir(filepath.Join(root, "shop/t/g1/dt=2026-11-22/hour="+hour))
		if err != nil || len(found) != want {
			t.Errorf("hour %s: got %v (%v), want %d files", hour, found, err, want)
		}
	}
}

// oneOrder makes a table of one row.
func oneOrder(t *testing.T, root string) {
	t.Helper()
	w := openOrders(t, csvSink(root, Options{}), writer.Follow)
	writeOrders(t, w, -1, batchtest.Row{1, "x"})
	storeMust(t, w.Commit(t.Context(), "p"))
	storeMust(t, w.Close())
}

// Who has made very many files is told.
func TestManyFiles(t *testing.T) {
	root := t.TempDir()
	oneOrder(t, root)
	entry := filepath.Join(root, "shop", "orders", hidden, "commits", "000000000001", entryFile)
	text, err := os.ReadFile(entry)
	storeMust(t, err)
	var e map[string]any
	storeMust(t, json.Unmarshal(text, &e))
	files := e["files"].([]any)
	for range manyNamed {
		files = append(files, files[0])
	}
	e["files"] = files
	text, err = json.Marshal(e)
	storeMust(t, err)
	storeMust(t, os.WriteFile(entry, text, 0o666))
	var told []string
	storeMust(t, openOrders(t, csvSink(root, Options{Warn: func(s string) { told = append(told, s) }}), writer.Follow).Close())
	if len(told) != 1 || !strings.Contains(told[0], "20001 files") {
		t.Errorf("it is told: %q", told)
	}
}

// A table whose content was removed by hand is not taken for whole, nor gone on with; and
// commits leave no folders behind.
func TestContentGone(t *testing.T) {
	root := t.TempDir()
	oneOrder(t, root)
	dir := filepath.Join(root, "shop", "orders")
	if _, err := os.Stat(filepath.Join(dir, hidden, "commits", "000000000001", "files")); err == nil {
		t.Error("the folders of the commit's files are left")
	}
	storeMust(t, os.RemoveAll(filepath.Join(dir, "g1")))
	for _, mode := range []writer.Mode{writer.Create, writer.Append, writer.Follow, writer.Extend} {
		if _, err := csvSink(root, Options{}).Open(t.Context(), rival, mode); !strings.Contains(fmt.Sprint(err), "is lost") || hint.IsTransient(err) {
			t.Errorf("%s: %v", mode, err)
		}
		if d, err := csvSink(root, Options{}).Describe(t.Context(), rival, mode); d.Fate != writer.Refused || err != nil {
			t.Errorf("%s: described as %s, %v", mode, d.Fate, err)
		}
	}
	w := openOrders(t, csvSink(root, Options{}), writer.Replace)
	storeMust(t, w.Commit(t.Context(), "q"))
	storeMust(t, w.Close())
}
