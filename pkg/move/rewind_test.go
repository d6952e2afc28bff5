package move_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/message"
	"github.com/tablehaul/tablehaul/pkg/move"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/reader/kafka"
	rmem "github.com/tablehaul/tablehaul/pkg/reader/mem"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	wmem "github.com/tablehaul/tablehaul/pkg/writer/mem"
)

// A redone sink has another run commit to a table just after its first Writer was opened.
type redone struct {
	wmem.Sink
	name string
	open int
}

func (s *redone) Open(ctx context.Context, t *schema.Table, mode writer.Mode) (writer.Writer, error) {
	w, err := s.Sink.Open(ctx, t, mode)
	if err != nil || t.Name != s.name {
		return w, err
	}
	s.open++
	return &redoneWriter{w, s.open == 1}, nil
}

func (s *redone) CommitAll(ctx context.Context, ws []writer.Writer, pos batch.Position) error {
	inner := slices.Clone(ws)
	for i, w := range ws {
		if r, ok := w.(*redoneWriter); ok {
			if r.fenced {
				return hint.Transient(writer.ErrFenced)
			}
			inner[i] = r.Writer
		}
	}
	return s.Sink.CommitAll(ctx, inner, pos)
}

type redoneWriter struct {
	writer.Writer
	fenced bool
}

func (w *redoneWriter) Commit(ctx context.Context, pos batch.Position) error {
	if w.fenced {
		return hint.Transient(writer.ErrFenced)
	}
	return w.Writer.Commit(ctx, pos)
}

// A begun source tells from where its log was read.
type begun struct {
	*rmem.Stock
	at []map[string]batch.Position
}

func (s *begun) Changes(ctx context.Context, from map[*schema.Table]batch.Position, until batch.Position) (reader.Reader, error) {
	at := map[string]batch.Position{}
	for t, pos := range from {
		at[t.Name] = pos
	}
	s.at = append(s.at, at)
	return s.Stock.Changes(ctx, from, until)
}

// TestTailRewinds has another run commit to one table: it alone is read again, although the others
// have had rows staged, or nothing for as long as they were followed.
func TestTailRewinds(t *testing.T) {
	for _, together := range []bool{false, true} {
		b := newBank(t, 40)
		if err := b.run(b.stock(), b.open(), move.TailOptions{}); err != nil {
			t.Fatal(err)
		}
		b.transact(20)
		src := &begun{Stock: b.stock()}
		sink := &redone{Sink: wmem.Sink{State: b.state, Together: together}, name: "notes"}
		if err := b.run(src, sink, move.TailOptions{}); err != nil {
			t.Fatal(err)
		}
		b.whole()
		if len(src.at) != 2 {
			t.Fatalf("together %t: the log was read from %v", together, src.at)
		}
		first, second := src.at[0], src.at[1]
		if second["notes"] != first["notes"] || second["accounts"] == first["accounts"] || second["idle"] != second["accounts"] {
			t.Errorf("together %t: the log was read from %v", together, src.at)
		}
	}
}

// A counted decoder counts messages.
type counted struct {
	message.Decoder
	n *atomic.Int64
}

func (d counted) Decode(key, value []byte) error {
	d.n.Add(1)
	return d.Decoder.Decode(key, value)
}

// counting has messages counted that are read.
func (p *topic) counting(n *atomic.Int64) kafka.Options {
	return kafka.Options{Decoder: func(_ string, to message.Target) (message.Decoder, error) {
		d, err := message.NewDecoder("auto", to)
		return counted{d, n}, err
	}}
}

// redo has a table made anew of what it is to hold.
func (p *topic) redo(state *wmem.State, name string) {
	p.t.Helper()
	shape := batchtest.Shape("d", name, "id int key", "v varchar(9)")
	var rows []batchtest.Row
	for _, id := range slices.Sorted(maps.Keys(p.rows[name])) {
		rows = append(rows, batchtest.Row{int64(id), p.rows[name][id]})
	}
	f, err := kafka.Open(p.t.Context(), "kafka://"+p.brokers+"/"+p.name, p.counting(new(atomic.Int64)))
	if err != nil {
		p.t.Fatal(err)
	}
	defer f.Close()
	same := func(t *schema.Table) (*schema.Table, error) { return t, nil }
	src := &rmem.Stock{DB: rmem.NewDB(batchtest.Table{Table: shape, Rows: rows})}
	if err := move.Backfill(p.t.Context(), src, f, wmem.Sink{State: state}, []*schema.Table{shape}, same, move.SnapshotOptions{}); err != nil {
		p.t.Fatal(err)
	}
}

// until waits for the sink to hold what it is to.
func (p *topic) until(state *wmem.State) {
	p.t.Helper()
	for deadline := time.Now().Add(3 * time.Minute); len(p.diffs(state)) > 0; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("the dump has not come to the end: %v", p.diffs(state))
		}
	}
}

// TestDumpRewinds redoes a table while a dump runs: no message is read again for the others, be the
// table one that the run has met or one that it knows from the sink alone.
func TestDumpRewinds(t *testing.T) {
	for _, together := range []bool{false, true} {
		p := newTopic(t, 2)
		state := &wmem.State{}
		p.commit(func() { p.put("idle", 1, "x") })
		p.fill(10)
		var read atomic.Int64
		dump := func(v string, f func()) {
			fopts := p.counting(&read)
			feed, err := kafka.Open(t.Context(), "kafka://"+p.brokers+"/"+p.name, fopts)
			if err != nil {
				t.Fatal(err)
			}
			defer feed.Close()
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			ended := make(chan error)
			go func() {
				ended <- move.Dump(ctx, feed, wmem.Sink{State: state, Together: together}, move.DumpOptions{CommitInterval: 20 * time.Millisecond, RetryPause: 10 * time.Millisecond, IdleCommit: time.Hour, Warn: func(s string) { t.Error(s) }})
			}()
			p.commit(func() { // what lies before that has been read once it is there
				p.put("b", 98, v)
				p.put("b", 99, v)
			})
			p.until(state)
			read.Store(0)
			f()
			p.until(state)
			stop()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("the dump has ended: %v", err)
			}
		}
		var news atomic.Int64
		change := func(name string) {
			p.commit(func() {
				for id := range 40 {
					p.put(name, id+100, fmt.Sprint(news.Load()))
					news.Add(1)
				}
			})
		}
		// Seven times: who redoes a table is no rival that goes on.
		dump("first", func() {
			for range 7 {
				p.redo(state, "a")
				change("b") // waits for the same commit
				change("a")
				p.until(state)
			}
		})
		if got, most := read.Load(), 2*news.Load(); got > most {
			t.Errorf("together %t: %d messages were read, of %d that are new", together, got, news.Load())
		}
		news.Store(0)
		dump("second", func() {
			p.redo(state, "a")
			p.redo(state, "idle")
			change("b")
			p.until(state)
			change("a")
			change("idle")
		})
		if got, most := read.Load(), 2*news.Load(); got > most {
			t.Errorf("together %t, begun again: %d messages were read, of %d that are new", together, got, news.Load())
		}
	}
}
