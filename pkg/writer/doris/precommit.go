package doris

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// Rows for a table that is there are precommitted. What a dead run leaves of that Doris gives
// up after an hour, and until then counts it for max_running_txn_num_per_db. So a run notes
// what the labels of its loads begin with, and the next one asks for them, one after the other.

// precommits are the labels of a writer's loads that are precommitted: what the note has, the
// number of the commit, and theirs.
type precommits struct {
	at     stage // of the note; part is "" before the first
	labels string
	number int64 // of the commit, as noted
	loads  int   // labels given out
}

// precommitLabel is the label of the next load that is precommitted.
func (w *Writer) precommitLabel(ctx context.Context) (string, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := &w.precommits
	next := w.known.Number + 1
	// Where others commit as well, the table does not tell the next run which one it was to be.
	if p.at.part == "" || w.merge != nil && p.number != next {
		if p.at.part == "" {
			p.at, p.labels = stage{w.db, w.name, w.newPart()}, w.sink.label(w.db, w.name)
		}
		if err := w.sink.hold(ctx, p.at, note{Loads: p.labels, Number: next}); err != nil {
			return "", err
		}
		p.number = next
	}
	p.loads++
	return loadLabel(p.labels, next, p.loads), nil
}

func loadLabel(labels string, commit int64, load int) string {
	return fmt.Sprintf("%s:%d:%d", labels, commit, load)
}

// maxGap is how many labels in a row may have no load behind them: several loads go at a time,
// and some may not have begun.
const maxGap = 32

// abortLoads gives up what a dead run has precommitted for a commit.
func (s *Sink) abortLoads(ctx context.Context, db, name, labels string, commit int64) error {
	for load, gap := 1, 0; gap < maxGap; load++ {
		label := loadLabel(labels, commit, load)
		var state string
		err := s.store.patiently(ctx, func() (bool, error) {
			var err error
			state, err = s.store.state(ctx, db, label)
			return !hint.IsTransient(err), err
		})
		if err != nil {
			return fmt.Errorf("ask what has become of load %s: %w", label, err)
		}
		if gap++; state != "UNKNOWN" {
			gap = 0
		}
		if state != "PRECOMMITTED" {
			continue
		}
		if err := s.abortLoad(ctx, db, name, label); err != nil {
			return fmt.Errorf("abort load %s: %w", label, err)
		}
	}
	return nil
}

// abortLoad gives up a load of which only the label is known: one that tries to take it is
// told the transaction, or else takes it and is given up itself.
func (s *Sink) abortLoad(ctx context.Context, db, name, label string) error {
	h := csvHeaders("")
	delete(h, "columns")
	h["two_phase_commit"] = "true"
	return s.store.patiently(ctx, func() (bool, error) {
		done, err := s.store.load(ctx, db, name, label, h, func() (io.Reader, int64) { return bytes.NewReader(nil), 0 })
		var known *labelError
		if errors.As(err, &known) {
			done.txn, err = known.txn, nil
		}
		if err == nil && done.txn > 0 {
			err = s.store.decide(ctx, db, "abort", done.txn)
		}
		return !hint.IsTransient(err), err
	})
}
