package iceberg

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	restcat "github.com/apache/iceberg-go/catalog/rest"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// hooked is a catalog whose commits can be tampered with.
type hooked struct {
	tableCatalog
	before func() error // its error goes instead of the commit
	after  func() error // its error goes instead of the reply
	loaded func()       // follows the next LoadTable

	loadErr error // goes instead of every LoadTable
}

func (h *hooked) LoadTable(ctx context.Context, ident table.Identifier) (*table.Table, error) {
	if h.loadErr != nil {
		return nil, h.loadErr
	}
	tbl, err := h.tableCatalog.LoadTable(ctx, ident)
	if f := h.loaded; f != nil {
		h.loaded = nil
		f()
	}
	return tbl, err
}

func (h *hooked) around(commit func() error) error {
	if f := h.before; f != nil {
		h.before = nil
		if err := f(); err != nil {
			return err
		}
	}
	err := commit()
	if f := h.after; f != nil && err == nil {
		h.after = nil
		return f()
	}
	return err
}

func (h *hooked) CommitTable(ctx context.Context, ident table.Identifier, reqs []table.Requirement, ups []table.Update) (meta table.Metadata, loc string, err error) {
	err = h.around(func() (err error) {
		meta, loc, err = h.tableCatalog.CommitTable(ctx, ident, reqs, ups)
		return err
	})
	return meta, loc, err
}

func (h *hooked) createWhole(ctx context.Context, ident table.Identifier, meta table.Metadata, ups []table.Update) (got table.Metadata, err error) {
	err = h.around(func() (err error) {
		got, err = h.tableCatalog.createWhole(ctx, ident, meta, ups)
		return err
	})
	return got, err
}

// hookedSink is a sink on a lake of its own with a catalog to tamper with.
func hookedSink(t *testing.T) (*Sink, *hooked) {
	t.Helper()
	s := openSink(t, "iceberg:"+t.TempDir(), Options{})
	h := &hooked{tableCatalog: s.cat}
	s.cat = h
	s.retry.min, s.retry.max = time.Millisecond, time.Millisecond
	return s, h
}

func snapshots(t *testing.T, s *Sink, name string) []table.Snapshot {
	t.Helper()
	tbl, err := s.cat.LoadTable(t.Context(), s.identifier(accounts(name)))
	must(t, err)
	return tbl.Metadata().Snapshots()
}

// foreignAppend adds rows the way a program does that knows nothing of ours.
func foreignAppend(t *testing.T, s *Sink, tbl *schema.Table, from, to int, change func(*table.Transaction) error) error {
	t.Helper()
	it, err := s.cat.LoadTable(context.Background(), s.identifier(tbl))
	if err != nil {
		return err
	}
	b := rows(tbl, from, to)
	defer b.Release()
	rd, err := array.NewRecordReader(tbl.Arrow, []arrow.RecordBatch{b.Rows})
	must(t, err)
	tx := it.NewTransaction()
	if err := tx.Append(context.Background(), rd, nil); err != nil {
		return err
	}
	if change != nil {
		if err := change(tx); err != nil {
			return err
		}
	}
	_, err = tx.Commit(context.Background())
	return err
}

func TestLostReplyIsFoundOut(t *testing.T) {
	for _, mode := range []writer.Mode{writer.Create, writer.Append, writer.Replace} {
		s, h := hookedSink(t)
		tbl := accounts("t")
		if mode != writer.Create {
			load(t, s, tbl, writer.Create, 0, 10, "p0")
		}
		before := 0
		if mode != writer.Create {
			before = len(snapshots(t, s, "t"))
		}
		w := openTable(t, s, tbl, mode)
		write(t, w, rows(tbl, 10, 30))
		h.after = func() error { return errReplyLost }
		must(t, w.Commit(t.Context(), "p1"))
		must(t, w.Close())
		from := 10
		if mode == writer.Append {
			from = 0
		}
		wantIDs(t, ids(t, s, "t"), from, 30)
		if n := len(snapshots(t, s, "t")) - before; n != 1 {
			t.Fatalf("%s: %d snapshots, want 1", mode, n)
		}
	}
}

