package iceberg

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// Properties of the tables we write. The position is also in the summary of the
// snapshot that brought it, for audit.
const (
	positionProperty = "tablehaul.position"
	sourceProperty   = "tablehaul.source" // db.table that a table was made for
	shapeProperty    = "tablehaul.shape"  // schema.Table.Shape as of the last commit
	filterProperty   = "tablehaul.filter" // schema.Table.Filter: only rows that meet it were copied
	addedProperty    = "tablehaul.added"  // the mode by which rows were added to those that the table had
	commitProperty   = "tablehaul.commit-id"
	tagProperty      = "tablehaul.tag" // Writer.Tag of the last commit
)

// A Writer stages and commits one table.
type Writer struct {
	sink    *Sink
	src     *schema.Table
	ident   table.Identifier
	mode    writer.Mode
	once    bool            // the run commits once, and goes on no further
	replace bool            // the next commit exchanges the content
	tends   bool            // it is a compaction's
	want    *iceberg.Schema // what a new table would look like

	// What is known of the table, from the last look at the catalog.
	exists   bool
	ours     bool // made by us in the catalog before its first commit, because the catalog alone knows where tables go
	unborn   bool // made so, by whatever run, and still without a commit
	uuid     uuid.UUID
	sequence int64           // the last one of the table, or less
	pos      batch.Position  // the one that the next commit follows
	last     string          // id of the commit that brought it
	schema   *iceberg.Schema // of the files that are written
	was      *oldShape       // if the next commit makes the table as it is said above
	layout   tableLayout
	location string
	props    iceberg.Properties
	st       *storage // nil until the location is known
	lease    *lease   // nil if the catalog does not grant access to it

	mu      sync.Mutex
	prefix  string // of file names, and the record's name; "" until something is staged
	files   int    // names given out
	record  *stagingRecord
	idle    []*dataFile
	closing sync.WaitGroup // files being made durable
	ending  map[stagedFile]bool
	staged  []stagedData
	failed  error            // of a file that was lost; nothing can be committed any more
	kept    *keptRun         // by a dead run, and neither taken over nor discarded yet
	keep    *keeping         // nil: what is staged goes with the process
	fold    *fold            // nil if the key cannot identify rows
	cleared int              // columns of the key that clearContent has
	casts   []arrow.DataType // by column of the batches: what it becomes, nil if it stays; nil if all do

	spreads     *spreads    // nil if stock goes to files as it comes
	partitioned tableLayout // as files are made by

	abandoned abandoned // files of the run that are to be removed

	merge    merge     // of positions; nil if the table is not shared
	told     bool      // a commit has told the source's shape
	tag      string    // of the next commit
	attempts []attempt // commits whose outcome is not known
	stale    bool      // the catalog has to be asked for the position
	written  tally     // by commits
}

// stagedData is a finished data file.
type stagedData struct {
	df       iceberg.DataFile
	location string
	content  content
	origins  []int // of a run that keeps
	noted    bool  // kept
}

var _ writer.Writer = (*Writer)(nil)

func (w *Writer) name() string { return strings.Join(w.ident, ".") }

func (w *Writer) tableError(err error) error {
	return &schema.TableError{Table: w.src.String(), Err: err}
}

// unloaded is the error of a table that the catalog does not tell of: the table's alone, if it has
// lost its files.
func (w *Writer) unloaded(err error) error {
	err = fmt.Errorf("load %s: %w", w.name(), err)
	if !lostFiles(err) || storeRemedy(err) != "" {
		return err
	}
	return w.tableError(hint.Wrap(err, fileGone+", or drop the table in the catalog to have it made anew; --exclude leaves it out"))
}

// Position returns the position that the table holds, or "". After a commit
// that was refused or whose outcome is unknown it asks the catalog.
func (w *Writer) Position(ctx context.Context) (batch.Position, error) {
	if w.stale {
		if _, err := w.look(w.sink.shared(ctx)); err != nil {
			return "", advise(err)
		}
	}
	return w.pos, nil
}

// Write stages the rows. Stock goes to a file that no other Write is busy with;
// batches of one origin stay together as far as possible. Changes are folded.
func (w *Writer) Write(ctx context.Context, b *batch.Batch) error {
	if b.Rows != nil && int(b.Rows.NumCols()) != len(w.src.Columns) {
		return w.tableError(fmt.Errorf("batch has %d columns, the table has %d", b.Rows.NumCols(), len(w.src.Columns)))
	}
	ctx = w.sink.shared(ctx)
	b, release, err := w.cast(ctx, b)
	defer release()
	switch {
	case err != nil:
	case b.Emptied || w.folds(b):
		err = w.change(ctx, b)
	case b.Rows != nil && b.Rows.NumRows() > 0:
		err = w.append(ctx, b)
	}
	if err != nil {
		return advise(fmt.Errorf("write %s: %w", w.name(), err))
	}
	return nil
}

