package files

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/writertest"
)

var parted = batchtest.Shape("shop", "parted", "_db varchar(64) key", "_table varchar(64) key", "id bigint key", "note varchar(50)")

func partedRows(part, note string, ids ...int) (rows []batchtest.Row) {
	for _, id := range ids {
		rows = append(rows, batchtest.Row{"db", part, id, note})
	}
	return rows
}

// An exchange is one of the rows of part a in a folder of parts a and b, whose rows lie in the same
// files and in files of their own.
type exchange struct {
	root string
	o    Options
	rd   *reader
}

func newExchange(t *testing.T, rd *reader, o Options) exchange {
	t.Helper()
	x := exchange{t.TempDir(), o, rd}
	w := x.open(t, folders{local{x.root}}, Options{Format: o.Format, Partition: o.Partition}, "b")
	for n, rows := range [][]batchtest.Row{
		slices.Concat(partedRows("a", "old", 1, 2), partedRows("b", "old", 1, 2)), partedRows("a", "old", 3), partedRows("b", "old", 3),
	} {
		storeMust(t, x.write(t.Context(), w, rows))
		storeMust(t, w.Commit(t.Context(), batch.Position(fmt.Sprint("b:", n+1))))
	}
	storeMust(t, w.Close())
	return x
}

func (x exchange) open(t *testing.T, st store, o Options, part string) *Writer {
	t.Helper()
	s := newSink(st, "", o)
	w, err := s.Open(t.Context(), parted, writer.Extend)
	storeMust(t, err)
	w.(*Writer).Share(writertest.MergePart(part))
	return w.(*Writer)
}

func (x exchange) write(ctx context.Context, w *Writer, rows []batchtest.Row) error {
	b := batchtest.Build(memory.DefaultAllocator, parted, rows)
	defer b.Release()
	return w.Write(ctx, b)
}

// run exchanges the rows, unless that is done.
func (x exchange) run(ctx context.Context, st store, o Options) (err error) {
	s := newSink(st, "", o)
	opened, err := s.Open(ctx, parted, writer.Extend)
	if err != nil {
		return err
	}
	w := opened.(*Writer)
	defer func() { err = errors.Join(err, w.Close(), s.Close()) }()
	w.Share(writertest.MergePart("a"))
	pos, err := w.Position(ctx)
	if err != nil {
		return err
	}
	if n, err := writertest.Reached(pos, "a"); n == 1 || err != nil {
		return err
	}
	if err := w.Clear(ctx, "db", "a"); err != nil {
		return err
	}
	if err := x.write(ctx, w, partedRows("a", "new", 3, 4)); err != nil {
		return err
	}
	return w.Commit(ctx, "a:1")
}

var (
	partedOld = slices.Concat(partedRows("a", "old", 1, 2, 3), partedRows("b", "old", 1, 2, 3))
	partedNew = slices.Concat(partedRows("a", "new", 3, 4), partedRows("b", "old", 1, 2, 3))
)

// holds reads the folder with DuckDB, and reports whether it holds these rows.
func (x exchange) holds(t *testing.T, want []batchtest.Row) string {
	t.Helper()
	var got []batchtest.Row
	for _, rec := range x.rd.rows(t, filepath.Join(x.root, "shop", "parted", manifestFile)) {
		rows, err := batchtest.Rows(rec, "_db", "_table", "id", "note")
		storeMust(t, err)
		got = append(got, rows...)
	}
	return batchtest.Diff(got, want)
}

// either wants the old rows or the new ones.
func (x exchange) either(t *testing.T, when string) {
	t.Helper()
	if a, b := x.holds(t, partedOld), x.holds(t, partedNew); a != "" && b != "" {
		t.Fatalf("%s: neither the old rows (%s) nor the new ones (%s)", when, a, b)
	}
}

// finished has a further run finish, and wants the new rows, and no file but theirs.
func (x exchange) finished(t *testing.T, when string) {
	t.Helper()
	if err := x.run(t.Context(), folders{local{x.root}}, x.o); err != nil {
		t.Fatalf("%s: a run after that: %v", when, err)
	}
	if diff := x.holds(t, partedNew); diff != "" {
		t.Fatalf("%s: %s", when, diff)
	}
}

// What the exchange asks of the store goes wrong once, before it is done or after, alone or with
// all that follows until the program is started anew.
func TestExchangeFaults(t *testing.T) {
	rd := newReader(t)
	for _, after := range []bool{false, true} {
		for _, stays := range []bool{false, true} {
			t.Run(fmt.Sprintf("after=%v,stays=%v", after, stays), func(t *testing.T) {
				t.Parallel()
				n := 1
				for ; ; n++ {
					x := newExchange(t, rd, Options{})
					st := &faultyStore{store: folders{local{x.root}}, at: n, after: after, stays: stays}
					when := fmt.Sprint("call ", n)
					err := x.run(t.Context(), st, x.o)
					x.either(t, when)
					x.finished(t, when)
					if int(st.calls.Load()) < n {
						break
					}
					if err != nil && !errors.Is(err, errFaulty) && !hint.IsTransient(err) {
						t.Fatalf("%s: %v", when, err)
					}
				}
				if n < 20 {
					t.Errorf("there were %d calls", n)
				}
			})
		}
	}
}

