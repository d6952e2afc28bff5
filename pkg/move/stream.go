package move

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A streamRun is a run under way that follows a log, of whatever kind.
type streamRun struct {
	sink   writer.Sink
	opts   TailOptions
	tables []*schema.Table
	failed map[string]error // tables that were left behind, by name

	attempt  func(context.Context) error
	headroom func(context.Context, batch.Position) (reader.Headroom, error)
	// copyAnew, if set, has a table copied anew that can be followed then.
	copyAnew func(*schema.TableError)
	// bound, if set, tells which tables the run ends with, instead of leaving them behind.
	bound func(name string) bool

	// rival, if set, tells in which tables another run was ahead of the last commit.
	rival func(name string) bool

	aside    bool      // tables are copied beside the log, whose progress is another's
	followed bool      // the log was reached, or stock copied: from here on transient errors are worth waiting for
	going    bool      // tables held positions before the run: what stops one table must not stop them
	failing  time.Time // of the first error since anything was well; zero while it is
	broke    time.Time // of the last error
	furthest time.Time // the source's commit time where the log was left that has been read furthest
	allAt    time.Time // when all tables' positions were last brought up to date
}

// maxPause bounds the pause between two attempts after transient errors.
const maxPause = 30 * time.Second

// persist follows the log until the run is over, beginning anew after errors
// that may pass. All that an attempt has not committed is abandoned with it: the
// log is read again from what the sink holds, which is simpler than to mend a
// stream that broke in the middle of a transaction, and always right.
func (r *streamRun) persist(ctx context.Context) error {
	wait := r.opts.RetryPause
	for {
		err := r.attempt(ctx)
		if ctx.Err() != nil || err == nil {
			return err
		}
		if r.leave(err) {
			if len(r.failed) == len(r.tables) && r.bound == nil {
				return nil // outcome tells what they died of
			}
			continue
		}
		if !r.followed || r.opts.RetryTime < 0 || !hint.IsTransient(err) {
			return err
		}
		r.broke = time.Now()
		if r.failing.IsZero() {
			r.failing, wait = r.broke, r.opts.RetryPause
		}
		if d := time.Since(r.failing); d > r.opts.RetryTime {
			return fmt.Errorf("nothing committed for %s: %w", d.Round(time.Second), err)
		}
		if r.rival = rivalOf(err); r.rival != nil {
			wait = r.opts.RetryPause // whoever waits for long is overtaken again
		}
		pause := wait/2 + rand.N(wait)
		if o := (*overtaken)(nil); errors.As(err, &o) {
			pause = 0 // nothing is broken, and the others' changes come all the time
		}
		r.retrying(err, pause)
		if err := sleep(ctx, pause); err != nil {
			return err
		}
		wait = min(2*wait, maxPause)
	}
}

// retrying tells of an error that is met by trying again.
func (r *streamRun) retrying(err error, pause time.Duration) {
	if r.aside {
		r.opts.Warn(fmt.Sprintf("copying tables while the others go on: %v; trying again", err))
		return
	}
	r.opts.Progress.Retrying(err, pause)
}

// replace notes a table among those of the run.
func (r *streamRun) replace(t *schema.Table) {
	for i, o := range r.tables {
		if o.String() == t.String() {
			r.tables[i] = t
			return
		}
	}
	r.tables = append(r.tables, t)
}

// well notes that what has failed is mended.
func (r *streamRun) well() {
	r.failing = time.Time{}
	r.opts.Progress.Recovered()
}

// leave marks the tables that an error is about, if it is about tables alone.
// Before the log was ever reached, such an error ends the first run: whoever has
// just typed the command wants to hear of it. One that goes on what others have
// begun must not leave all tables standing for the sake of one.
func (r *streamRun) leave(err error) bool {
	if errors.Is(err, writer.ErrFenced) {
		return false
	}
	left := false
	for _, te := range tableErrors(err) {
		anew := te.Anew && r.copyAnew != nil
		if r.failed[te.Table] != nil || !anew && !r.followed && !r.going {
			continue
		}
		if r.bound != nil && r.bound(te.Table) {
			return false
		}
		left = true
		if anew {
			r.copyAnew(te)
			continue
		}
		r.leaveTable(te.Table, te)
	}
	return left
}

// leaveTable leaves a table behind.
func (r *streamRun) leaveTable(name string, err error) {
	r.failed[name] = err
	r.opts.Progress.Table(name).Failed(err)
	msg := err.Error()
	if h := hint.Of(err); h != "" {
		msg += " (" + h + ")"
	}
	r.opts.Warn("left behind, the others go on: " + msg)
}

// tableErrors collects the table errors within err.
func tableErrors(err error) []*schema.TableError {
	if te, ok := err.(*schema.TableError); ok { //nolint:errorlint // the tree is walked here
		return []*schema.TableError{te}
	}
	switch u := err.(type) { //nolint:errorlint // as said
	case interface{ Unwrap() error }:
		return tableErrors(u.Unwrap())
	case interface{ Unwrap() []error }:
		var all []*schema.TableError
		for _, e := range u.Unwrap() {
			all = append(all, tableErrors(e)...)
		}
		return all
	}
	return nil
}

// outcome adds what tables were left behind for.
func (r *streamRun) outcome(ctx context.Context, err error) error {
	if len(r.failed) == 0 || ctx.Err() != nil {
		return err
	}
	errs := []error{err}
	for _, name := range slices.Sorted(maps.Keys(r.failed)) {
		errs = append(errs, r.failed[name])
	}
	all := errors.Join(errs...)
	if err != nil || len(r.failed) == len(r.tables) && r.bound == nil {
		return all // the run could not go on
	}
	names := maps.Clone(r.failed)
	for _, t := range r.tables {
		names[t.String()] = nil
	}
	return fmt.Errorf("%w: %d of %d tables were left behind: %w", ErrIncomplete, len(r.failed), len(names), all)
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// isEOF tells the end that was asked for from a connection that broke off, which
// reports an io.EOF too, within its own words.
func isEOF(err error) bool { return err == io.EOF } //nolint:errorlint // as said