// append adds the rows to a file.
func (w *Writer) append(ctx context.Context, b *batch.Batch) error {
	if w.spreads != nil {
		return w.spreads.of(b.Origin).write(ctx, b)
	}
	f, err := w.take(ctx, b.Origin)
	if err == nil {
		err = f.write(ctx, b)
		w.give(ctx, f, err)
	}
	return err
}

// take returns a file for rows of the origin.
func (w *Writer) take(ctx context.Context, origin int) (*dataFile, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed != nil {
		return nil, w.failed
	}
	if pick := w.pick(origin); pick >= 0 {
		f := w.idle[pick]
		w.idle = append(w.idle[:pick], w.idle[pick+1:]...)
		w.joins(f, origin)
		return f, nil
	}
	if err := w.begin(ctx); err != nil {
		return nil, err
	}
	f, err := w.newFile(ctx, stockContent)
	if err != nil {
		return nil, err
	}
	w.joins(f, origin)
	return f, nil
}

// pick returns which of the idle files rows of an origin go to, or −1: that which
// has some of it already, or one that is not in the midst of another that is kept.
func (w *Writer) pick(origin int) int {
	pick := -1
	for i, f := range w.idle {
		if f.origin == origin {
			return i
		}
		if w.keep == nil || w.keep.origin(f.origin).whole {
			pick = i
		}
	}
	return pick
}

// give takes a file back; one that is full ends here, one that failed is lost
// with all its rows, and with it everything that is staged.
func (w *Writer) give(ctx context.Context, f *dataFile, err error) {
	full := err == nil && w.full(f)
	if full {
		err = w.finish(ctx, f)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case err != nil:
		f.abort()
		w.failed = err
	case !full:
		w.idle = append(w.idle, f)
	}
}

// finish ends a file and makes it durable in the background, once so few others of the
// sink are that it may: they hold memory until then. Those wait for nothing but the
// store, so the caller may hold what it likes, but for w.mu.
func (w *Writer) finish(ctx context.Context, f *dataFile) error {
	df, err := f.finish()
	if err != nil {
		return err
	}
	select {
	case w.sink.uploads <- struct{}{}: // also when the run ends: what is whole may be kept
	default:
		select {
		case w.sink.uploads <- struct{}{}:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	w.mu.Lock()
	if w.ending == nil {
		w.ending = make(map[stagedFile]bool)
	}
	w.ending[f.out] = true
	w.keep.ends(f)
	w.mu.Unlock()
	w.closing.Go(func() {
		err := f.out.Close()
		<-w.sink.uploads
		more := false
		w.mu.Lock()
		delete(w.ending, f.out)
		if err == nil {
			w.staged = append(w.staged, stagedData{df: df, location: f.location, content: f.content, origins: f.origins})
			more = w.keep.durable(f.origins)
		}
		w.mu.Unlock()
		if err != nil {
			f.giveUp() // nothing names the file, so nobody else removes it
		} else if more {
			err = w.noteWhole()
		}
		if err != nil {
			w.fail(err)
		}
	})
	return nil
}

// interrupt makes files that are being made durable fail.
func (w *Writer) interrupt() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for f := range w.ending {
		f.Interrupt()
	}
}

// finishAll ends every open file and waits until all are durable.
func (w *Writer) finishAll(ctx context.Context) error {
	defer context.AfterFunc(ctx, w.interrupt)()
	w.mu.Lock()
	idle := w.idle
	w.idle = nil
	w.mu.Unlock()
	limit := make(chan struct{}, w.sink.opts.Parallel)
	var wg sync.WaitGroup
	for _, f := range idle {
		wg.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			if err := w.finish(ctx, f); err != nil {
				f.abort()
				w.fail(err)
			}
		})
	}
	wg.Wait()
	err := w.spreads.endAll(ctx)
	if err == nil {
		err = w.finishFold(ctx)
	}
	w.sink.step("rows written")
	w.closing.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed == nil {
		w.failed = err
	}
	if w.failed == nil && w.st != nil {
		w.failed = w.st.dirs.sync()
	}
	return w.failed
}

// closeTime is how long Close waits for files that are to be kept.
const closeTime = 5 * time.Second

// Close abandons what is staged, but for stock that is kept. Files whose commit may
// have landed stay: the next Open finds out.
func (w *Writer) Close() error {
	w.mu.Lock()
	idle := w.idle
	w.idle = nil
	w.mu.Unlock()
	abortAll(idle)
	w.spreads.dropAll()
	w.dropFold()
	if w.keep == nil {
		w.interrupt()
	}
	// What is about to be kept gets a moment more.
	late := time.AfterFunc(closeTime, w.interrupt)
	w.closing.Wait()
	late.Stop()
	if len(w.attempts) > 0 {
		return w.record.leave()
	}
	if w.record.alive() != nil {
		// What this run has kept may be another's by now, and in a snapshot before long.
		return w.record.leave()
	}
	w.leaveBare()
	if w.kept != nil {
		w.kept.run.release()
		w.kept = nil
	}
	if w.prefix != "" && w.keep.keeps() {
		return w.leave()
	}
	w.abandonStaged(true)
	return w.endRun()
}
