// Package writertest holds what every sink must show. A sink's own test runs it
// in a few lines:
//
//	func TestSink(t *testing.T) {
//		writertest.Run(t, func(t *testing.T) writertest.Harness {
//			dir := t.TempDir()
//			return writertest.Harness{
//				Open: func(t *testing.T) writer.Sink { return openLake(t, dir) },
//				Rows: func(t *testing.T, table *schema.Table) []arrow.RecordBatch { return scan(t, dir, table) },
//			}
//		})
//	}
package writertest

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A Harness is one destination under test, empty at first.
type Harness struct {
	// Open opens a sink on the destination. The suite calls it again without
	// closing what it got before: that is a crash and a restart. Give the sink
	// buffers and files so small that some thousand rows fill several.
	Open func(t *testing.T) writer.Sink
	// Rows reads the table as someone else would, with nothing but what is
	// published. The order of rows and columns is free. A table that is not
	// there has no rows.
	Rows func(t *testing.T, table *schema.Table) []arrow.RecordBatch
	// Foreign, if set, makes a table that this program has not written. Without
	// it, what a sink does about such tables stays untested.
	Foreign func(t *testing.T, table *schema.Table, rows arrow.RecordBatch)
	// LoseReply, if set, lets the next commit of any table take effect and yet
	// fail within the sink, so that the sink itself cannot know. Package fault
	// stands in for it only from outside.
	LoseReply func(t *testing.T)
	// OneRowAKey says that the destination itself holds one row of a key, whatever is added.
	OneRowAKey bool
}

// Run runs the suite, with a fresh Harness for each part.
func Run(t *testing.T, start func(t *testing.T) Harness) {
	Some(t, start)
}

// Some runs the parts of these names, all if there are none: enough for a store that
// differs from one that runs all in how it is reached.
func Some(t *testing.T, start func(t *testing.T) Harness, names ...string) {
	known(t, names)
	run(t, start, func(name string) bool { return len(names) == 0 || slices.Contains(names, name) })
}

// But runs all parts but those of these names: for a destination where they would go the same
// way as on one that runs all.
func But(t *testing.T, start func(t *testing.T) Harness, names ...string) {
	known(t, names)
	run(t, start, func(name string) bool { return !slices.Contains(names, name) })
}

func known(t *testing.T, names []string) {
	t.Helper()
	for _, name := range names {
		if !slices.ContainsFunc(parts, func(p part) bool { return p.name == name }) {
			t.Fatalf("there is no part %q", name)
		}
	}
}

func run(t *testing.T, start func(t *testing.T) Harness, wanted func(name string) bool) {
	for _, part := range parts {
		if !wanted(part.name) {
			continue
		}
		t.Run(strings.ReplaceAll(part.name, " ", "-"), func(t *testing.T) {
			alloc := memory.NewCheckedAllocator(poison{})
			// A sink may retain changes, but not beyond Close: this runs last.
			t.Cleanup(func() { alloc.AssertSize(t, 0) })
			part.test(&kit{T: t, h: start(t), alloc: alloc})
		})
	}
}

type part struct {
	name string
	test func(k *kit)
}

var parts = []part{
	{"nothing is visible before the commit", (*kit).invisibleBefore},
	{"a commit publishes all with its position", (*kit).commitPublishes},
	{"a position alone", (*kit).positionAlone},
	{"close abandons", (*kit).closeAbandons},
	{"a crash leaves nothing staged", (*kit).crashDiscards},
	{"a cancelled context commits nothing", (*kit).cancelled},

	{"a commit repeated after a lost reply", (*kit).repeat},
	{"a commit repeated after a reply lost within", (*kit).repeatWithin},
	{"a restart after every fault", (*kit).everyFault},
	{"two writers on one table", (*kit).twoWriters},

	{"create", (*kit).create},
	{"append", (*kit).appendMode},
	{"append at an equal position", (*kit).appendEqual},
	{"replace", (*kit).replace},
	{"replace by nothing", (*kit).replaceByNothing},
	{"foreign tables", (*kit).foreign},
	{"a table that was altered", (*kit).altered},
	{"evolve", (*kit).evolveMode},
	{"evolve what cannot be", (*kit).evolveRefused},
	{"evolve by nothing", (*kit).evolveByNothing},
	{"evolve and follow", (*kit).evolveFollowed},
	{"replace by another shape", (*kit).replaceShape},
	{"replace a foreign table by another shape", (*kit).replaceForeign},
	{"replace a table that is followed", (*kit).replaceFollowed},
	{"replace by another shape that was kept", (*kit).keptShape},

	{"extend", (*kit).extendMode},
	{"extend by nothing", (*kit).extendByNothing},
	{"extend a changelog", (*kit).extendChangelog},
	{"extend what cannot be", (*kit).extendRefused},
	{"extend after a lost reply", (*kit).extendAfterLostReply},
	{"extend what is so already", (*kit).extendSame},

	{"shared", (*kit).shared},
	{"shared and refused", (*kit).sharedRefused},
	{"shared after a lost reply", (*kit).sharedLostReply},
	{"shared by one that dies", (*kit).sharedCrash},
	{"shared and emptied", (*kit).sharedEmptied},
	{"shared, all or none", (*kit).sharedTogether},
	{"shared by a crowd", (*kit).sharedCrowd},
	{"amended", (*kit).amended},
	{"shared and extended", (*kit).sharedExtended},

	{"cleared", (*kit).cleared},
	{"cleared again and again", (*kit).clearedAgain},
	{"cleared while others commit", (*kit).clearedBesideOthers},
	{"cleared after a lost reply", (*kit).clearedLostReply},
	{"cleared after every fault", (*kit).clearedFaults},
	{"cleared by every kind of key", (*kit).clearedByEveryKey},
	{"cleared at random", (*kit).clearedAtRandom},

	{"changes of a key", (*kit).changesOfAKey},
	{"changes of every kind of key", (*kit).changesOfEveryKey},
	{"random changes", (*kit).randomChanges},
	{"emptied", (*kit).emptied},
	{"emptied without a key", (*kit).emptiedKeyless},
	{"stock and changes in one commit", (*kit).stockAndChanges},
	{"stock that is replaced, and changes", (*kit).replacedAndChanges},
	{"follow", (*kit).follow},
	{"a crash leaves no changes", (*kit).crashDiscardsChanges},
	{"changes after a lost reply", (*kit).changesAfterLostReply},
	{"changes after every fault", (*kit).changesAfterFaults},
	{"two writers of changes", (*kit).twoFollowers},
	{"all or none", (*kit).together},
	{"list", (*kit).list},
	{"what was written is counted", (*kit).counted},

	{"stock that is kept", (*kit).keptStock},
	{"stock that is kept for nothing", (*kit).keptForNothing},

	{"every type", (*kit).everyType},
	{"every kind of key", (*kit).everyKey},
	{"a huge row", (*kit).hugeRow},
	{"a thousand columns", (*kit).thousandColumns},
	{"odd names", (*kit).oddNames},
	{"an empty table", (*kit).emptyTable},
	{"empty batches", (*kit).emptyBatches},
	{"concurrent writes", (*kit).concurrentWrites},
	{"many tables at once", (*kit).manyTables},
}

