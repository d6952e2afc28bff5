package move_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/move"
	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/reader"
	rmem "github.com/tablehaul/tablehaul/pkg/reader/mem"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/fault"
)

var errCut = hint.Transient(errors.New("connection lost"))

// onRead has f called before each Read of the log, which fails as f does. n
// counts them; within says that it would bring a change of a transaction.
func onRead(src *rmem.Stock, f func(n int, within bool) error) {
	var mu sync.Mutex
	n := 0
	src.Fault = func(op rmem.Op, t *schema.Table) error {
		mu.Lock()
		defer mu.Unlock()
		if op != rmem.ReadLog {
			return nil
		}
		n++
		return f(n, t != nil)
	}
}

// Connections that last for a few transactions each, far shorter than a commit
// interval, bring all of them nevertheless.
func TestTailShortLinks(t *testing.T) {
	b := newBank(t, 20)
	if err := b.run(b.stock(), b.open(), move.TailOptions{}); err != nil {
		t.Fatal(err)
	}
	b.transact(30)
	src := b.stock()
	last := 0
	onRead(src, func(n int, within bool) error {
		if n-last > 4 && !within {
			last = n
			return errCut
		}
		return nil
	})
	prog := progress.NewStream()
	err := b.run(src, b.open(), move.TailOptions{CommitInterval: time.Hour, RetryTime: 300 * time.Millisecond, Progress: prog})
	if err != nil {
		t.Fatal(err)
	}
	b.whole()
	if n := prog.View().Errors; n < 3 {
		t.Errorf("got %d cuts, want more", n)
	}
}

// If that commit fails, it is its error that says what comes next.
func TestTailShortLinkCommitFails(t *testing.T) {
	b := newBank(t, 21)
	if err := b.run(b.stock(), b.open(), move.TailOptions{}); err != nil {
		t.Fatal(err)
	}
	b.transact(5)
	src := b.stock()
	onRead(src, func(n int, within bool) error {
		if n > 4 && !within {
			return errCut
		}
		return nil
	})
	plan := &fault.Plan{At: 1, Only: fault.Commit}
	err := b.run(src, fault.Wrap(b.open(), plan), move.TailOptions{CommitInterval: time.Hour})
	if !errors.Is(err, fault.Err) || hint.IsTransient(err) || !strings.Contains(err.Error(), "connection lost") {
		t.Errorf("got %v", err)
	}
}

