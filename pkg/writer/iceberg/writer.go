package iceberg

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"
	"sync"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
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
	commitProperty   = "tablehaul.commit-id"
)

// A Writer stages and commits one table.
type Writer struct {
	sink    *Sink
	src     *schema.Table
	ident   table.Identifier
	mode    writer.Mode
	replace bool            // the next commit exchanges the content
	want    *iceberg.Schema // what a new table would look like

	// What is known of the table, from the last look at the catalog.
	exists   bool
	ours     bool // made by us in the catalog before its first commit, because the catalog alone knows where tables go
	uuid     uuid.UUID
	pos      batch.Position // the one that the next commit follows
	schema   *iceberg.Schema
	location string
	props    iceberg.Properties
	st       *storage // nil until the location is known

	mu      sync.Mutex
	run     string // prefix of file names; "" until something is staged
	files   int    // names given out
	record  *stagingRecord
	idle    []*dataFile
	closing sync.WaitGroup // files being made durable
	staged  []stagedData
	failed  error // of a file that was lost; nothing can be committed any more

	attempts []attempt // commits whose outcome is not known
	stale    bool      // the catalog has to be asked for the position
}

// stagedData is a finished data file.
type stagedData struct {
	df       iceberg.DataFile
	location string
}

var _ writer.Writer = (*Writer)(nil)

func (w *Writer) name() string { return strings.Join(w.ident, ".") }

// plan readies the writer for a table that does not exist yet.
func (w *Writer) plan(ctx context.Context) error {
	w.exists, w.pos, w.schema = false, "", w.want
	w.props = newTableProperties(w.src)
	ns := catalog.NamespaceFromIdent(w.ident)
	w.sink.mu.Lock()
	home := w.sink.homes[strings.Join(ns, "\x00")]
	w.sink.mu.Unlock()
	if home == "" {
		return nil // the catalog tells at the first Write
	}
	w.location = home + "/" + folderName(catalog.TableNameFromIdent(w.ident))
	var err error
	w.st, err = w.sink.storageAt(ctx, w.location)
	return err
}

func newTableProperties(t *schema.Table) iceberg.Properties {
	p := iceberg.Properties{
		sourceProperty: t.String(),
		// iceberg-go's default, copy on write, brings rows back that equality
		// deletes have removed (iceberg-go#2042).
		"write.delete.mode": "merge-on-read",
		// Its default, serializable, takes any concurrent append for a conflict.
		"write.delete.isolation-level": "snapshot",
	}
	if t.Comment != "" {
		p["comment"] = t.Comment
	}
	return p
}

