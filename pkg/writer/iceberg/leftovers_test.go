package iceberg

import (
	"errors"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	restcat "github.com/apache/iceberg-go/catalog/rest"
	"github.com/apache/iceberg-go/io/gocloud/blobfs"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/testdata/front"
)

// undeletable puts a folder in the place of a file, which cannot be removed then, and
// returns what puts the file back.
func undeletable(t *testing.T, location string) (restore func()) {
	t.Helper()
	name, err := localPath(location)
	must(t, err)
	must(t, os.Rename(name, name+".away"))
	must(t, os.MkdirAll(filepath.Join(name, "x"), 0o755))
	return func() {
		t.Helper()
		must(t, os.RemoveAll(name))
		must(t, os.Rename(name+".away", name))
	}
}

// What a run cannot remove when it ends stays with its record, by which the next run
// finds it.
func TestWhatCannotBeRemovedIsRecorded(t *testing.T) {
	for what, spoil := range map[string]func(t *testing.T, w *Writer, h *hooked) func(){
		"a staged file": func(t *testing.T, w *Writer, _ *hooked) func() {
			write(t, w, rows(w.src, 10, 20))
			_ = w.finishAll(t.Context())
			return undeletable(t, w.staged[0].location)
		},
		"a file that is given up": func(t *testing.T, w *Writer, _ *hooked) func() {
			write(t, w, rows(w.src, 10, 20))
			return undeletable(t, w.idle[0].location)
		},
		"one that is no use after a TRUNCATE": func(t *testing.T, w *Writer, _ *hooked) func() {
			write(t, w, rows(w.src, 10, 20))
			restore := undeletable(t, w.idle[0].location)
			must(t, w.Write(t.Context(), &batch.Batch{Table: w.src, Emptied: true}))
			return restore
		},
		"a plan of what is to be kept": func(t *testing.T, w *Writer, _ *hooked) func() {
			must(t, w.Keep(t.Context(), "plan"))
			return undeletable(t, w.stagingFolder()+"/"+w.keep.notes[0])
		},
		"a manifest of a commit that is refused": func(t *testing.T, w *Writer, h *hooked) func() {
			var restore func()
			h.before = func() error {
				restore = undeletable(t, w.attempts[0].made[0])
				return restcat.ErrForbidden
			}
			write(t, w, rows(w.src, 10, 20))
			if err := w.Commit(t.Context(), "p"); !errors.Is(err, restcat.ErrForbidden) {
				t.Fatalf("got %v", err)
			}
			return restore
		},
	} {
		s, h := hookedSink(t)
		tbl := accounts("t")
		load(t, s, tbl, writer.Create, 0, 10, "p0")
		lake := strings.TrimPrefix(s.root, "file://")
		before := filesIn(t, lake)
		mode := writer.Append
		if strings.Contains(what, "kept") {
			mode = writer.Replace
		}
		w := openTable(t, s, tbl, mode)
		restore := spoil(t, w, h)
		if err := w.Close(); err == nil {
			t.Errorf("%s: nothing is said of a file that cannot be removed", what)
		}
		restore()
		must(t, openTable(t, s, tbl, writer.Append).Close())
		if got := filesIn(t, lake); !slices.Equal(got, before) {
			t.Errorf("%s: left behind: %q", what, got)
		}
		wantIDs(t, ids(t, s, "t"), 0, 10)
	}
}

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
	for place, warehouse := range map[string]func(*testing.T) (string, string){"disk": local, "S3": s3Warehouse, "Azure": azureWarehouse, "GCS": gcsWarehouse, "HDFS": hdfsWarehouse} {
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
		keepTen(t, w)
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

// s3Of returns the client of a storage, and where in S3 a location is.
func s3Of(t *testing.T, st *storage, location string) (client *s3.Client, bucket, key string) {
	t.Helper()
	if !st.files().(*blobfs.FileIO).As(&client) {
		t.Fatal("no S3")
	}
	bucket, key = splitLocation(location)
	return client, bucket, key
}

// uploads lists the uploads to S3 below a location that have not been completed.
func uploads(t *testing.T, st *storage, root string) (keys []string) {
	t.Helper()
	client, bucket, key := s3Of(t, st, root)
	out, err := client.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &bucket, Prefix: &key})
	must(t, err)
	for _, u := range out.Uploads {
		keys = append(keys, *u.Key)
	}
	return keys
}

// uploadPartly begins an upload to S3 as a process does that is killed in the midst of it.
func uploadPartly(t *testing.T, st *storage, location string) {
	t.Helper()
	client, bucket, key := s3Of(t, st, location)
	u, err := client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: &key})
	must(t, err)
	first := int32(1)
	_, err = client.UploadPart(t.Context(), &s3.UploadPartInput{Bucket: &bucket, Key: &key, UploadId: u.UploadId, PartNumber: &first, Body: strings.NewReader("rows")})
	must(t, err)
}