// Something between us and the catalog may send a commit twice; then the answer
// is that of the second, a conflict with the first.
func TestConflictWithOurselves(t *testing.T) {
	s, h := hookedSink(t)
	tbl := accounts("t")
	w := openTable(t, s, tbl, writer.Create)
	for i, conflict := range []error{catalog.ErrTableAlreadyExists, restcat.ErrCommitFailed, errors.New("requirement failed: branch has changed")} {
		write(t, w, rows(tbl, i*10, i*10+10))
		h.after = func() error { return conflict }
		must(t, w.Commit(t.Context(), batch.Position(conflict.Error())))
		wantIDs(t, ids(t, s, "t"), 0, i*10+10)
		if n := len(snapshots(t, s, "t")); n != i+1 {
			t.Fatalf("%d snapshots, want %d", n, i+1)
		}
	}
	must(t, w.Close())
}

func TestUnknownOutcomes(t *testing.T) {
	for _, cause := range []error{restcat.ErrCommitStateUnknown, restcat.ErrServerError, context.DeadlineExceeded} {
		s, h := hookedSink(t)
		tbl := accounts("t")
		w := openTable(t, s, tbl, writer.Create)
		write(t, w, rows(tbl, 0, 20))
		h.before = func() error { return cause } // and it did not land
		must(t, w.Commit(t.Context(), "p1"))
		wantIDs(t, ids(t, s, "t"), 0, 20)
	}
}

// A conflict with another client is no reason to fail as long as the position
// is the one that we follow. iceberg-go's own retries do not see this conflict
// for what it is on a SQL catalog.
func TestConcurrentAppendIsRebased(t *testing.T) {
	for _, mode := range []writer.Mode{writer.Append, writer.Replace} {
		s, h := hookedSink(t)
		tbl := accounts("t")
		load(t, s, tbl, writer.Create, 0, 10, "p0")
		w := openTable(t, s, tbl, mode)
		write(t, w, rows(tbl, 10, 20))
		tries := 0
		var interfere func() error
		interfere = func() error {
			if tries++; tries < 4 { // several times in a row
				h.before = nil
				err := foreignAppend(t, s, tbl, 100*tries, 100*tries+5, nil)
				h.before = interfere
				return err
			}
			return nil
		}
		h.before = interfere
		must(t, w.Commit(t.Context(), "p1"))
		got := ids(t, s, "t")
		want := 10 + 10 + 15
		if mode == writer.Replace {
			want = 10
		}
		if len(got) != want || got[15] != 1 {
			t.Fatalf("%s: %d rows, want %d", mode, len(got), want)
		}
		// Manifests of the attempts that lost are gone.
		it, err := s.cat.LoadTable(t.Context(), s.identifier(tbl))
		must(t, err)
		path, err := localPath(it.Location())
		must(t, err)
		used := make(map[string]bool)
		for _, snap := range it.Metadata().Snapshots() {
			used[snap.ManifestList] = true
			ms, err := snap.Manifests(localFS{})
			must(t, err)
			for _, m := range ms {
				used[m.FilePath()] = true
			}
		}
		for _, f := range filesIn(t, path) {
			if strings.HasSuffix(f, ".avro") && !used["file://"+path+"/"+f] {
				t.Errorf("%s: %s is an orphan", mode, f)
			}
		}
	}
}