// adopt takes over what the catalog says of an existing table and checks that
// the mode allows to write to it.
func (w *Writer) adopt(ctx context.Context, tbl *table.Table) error {
	w.note(tbl)
	if w.mode == writer.Create && w.pos != "" {
		if src := w.props[sourceProperty]; src != "" && src != w.src.String() {
			err := fmt.Errorf("%s exists and was made from %s", w.name(), src)
			return w.tableError(hint.Wrap(err, "name another namespace for one of them in the sink's URL"))
		}
	} else if err := w.fits(tbl); err != nil {
		return err
	}
	if w.sink.kind == embedded {
		if err := w.sink.syncHint(ctx, w.ident, w.location); err != nil {
			return err
		}
	}
	if w.st != nil {
		return nil
	}
	if !w.sink.rest {
		var err error
		w.st, err = w.sink.storageAt(ctx, w.location)
		return err
	}
	f, err := tbl.FS(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	w.st, err = storageOf(f)
	return err
}

// note remembers the state of the table.
func (w *Writer) note(tbl *table.Table) {
	w.exists, w.uuid = true, tbl.Metadata().TableUUID()
	w.props, w.location = tbl.Properties(), tbl.Location()
	w.pos = batch.Position(w.props[positionProperty])
	w.schema = tbl.Schema()
	w.stale = false
}

// fits checks that rows of the source can be put into an existing table.
func (w *Writer) fits(tbl *table.Table) error {
	if w.mode == writer.Create && tbl.CurrentSnapshot() != nil {
		return w.tableError(hint.Wrap(fmt.Errorf("table %s exists", w.name()),
			"add to it with --mode append, or exchange its content with --mode replace"))
	}
	if diff := shapeDiff(tbl.Schema(), w.want); diff != "" {
		return w.tableError(hint.Wrap(fmt.Errorf("table %s has another shape:\n%s", w.name(), diff),
			"drop the table, or bring it to the source's shape first"))
	}
	if spec := tbl.Spec(); !spec.IsUnpartitioned() {
		return w.tableError(hint.Wrap(fmt.Errorf("table %s is partitioned, which is not supported", w.name()),
			"drop the table, or write to another namespace"))
	}
	if v := tbl.Metadata().Version(); v > formatVersion {
		return w.tableError(fmt.Errorf("table %s is of format version %d, which is not supported", w.name(), v))
	}
	return nil
}

func (w *Writer) tableError(err error) error {
	return &schema.TableError{Table: w.src.String(), Err: err}
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

// Write stages the rows in a file that no other Write is busy with. Batches of
// one origin stay together as far as possible.
func (w *Writer) Write(ctx context.Context, b *batch.Batch) error {
	for _, op := range b.Ops {
		if op != batch.Insert {
			return w.tableError(errors.New("the Iceberg sink takes inserts only so far"))
		}
	}
	if got, want := int(b.Rows.NumCols()), len(w.src.Columns); got != want {
		return w.tableError(fmt.Errorf("batch has %d columns, the table has %d", got, want))
	}
	f, err := w.take(w.sink.shared(ctx), b.Origin)
	if err == nil {
		err = f.write(b)
		w.give(f, err)
	}
	if err != nil {
		return advise(fmt.Errorf("write %s: %w", w.name(), err))
	}
	return nil
}

// take returns a file for rows of the origin.
func (w *Writer) take(ctx context.Context, origin int) (*dataFile, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed != nil {
		return nil, w.failed
	}
	if n := len(w.idle); n > 0 {
		pick := n - 1
		for i, f := range w.idle {
			if f.origin == origin {
				pick = i
			}
		}
		f := w.idle[pick]
		w.idle = append(w.idle[:pick], w.idle[pick+1:]...)
		f.origin = origin
		return f, nil
	}
	if err := w.begin(ctx); err != nil {
		return nil, err
	}
	f, err := w.newFile(ctx)
	if err != nil {
		return nil, err
	}
	f.origin = origin
	return f, nil
}

// give takes a file back; one that is full ends here, one that failed is lost
// with all its rows, and with it everything that is staged.
func (w *Writer) give(f *dataFile, err error) {
	full := err == nil && f.size() >= w.sink.opts.TargetFileSize
	if full {
		err = w.finish(f)
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

// finish ends a file and makes it durable in the background.
func (w *Writer) finish(f *dataFile) error {
	df, err := f.finish()
	if err != nil {
		return err
	}
	w.closing.Go(func() {
		err := f.out.Close()
		w.mu.Lock()
		defer w.mu.Unlock()
		if err != nil {
			w.failed = err
			return
		}
		w.staged = append(w.staged, stagedData{df, f.location})
	})
	return nil
}

// finishAll ends every open file and waits until all are durable.
func (w *Writer) finishAll() error {
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
			if err := w.finish(f); err != nil {
				f.abort()
				w.mu.Lock()
				w.failed = err
				w.mu.Unlock()
			}
		})
	}
	wg.Wait()
	w.closing.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.failed == nil && w.st != nil {
		w.failed = w.st.dirs.sync()
	}
	return w.failed
}

// Close abandons what is staged. Files whose commit may have landed stay: the
// next Open finds out.
func (w *Writer) Close() error {
	w.mu.Lock()
	idle := w.idle
	w.idle = nil
	w.mu.Unlock()
	for _, f := range idle {
		f.abort()
	}
	w.closing.Wait()
	if len(w.attempts) > 0 {
		return w.record.leave()
	}
	var errs []error
	for _, d := range w.staged {
		errs = append(errs, w.st.remove(d.location))
	}
	w.staged = nil
	errs = append(errs, w.endRun(), w.dropBare())
	return errors.Join(errs...)
}

// createBare creates the table, empty and without a position, because only the
// catalog knows where its files go. A run that dies leaves it so, and the next
// one goes on with it.
func (w *Writer) createBare(ctx context.Context) error {
	props := maps.Clone(w.props)
	props[table.PropertyFormatVersion] = strconv.Itoa(formatVersion)
	tbl, err := w.sink.cat.CreateTable(ctx, w.ident, w.want, catalog.WithProperties(props))
	if err != nil {
		return err
	}
	w.note(tbl)
	w.ours = true
	f, err := tbl.FS(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	w.st, err = storageOf(f)
	return err
}

// dropBare removes a table that createBare made and nothing was committed to.
func (w *Writer) dropBare() error {
	if !w.ours {
		return nil
	}
	w.ours = false
	ctx, cancel := context.WithTimeout(context.Background(), w.sink.retry.timeout)
	defer cancel()
	tbl, err := w.sink.cat.LoadTable(ctx, w.ident)
	if err != nil || tbl.Metadata().TableUUID() != w.uuid || tbl.CurrentSnapshot() != nil {
		return nil //nolint:nilerr // whatever is there now is not that table
	}
	return w.sink.cat.DropTable(ctx, w.ident)
}