// Parts of a file that is given up do not stay, be its process alive or dead.
func TestUnfinishedUploads(t *testing.T) {
	for _, props := range []map[string]string{nil, {"write.object-storage.enabled": "true"}} {
		root, _ := s3Warehouse(t)
		var aborted atomic.Int32
		front := (&front.Front{After: func(r *http.Request, status int) int {
			if r.Method == http.MethodDelete && r.URL.Query().Has("uploadId") && status < 300 {
				aborted.Add(1)
			}
			return 0
		}}).Start(t, service(t, "s3", "TABLEHAUL_TEST_S3"))
		s := openSink(t, "iceberg+sql:"+t.TempDir()+"/c.db?warehouse="+root+"&s3.endpoint="+url.QueryEscape(front.URL),
			Options{Layout: func(*schema.Table) Layout { return Layout{Properties: props} }})
		w := openTable(t, s, accounts("t"), writer.Create)
		must(t, w.begin(t.Context()))
		own, err := w.fileLocation(w.prefix, 7)
		must(t, err)
		foreign := w.location + "/data/foreign.parquet"
		uploadPartly(t, w.st, foreign)

		f, err := w.st.create(t.Context(), own)
		must(t, err)
		_, err = f.Write(make([]byte, 40<<20))
		must(t, err)
		f.Abort()
		if aborted.Load() == 0 { // or more: the SDK asks again where the server is slow, or still takes a part
			t.Error("a file was given up, and its upload not aborted")
		}
		// The server may have parts of it still on their way, by which it begins anew.
		uploadPartly(t, w.st, own)
		for n := 0; len(uploads(t, w.st, root)) > 1; n++ {
			if n == 100 {
				t.Fatal("an upload that is given up cannot be got rid of")
			}
			w.abandon(own)
			must(t, w.removeAbandoned())
		}

		another, err := w.fileLocation(w.prefix, 8) // of the first one more parts may come
		must(t, err)
		uploadPartly(t, w.st, another)
		must(t, w.record.giveUp())
		must(t, openTable(t, s, accounts("t"), writer.Create).Close())
		got := slices.DeleteFunc(uploads(t, w.st, root), func(key string) bool { return path.Base(key) == path.Base(own) })
		if len(got) != 1 || path.Base(got[0]) != path.Base(foreign) {
			t.Errorf("of a dead run: %q", got)
		}
	}
}

// Who may not list uploads, or asks a server that does not, goes on without.
func TestUploadsThatCannotBeListed(t *testing.T) {
	for _, status := range []int{http.StatusForbidden, http.StatusNotImplemented} {
		root, _ := s3Warehouse(t)
		refused := 0
		front := (&front.Front{After: func(r *http.Request, _ int) int {
			if !r.URL.Query().Has("uploads") {
				return 0
			}
			refused++
			return status
		}}).Start(t, service(t, "s3", "TABLEHAUL_TEST_S3"))
		s := openSink(t, "iceberg+sql:"+t.TempDir()+"/c.db?warehouse="+root+"&s3.endpoint="+url.QueryEscape(front.URL), Options{})
		for _, end := range []func(*Writer) error{(*Writer).Close, func(w *Writer) error { return w.record.giveUp() }} {
			w := openTable(t, s, accounts("t"), writer.Create)
			write(t, w, rows(w.src, 0, 10))
			must(t, w.finishAll(t.Context()))
			must(t, end(w))
			must(t, openTable(t, s, accounts("t"), writer.Create).Close())
			if got := placesBelow(t, w.st, root); len(got) > 0 {
				t.Errorf("%d: left behind: %q", status, got)
			}
		}
		if refused == 0 {
			t.Errorf("%d: nothing was refused", status)
		}
	}
}

// A store takes a file and says that it has not: there is an object that nobody wants.
func TestUploadThatWasUnheardOf(t *testing.T) {
	root, _ := s3Warehouse(t)
	f := (&front.Front{After: func(r *http.Request, status int) int {
		if r.Method == http.MethodPut && status < 300 && strings.HasSuffix(r.URL.Path, ".parquet") {
			return http.StatusInternalServerError
		}
		return 0
	}}).Start(t, service(t, "s3", "TABLEHAUL_TEST_S3"))
	s := openSink(t, "iceberg+sql:"+t.TempDir()+"/c.db?warehouse="+root+"&s3.endpoint="+url.QueryEscape(f.URL), Options{})
	w := openTable(t, s, accounts("t"), writer.Create)
	write(t, w, rows(w.src, 0, 10))
	if err := w.Commit(t.Context(), "p"); err == nil {
		t.Fatal("committed a file that the store does not have")
	}
	if got := placesBelow(t, w.st, root); len(got) != 2 {
		t.Fatalf("%q, want a record and a file", got)
	}
	must(t, w.Close())
	if got := placesBelow(t, w.st, root); len(got) > 0 {
		t.Errorf("left behind: %q", got)
	}
}