func TestFencedByAnotherPosition(t *testing.T) {
	s, h := hookedSink(t)
	tbl := accounts("t")
	load(t, s, tbl, writer.Create, 0, 10, "p0")
	w := openTable(t, s, tbl, writer.Append)
	write(t, w, rows(tbl, 10, 20))
	// The other commits between our look at the table and our commit.
	h.before = func() error {
		return foreignAppend(t, s, tbl, 50, 60, func(tx *table.Transaction) error {
			return tx.SetProperties(iceberg.Properties{positionProperty: "theirs"})
		})
	}
	err := w.Commit(t.Context(), "p1")
	if !errors.Is(err, writer.ErrFenced) || hint.Of(err) == "" {
		t.Fatalf("got %v, want ErrFenced with a hint", err)
	}
	if pos, err := w.Position(t.Context()); err != nil || pos != "theirs" {
		t.Fatalf("position %q, %v", pos, err)
	}
	must(t, w.Close())
	if got := ids(t, s, "t"); len(got) != 20 {
		t.Fatalf("%d rows, want 20", len(got))
	}
	if left := filesIn(t, strings.TrimPrefix(s.root, "file://")+"/shop/t/metadata/_staging"); len(left) > 0 {
		t.Fatalf("left behind: %v", left)
	}
}

// A commit of the position alone would not be fenced if it were one of
// properties alone.
func TestIdlePositionIsFenced(t *testing.T) {
	s, _ := hookedSink(t)
	tbl := accounts("t")
	load(t, s, tbl, writer.Create, 0, 10, "p0")
	a, b := openTable(t, s, tbl, writer.Append), openTable(t, s, tbl, writer.Append)
	must(t, a.Commit(t.Context(), "pa"))
	if err := b.Commit(t.Context(), "pb"); !errors.Is(err, writer.ErrFenced) {
		t.Fatalf("got %v, want ErrFenced", err)
	}
	// The same when the other is quicker by a hair.
	s2, h := hookedSink(t)
	load(t, s2, tbl, writer.Create, 0, 10, "p0")
	c := openTable(t, s2, tbl, writer.Append)
	h.before = func() error {
		d := openTable(t, s2, tbl, writer.Append)
		return d.Commit(t.Context(), "pd")
	}
	if err := c.Commit(t.Context(), "pc"); !errors.Is(err, writer.ErrFenced) {
		t.Fatalf("got %v, want ErrFenced", err)
	}
}

func TestCancelledContextCommitsNothing(t *testing.T) {
	s, h := hookedSink(t)
	tbl := accounts("t")
	w := openTable(t, s, tbl, writer.Create)
	write(t, w, rows(tbl, 0, 10))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.Commit(ctx, "p1"); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	// Cancelled between two attempts.
	ctx, cancel = context.WithCancel(t.Context())
	h.before = func() error { cancel(); return errReplyLost }
	if err := w.Commit(ctx, "p1"); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v", err)
	}
	if tableExists(t, s, "t") {
		t.Fatal("the table is there")
	}
	must(t, w.Commit(t.Context(), "p1"))
	wantIDs(t, ids(t, s, "t"), 0, 10)
}

// deleteOwners adds an equality delete, as a CDC writer would.
func deleteOwner(t *testing.T, s *Sink, tbl *schema.Table, id int32) {
	t.Helper()
	it, err := s.cat.LoadTable(t.Context(), s.identifier(tbl))
	must(t, err)
	f := it.Schema().Fields()[0]
	asc, err := table.SchemaToArrowSchema(iceberg.NewSchema(0, f), nil, true, false)
	must(t, err)
	b := array.NewRecordBuilder(memory.DefaultAllocator, asc)
	b.Field(0).(*array.Int32Builder).Append(id)
	tx := it.NewTransaction()
	rd, err := array.NewRecordReader(asc, []arrow.RecordBatch{b.NewRecordBatch()})
	must(t, err)
	files, err := tx.WriteEqualityDeletes(t.Context(), []int{f.ID}, array.IterFromReader(rd))
	must(t, err)
	must(t, tx.NewRowDelta(nil).AddDeletes(files...).Commit(t.Context()))
	_, err = tx.Commit(t.Context())
	must(t, err)
}

