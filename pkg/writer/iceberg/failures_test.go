package iceberg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	restcat "github.com/apache/iceberg-go/catalog/rest"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/runs"
)

// unsyncable is a file that fills the disk as it is made durable.
type unsyncable struct{ stagedFile }

func (u unsyncable) Close() error {
	_ = u.stagedFile.Close()
	return syscall.ENOSPC
}

// A file that nothing names must not stay.
func TestFileThatCannotBeClosed(t *testing.T) {
	s, _ := hookedSink(t)
	tbl := accounts("t")
	load(t, s, tbl, writer.Create, 0, 5, "p")
	dir := strings.TrimPrefix(s.root, "file://")
	before := filesIn(t, dir)
	w := openTable(t, s, tbl, writer.Append)
	f, err := w.take(t.Context(), 0)
	must(t, err)
	must(t, f.write(t.Context(), rows(tbl, 5, 10)))
	f.out = unsyncable{f.out}
	w.give(t.Context(), f, nil)
	if err := w.Commit(t.Context(), "q"); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v, want ENOSPC", err)
	}
	must(t, w.Close())
	if got := filesIn(t, dir); !slices.Equal(got, before) {
		t.Errorf("got %v, want %v", got, before)
	}
}

// fullDisk writes half of what WriteFile is to write.
type fullDisk struct{ localFS }

func (d fullDisk) WriteFile(name string, content []byte) error {
	return errors.Join(d.localFS.WriteFile(d.path(name), content[:len(content)/2]), syscall.ENOSPC)
}

func (d fullDisk) Remove(name string) error { return d.localFS.Remove(d.path(name)) }

func (fullDisk) path(name string) string { return strings.TrimPrefix(name, "fulldisk://") }

