package files

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/kept"
)

// firstGeneration is that of a table that is made.
const firstGeneration = "g1"

// newGeneration is the folder of one that takes another's place. It bears the run's name:
// of two that are at it at a time, each has its own.
func (s *Sink) newGeneration(was string) string {
	number, _, _ := strings.Cut(strings.TrimPrefix(was, "g"), "-")
	n, _ := strconv.Atoi(number) // "" is 0
	return fmt.Sprintf("g%d-%s", n+1, s.run[:6])
}

// Commit publishes what is staged.
func (w *Writer) Commit(ctx context.Context, pos batch.Position) error {
	err := w.gate.Err()
	if err == nil {
		err = ctx.Err()
	}
	if err == nil {
		err = w.settle(ctx)
	}
	if err == nil {
		if err = w.stageAll(ctx); err != nil {
			_ = w.gate.Fail(err)
		}
	}
	if err == nil {
		err = w.commit(ctx, pos)
	}
	if err != nil {
		return w.named("commit to", err)
	}
	return nil
}

// stageAll ends all files, those of changes by key among them.
func (w *Writer) stageAll(ctx context.Context) error {
	if err := w.finishAll(ctx); err != nil {
		return err
	}
	for turn := range maxTurns {
		err := w.applyAll(ctx)
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		// By who has written that file anew, and has said so or is about to.
		number := w.known.Number
		switch refused := w.overtaken(ctx); {
		case w.known.Number == number:
			if turn == maxLooks {
				return lost(err)
			}
		case refused != nil:
			return refused
		case w.fold != nil && !w.fold.applied && !w.fold.undo(ctx):
			return errAgain
		}
	}
	return errAgain
}

// applyAll takes rows of earlier commits out that changes have superseded, or that are cleared.
func (w *Writer) applyAll(ctx context.Context) error {
	if w.fold != nil && !w.fold.applied {
		if err := w.fold.apply(ctx); err != nil {
			return err
		}
	}
	return w.clearCommitted(ctx)
}

// maxLooks is how often a file that is not there is looked for once more.
const maxLooks = 5

// maxTurns is how often a commit lets those of others go first.
const maxTurns = 100

func (w *Writer) commit(ctx context.Context, pos batch.Position) error {
	w.mu.Lock()
	err := w.ready(ctx)
	w.mu.Unlock()
	if err != nil {
		return err
	}
	w.sink.opts.Step("rows written")
	for range maxTurns {
		e, err := w.entry(pos)
		if err != nil {
			return err
		}
		text, err := json.Marshal(e)
		if err != nil {
			return err
		}
		w.unsure = e
		w.sink.opts.Step("commit sent")
		err = w.sink.store.claim(ctx, w.at, e.Number, text)
		if err == nil {
			err = w.stale(ctx, e)
		}
		if errors.Is(err, errTaken) {
			w.unsure = nil
			if err = w.overtaken(ctx); err == nil {
				err = w.stageAll(ctx)
			}
			if err != nil {
				return err
			}
			continue
		}
		if errors.Is(err, fs.ErrNotExist) {
			// The stage is gone: it was claimed by an attempt whose reply was lost, or another
			// run has removed it.
			if err := w.settle(ctx); err != nil {
				return err
			}
			if w.known.ID == e.ID {
				return nil
			}
			_ = w.gate.Fail(errLost)
			return errLost
		}
		if err != nil {
			if found := w.settle(ctx); found == nil && w.known.ID == e.ID {
				return nil // the reply was lost, no more
			}
			return err
		}
		w.sink.opts.Step("commit landed")
		return w.landed(ctx, e)
	}
	return errAgain
}

var errAgain = hint.Transient(errors.New("other runs have committed again and again meanwhile"))

// stale finds out, of a commit that was just made, whether it is one of a number that was
// given long ago and has been forgotten: the run has slept for long then.
func (w *Writer) stale(ctx context.Context, e *entry) error {
	n, err := w.sink.lastNumber(ctx, w.dir)
	if err != nil || n <= e.Number {
		return err
	}
	last, err := w.sink.last(ctx, w.dir)
	if err != nil || last.knows(e.ID) {
		return err
	}
	if err := w.sink.store.forget(ctx, w.dir, e.Number); err != nil {
		return err
	}
	return errTaken
}