// Copy on write, iceberg-go's default, brings rows back that equality deletes
// have removed (iceberg-go#2042); our tables ask for merge on read.
func TestForeignDeleteResurrectsNothing(t *testing.T) {
	s, _ := hookedSink(t)
	tbl := accounts("t")
	load(t, s, tbl, writer.Create, 0, 10, "p0")
	deleteOwner(t, s, tbl, 4)
	it, err := s.cat.LoadTable(t.Context(), s.identifier(tbl))
	must(t, err)
	_, err = it.Delete(t.Context(), iceberg.EqualTo(iceberg.Reference("id"), int32(7)), nil)
	must(t, err)
	got := ids(t, s, "t")
	if len(got) != 8 || got[4] != 0 || got[7] != 0 {
		t.Fatalf("got %v, want all but 4 and 7", got)
	}
}

func wantRows(t *testing.T, s *Sink, name string, n int) {
	t.Helper()
	if got := ids(t, s, name); len(got) != n {
		t.Fatalf("%d rows, want %d", len(got), n)
	}
}

// Replace takes the place of everything, deletes of rows included.
func TestReplaceOverDeletes(t *testing.T) {
	s, _ := hookedSink(t)
	tbl := accounts("t")
	load(t, s, tbl, writer.Create, 0, 10, "p0")
	deleteOwner(t, s, tbl, 4) // an equality delete
	it, err := s.cat.LoadTable(t.Context(), s.identifier(tbl))
	must(t, err)
	_, err = it.Delete(t.Context(), iceberg.EqualTo(iceberg.Reference("id"), int32(7)), nil) // a position delete
	must(t, err)
	wantRows(t, s, "t", 8)
	load(t, s, tbl, writer.Replace, 0, 12, "p1")
	wantIDs(t, ids(t, s, "t"), 0, 12)
	it, err = s.cat.LoadTable(t.Context(), s.identifier(tbl))
	must(t, err)
	if n := it.CurrentSnapshot().Summary.Properties["total-delete-files"]; n != "0" {
		t.Errorf("%s delete files are left", n)
	}
	// By nothing, when the source is empty now; and again, when both are.
	load(t, s, tbl, writer.Replace, 0, 0, "p2")
	wantRows(t, s, "t", 0)
	load(t, s, tbl, writer.Replace, 0, 0, "p3")
	wantRows(t, s, "t", 0)
	load(t, s, tbl, writer.Replace, 3, 5, "p4")
	wantIDs(t, ids(t, s, "t"), 3, 5)
}

func TestRefusals(t *testing.T) {
	s, _ := hookedSink(t)
	foreign := func(name string, specs ...string) *schema.Table {
		tbl := schema.New("shop", name, cols(specs...), nil)
		w := openTable(t, s, tbl, writer.Create)
		must(t, w.Commit(t.Context(), "x"))
		it, err := s.cat.LoadTable(t.Context(), w.ident)
		must(t, err)
		tx := it.NewTransaction()
		must(t, tx.RemoveProperties([]string{positionProperty, sourceProperty, commitProperty}))
		_, err = tx.Commit(t.Context())
		must(t, err)
		return tbl
	}
	foreign("exists", "id int!", "owner varchar(20)")
	foreign("narrow", "id int!")
	foreign("misfit", "id bigint!", "owner varchar(20)!", "more date")
	load(t, s, accounts("ours"), writer.Create, 0, 1, "p")
	other := accounts("ours")
	other.DB = "other"
	s.ns = []string{"shop"}
	for _, c := range []struct {
		tbl  *schema.Table
		mode writer.Mode
		want []string
	}{
		{accounts("exists"), writer.Create, []string{"shop.exists exists", "--mode append", "--mode replace"}},
		{accounts("misfit"), writer.Append, []string{
			"id: long required in the table, int required in the source",
			"owner: string required in the table, string in the source", "more: date in the table, not in the source",
			"--mode replace",
		}},
		{accounts("misfit"), writer.Evolve, []string{"id: long required in the table, int required in the source", "--mode replace"}},
		{accounts("misfit"), writer.Create, []string{"shop.misfit exists"}},
		{accounts("narrow"), writer.Append, []string{"owner: not in the table, string in the source", "--mode evolve"}},
		{accounts("misfit"), writer.Follow, []string{"was not made by tablehaul", "--mode replace"}},
		{other, writer.Create, []string{"made from shop.ours", "namespace"}},
	} {
		_, err := s.Open(t.Context(), c.tbl, c.mode)
		if err == nil {
			t.Fatalf("%s %s: no error", c.tbl, c.mode)
		}
		text := err.Error() + "\nhint: " + hint.Of(err)
		for _, w := range c.want {
			if !strings.Contains(text, w) {
				t.Errorf("%s %s: %q is not in %s", c.tbl, c.mode, w, text)
			}
		}
		var te *schema.TableError
		if !errors.As(err, &te) || te.Table != c.tbl.String() {
			t.Errorf("%s: %T is no TableError", c.tbl, err)
		}
	}
}