// A kit is a test with a destination, and the words that the parts are told in.
// Any step that goes wrong ends the part.
type kit struct {
	*testing.T
	h     Harness
	alloc *memory.CheckedAllocator
}

// sink restarts the program. What the one before had open is left as it is and
// closed only when the part is over.
func (k *kit) sink() writer.Sink {
	s := k.h.Open(k.T)
	k.Cleanup(func() { _ = s.Close() })
	return s
}

// open opens table in a running program. The context lives no longer than the
// call, here and in all the other steps: no sink may keep it.
func (k *kit) open(s writer.Sink, table *schema.Table, mode writer.Mode) writer.Writer {
	k.Helper()
	ctx, cancel := context.WithCancel(k.Context())
	defer cancel()
	w, err := s.Open(ctx, table, mode)
	if mode == writer.Extend && errors.Is(err, errors.ErrUnsupported) {
		k.Skip("the sink extends no table")
	}
	if err != nil {
		k.Fatalf("open %s to %s: %v", table, mode, err)
	}
	k.Cleanup(func() { _ = w.Close() })
	return w
}

// restart restarts the program, opens table and wants it to hold a position.
func (k *kit) restart(table *schema.Table, mode writer.Mode, want batch.Position) writer.Writer {
	k.Helper()
	w := k.open(k.sink(), table, mode)
	ctx, cancel := context.WithCancel(k.Context())
	defer cancel()
	if got, err := w.Position(ctx); err != nil || got != want {
		k.Fatalf("position of %s: got %q, %v, want %q", table, got, err, want)
	}
	return w
}

// lend calls f with a batch, whose memory is overwritten as soon as f is back:
// it is the caller's to use again.
func (k *kit) lend(table *schema.Table, rows []batchtest.Row, f func(*batch.Batch) error) error {
	b := batchtest.Build(k.alloc, table, rows)
	defer b.Release()
	return f(b)
}

func (k *kit) write(w writer.Writer, table *schema.Table, rows []batchtest.Row) {
	k.Helper()
	ctx, cancel := context.WithCancel(k.Context())
	defer cancel()
	if err := k.lend(table, rows, func(b *batch.Batch) error { return w.Write(ctx, b) }); err != nil {
		k.Fatalf("write: %v", err)
	}
}

func (k *kit) commit(w writer.Writer, pos batch.Position) {
	k.Helper()
	ctx, cancel := context.WithCancel(k.Context())
	defer cancel()
	if err := w.Commit(ctx, pos); err != nil {
		k.Fatalf("commit: %v", err)
	}
}

func (k *kit) close(w writer.Writer) {
	k.Helper()
	if err := w.Close(); err != nil {
		k.Fatalf("close: %v", err)
	}
}

// visible compares what is published with what should be.
func (k *kit) visible(table *schema.Table, want []batchtest.Row) {
	k.Helper()
	if diff := batchtest.Diff(k.rows(table), want); diff != "" {
		k.Fatalf("%s is not as it should be: %s", table, diff)
	}
}

func (k *kit) rows(table *schema.Table) []batchtest.Row {
	k.Helper()
	names := make([]string, len(table.Columns))
	for i, c := range table.Columns {
		names[i] = c.Name
	}
	var rows []batchtest.Row
	for _, rec := range k.h.Rows(k.T, table) {
		r, err := batchtest.Rows(rec, names...)
		if err != nil {
			k.Fatalf("read %s back: %v", table, err)
		}
		rows = append(rows, r...)
	}
	return rows
}
