package iceberg

import (
	"context"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// offClock has the snapshots of commits come from a clock that is off.
type offClock struct {
	tableCatalog
	t   *testing.T
	off time.Duration
}

func (c *offClock) CommitTable(ctx context.Context, ident table.Identifier, reqs []table.Requirement, ups []table.Update) (table.Metadata, string, error) {
	shifted := make([]table.Update, len(ups))
	for i, u := range ups {
		shifted[i] = u
		if u.Action() == table.UpdateAddSnapshot {
			s, err := addedSnapshot(u)
			must(c.t, err)
			s.TimestampMs += c.off.Milliseconds()
			shifted[i] = table.NewAddSnapshotUpdate(s)
		}
	}
	return c.tableCatalog.CommitTable(ctx, ident, reqs, shifted)
}

// TestClockGoesBack commits with a clock that is behind what the table's last
// snapshot says, by a day: as after a clock was wrong and has been put right.
func TestClockGoesBack(t *testing.T) {
	u, err := url.Parse(service(t, "iceberg-rest", "TABLEHAUL_TEST_ICEBERG_REST"))
	must(t, err)
	for kind, target := range map[string]string{"embedded": "iceberg:" + t.TempDir(), "rest": "iceberg+rest://" + u.Host} {
		for version := 2; version <= 3; version++ {
			t.Run(fmt.Sprintf("%s, version %d", kind, version), func(t *testing.T) {
				s := openSink(t, target, Options{Layout: func(*schema.Table) Layout { return Layout{FormatVersion: version} }})
				s.ns = []string{fmt.Sprintf("t%d", time.Now().UnixNano())}
				clock := &offClock{s.cat, t, 0}
				s.cat = clock
				tbl := accounts("t")
				load(t, s, tbl, writer.Create, 0, 5, "p0")
				w := openTable(t, s, tbl, writer.Follow)
				clock.off = 24 * time.Hour
				b := rows(tbl, 5, 7)
				b.Ops = []batch.Op{batch.Insert, batch.Insert}
				write(t, w, b)
				must(t, w.Commit(t.Context(), "p1"))
				clock.off = 0
				b = rows(tbl, 6, 8)
				b.Ops = []batch.Op{batch.After, batch.Insert}
				write(t, w, b)
				must(t, w.Commit(t.Context(), "p2"))
				must(t, w.Commit(t.Context(), "p3"))
				must(t, w.Close())
				load(t, s, tbl, writer.Append, 8, 20, "p4")
				load(t, s, tbl, writer.Evolve, 20, 31, "p5")
				wantIDs(t, ids(t, s, "t"), 0, 31)
				load(t, s, tbl, writer.Replace, 0, 50, "p6")
				wantIDs(t, ids(t, s, "t"), 0, 50)
				wantForward(t, snapshots(t, s, "t"))
			})
		}
	}
}

// wantForward checks that no snapshot is earlier than the one before it, as Iceberg
// wants it, and that the last is a day ahead.
func wantForward(t *testing.T, list []table.Snapshot) {
	t.Helper()
	var last int64
	for _, s := range list {
		if s.TimestampMs < last {
			t.Errorf("snapshot %d is of %v, and one before it of %v", s.SequenceNumber, time.UnixMilli(s.TimestampMs), time.UnixMilli(last))
		}
		last = s.TimestampMs
	}
	if ahead := time.Until(time.UnixMilli(last)); ahead < 23*time.Hour || ahead > 25*time.Hour {
		t.Errorf("the last snapshot is ahead by %v, want a day", ahead)
	}
}

// A run that began with a clock that was ahead commits after it has been put right,
// and dies before it has taken its record away: its files are the table's.
func TestClockGoesBackInARun(t *testing.T) {
	for _, version := range []int{1, 2} {
		s, _ := hookedSink(t)
		tbl := accounts("t")
		if version == 1 {
			w := openTable(t, s, tbl, writer.Create)
			_, err := s.cat.CreateTable(t.Context(), w.ident, w.want,
				catalog.WithLocation(w.location), catalog.WithProperties(iceberg.Properties{"format-version": "1"}))
			must(t, err)
		}
		load(t, s, tbl, writer.Append, 0, 10, "p0")
		w := openTable(t, s, tbl, writer.Append)
		run := time.Now().Add(24*time.Hour).UTC().Format(runTime) + "-0123456789ab"
		r, err := newRecord(w.st, w.stagingFolder()+"/"+run, w.sequence)
		must(t, err)
		w.prefix, w.record = run, r
		record, err := readAll(w.st.files(), r.location)
		must(t, err)
		write(t, w, rows(tbl, 10, 20))
		must(t, w.Commit(t.Context(), "p1"))
		must(t, w.st.files().WriteFile(r.location, []byte(record)))
		load(t, s, tbl, writer.Append, 20, 30, "p2")
		wantIDs(t, ids(t, s, "t"), 0, 30)
	}
}

// A lateStore is an object store whose clock is two days behind.
type lateStore struct{ localFS }

func (lateStore) path(name string) string { return strings.TrimPrefix(name, "late://") }

func (s lateStore) Open(name string) (iceio.File, error) {
	f, err := os.Open(s.path(name))
	return lateFile{f}, err
}

func (s lateStore) WriteFile(name string, content []byte) error {
	return s.localFS.WriteFile(s.path(name), content)
}

func (s lateStore) Remove(name string) error { return os.Remove(s.path(name)) }

func (s lateStore) WalkDir(root string, fn fs.WalkDirFunc) error {
	return filepath.WalkDir(s.path(root), func(p string, d fs.DirEntry, err error) error { return fn(p, lateEntry{d}, err) })
}

type lateFile struct{ *os.File }

func (f lateFile) Stat() (fs.FileInfo, error) {
	info, err := f.File.Stat()
	return lateInfo{info}, err
}

type lateEntry struct{ fs.DirEntry }

func (e lateEntry) Info() (fs.FileInfo, error) {
	info, err := e.DirEntry.Info()
	return lateInfo{info}, err
}

type lateInfo struct{ fs.FileInfo }

func (i lateInfo) ModTime() time.Time { return i.FileInfo.ModTime().Add(-48 * time.Hour) }

// Runs of other machines are dead by the clock of the store, and not by ours.
func TestClockIsAheadOfTheStore(t *testing.T) {
	dir := t.TempDir()
	st := &storage{io: lateStore{}, dirs: &dirSet{}}
	must(t, os.WriteFile(filepath.Join(dir, "young"), []byte("elsewhere\n"), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "sent"), []byte("elsewhere\n"+sentMark), 0o644))
	must(t, os.WriteFile(filepath.Join(dir, "old"), []byte("elsewhere\n"), 0o644))
	ago := time.Now().Add(-20 * time.Minute)
	must(t, os.Chtimes(filepath.Join(dir, "old"), ago, ago))
	must(t, os.Chtimes(filepath.Join(dir, "sent"), ago, ago))
	runs, err := deadRuns(st, "late://"+dir, 24*time.Hour)
	must(t, err)
	if len(runs) != 1 || runs[0].name != "old" {
		t.Errorf("got %v, want the old run alone", runs)
	}
	if got := filesIn(t, dir); len(got) != 3 {
		t.Errorf("got the files %v, want the three records", got)
	}
}