func TestMetadataOfANewTable(t *testing.T) {
	s, _ := hookedSink(t)
	tbl := schema.New("shop", "t", cols("v vector(3)!", "b bigint!", "a int!", "f float"), []int{2, 1})
	tbl.Comment = "the comment"
	tbl.Columns[1].Comment = "of b"
	w := openTable(t, s, tbl, writer.Create)
	if tableExists(t, s, "t") {
		t.Fatal("Open made the table")
	}
	must(t, w.Commit(t.Context(), "p1"))
	it, err := s.cat.LoadTable(t.Context(), w.ident)
	must(t, err)
	sc := it.Schema()
	if got := it.Metadata().Schemas(); len(got) != 1 {
		// The SQL catalog's own way to create leaves an empty one, and says
		// that the first snapshot was written with it.
		t.Errorf("%d schemas", len(got))
	}
	if id := it.CurrentSnapshot().SchemaID; id == nil || *id != sc.ID {
		t.Errorf("schema id %v of the snapshot, want %d", id, sc.ID)
	}
	// table.NewMetadata would number the list's element 2.
	if l := sc.Fields()[0].Type.(*iceberg.ListType); l.ElementID != 5 || sc.Fields()[1].ID != 2 || sc.Fields()[1].Doc != "of b" {
		t.Errorf("schema %s", sc)
	}
	if !slices.Equal(sc.IdentifierFieldIDs, []int{3, 2}) && !slices.Equal(sc.IdentifierFieldIDs, []int{2, 3}) {
		t.Errorf("identifier fields %v", sc.IdentifierFieldIDs)
	}
	p := it.Properties()
	// Under the default, serializable, a foreign equality delete fails on any
	// append that comes between.
	if p["write.delete.isolation-level"] != "snapshot" {
		t.Errorf("isolation level %q", p["write.delete.isolation-level"])
	}
	if it.Metadata().Version() != 2 || p["comment"] != "the comment" || p["write.delete.mode"] != "merge-on-read" || p[sourceProperty] != "shop.t" {
		t.Errorf("version %d, properties %v", it.Metadata().Version(), p)
	}
	if got := it.CurrentSnapshot().Summary.Properties[positionProperty]; got != "p1" {
		t.Errorf("position %q in the summary", got)
	}
}

