package iceberg

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A smallDisk is a disk in memory that can be full.
type smallDisk struct {
	t   *testing.T
	dir string
}

func newSmallDisk(t *testing.T) smallDisk {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can mount a disk; TestDiskFull does without")
	}
	d := smallDisk{t, t.TempDir()}
	must(t, syscall.Mount("tmpfs", d.dir, "tmpfs", 0, "size=64m"))
	t.Cleanup(func() { must(t, syscall.Unmount(d.dir, syscall.MNT_DETACH)) })
	return d
}

// leave lets the disk grow by so many pages more.
func (d smallDisk) leave(pages int) {
	d.t.Helper()
	var st syscall.Statfs_t
	must(d.t, syscall.Statfs(d.dir, &st))
	used := int64(st.Blocks-st.Bfree) + int64(pages)
	must(d.t, syscall.Mount("tmpfs", d.dir, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%d", max(used, 1)*st.Bsize)))
}

// sweep runs with one page of space more each time, in lakes that begin with a name, until two
// runs in a row have enough. It returns what the others have said, and how many parts were gone on with.
func (d smallDisk) sweep(name string) (hit []string, resumed int) {
	t, tbl := d.t, accounts("t")
	t.Helper()
	const note = "how it was cut"
	for pages := 0; ; pages++ {
		d.leave(8 << 10)
		lake := filepath.Join(d.dir, fmt.Sprint(name, "-", pages))
		open := func() (*Sink, *Writer, map[int]bool, error) {
			s := openSink(t, "iceberg:"+lake, Options{KeepEvery: 1})
			w, err := s.Open(t.Context(), tbl, writer.Create)
			if err != nil {
				return s, nil, nil, err
			}
			have := make(map[int]bool)
			for _, o := range w.(*Writer).Kept().Origins {
				have[o] = true
			}
			return s, w.(*Writer), have, nil
		}
		s, w, _, err := open()
		must(t, err)
		d.leave(pages)
		err = stockInParts(t, w, tbl, note, nil)
		_ = w.Close()
		if err != nil {
			if !diskFull(err) || !strings.Contains(hint.Of(err), "free some space") {
				t.Errorf("%d pages: got %v (hint %q), want that the disk is full", pages, err, hint.Of(err))
			}
			if tableExists(t, s, "t") {
				t.Fatalf("%d pages: the table is there in spite of %v", pages, err)
			}
			hit = append(hit, err.Error())
			d.leave(8 << 10)
			var have map[int]bool
			s, w, have, err = open()
			must(t, err)
			resumed += len(have)
			must(t, stockInParts(t, w, tbl, note, have))
			must(t, w.Close())
		}
		wantIDs(t, ids(t, s, "t"), 0, 40)
		if left := unnamedOf(t, s, tbl); len(left) > 0 {
			t.Errorf("%d pages: nothing names %v", pages, left)
		}
		if err == nil && len(hit) == pages-1 {
			return hit, resumed
		}
		if pages > 100 {
			t.Fatal("there is never enough")
		}
	}
}

// TestDiskFullAnywhere runs with one page of space more each time, so that each file of
// a run, its record, plan, notes, data, metadata and the catalog, is the one that finds
// the disk full. Then there is room, and the next run goes on. Which files are open at
// the same time differs from run to run, so that a small one may be passed over:
// TestDiskFullAtStep has those find the disk full that come after a step.
func TestDiskFullAnywhere(t *testing.T) {
	d := newSmallDisk(t)
	var hit []string
	resumed := 0
	wants := []string{"announce run", "keep what is staged", "write", ".parquet", "database or disk is full"}
	missing := func() []string {
		text := strings.Join(hit, "\n")
		return slices.DeleteFunc(slices.Clone(wants), func(want string) bool { return strings.Contains(text, want) })
	}
	// On a busy machine notes are written later, and a step that needs no more room than the one before it is
	// passed over: the next sweep finds it.
	for n := 0; n == 0 || n < 3 && len(missing()) > 0; n++ {
		found, parts := d.sweep(fmt.Sprint(n))
		hit, resumed = append(hit, found...), resumed+parts
	}
	for _, want := range missing() {
		t.Errorf("%s never found the disk full:\n%s", want, strings.Join(hit, "\n"))
	}
	if resumed == 0 {
		t.Error("nothing was ever gone on with")
	}
}

// TestDiskFullAtStep fills the disk as soon as a commit has come to a step.
func TestDiskFullAtStep(t *testing.T) {
	d := newSmallDisk(t)
	tbl := accounts("t")
	for step, want := range map[string]string{"files durable": ".avro", "manifests written": ".metadata.json"} {
		t.Run(step, func(t *testing.T) {
			d.leave(8 << 10)
			lake := "iceberg:" + filepath.Join(d.dir, strings.Fields(step)[0])
			s := openSink(t, lake, Options{KeepEvery: 1, Step: func(name string) {
				if name == step {
					d.leave(0)
				}
			}})
			w, err := s.Open(t.Context(), tbl, writer.Create)
			must(t, err)
			err = stockInParts(t, w.(*Writer), tbl, "note", nil)
			if err == nil || !diskFull(err) || !strings.Contains(err.Error(), want) {
				t.Errorf("got %v, want that %s finds the disk full", err, want)
			}
			d.leave(8 << 10)
			_ = w.Close()
			s = openSink(t, lake, Options{})
			w, err = s.Open(t.Context(), tbl, writer.Create)
			must(t, err)
			have := make(map[int]bool)
			for _, o := range w.(*Writer).Kept().Origins {
				have[o] = true
			}
			if len(have) != 4 {
				t.Errorf("got %d parts kept, want 4", len(have))
			}
			must(t, stockInParts(t, w.(*Writer), tbl, "note", have))
			must(t, w.Close())
			wantIDs(t, ids(t, s, "t"), 0, 40)
			if left := unnamedOf(t, s, tbl); len(left) > 0 {
				t.Errorf("nothing names %v", left)
			}
		})
	}
}

// stockInParts stages four parts of ten rows, but for those that are kept, and commits.
func stockInParts(t *testing.T, w *Writer, tbl *schema.Table, note string, have map[int]bool) error {
	t.Helper()
	if err := w.Keep(t.Context(), note); err != nil {
		return err
	}
	for o := range 4 {
		if have[o] {
			continue
		}
		b := rows(tbl, o*10, o*10+10)
		b.Origin = o
		err := w.Write(t.Context(), b)
		b.Release()
		if err == nil {
			err = w.Whole(t.Context(), o)
		}
		if err != nil {
			return err
		}
	}
	return w.Commit(t.Context(), "p")
}

// unnamedOf lists the files of a table's folder that no metadata of it names.
func unnamedOf(t *testing.T, s *Sink, tbl *schema.Table) []string {
	t.Helper()
	it, err := s.cat.LoadTable(t.Context(), s.identifier(tbl))
	must(t, err)
	named := tableFiles(t, it)
	named["version-hint.text"], named["v0.metadata.json"] = true, true
	dir, err := localPath(it.Location())
	must(t, err)
	return slices.DeleteFunc(filesIn(t, dir), func(f string) bool { return named[path.Base(f)] })
}
