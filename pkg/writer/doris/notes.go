package doris

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer/runs"
)

// A note is what a run says of what it has staged at a table, for the next one that finds it
// dead: a table of its own, or loads that are precommitted.
type note struct {
	Owner  string    `json:"owner"`            // as runs.Self
	Table  string    `json:"table,omitempty"`  // that is staged
	Loads  string    `json:"loads,omitempty"`  // what their labels begin with
	Number int64     `json:"number,omitempty"` // of the commit that they were to be of, for a table that others write to as well
	Seen   time.Time `json:"seen"`             // when the run was last known to live
}

// A stage of another machine that has said nothing for so long is taken for a dead run's.
const (
	aliveEvery = 5 * time.Minute
	deadAfter  = time.Hour
)

// Commits that are shown are noted so together: those of so long.
const shownEvery = 2 * time.Second

// dead reports whether a run is nobody's any more. One of this machine is known to be; another
// one has to be silent for long.
func (n note) dead() bool {
	if runs.Here([]byte(n.Owner)) {
		return runs.Ended([]byte(n.Owner))
	}
	return time.Since(n.Seen) >= deadAfter
}

// hold says what this run has at a table, and again and again while it lasts.
func (s *Sink) hold(ctx context.Context, at stage, n note) error {
	if err := s.say(ctx, at.db, map[stage]note{at: n}); err != nil {
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.held[at] = n
	s.beat()
	return nil
}

// unmarked remembers a commit that is shown, which is noted with the next beat, or in the end.
func (s *Sink) unmarked(db, name string, st *state) {
	if st.Number == 0 || len(st.Loads) == 0 && st.Staged == "" {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[stage{db: db, name: name}] = st
	s.beat()
}

// mark notes which commits are shown. That may fail: Doris is asked again then.
func (s *Sink) mark(ctx context.Context) {
	s.mu.Lock()
	seen := s.seen
	s.seen = map[stage]*state{}
	s.mu.Unlock()
	byDB := map[string]map[string]*state{}
	for at, st := range seen {
		if byDB[at.db] == nil {
			byDB[at.db] = map[string]*state{}
		}
		byDB[at.db][at.name] = st
	}
	for db, states := range byDB {
		_ = s.store.shown(ctx, db, s.label(db, positions), states)
	}
}

// beat has a goroutine tend to notes and marks. The caller holds s.mu.
func (s *Sink) beat() {
	if s.stopBeat != nil {
		return
	}
	ctx, stop := context.WithCancel(context.Background())
	s.stopBeat = stop
	s.alive.Go(func() {
		alive, shown := time.NewTicker(aliveEvery), time.NewTicker(shownEvery)
		defer alive.Stop()
		defer shown.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-alive.C:
				s.stayAlive(ctx)
			case <-shown.C:
				s.mark(ctx)
			}
		}
	})
}

// say writes notes of one database, in one load.
func (s *Sink) say(ctx context.Context, db string, notes map[stage]note) error {
	var rows []map[string]any
	for at, n := range notes {
		n.Owner, n.Seen = string(runs.Self()), time.Now()
		state, err := json.Marshal(n)
		if err != nil {
			return err
		}
		rows = append(rows, positionRow(at.name, at.part, time.Now().UnixNano(), string(state)))
	}
	return s.store.control(ctx, db, s.label(db, positions), nil, rows...)
}

// label is one that no other load has.
func (s *Sink) label(db, name string) string {
	return fmt.Sprintf("tablehaul:%s:%s:%d", hash(db+"."+name, 24), s.run, s.stages.Add(1))
}

// stayAlive says all notes again.
func (s *Sink) stayAlive(ctx context.Context) {
	s.mu.Lock()
	held := maps.Clone(s.held)
	s.mu.Unlock()
	for len(held) > 0 {
		notes := map[stage]note{}
		var db string
		for at, n := range held {
			if len(notes) == 0 || at.db == db {
				db, notes[at] = at.db, n
			}
		}
		for at := range notes {
			delete(held, at)
		}
		ctx, cancel := context.WithTimeout(ctx, aliveEvery/2)
		_ = s.say(ctx, db, notes) // or the next time
		cancel()
	}
}

// letGo forgets a stage that was committed or discarded.
func (s *Sink) letGo(ctx context.Context, at stage) error {
	s.mu.Lock()
	_, was := s.held[at]
	delete(s.held, at)
	s.mu.Unlock()
	if !was {
		return nil
	}
	return s.store.remove(ctx, at.db, s.label(at.db, at.name), at.name, at.part)
}

// tidy removes what dead runs have staged at a table and not committed.
func (s *Sink) tidy(ctx context.Context, w *Writer) error {
	if s.opts.Look {
		return nil
	}
	rows, err := s.store.sql.read(ctx, "SELECT `part`, `state` FROM "+quoted(w.db, positions)+" WHERE `name` = "+text(w.name)+" AND `part` <> ''")
	if err != nil {
		return err
	}
	for _, r := range rows {
		var n note
		if err := json.Unmarshal([]byte(r[1]), &n); err != nil {
			return fmt.Errorf("read a row of %s: %w", positions, err)
		}
		if !n.dead() {
			continue
		}
		if err := w.lateCommit(ctx); err != nil {
			return err
		}
		if n.Table != "" && n.Table != w.known.Staged {
			if err := s.drop(ctx, w.db, n.Table); err != nil {
				return err
			}
		}
		if n.Loads != "" {
			for _, commit := range slices.Compact([]int64{n.Number, w.known.Number + 1}) {
				if err := s.abortLoads(ctx, w.db, w.name, n.Loads, commit); err != nil {
					return err
				}
			}
		}
		if err := s.store.remove(ctx, w.db, s.label(w.db, w.name), w.name, r[0]); err != nil {
			return err
		}
		s.opts.Step("dead run discarded")
	}
	return nil
}

// lateCommit waits for a commit of a dead run that is made and not yet seen.
func (w *Writer) lateCommit(ctx context.Context) error {
	return w.sink.store.patiently(ctx, func() (bool, error) {
		pending, err := w.sink.store.pending(ctx, w.db, w.name, w.known.Number+1)
		if err != nil || !pending {
			return !hint.IsTransient(err), err
		}
		err = w.look(ctx)
		return err != nil && !hint.IsTransient(err), err
	})
}

func (s *Sink) drop(ctx context.Context, db, table string) error {
	_, err := s.store.sql.read(ctx, "DROP TABLE IF EXISTS "+quoted(db, table)+" FORCE")
	if absent(err) {
		return nil
	}
	return err
}