// Bounds and counts are in the manifest, cut the way Iceberg does.
func TestFileStatistics(t *testing.T) {
	s, _ := hookedSink(t)
	tbl := accounts("t")
	w := openTable(t, s, tbl, writer.Create)
	b := array.NewRecordBuilder(memory.DefaultAllocator, tbl.Arrow)
	for i, v := range []string{"ääääääääääääääääääää", "zzzzzzzzzzzzzzzzzzzz", strings.Repeat("ü", 100)} {
		b.Field(0).(*array.Int32Builder).Append(int32(i - 1))
		b.Field(1).(*array.StringBuilder).Append(v)
	}
	b.Field(0).(*array.Int32Builder).Append(9)
	b.Field(1).AppendNull()
	write(t, w, &batch.Batch{Table: tbl, Rows: b.NewRecordBatch()})
	must(t, w.Commit(t.Context(), "p"))
	it, err := s.cat.LoadTable(t.Context(), w.ident)
	must(t, err)
	files, _, err := liveFiles(it, localFS{})
	must(t, err)
	f := files[0]
	lower, upper := f.LowerBoundValues(), f.UpperBoundValues()
	if got := string(lower[2]); got != "zzzzzzzzzzzzzzzz" {
		t.Errorf("lower bound %q", got)
	}
	if got := string(upper[2]); got != strings.Repeat("ü", 15)+"ý" {
		t.Errorf("upper bound %q", got)
	}
	if f.Count() != 4 || f.NullValueCounts()[2] != 1 || f.ValueCounts()[1] != 4 || len(f.SplitOffsets()) != 1 {
		t.Errorf("count %d, nulls %v, values %v, splits %v", f.Count(), f.NullValueCounts(), f.ValueCounts(), f.SplitOffsets())
	}
}

// What others may do to a table while it is followed: what was staged does not fit
// any more, and the next run goes on.
func TestFormatAndPartitionsMidRun(t *testing.T) {
	for _, c := range []struct {
		change func(*table.Transaction) error
		want   string
	}{
		{func(tx *table.Transaction) error { return tx.UpgradeFormatVersion(3) }, "is of format version 3"},
		{func(tx *table.Transaction) error {
			return tx.UpdateSpec(true).AddField("id", iceberg.IdentityTransform{}, "p").Commit()
		}, "is partitioned"},
	} {
		s, _ := hookedSink(t)
		tbl := accounts("t")
		load(t, s, tbl, writer.Create, 0, 5, "p")
		w := openTable(t, s, tbl, writer.Follow)
		write(t, w, rows(tbl, 5, 6))
		it, err := s.cat.LoadTable(t.Context(), w.ident)
		must(t, err)
		tx := it.NewTransaction()
		must(t, c.change(tx))
		_, err = tx.Commit(t.Context())
		must(t, err)
		wantTableError(t, w.Commit(t.Context(), "q"), c.want)
		must(t, w.Close())
		// The next run writes as the table is now.
		w = openTable(t, s, tbl, writer.Follow)
		b := rows(tbl, 4, 6)
		b.Ops = []batch.Op{batch.After, batch.Insert}
		write(t, w, b)
		must(t, w.Commit(t.Context(), "r"))
		must(t, w.Close())
		wantIDs(t, ids(t, s, "t"), 0, 6)
	}
}

// Tables of format version 1 cannot hold deletes.
func TestFormatVersion1(t *testing.T) {
	s, _ := hookedSink(t)
	tbl := accounts("t")
	w := openTable(t, s, tbl, writer.Create)
	_, err := s.cat.CreateTable(t.Context(), w.ident, w.want,
		catalog.WithLocation(w.location), catalog.WithProperties(iceberg.Properties{"format-version": "1"}))
	must(t, err)
	load(t, s, tbl, writer.Append, 0, 5, "p")
	_, err = s.Open(t.Context(), tbl, writer.Follow)
	wantTableError(t, err, "is of format version 1")
	load(t, s, tbl, writer.Replace, 3, 9, "q")
	wantIDs(t, ids(t, s, "t"), 3, 9)
	load(t, s, tbl, writer.Follow, 9, 11, "r")
	wantIDs(t, ids(t, s, "t"), 3, 11)
}

// wantTableError wants an error of one table, with a remedy.
func wantTableError(t *testing.T, err error, text string) {
	t.Helper()
	var te *schema.TableError
	if !errors.As(err, &te) || !strings.Contains(err.Error(), text) || hint.Of(err) == "" {
		t.Errorf("got %v (hint %q), want a TableError with %q and a hint", err, hint.Of(err), text)
	}
}
