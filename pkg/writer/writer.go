// Package writer defines what a sink must offer.
package writer

import (
	"context"
	"errors"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A Mode says what a run may find at the destination and what becomes of it.
type Mode string

// The modes. All but Follow are a snapshot's.
const (
	// Create wants no table, or one that an earlier run of this program made:
	// it then holds a position, and what is whole is left alone.
	Create Mode = "create"
	// Append adds to a table of the same shape, or creates it. It cannot know
	// what an earlier run has added: a run repeated adds again.
	Append Mode = "append"
	// Evolve is Append to a table whose shape may be another: the commit also
	// brings the table into one that takes the rows in beside those that are
	// there, as far as the destination can do that without writing them anew.
	// Columns that the source has no longer stay, and hold nothing.
	Evolve Mode = "evolve"
	// Replace exchanges the content for the new one in the commit, and the shape
	// with it where that is another; readers see the old content in its old shape
	// until then.
	Replace Mode = "replace"
	// Follow is for changes: it wants no table, or one that holds a position, is of
	// the same shape, and to whose rows Append and Evolve have added none: these may
	// be there twice, and changes from before are not in the others.
	Follow Mode = "follow"
	// Extend is Follow to a table whose shape may be another, as Evolve is Append to
	// such a one: the first commit brings it into one that takes the rows in.
	Extend Mode = "extend"
	// Amend is Extend for a run that commits once, and goes on no further: a commit that it has come
	// before is refused with an error that is hint.Transient.
	Amend Mode = "amend"
)

// Once takes Amend apart: a Mode of the others, and whether the run goes on no further.
func (m Mode) Once() (Mode, bool) {
	if m == Amend {
		return Extend, true
	}
	return m, false
}

// ErrFenced says that another run has committed to the table since this writer
// last knew its position. Nothing was committed.
var ErrFenced = errors.New("another run has committed to the table")

// ErrUnlike is what an error of Open is, besides what it says, if nothing but the table's shape
// keeps the rows out: Replace would have them.
var ErrUnlike = errors.New("the table has another shape")

// Unlike makes an error ErrUnlike too. nil stays nil.
func Unlike(err error) error {
	if err == nil {
		return nil
	}
	return &unlike{err}
}

type unlike struct{ error }

func (u *unlike) Unwrap() error        { return u.error }
func (u *unlike) Is(target error) bool { return target == ErrUnlike }

// A Sink is an opened destination system. Open may be called concurrently.
// Contexts hold for their call only, here and in all other methods.
type Sink interface {
	// Open readies the destination of t and discards what an earlier run staged
	// there but did not commit. Nothing becomes visible before the first Commit.
	Open(ctx context.Context, t *schema.Table, mode Mode) (Writer, error)
	Close() error
}

// A Writer stages batches of one table and publishes them atomically.
type Writer interface {
	// Position returns the position of the last commit, or "".
	Position(ctx context.Context) (batch.Position, error)
	// Write stages b without making it visible. It does not keep b: the caller
	// releases it. Batches of stock, which have no Ops, may be written
	// concurrently. Batches with Ops, or Emptied, arrive one at a time, in order,
	// and after the stock of the same Commit, to whose rows they apply as to
	// those committed before. Tables without a key get no Ops.
	Write(ctx context.Context, b *batch.Batch) error
	// Commit publishes everything staged together with pos, or nothing. With
	// nothing staged it records pos alone, but that a writer's first Commit in
	// Replace mode empties the table. A repeat after an unknown outcome, or after
	// a refusal because of its context, is safe. That the table holds pos proves
	// no earlier Commit: a source that stands still gives the same one again.
	// Commit is refused with ErrFenced if another run has committed meanwhile, and
	// then for good: what is staged does not follow what the other has committed.
	// Only Position and Close are of use after it. The first Commit in Replace mode
	// is not: it takes the place of what others have committed to a table that was
	// there when it was opened, and it is these others that are fenced.
	// No Write runs at the same time.
	Commit(ctx context.Context, pos batch.Position) error
	// Close abandons what is staged.
	Close() error
}

// A Committer is a Sink that can commit several tables in one step.
type Committer interface {
	// CommitAll is Writer.Commit for all the writers, which are of this Sink: all
	// of them publish what is staged, each together with pos, or none does. It
	// fails with errors.ErrUnsupported, and has done nothing, where what is behind
	// the Sink cannot do so.
	CommitAll(ctx context.Context, ws []Writer, pos batch.Position) error
}

// A Grouper is a Sink some of whose Writers can be committed together only, as their rows are
// staged together.
type Grouper interface {
	// Groups parts Writers that were opened for changes into those that each stand for
	// themselves, by their indexes: a group is committed by CommitAll, a Writer that is one by
	// itself by its own Commit.
	Groups(ws []Writer) [][]int
}

// A Forker is a Sink that commits tables together which stand for themselves before it.
type Forker interface {
	// Fork returns a Sink of the same destination for another run at the same time, whose
	// tables are committed apart from those of this one.
	Fork() Sink
}

// A Sharer is a Writer of a table to which several runs commit at a time, each of them
// the changes of another part of the log: no two have changes of the same row.
type Sharer interface {
	// Share comes before the first Commit. From then on merge is asked at every Commit what
	// the table is to hold: held is what it holds, known what this Writer's last look at it
	// or last Commit has left, and next what is to be committed, which may be the position
	// of its own part of the log alone. That held and known differ is no reason to refuse
	// the Commit. An error of merge is: ErrFenced, where another run has had changes that
	// are staged here. Merge may be called more than once for a Commit. Position returns
	// what was merged. A batch that is Emptied takes away the rows of all runs, those too
	// that others have committed meanwhile, be they from before or behind it: the caller
	// sees to it that the others have committed all from before, and wait for its Commit.
	Share(merge func(held, known, next batch.Position) (batch.Position, error))
}

// A Clearer is a Writer that can exchange some of the table's rows.
type Clearer interface {
	// Clear has the next Commit take those rows away that the table holds whose key begins with
	// these texts. What is written from then on stays. It comes before anything is staged. Rows
	// that others commit meanwhile are not among them: whoever knows of such has merge refuse the
	// Commit. A Writer of which it has failed is to be closed.
	Clear(ctx context.Context, key ...string) error
}

// A Lister is a Sink that knows which tables hold a position.
type Lister interface {
	// List returns them, sorted by name.
	List(ctx context.Context) ([]Held, error)
}

// A Held is a table that holds a position.
type Held struct {
	Name      string // the table's name at the sink, with its namespace
	Source    string // the source's table, as schema.Table.String; "" if not known
	Position  batch.Position
	Shape     string    // schema.Table.Shape as of the last commit; "" if not known
	Committed time.Time // when it was committed
	Rows      int64     // as the sink counts them, deleted ones included; -1 if it does not
	DDL       string    // by which readers that need one declare the table; "" if none do
	// Merged says that others are in the same table, whose Rows are those of all.
	Merged bool
}

// A Counter is a Writer that tells how much it has written.
type Counter interface {
	// Written returns the files that this writer's commits have made part of the
	// table, and their bytes. Files of metadata do not count, nor does what an
	// earlier writer has committed. Where there are no files, the bytes are those of
	// messages, before they are compressed.
	Written() (files, bytes int64)
}

// A Keeper is a Writer whose stock can outlast its process, however that ends: the
// Writer that is opened on the table next takes over what was kept, instead of
// having it read again.
type Keeper interface {
	// Kept tells what an earlier run has kept of the table. It is zero where there
	// is nothing, or where it does not fit what the table is to be now.
	Kept() Kept
	// Keep comes before the first Write, with a note of the caller's, and has stock
	// kept from then on. If the note is that of Kept, what was kept counts as
	// written; else it is discarded. With "" it, and all that is staged, is
	// discarded, and nothing is kept any more.
	Keep(ctx context.Context, note string) error
	// Whole says that every batch of an Origin has been written: what is whole and
	// durable is kept. It may be called while others write.
	Whole(ctx context.Context, origin int) error
	// Tag has the Writer's next Commit say what it is of.
	Tag(tag string)
	// Tagged returns what the last Commit to the table, of whichever Writer, has said
	// so; "" if nothing.
	Tagged() string
}

// Kept is what a Keeper has kept.
type Kept struct {
	Note    string
	Origins []int // that are whole, ascending
	Rows    int64 // of these
	Bytes   int64 // as the sink stores them
}