// Tables that do not change have their position brought up to date, however
// often the connection is cut.
func TestTailShortLinksIdle(t *testing.T) {
	b := newBank(t, 22)
	src := b.stock()
	idle := b.table("idle")
	began, last, commits := time.Now(), time.Now(), -1
	onRead(src, func(_ int, within bool) error {
		switch {
		case within || commits >= 0:
			return nil
		case b.state.Commits(idle) >= 4, time.Since(began) > 3*time.Minute:
			commits = b.state.Commits(idle)
			return nil
		case time.Since(last) > 20*time.Millisecond:
			last = time.Now()
			b.transact(1)
			return errCut
		}
		return nil
	})
	if err := b.run(src, b.open(), move.TailOptions{IdleExit: 100 * time.Millisecond, IdleCommit: 100 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	b.whole()
	if commits < 4 {
		t.Errorf("got %d commits of the idle table, want its position to advance", commits)
	}
}

// A log that brings nothing is not at its end for that.
func TestTailIdleStalled(t *testing.T) {
	b := newBank(t, 23)
	src := b.stock()
	onRead(src, func(n int, _ bool) error {
		if n == 4 {
			b.transact(5)
			time.Sleep(300 * time.Millisecond)
		}
		return nil
	})
	if err := b.run(src, b.open(), move.TailOptions{IdleExit: 50 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	b.whole()
}

// A source that does not say how far its log goes is asked again.
func TestTailIdleUnknown(t *testing.T) {
	b := newBank(t, 24)
	src := b.stock()
	var mu sync.Mutex
	asked := 0
	src.Fault = func(op rmem.Op, _ *schema.Table) error {
		mu.Lock()
		defer mu.Unlock()
		if op != rmem.Headroom {
			return nil
		}
		if asked++; asked < 3 {
			b.transact(1)
			return errors.New("no word")
		}
		return nil
	}
	if err := b.run(src, b.open(), move.TailOptions{IdleExit: 20 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	if asked < 3 {
		t.Errorf("asked %d times", asked)
	}
	b.whole()
}

// A chatty source has a log to which others write without end, so that the end
// is never reached.
type chatty struct{ *rmem.Stock }

func (c chatty) Loosen(pos batch.Position) (batch.Position, error) { return pos, nil }

func (c chatty) Headroom(context.Context, batch.Position) (reader.Headroom, error) {
	return reader.Headroom{Ahead: 100, Behind: 10 * time.Millisecond}, nil
}

func TestTailIdleAmongOthers(t *testing.T) {
	b := newBank(t, 25)
	began := time.Now()
	if err := b.run(chatty{b.stock()}, b.open(), move.TailOptions{IdleExit: 50 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	if d := time.Since(began); d < 50*time.Millisecond {
		t.Errorf("ended after %s", d)
	}
	b.whole()
}

// A watched source has a function called when its log is opened.
type watched struct {
	*rmem.Stock
	opens func()
}

func (w watched) Changes(ctx context.Context, from map[*schema.Table]batch.Position, until batch.Position) (reader.Reader, error) {
	w.opens()
	return w.Stock.Changes(ctx, from, until)
}

// An opening source tells where its log begins before it brings anything.
type opening struct{ *rmem.Stock }

func (o opening) Changes(ctx context.Context, from map[*schema.Table]batch.Position, until batch.Position) (reader.Reader, error) {
	rd, err := o.Stock.Changes(ctx, from, until)
	if err != nil {
		return nil, err
	}
	for _, pos := range from {
		return &opened{rd, pos}, nil
	}
	return rd, nil
}

type opened struct {
	reader.Reader
	pos batch.Position
}

func (o *opened) Read(ctx context.Context) (*batch.Batch, error) {
	if pos := o.pos; pos != "" {
		o.pos = ""
		return &batch.Batch{Pos: pos}, nil
	}
	time.Sleep(20 * time.Millisecond) // so that the position is looked at alone
	return o.Reader.Read(ctx)
}

// A refusing sink commits nothing for the time being.
type refusing struct{ writer.Sink }

func (r refusing) Open(ctx context.Context, t *schema.Table, mode writer.Mode) (writer.Writer, error) {
	w, err := r.Sink.Open(ctx, t, mode)
	return refusingWriter{w}, err
}

type refusingWriter struct{ writer.Writer }

func (refusingWriter) Commit(context.Context, batch.Position) error {
	return hint.Transient(errors.New("the catalog is down"))
}

// That the log can be read up to what failed is no success.
func TestTailGivesUpOnSink(t *testing.T) {
	b := newBank(t, 26)
	if err := b.run(b.stock(), b.open(), move.TailOptions{}); err != nil {
		t.Fatal(err)
	}
	b.transact(1)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	prog := progress.NewStream()
	err := move.Tail(ctx, opening{b.stock()}, refusing{b.open()}, b.tables, move.TailOptions{
		Until: "now", CommitInterval: time.Millisecond, RetryTime: 200 * time.Millisecond, RetryPause: time.Millisecond, Progress: prog,
	})
	b.freed()
	if err == nil || !strings.Contains(err.Error(), "nothing committed for") || ctx.Err() != nil {
		t.Errorf("got %v", err)
	}
	if v := prog.View(); v.Errors > 20 || !v.Retry.Now() {
		t.Errorf("got %d attempts and %+v, want ever longer pauses", v.Errors, v.Retry)
	}
}

// Where nothing is to be committed, reading on is a success: errors far between
// do not add up.
func TestTailQuietBreaks(t *testing.T) {
	b := newBank(t, 27)
	src := b.stock()
	var last time.Time
	cuts := 0
	onRead(src, func(n int, _ bool) error {
		if n > 2 && cuts < 4 && time.Since(last) > 60*time.Millisecond {
			last = time.Now()
			cuts++
			return errCut
		}
		return nil
	})
	if err := b.run(src, b.open(), move.TailOptions{IdleExit: 150 * time.Millisecond, RetryTime: 50 * time.Millisecond}); err != nil || cuts < 4 {
		t.Errorf("after %d cuts: %v", cuts, err)
	}
	b.whole()
}

// Having come to its end, a run has overcome what there was.
func TestTailOvercomes(t *testing.T) {
	b := newBank(t, 29)
	src := b.stock()
	onRead(src, func(n int, _ bool) error {
		if n == 1 {
			return errCut
		}
		return nil
	})
	prog := progress.NewStream()
	if err := b.run(src, b.open(), move.TailOptions{Progress: prog}); err != nil {
		t.Fatal(err)
	}
	if v := prog.View(); v.Errors != 1 || v.Retry.Now() {
		t.Errorf("got %d errors, the last %+v", v.Errors, v.Retry)
	}
}

// Less than no time: the first error ends the run.
func TestTailNoRetry(t *testing.T) {
	b := newBank(t, 28)
	src := b.stock()
	onRead(src, func(n int, _ bool) error {
		if n == 1 {
			return errCut
		}
		return nil
	})
	err := b.run(src, b.open(), move.TailOptions{RetryTime: -1})
	if err == nil || err.Error() != "read the log: connection lost" {
		t.Errorf("got %v", err)
	}
}
