package doris

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// load returns what a table holds, and completes what a run that was stopped has committed and
// not published.
func (s *Sink) load(ctx context.Context, db, name string) (*state, error) {
	st, err := s.store.read(ctx, db, name)
	if err != nil || s.opts.Look || st.Shown {
		return st, err
	}
	err = s.publish(ctx, db, name, st)
	if err == nil {
		s.unmarked(db, name, st)
	}
	var lost *lostError
	if errors.As(err, &lost) {
		return s.takeBack(ctx, db, name, st, lost)
	}
	return st, err
}

// publish shows what a commit brings. It may be called again, and by several at a time.
func (s *Sink) publish(ctx context.Context, db, name string, st *state) error {
	if st.Staged != "" {
		return s.swap(ctx, db, name, st.Staged)
	}
	lost := &lostError{}
	for _, l := range st.Loads {
		err := s.commitLoad(ctx, db, l)
		switch {
		case errors.Is(err, errAborted), errors.Is(err, errGone):
			lost.err = errors.Join(lost.err, fmt.Errorf("load %s: %w", l.Label, err))
			lost.unknown = lost.unknown || errors.Is(err, errGone)
		case err != nil:
			return err
		default:
			lost.some = true
			if st.Layout.Partition != "" && len(st.Key) > 0 {
				// Of one partition a later load is seen behind an earlier one; of two it may be before, and
				// whoever then looks for rows, to take them out, would not find all.
				if err := s.store.seen(ctx, db, l.Label); err != nil {
					return err
				}
			}
		}
	}
	if lost.err != nil {
		return lost
	}
	return nil
}

// commitLoad commits a load that is precommitted, as often as it takes.
func (s *Sink) commitLoad(ctx context.Context, db string, l loaded) error {
	return s.store.patiently(ctx, func() (bool, error) {
		err := s.store.decide(ctx, db, "commit", l.Txn)
		return !hint.IsTransient(err), err
	})
}

// A lostError is that Doris has given up loads of a commit before they could be committed.
type lostError struct {
	err     error
	some    bool // others of the commit are visible
	unknown bool // they may be, but Doris does not know them any more
}

func (e *lostError) Error() string { return "what was committed is lost: " + e.err.Error() }
func (e *lostError) Unwrap() error { return e.err }

// takeBack has a table hold what it held before a commit whose loads are lost. Of a table with
// a key that is true whatever of the commit is there: all of it comes again, and takes the
// place of itself.
func (s *Sink) takeBack(ctx context.Context, db, name string, st *state, lost *lostError) (*state, error) {
	if st.Cleared && (lost.some || lost.unknown) {
		return nil, hint.Wrap(lost, "rows of one of its shards may be taken out that have not come again: copy it anew with snapshot --mode replace and the same routes")
	}
	if st.Before == nil || len(st.Key) == 0 && (lost.some || lost.unknown) {
		return nil, hint.Wrap(lost, "the table has no key, so rows may come twice or not at all if it goes on: copy it anew with snapshot --mode replace")
	}
	back := *st.Before
	back.ID, back.Committed = uuid.NewString(), time.Now().UTC()
	now := back
	now.follow(&state{Number: st.Number, Recent: withoutLast(st.Recent)})
	err := s.store.claim(ctx, db, name, &now)
	switch {
	case errors.Is(err, errTaken):
		return s.load(ctx, db, name)
	case err != nil:
		return nil, err
	}
	s.opts.Warn(fmt.Sprintf("%s.%s: commit %d was never seen by anybody and is taken back, as Doris has given up its loads; it goes on from where it was before (%v)", db, name, st.Number, lost.err))
	return &now, nil
}

func withoutLast(ids []string) []string {
	if len(ids) == 0 {
		return nil
	}
	return ids[:len(ids)-1]
}

// stagedTime is how long a front end may not know a staged table that is there.
const stagedTime = 30 * time.Second

// swap has a staged table take the name, and the place of the table that has it. That it has
// done so before is told by the mark in the table's comment.
func (s *Sink) swap(ctx context.Context, db, name, staged string) error {
	began := time.Now()
	return s.store.patiently(ctx, func() (bool, error) {
		_, there, err := s.store.comment(ctx, db, staged)
		if err != nil {
			return !hint.IsTransient(err), err
		}
		comment, old, err := s.store.comment(ctx, db, name)
		switch {
		case err != nil:
			return !hint.IsTransient(err), err
		case old && strings.HasSuffix(comment, "("+staged+")"):
			return true, nil
		case !there && time.Since(began) >= min(stagedTime, s.store.patience/2):
			return true, &lostError{err: fmt.Errorf("table %s, which was to take its place, is gone", staged)}
		case !there:
			return false, nil
		}
		statement := "ALTER TABLE " + quoted(db, staged) + " RENAME " + quoted(name)
		if old {
			statement = "ALTER TABLE " + quoted(db, name) + " REPLACE WITH TABLE " + quoted(staged) + " PROPERTIES ('swap' = 'false')"
		}
		if _, err = s.store.sql.run(ctx, statement); err == nil {
			return true, nil
		}
		passes := hint.IsTransient(err) || absent(err) || refusedWith(err, "already used", "already exists", "not NORMAL")
		return !passes, fmt.Errorf("put the table in its place: %w", err)
	})
}

// exists reports whether there is a table of that name.
func (s *Sink) exists(ctx context.Context, db, name string) (bool, error) {
	_, there, err := s.store.comment(ctx, db, name)
	return there, err
}