func TestRecordOnAFullDisk(t *testing.T) {
	dir := t.TempDir()
	r, err := newRecord(&storage{io: fullDisk{}, dirs: &dirSet{}}, dir+"/record", 0)
	if r != nil || !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v, %v, want ENOSPC", r, err)
	}
	if left := filesIn(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestMetadataOnAFullDisk(t *testing.T) {
	iceio.Register("fulldisk", func(context.Context, *url.URL, map[string]string) (iceio.IO, error) { return fullDisk{}, nil })
	defer iceio.Unregister("fulldisk")
	s := openSink(t, "iceberg:"+t.TempDir(), Options{})
	w := openTable(t, s, accounts("t"), writer.Create)
	dir := t.TempDir()
	meta, err := newMetadata(w.want, w.layout, "fulldisk://"+dir, nil)
	must(t, err)
	if _, _, err := s.cat.(*sqlCatalog).writeMetadata(t.Context(), meta, 1, nil); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("got %v, want ENOSPC", err)
	}
	if left := filesIn(t, dir); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A commit that the database does not take leaves no metadata file.
func TestDatabaseIsFull(t *testing.T) {
	s := openSink(t, "iceberg:"+t.TempDir(), Options{})
	tbl := accounts("t")
	load(t, s, tbl, writer.Create, 0, 5, "p")
	dir := strings.TrimPrefix(s.root, "file://")
	before := filesIn(t, dir)
	db := s.cat.(*sqlCatalog).db
	_, err := db.ExecContext(t.Context(), `CREATE TRIGGER full BEFORE UPDATE ON iceberg_tables BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END`)
	must(t, err)
	w := openTable(t, s, tbl, writer.Append)
	write(t, w, rows(tbl, 5, 10))
	if err := w.Commit(t.Context(), "q"); err == nil || hint.Of(err) == "" {
		t.Errorf("got %v, want an error with a hint", err)
	}
	must(t, w.Close())
	if got := filesIn(t, dir); !slices.Equal(got, before) {
		t.Errorf("got %v, want %v", got, before)
	}
}

// The record may be taken for that of a dead run, by one that is not told better.
func TestRecordIsGone(t *testing.T) {
	s, _ := hookedSink(t)
	tbl := accounts("t")
	w := openTable(t, s, tbl, writer.Create)
	write(t, w, rows(tbl, 0, 5))
	must(t, w.st.remove(w.record.location))
	err := w.Commit(t.Context(), "p")
	if !errors.Is(err, fs.ErrNotExist) || !hint.IsTransient(err) || hint.Of(err) != "run the same command again" {
		t.Errorf("got %v (hint %q), want one that may pass", err, hint.Of(err))
	}
	must(t, w.Close())
}

func TestSameMachine(t *testing.T) {
	for _, c := range []struct {
		theirs, ours string
		want         bool
	}{
		{"a boot1 id1", "a boot1 id1", true},
		{"pod boot1 ", "a boot1 id1", true}, // a container of it
		{"a boot1 id1", "a boot2 id1", true},
		{"a boot1 id1", "a boot2 id2", false}, // of one name by chance
		{"a boot1", "a boot2 ", false},
		{"a boot1", "a boot1 id1", true},
		{"a", "a  ", true},
		{"b", "a  ", false},
		{"", "a boot1 id1", false},
		{"", "  ", false},
	} {
		if got := runs.SameMachine(c.theirs+"\n"+sentMark, c.ours); got != c.want {
			t.Errorf("%q on %q: got %v", c.theirs, c.ours, got)
		}
	}
	if !runs.SameMachine(runs.Machine(), runs.Machine()) {
		t.Error("this machine is another")
	}
}

// What a REST catalog says of its own disk tells nothing of the commit.
func TestJudgeOfRemoteDisks(t *testing.T) {
	full := errors.New("database or disk is full")
	if got := judge(full); got != refused {
		t.Errorf("here: got %d, want refused", got)
	}
	err := fmt.Errorf("%w: %w", restcat.ErrServerError, full)
	if got := judge(err); got != unclear || !transient(err) {
		t.Errorf("there: got %d, want unclear", got)
	}
}

// The history is asked for whole, whatever the URL says.
func TestWholeHistory(t *testing.T) {
	var asked string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/config") {
			fmt.Fprint(w, `{"defaults":{},"overrides":{}}`)
			return
		}
		asked = r.URL.Query().Get("snapshots")
		w.WriteHeader(http.StatusNotFound)
	}))
	defer srv.Close()
	c, _, err := openREST(t.Context(), iceberg.Properties{"uri": srv.URL, "snapshot-loading-mode": "refs"})
	must(t, err)
	if _, err := c.LoadTable(t.Context(), table.Identifier{"ns", "t"}); !errors.Is(err, catalog.ErrNoSuchTable) || asked != "all" {
		t.Errorf("asked for %q (%v), want all", asked, err)
	}
}

// onebyone is a catalog that commits several tables together, as far as a test
// can tell, and loses the reply to each first CreateTable.
type onebyone struct {
	*hooked
	lost *sync.Map // cacheKey → true
}

func (c onebyone) CreateTable(ctx context.Context, ident table.Identifier, sc *iceberg.Schema, opts ...catalog.CreateTableOpt) (*table.Table, error) {
	tbl, err := c.hooked.CreateTable(ctx, ident, sc, opts...)
	if _, lost := c.lost.LoadOrStore(cacheKey(ident), true); err == nil && !lost {
		return nil, errReplyLost
	}
	return tbl, err
}

func (c onebyone) commitAll(ctx context.Context, commits []table.TableCommit) error {
	for _, t := range commits {
		if _, _, err := c.CommitTable(ctx, t.Identifier, t.Requirements, t.Updates); err != nil {
			return err
		}
	}
	return nil
}

// commitTwo makes two tables in one commit.
func commitTwo(t *testing.T, s *Sink) {
	t.Helper()
	var ws []writer.Writer
	for _, name := range []string{"t", "u"} {
		w := openTable(t, s, accounts(name), writer.Create)
		write(t, w, rows(w.src, 0, 5))
		ws = append(ws, w)
	}
	must(t, s.CommitAll(t.Context(), ws, "p"))
	for i, name := range []string{"t", "u"} {
		wantIDs(t, ids(t, s, name), 0, 5)
		must(t, ws[i].Close())
	}
}

