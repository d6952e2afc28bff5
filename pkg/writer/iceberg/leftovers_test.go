package iceberg

import (
	"slices"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A run numbers on when what it has staged is of no use any more, and dies.
func TestLeftoversBehindAGap(t *testing.T) {
	lake := t.TempDir()
	s := openSink(t, "iceberg:"+lake, Options{TargetFileSize: 1})
	tbl := accounts("t")
	load(t, s, tbl, writer.Create, 0, 10, "p0")
	before := filesIn(t, lake)
	w := openTable(t, s, tbl, writer.Append)
	for range 260 {
		write(t, w, rows(tbl, 10, 11))
	}
	must(t, w.Write(t.Context(), &batch.Batch{Table: tbl, Emptied: true}))
	f, err := w.take(t.Context(), 0)
	must(t, err)
	must(t, f.write(t.Context(), rows(tbl, 20, 30)))
	must(t, w.record.leave()) // as if the process had been killed
	if n := len(filesIn(t, lake)) - len(before); n != 2 {
		t.Fatalf("%d files, want a record and a data file", n)
	}
	must(t, openTable(t, s, tbl, writer.Append).Close())
	if got := filesIn(t, lake); !slices.Equal(got, before) {
		t.Errorf("left behind: %q", got)
	}
}

// Files are found wherever a table has them, and nobody else's are touched.
func TestLeftoversOfOtherLayouts(t *testing.T) {
	local := func(t *testing.T) (string, string) { return "file://" + t.TempDir(), "" }
	for place, warehouse := range map[string]func(*testing.T) (string, string){"disk": local, "S3": s3Warehouse, "Azure": azureWarehouse, "GCS": gcsWarehouse} {
		for kind, props := range map[string]map[string]string{
			"flat":             nil,
			"hashed":           {"write.object-storage.enabled": "true"},
			"hashed in a name": {"write.object-storage.enabled": "true", "write.object-storage.partitioned-paths": "false"},
			"elsewhere":        {"write.data.path": "ELSEWHERE"},
		} {
			t.Run(place+" "+kind, func(t *testing.T) {
				root, query := warehouse(t)
				if props["write.data.path"] != "" {
					props = map[string]string{"write.data.path": root + "/else/where"}
				}
				url := "iceberg+sql:" + t.TempDir() + "/c.db?warehouse=" + root + "&" + query
				s := openSink(t, url, Options{Layout: func(*schema.Table) Layout { return Layout{FormatVersion: 3, Properties: props} }})
				tbl := accounts("t")
				load(t, s, tbl, writer.Create, 0, 10, "p0")
				w := openTable(t, s, tbl, writer.Append)
				before := placesBelow(t, w.st, root)
				write(t, w, rows(tbl, 10, 20))
				w.files += 1000
				write(t, w, rows(tbl, 20, 30))
				must(t, w.finishAll(t.Context()))
				vector, err := w.vectorLocation(w.prefix, w.files)
				must(t, err)
				must(t, w.st.files().WriteFile(vector, []byte("vector")))
				taken, err := w.fileLocation(w.prefix+".0a0b0c", 2000)
				must(t, err)
				must(t, w.st.files().WriteFile(taken, []byte("of one that took it over")))
				if n := len(placesBelow(t, w.st, root)) - len(before); n < 4 {
					t.Fatalf("%d files", n)
				}
				must(t, w.record.giveUp())
				must(t, openTable(t, s, tbl, writer.Append).Close())
				if got := placesBelow(t, w.st, root); !slices.Equal(got, before) {
					t.Errorf("got %q, want %q", got, before)
				}
				wantIDs(t, ids(t, s, "t"), 0, 10)
			})
		}
	}
}

// placesBelow lists the files below a location, the catalog's own aside.
func placesBelow(t *testing.T, st *storage, root string) []string {
	t.Helper()
	list, err := st.under(root + "/")
	must(t, err)
	slices.Sort(list)
	return list
}

// A process that was suspended looks at its record, is taken for dead, and writes a note.
func TestNotesWithoutARecord(t *testing.T) {
	for name, warehouse := range map[string]func(*testing.T) (string, string){
		"disk": func(t *testing.T) (string, string) { return "file://" + t.TempDir(), "" }, "S3": s3Warehouse,
	} {
		root, query := warehouse(t)
		s := openSink(t, "iceberg+sql:"+t.TempDir()+"/c.db?warehouse="+root+"&"+query, Options{KeepEvery: 1})
		tbl := accounts("t")
		w := openTable(t, s, tbl, writer.Create)
		must(t, w.Keep(t.Context(), "plan"))
		write(t, w, rows(tbl, 0, 10))
		must(t, w.Whole(t.Context(), 0))
		w.closing.Wait()
		record := w.record.location
		must(t, w.record.leave())
		must(t, w.st.remove(record))
		if n := len(placesBelow(t, w.st, root)); n != 3 {
			t.Fatalf("%s: %d files, want a plan, a note and a data file", name, n)
		}
		w = openTable(t, s, tbl, writer.Create)
		wantKept(t, w, 0)
		must(t, w.Close())
		if got := placesBelow(t, w.st, root); len(got) > 0 {
			t.Errorf("%s: left behind: %q", name, got)
		}
	}
}
