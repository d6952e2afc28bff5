package move_test

import (
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/move"
	rmem "github.com/tablehaul/tablehaul/pkg/reader/mem"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

var errKilled = errors.New("the process is gone")

// TestSnapshotResumed has runs die at any place while money moves, until one comes
// through. Each commit must show what the source held at its position.
func TestSnapshotResumed(t *testing.T) {
	resumed := 0
	for seed := range uint64(60) {
		b := newBank(t, seed)
		b.transact(30)
		rnd := rand.New(rand.NewPCG(seed, 2))
		opts := move.SnapshotOptions{Parallel: 1 + int(seed%3)}
		if seed%4 == 0 {
			opts.Mode = writer.Replace
		}
		for run := 0; ; run++ {
			left := rnd.IntN(12)
			src := b.stock()
			src.Parts, src.Hashed, src.Loose = 6, true, rnd.IntN(3) == 0
			var mu sync.Mutex
			src.Fault = func(op rmem.Op, _ *schema.Table) error {
				mu.Lock()
				defer mu.Unlock()
				if op != rmem.Read && op != rmem.Open && op != rmem.ReadLog {
					return nil
				}
				b.transact(rnd.IntN(2))
				if left--; left < 0 && run < 15 {
					return errKilled
				}
				return nil
			}
			for _, table := range b.tables {
				if b.kept(table) {
					resumed++
				}
			}
			err := b.snapshot(src, b.open(), opts)
			if err == nil {
				break
			}
			if !errors.Is(err, errKilled) {
				t.Fatalf("seed %d: %v", seed, err)
			}
			b.transact(rnd.IntN(3))
		}
		b.check()
		for _, table := range b.tables {
			if got := b.state.Commits(table); got == 0 || got > 1 && opts.Mode != writer.Replace {
				t.Errorf("seed %d: %s: got %d commits", seed, table, got)
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
	if resumed == 0 {
		t.Error("nothing was ever gone on with")
	}
}

// kept reports whether the sink keeps stock of the table.
func (b *bank) kept(table *schema.Table) bool {
	w, err := b.open().Open(b.t.Context(), table, writer.Replace)
	if err != nil {
		b.t.Fatal(err)
	}
	defer w.Close()
	return len(w.(writer.Keeper).Kept().Origins) > 0
}

// killedAt is a fault that ends a run of one reader when it opens accounts for the n-th
// time.
func killedAt(n int) func(rmem.Op, *schema.Table) error {
	return func(op rmem.Op, table *schema.Table) error {
		if op == rmem.Open && table.Name == "accounts" {
			if n--; n == 0 {
				return errKilled
			}
		}
		return nil
	}
}

// accountsLast has accounts read after the other tables, as the largest come first.
func (b *bank) accountsLast() {
	for _, table := range b.tables {
		table.Bytes = 100
		if table.Name == "accounts" {
			table.Bytes = 1
		}
	}
}

// TestSnapshotResumedReads counts what is read a second time.
func TestSnapshotResumedReads(t *testing.T) {
	b := newBank(t, 1)
	var misses []string // of the log
	reads := func(opts move.SnapshotOptions, fault func(n int) error) (n int, err error) {
		src := b.stock()
		src.Parts, src.Hashed, src.Misses = 6, true, misses
		src.Fault = func(op rmem.Op, table *schema.Table) error {
			if op == rmem.Open && table.Name == "accounts" {
				if n++; fault != nil {
					return fault(n)
				}
			}
			return nil
		}
		opts.Parallel = 1
		err = b.snapshot(src, b.open(), opts)
		return n, err
	}
	cut := func(at int) func(int) error {
		return func(n int) error {
			if n == at {
				return errKilled
			}
			return nil
		}
	}
	var warned []string
	warn := func(msg string) { warned = append(warned, msg) }
	for _, run := range []struct {
		what   string
		opts   move.SnapshotOptions
		fault  func(int) error
		want   int
		warns  string
		misses []string
	}{
		{"first", move.SnapshotOptions{}, cut(4), 4, "", nil},
		{"second", move.SnapshotOptions{}, cut(2), 2, "", nil},
		{"with other options", move.SnapshotOptions{Terms: "other"}, cut(4), 4, "other options", nil},
		{"with --restart", move.SnapshotOptions{Terms: "other", Restart: true}, cut(5), 5, "", nil},
		{"with a log that is not whole", move.SnapshotOptions{Terms: "other"}, cut(6), 6, "the log misses changes", []string{"accounts"}},
		{"last", move.SnapshotOptions{Terms: "other"}, nil, 2, "", nil},
		{"again", move.SnapshotOptions{Terms: "other"}, nil, 0, "", nil},
	} {
		warned, misses = nil, run.misses
		run.opts.Warn = warn
		got, err := reads(run.opts, run.fault)
		if (err != nil) != (run.fault != nil) || got != run.want {
			t.Errorf("%s run: got %d splits read (%v), want %d", run.what, got, err, run.want)
		}
		if text := strings.Join(warned, "\n"); (text == "") != (run.warns == "") || !strings.Contains(text, run.warns) {
			t.Errorf("%s run: got the warnings %q, want %q in them", run.what, text, run.warns)
		}
		b.transact(3)
	}
	b.check()
}

// TestSnapshotAnewAtTheSamePoint begins again where nothing has changed: the position
// and the parts are those of the run that was killed, whose rows must not count twice.
func TestSnapshotAnewAtTheSamePoint(t *testing.T) {
	b := newBank(t, 3)
	for _, restart := range []bool{false, true} {
		src := b.stock()
		src.Parts, src.Hashed = 6, true
		if !restart {
			src.Fault = killedAt(4)
		}
		if err := b.snapshot(src, b.open(), move.SnapshotOptions{Parallel: 1, Restart: restart}); (err == nil) != restart {
			t.Fatalf("restart %t: %v", restart, err)
		}
	}
	b.check()
}

// TestSnapshotReplaceStopped stops a run that exchanges tables. The next one leaves
// those alone that it has exchanged, and none that a run before it has, though the
// source has stood still since and all of them hold the same position.
func TestSnapshotReplaceStopped(t *testing.T) {
	b := newBank(t, 4)
	run := func(filter string, fault func(table string, n int) error) map[string]int {
		t.Helper()
		read := make(map[string]int)
		src := b.stock()
		src.Parts, src.Hashed = 6, true
		src.Fault = func(op rmem.Op, table *schema.Table) error {
			if op != rmem.Open {
				return nil
			}
			read[table.Name]++
			return fault(table.Name, read[table.Name])
		}
		for _, table := range b.tables {
			if table.Name != "accounts" {
				table.Filter = filter
			}
		}
		if err := b.snapshot(src, b.open(), move.SnapshotOptions{Parallel: 1, Mode: writer.Replace}); err != nil && !errors.Is(err, errKilled) {
			t.Fatal(err)
		}
		return read
	}
	through := func(string, int) error { return nil }
	cut := func(at int) func(string, int) error {
		return func(table string, n int) error {
			if table == "accounts" && n == at {
				return errKilled
			}
			return nil
		}
	}
	b.accountsLast()
	run("", through)
	if read := run("", cut(4)); len(read) != len(b.tables) {
		t.Errorf("stopped: got %v read, want all tables", read)
	}
	if read := run("v > 1", cut(2)); len(read) != len(b.tables) {
		t.Errorf("with another condition: got %v read, want all tables", read)
	}
	if read := run("v > 1", through); len(read) != 1 || read["accounts"] == 0 {
		t.Errorf("again: got %v read, want what was not exchanged", read)
	}
	if read := run("v > 1", through); len(read) != len(b.tables) {
		t.Errorf("after all is done: got %v read, want all tables", read)
	}
}

// TestTailPurgedBehindReplace purges the log behind a table that a run which was stopped
// has exchanged: tail copies that one too, though it goes on with what is kept of others.
func TestTailPurgedBehindReplace(t *testing.T) {
	b := newBank(t, 7)
	if err := b.run(b.stock(), b.open(), move.TailOptions{}); err != nil {
		t.Fatal(err)
	}
	b.transact(5)
	b.accountsLast()
	src := b.stock()
	src.Parts, src.Hashed, src.Fault = 6, true, killedAt(4)
	if err := b.snapshot(src, b.open(), move.SnapshotOptions{Parallel: 1, Mode: writer.Replace}); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	b.transact(10)
	b.db.Purge()
	b.transact(5)
	src = b.stock()
	src.Parts, src.Hashed = 6, true
	if err := b.run(src, b.open(), move.TailOptions{Resnapshot: true}); err != nil {
		t.Error(err)
	}
}

// TestSnapshotResumedPurged has the log purged that a table would need.
func TestSnapshotResumedPurged(t *testing.T) {
	b := newBank(t, 2)
	src := b.stock()
	src.Parts, src.Hashed, src.Fault = 6, true, killedAt(3)
	if err := b.snapshot(src, b.open(), move.SnapshotOptions{}); !errors.Is(err, errKilled) {
		t.Fatal(err)
	}
	b.transact(5)
	b.db.Purge()
	b.transact(5)
	src.Fault = nil
	src = b.stock()
	src.Parts, src.Hashed = 6, true
	var warned string
	if err := b.snapshot(src, b.open(), move.SnapshotOptions{Warn: func(msg string) { warned += msg }}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(warned, "bank.accounts is copied from its beginning") {
		t.Errorf("got the warnings %q", warned)
	}
	b.check()
}