// A table that was made before its first commit, without word of it, is found.
func TestLostReplyToCreateTable(t *testing.T) {
	s, h := hookedSink(t)
	s.cat = onebyone{h, new(sync.Map)}
	commitTwo(t, s)

	// One that another has made in the meantime is none of ours.
	v, x := openTable(t, s, accounts("v"), writer.Create), openTable(t, s, accounts("x"), writer.Create)
	write(t, v, rows(v.src, 0, 5))
	write(t, x, rows(x.src, 0, 5))
	_, err := h.CreateTable(t.Context(), v.ident, v.want)
	must(t, err)
	err = s.CommitAll(t.Context(), []writer.Writer{v, x}, "p")
	if err == nil || !strings.HasPrefix(err.Error(), "commit 2 tables: shop.v: ") || !strings.Contains(err.Error(), "another table of that name") {
		t.Errorf("got %v, want one that names shop.v", err)
	}
}

// halfhearted is a catalog that confirms a commit of several tables and has made
// that of the first one only, the first time.
type halfhearted struct {
	onebyone
	meanwhile func()
}

func (c *halfhearted) commitAll(ctx context.Context, commits []table.TableCommit) error {
	if c.meanwhile != nil && len(commits) > 1 {
		c.meanwhile()
		c.meanwhile, commits = nil, commits[:1]
	}
	return c.onebyone.commitAll(ctx, commits)
}

// What a catalog has confirmed and not made is made, or said.
func TestCommitThatWasDropped(t *testing.T) {
	s, h := hookedSink(t)
	half := &halfhearted{onebyone{h, new(sync.Map)}, func() {}}
	s.cat = half
	commitTwo(t, s)
	if half.meanwhile != nil {
		t.Error("nothing was dropped")
	}
	// Where another run is behind it, the run is told.
	v, x := openTable(t, s, accounts("t"), writer.Follow), openTable(t, s, accounts("u"), writer.Follow)
	other := openTable(t, s, accounts("u"), writer.Follow)
	write(t, v, rows(v.src, 5, 8))
	write(t, x, rows(x.src, 5, 8))
	half.meanwhile = func() { must(t, other.Commit(t.Context(), "q")) }
	if err := s.CommitAll(t.Context(), []writer.Writer{v, x}, "q"); !errors.Is(err, writer.ErrFenced) {
		t.Errorf("got %v, want that another run was ahead", err)
	}
}

// Somebody who takes the properties away is told from another run.
func TestPropertiesAreGone(t *testing.T) {
	s, _ := hookedSink(t)
	tbl := accounts("t")
	load(t, s, tbl, writer.Create, 0, 5, "p")
	w := openTable(t, s, tbl, writer.Follow)
	it, err := s.cat.LoadTable(t.Context(), w.ident)
	must(t, err)
	tx := it.NewTransaction()
	must(t, tx.RemoveProperties([]string{positionProperty, commitProperty}))
	_, err = tx.Commit(t.Context())
	must(t, err)
	wantTableError(t, w.Commit(t.Context(), "q"), "properties were removed")
}

// crowded is a catalog in which somebody else is always quicker to make a
// namespace, and which finds odd words for it.
type crowded struct{ *hooked }

func (c crowded) CreateNamespace(ctx context.Context, ns table.Identifier, props iceberg.Properties) error {
	if err := c.hooked.CreateNamespace(ctx, ns, props); err != nil {
		return err
	}
	return fmt.Errorf("%w: UNIQUE constraint failed", restcat.ErrServerError)
}

func TestNamespaceOfTwoRuns(t *testing.T) {
	s, h := hookedSink(t)
	s.cat = crowded{h}
	load(t, s, accounts("t"), writer.Create, 0, 5, "p")
	wantIDs(t, ids(t, s, "t"), 0, 5)
}
