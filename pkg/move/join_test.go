package move_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/move"
	"github.com/tablehaul/tablehaul/pkg/reader"
	rmem "github.com/tablehaul/tablehaul/pkg/reader/mem"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A besides is a bank's source, opened once more.
type besides struct {
	*rmem.Stock
	b *bank
}

func (s besides) Table(_ context.Context, name string) (*schema.Table, error) {
	i := slices.IndexFunc(s.b.tables, func(t *schema.Table) bool { return t.String() == name })
	if i < 0 {
		return nil, nil
	}
	return s.b.tables[i], nil
}

// beside opens the bank's source once more, with a fault.
func (b *bank) beside(fault func(rmem.Op, *schema.Table) error) func(context.Context) (move.Beside, error) {
	return func(context.Context) (move.Beside, error) {
		s := b.stock()
		s.Fault = fault
		return besides{s, b}, nil
	}
}

// A table that can only be followed from a copy made anew is copied, and the others go on: every
// commit of each is what the source held at its position.
func TestTailCopiesAnew(t *testing.T) {
	for seed := range uint64(10) {
		b := newBank(t, 50+seed)
		if err := b.run(b.stock(), b.open(), move.TailOptions{}); err != nil {
			t.Fatal(err)
		}
		b.transact(30)
		notes := b.table("notes")
		var copied atomic.Bool
		var left atomic.Int64 // rows of the log before it
		left.Store(int64(seed))
		src := b.stock()
		src.Fault = func(op rmem.Op, t *schema.Table) error {
			if op == rmem.ReadLog && t == notes && !copied.Load() && left.Add(-1) < 0 {
				return &schema.TableError{Table: "bank.notes", Err: errors.New("altered"), Anew: true}
			}
			return nil
		}
		var warned []string
		err := b.run(src, b.open(), move.TailOptions{
			Beside: b.beside(func(op rmem.Op, _ *schema.Table) error {
				copied.Store(copied.Load() || op == rmem.Pin)
				return nil
			}),
			Warn: func(s string) { warned = append(warned, s) },
		})
		if err != nil || len(warned) != 1 || !strings.Contains(warned[0], "anew") {
			t.Errorf("seed %d: got %v, warnings %q", seed, err, warned)
		}
		b.whole()
	}
}

// A table that the sink does not hold yet is copied while others go on from where they are, however
// often that breaks off.
func TestTailTakesOn(t *testing.T) {
	ops := []rmem.Op{rmem.Pin, rmem.Splits, rmem.Open, rmem.Read, rmem.Locate, rmem.Changes, rmem.ReadLog}
	for _, at := range ops {
		b := newBank(t, 70)
		all := b.tables
		b.tables = []*schema.Table{b.table("accounts"), b.table("idle")}
		if err := b.run(b.stock(), b.open(), move.TailOptions{}); err != nil {
			t.Fatal(err)
		}
		b.tables = all
		b.transact(30)
		var broke atomic.Bool
		err := b.run(b.stock(), b.open(), move.TailOptions{
			Beside: b.beside(func(op rmem.Op, _ *schema.Table) error {
				if op == at && broke.CompareAndSwap(false, true) {
					return hint.Transient(errors.New("server gone"))
				}
				return nil
			}),
		})
		if err != nil || !broke.Load() {
			t.Errorf("%s: got %v, broke %v", at, err, broke.Load())
		}
		b.whole()
	}
}

// A table that has come into being after the run's tables were listed, and before the log begins, is
// taken on, however often that breaks off.
func TestTailLooksAgain(t *testing.T) {
	for _, start := range []string{move.StartSnapshot, "now"} {
		for fails := range 3 {
			b := newBank(t, 75)
			all := slices.Clone(b.tables)
			listed := []*schema.Table{b.table("accounts"), b.table("idle")}
			b.transact(30)
			src, left := b.stock(), fails
			src.Fault = func(op rmem.Op, _ *schema.Table) error {
				if op == rmem.Names && left > 0 {
					left--
					return hint.Transient(errors.New("server gone"))
				}
				return nil
			}
			beside := b.beside(nil)
			b.tables = listed
			err := b.run(src, b.open(), move.TailOptions{Start: start, Beside: func(ctx context.Context) (move.Beside, error) {
				b.tables = all
				return beside(ctx)
			}})
			if err != nil || left > 0 {
				t.Errorf("%s, %d failures: got %v, %d left", start, fails, err, left)
			}
			b.tables = all
			b.want(b.table("notes"), b.db.Rows(b.table("notes")))
		}
	}
}

// A growing is a source of which all tables but one come into being at some moment.
type growing struct {
	*rmem.Stock
	grown *atomic.Bool
}

func (g growing) Names(ctx context.Context, sel reader.Selection) ([]string, error) {
	names, err := g.Stock.Names(ctx, sel)
	return slices.DeleteFunc(names, func(name string) bool { return name != "bank.notes" && !g.grown.Load() }), err
}

// So is one that does while nobody reads the log, as all tables are copied anew.
func TestTailLooksAgainAfterCopies(t *testing.T) {
	b := newBank(t, 76)
	all, one := slices.Clone(b.tables), []*schema.Table{b.table("notes")}
	b.tables = one
	if err := b.run(b.stock(), b.open(), move.TailOptions{}); err != nil {
		t.Fatal(err)
	}
	b.tables = all
	b.transact(20)
	b.tables = one
	var grown atomic.Bool
	src := growing{b.stock(), &grown}
	src.Fault = func(op rmem.Op, table *schema.Table) error {
		if op == rmem.ReadLog && table != nil && !grown.Load() {
			return &schema.TableError{Table: table.String(), Err: errors.New("altered"), Anew: true}
		}
		return nil
	}
	beside := (&bank{world: &world{t: t, db: b.db, tables: all, alloc: b.alloc}}).beside(func(op rmem.Op, _ *schema.Table) error {
		grown.Store(grown.Load() || op == rmem.Pin)
		return nil
	})
	if err := b.run(src, b.open(), move.TailOptions{Beside: beside}); err != nil {
		t.Fatal(err)
	}
	b.tables = all
	for _, table := range all {
		b.want(table, b.db.Rows(table))
	}
}

// One that cannot be copied is left behind, after some tries; one that is gone is forgotten.
func TestTailCannotTakeOn(t *testing.T) {
	b := newBank(t, 80)
	all := b.tables
	b.tables = []*schema.Table{b.table("accounts"), b.table("idle")}
	if err := b.run(b.stock(), b.open(), move.TailOptions{}); err != nil {
		t.Fatal(err)
	}
	b.tables = all
	b.transact(20)
	cause := &schema.TableError{Table: "bank.notes", Err: errors.New("cannot be read")}
	err := b.run(b.stock(), b.open(), move.TailOptions{Beside: b.beside(func(op rmem.Op, t *schema.Table) error {
		if op == rmem.Open && t.Name == "notes" {
			return cause
		}
		return nil
	})})
	if !errors.Is(err, move.ErrIncomplete) || !errors.Is(err, cause.Err) {
		t.Errorf("got %v", err)
	}
	err = b.run(b.stock(), b.open(), move.TailOptions{Beside: func(context.Context) (move.Beside, error) {
		return besides{b.stock(), &bank{world: &world{}}}, nil
	}})
	if err != nil {
		t.Errorf("of a table that is gone: got %v", err)
	}
}