// A run dies at each step of the exchange.
func TestExchangeKilled(t *testing.T) {
	rd := newReader(t)
	for _, o := range []Options{{}, {Format: TSV, Partition: func(*schema.Table) string { return "p=_table" }}} {
		for _, step := range []string{"rows written", "commit sent", "commit landed", "published", "tidied"} {
			x := newExchange(t, rd, o)
			dies := o
			dies.Step = func(name string) {
				if name == step {
					panic(step)
				}
			}
			func() {
				defer func() {
					if recover() != step {
						t.Fatalf("%s: it did not die", step)
					}
				}()
				_ = x.run(t.Context(), folders{local{x.root}}, dies)
			}()
			x.either(t, step)
			x.finished(t, step)
		}
	}
}

// Others write files anew while the exchange is about to commit: these are looked through again,
// and no others.
func TestExchangeOvertaken(t *testing.T) {
	rd := newReader(t)
	x := newExchange(t, rd, Options{})
	rival := x.open(t, folders{local{x.root}}, x.o, "b")
	turns := 0
	opened := &openedStore{store: folders{local{x.root}}}
	o := Options{Step: func(name string) {
		if name != "commit sent" || turns == 3 {
			return
		}
		turns++
		opened.names = nil
		b := batchtest.Build(memory.DefaultAllocator, parted, partedRows("b", "newer", turns))
		defer b.Release()
		b.Ops = []batch.Op{batch.After}
		storeMust(t, rival.Write(t.Context(), b))
		storeMust(t, rival.Commit(t.Context(), batch.Position(fmt.Sprint("b:", 3+turns))))
	}}
	storeMust(t, x.run(t.Context(), opened, o))
	if diff := x.holds(t, slices.Concat(partedRows("a", "new", 3, 4), partedRows("b", "newer", 1, 2, 3))); diff != "" {
		t.Error(diff)
	}
	if len(opened.names) != 1 { // the one with rival's last change
		t.Errorf("files were opened again: %q", opened.names)
	}
	storeMust(t, rival.Close())
}

// Rows of a changelog, of which each is of its own time, are not taken out.
func TestChangelogIsNotCleared(t *testing.T) {
	log := batchtest.Shape("shop", "log", "_db varchar(64)", "_table varchar(64)", "id bigint", "_op varchar(1)")
	w, err := newSink(folders{local{t.TempDir()}}, "", Options{}).Open(t.Context(), log, writer.Follow)
	storeMust(t, err)
	var te *schema.TableError
	if err := w.(writer.Clearer).Clear(t.Context(), "db", "a"); !errors.As(err, &te) {
		t.Errorf("got %v, want an error of the table", err)
	}
}

// An openedStore notes which data files are opened.
type openedStore struct {
	store
	names []string
}

func (s *openedStore) open(ctx context.Context, name string) (input, error) {
	if filepath.Ext(name) == ".parquet" {
		s.names = append(s.names, name)
	}
	return s.store.open(ctx, name)
}

var errFaulty = errors.New("injected fault")

// A faultyStore has a call go wrong, and perhaps all that come behind it.
type faultyStore struct {
	store
	at           int
	calls        atomic.Int64
	after, stays bool
}

func (s *faultyStore) do(call func() error) error {
	switch n := int(s.calls.Add(1)); {
	case n > s.at && s.stays, n == s.at && !s.after:
		return errFaulty
	case n == s.at:
		_ = call()
		return errFaulty
	}
	return call()
}

func (s *faultyStore) create(ctx context.Context, at stage, name string) (out output, err error) {
	err = s.do(func() (err error) { out, err = s.store.create(ctx, at, name); return err })
	if err != nil {
		if out != nil {
			out.abort()
		}
		return nil, err
	}
	return out, nil
}

func (s *faultyStore) open(ctx context.Context, name string) (in input, err error) {
	err = s.do(func() (err error) { in, err = s.store.open(ctx, name); return err })
	if err != nil && in != nil {
		_ = in.Close()
	}
	return in, err
}

func (s *faultyStore) claim(ctx context.Context, at stage, n int64, entry []byte) error {
	return s.do(func() error { return s.store.claim(ctx, at, n, entry) })
}

func (s *faultyStore) publish(ctx context.Context, table string, n int64, name, token string) error {
	return s.do(func() error { return s.store.publish(ctx, table, n, name, token) })
}

func (s *faultyStore) settle(ctx context.Context, table string, n int64) error {
	return s.do(func() error { return s.store.settle(ctx, table, n) })
}

func (s *faultyStore) hold(ctx context.Context, at stage, owner []byte) error {
	return s.do(func() error { return s.store.hold(ctx, at, owner) })
}

func (s *faultyStore) replace(ctx context.Context, via, name string, data []byte) error {
	return s.do(func() error { return s.store.replace(ctx, via, name, data) })
}

func (s *faultyStore) list(ctx context.Context, dir string) (list []info, err error) {
	err = s.do(func() (err error) { list, err = s.store.list(ctx, dir); return err })
	return list, err
}

func (s *faultyStore) remove(ctx context.Context, name string) error {
	return s.do(func() error { return s.store.remove(ctx, name) })
}