// entry says what the next commit is.
func (w *Writer) entry(pos batch.Position) (*entry, error) {
	known := w.known
	if w.merge != nil {
		merged, err := w.merge(known.Position, w.mark, pos)
		if err != nil {
			_ = w.gate.Fail(err)
			return nil, err
		}
		pos = merged
	}
	now := w.sink.clock()
	e := &entry{manifest: manifest{head: head{
		ID: kept.NewID(w.mode == writer.Replace && w.replaces, w.once), Committed: now.UTC(), Position: pos, Tag: w.tag,
		Table:      kept.Table{Source: w.src.String(), Shape: w.src.Shape(), Filter: w.src.Filter, Columns: w.columns},
		Generation: w.gen, Location: w.sink.store.url(path.Join(w.dir, w.gen)),
		Format: w.format, Compression: w.compression, Header: w.header, Partition: w.partition,
	}}}
	for _, l := range w.levels {
		e.Folders = append(e.Folders, l.name)
	}
	replaced := w.replaces || w.emptied || w.fresh
	if !replaced {
		if e.RowsAdded = known.RowsAdded; w.adds && len(w.staged) > 0 && known.Number > 0 {
			e.RowsAdded = string(w.mode)
		}
	}
	switch {
	case len(w.staged) > 0:
		e.Open = timeFolder(w.levels, w.began)
	case known.Open != "" && known.Open == timeFolder(w.levels, now):
		e.Open = known.Open
	}
	added, removed := w.clearing.exchanged(w.staged, w.removed, replaced)
	e.follow(known, added, removed, replaced)
	return e, nil
}

// overtaken is called when another run has committed first.
func (w *Writer) overtaken(ctx context.Context) error {
	m, err := w.sink.load(ctx, w.dir)
	if err != nil {
		return err
	}
	was := w.known
	w.known = m
	if m.Number == was.Number {
		return nil // whatever has made it look so
	}
	if m.Number == 0 {
		err := hint.Wrap(errors.New("the table's folder was removed while it was written"), "run the same command again")
		_ = w.gate.Fail(err)
		return err
	}
	switch {
	case w.supersedes:
		return nil
	case w.merge == nil:
		err = kept.Fenced(m.ID, "name another folder for the other one by ?namespace=…")
	case m.Generation != w.gen && m.Rows+was.Rows > 0 || m.Format != w.format || m.Partition != w.partition || !slices.Equal(m.Columns, w.columns), w.once && m.Shape != was.Shape:
		err = hint.Transient(hint.Wrap(fmt.Errorf("%w: with other rows, or another shape", writer.ErrFenced), "run the same command again"))
	case !m.has(w.removed) && !w.fold.undo(ctx):
		err = hint.Transient(fmt.Errorf("%w: and written files anew that this one has written anew", writer.ErrFenced))
	case w.once && !w.fold.afresh(ctx):
		err = hint.Transient(hint.Wrap(fmt.Errorf("%w: and may have had changes of the same rows, which are too many to be looked for again", writer.ErrFenced),
			"run the same command again, with more --memory, or for a smaller part"))
	case was.Number == 0 || was.Rows == 0:
		w.fresh = false // what the others have written stays
	}
	if err != nil {
		_ = w.gate.Fail(err)
	}
	return err
}

// settle finds out what has become of a commit whose outcome is not known.
func (w *Writer) settle(ctx context.Context) error {
	w.settling.Lock()
	defer w.settling.Unlock()
	e := w.unsure
	if e == nil {
		return nil
	}
	m, err := w.sink.load(ctx, w.dir)
	if err != nil {
		return err
	}
	switch {
	case m.knows(e.ID):
		w.committed(e, w.behind(e, m))
	case m.Number != w.known.Number:
		w.unsure = nil
		return w.overtaken(ctx)
	default:
		w.unsure = nil
	}
	return nil
}

// landed shows what was committed.
func (w *Writer) landed(ctx context.Context, e *entry) error {
	m := e.manifest
	err := w.sink.publish(ctx, w.dir, e)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, errFurther) {
		m, err = w.sink.load(ctx, w.dir) // and shows the later one
	}
	if err != nil {
		return err // the commit stands: whoever looks next goes on with this
	}
	w.committed(e, w.behind(e, m))
	return nil
}

// behind is what a commit is known to have left, of a table that holds m since. Where nobody
// else may commit, the next commit follows this one, and not others.
func (w *Writer) behind(e *entry, m manifest) manifest {
	if w.merge == nil {
		return e.manifest
	}
	return m
}

// committed readies the writer for the next commit.
func (w *Writer) committed(e *entry, m manifest) {
	w.sink.letGo(w.at)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, f := range e.Added {
		w.written.files.Add(1)
		w.written.bytes.Add(f.Bytes)
	}
	// What others have committed since is not what this commit has left: merge is to find it out.
	w.known, w.mark, w.gen = m, e.Position, m.Generation
	w.at, w.staged, w.removed, w.began, w.tag, w.unsure, w.files = stage{}, nil, nil, time.Time{}, "", nil, 0
	w.fresh, w.replaces, w.supersedes, w.emptied = false, false, false, false
	w.clearing = clearing{}
	w.dropFold()
}

// removeStaged removes files that were staged and are not wanted any more. What cannot be
// removed goes with the stage.
func (w *Writer) removeStaged(ctx context.Context, files []file) {
	for _, f := range files {
		_ = w.sink.store.unstage(ctx, w.at, f.Path, f.Token)
	}
}
