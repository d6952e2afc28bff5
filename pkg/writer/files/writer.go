package files

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/kept"
)

// A Writer stages and commits one table.
type Writer struct {
	sink *Sink
	src  *schema.Table
	dir  string // of the table, in the store
	mode writer.Mode
	once bool // the run commits once, and goes on no further

	known      manifest // what the table holds, as of the last look or commit
	fresh      bool     // the next commit begins the table, or its content, anew
	replaces   bool     // the next commit exchanges the content
	supersedes bool     // and takes the place of what others have committed meanwhile
	adds       bool     // rows to others, which may be there already

	// What the files are.
	form
	partition string
	levels    []folderLevel
	from      []int            // of each column, its place in the batch; −1: there is none
	casts     []arrow.DataType // of each column that batches have in a narrower type

	mu     sync.Mutex
	at     stage // "" until something is staged
	began  time.Time
	parts  int
	files  int // begun for this commit
	idle   []*part
	staged []file
	gate   kept.Gate

	gen      string   // generation of what is staged
	emptied  bool     // the rows that the table has go with the next commit
	removed  []string // files that the next commit takes out, since they were written anew
	clearing clearing // rows that the next commit takes out
	fold     *fold    // changes by key since the last commit; nil if there are none
	folding  sync.Mutex
	settling sync.Mutex // held while it is found out what has become of a commit

	mark  batch.Position // that this writer has found or left last
	keyAt []int          // places of the key's columns

	merge   func(held, known, next batch.Position) (batch.Position, error)
	tag     string
	unsure  *entry // a commit of which it is not known whether it was made
	written struct{ files, bytes atomic.Int64 }
}

var (
	_ writer.Writer  = (*Writer)(nil)
	_ writer.Counter = (*Writer)(nil)
	_ writer.Sharer  = (*Writer)(nil)
)

// use takes over what files are like, and works out how batches become them.
func (w *Writer) use(format Format, compression string, header bool, partition string, columns []kept.Column) (err error) {
	w.partition = partition
	if w.form, err = formOf(format, compression, header, columns); err != nil {
		return err
	}
	if err := CheckForm(format, compression, header); err != nil {
		return err
	}
	if format == ParquetLegacy && w.follows() && len(w.src.Key) > 0 {
		remedy := "write its changes, without --latest, or its rows as parquet or tsv"
		if w.known.Number > 0 {
			remedy = fmt.Sprintf("snapshot --mode replace --format tsv --tables %s makes one of it that --latest can follow; or write its changes elsewhere, without --latest, by ?namespace=… in the sink's URL", w.src)
		}
		return hint.Wrap(errors.New("rows in parquet-legacy are not written anew, as --latest does"), "%s", remedy)
	}
	w.from = make([]int, len(columns))
	w.casts = make([]arrow.DataType, len(columns))
	for i, c := range columns {
		w.from[i] = w.src.Index(c.Name)
		if j := w.from[i]; j >= 0 && !arrow.TypeEqual(w.src.Columns[j].Arrow, w.types[i]) {
			w.casts[i] = w.types[i]
		}
	}
	w.keyAt = nil
	for _, k := range w.src.Key {
		w.keyAt = append(w.keyAt, slices.Index(w.from, k))
	}
	if w.levels, err = ParseFolders(partition); err != nil {
		return err
	}
	return bindFolders(w.levels, columns, w.types)
}

// Position returns the position of the table's last commit, or "".
func (w *Writer) Position(ctx context.Context) (batch.Position, error) {
	if w.gate.Err() != nil {
		if m, err := w.sink.load(ctx, w.dir); err == nil {
			w.known = m // which nothing more can be committed to
		}
		return w.known.Position, ctx.Err()
	}
	if err := w.settle(ctx); err != nil {
		return "", w.named("look at", err)
	}
	if w.merge != nil {
		return w.mark, nil
	}
	return w.known.Position, nil
}

// Written counts the files of this writer's commits.
func (w *Writer) Written() (files, bytes int64) {
	return w.written.files.Load(), w.written.bytes.Load()
}

// Share has commits of other runs go before or behind this one's: each is made of what the
// table holds then. With changes by key, a commit whose files another one has written anew
// is refused: who begins again finds them as they are.
func (w *Writer) Share(merge func(held, known, next batch.Position) (batch.Position, error)) {
	w.merge = merge
}

func (w *Writer) named(what string, err error) error {
	return fmt.Errorf("%s %s: %w", what, w.place(), err)
}

// Write stages the rows.
func (w *Writer) Write(ctx context.Context, b *batch.Batch) error {
	err := w.gate.Err()
	if err == nil {
		err = w.settle(ctx)
	}
	if err == nil {
		err = w.write(ctx, b)
	}
	if err != nil {
		return w.named("write to", err)
	}
	return nil
}

func (w *Writer) write(ctx context.Context, b *batch.Batch) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if b.Ops != nil && len(w.src.Key) == 0 {
		return &schema.TableError{Table: w.src.String(), Err: errors.New("changes of a table without a key")}
	}
	if b.Emptied {
		w.empty(ctx)
	}
	if b.Rows == nil || b.Rows.NumRows() == 0 {
		return nil
	}
	if int(b.Rows.NumCols()) != len(w.src.Columns) {
		return &schema.TableError{Table: w.src.String(), Err: fmt.Errorf("batch has %d columns, the table has %d", b.Rows.NumCols(), len(w.src.Columns))}
	}
	columns, release, err := w.shape(ctx, b.Rows.Columns(), int(b.Rows.NumRows()))
	if err != nil {
		return err
	}
	defer release()
	if b.Ops != nil || w.foldsAlready() || w.follows() && len(w.src.Key) > 0 && w.known.Number > 0 {
		err = w.change(ctx, columns, b.Ops, int(b.Rows.NumRows()))
	} else {
		err = w.add(ctx, columns, int(b.Rows.NumRows()))
	}
	if err != nil {
		_ = w.gate.Fail(err)
	}
	return err
}

// foldsAlready reports whether changes have come since the last commit.
func (w *Writer) foldsAlready() bool {
	w.folding.Lock()
	defer w.folding.Unlock()
	return w.fold != nil
}

// empty gives up what is staged: the table was emptied behind it.
func (w *Writer) empty(ctx context.Context) {
	w.mu.Lock()
	idle, staged := w.idle, w.staged
	w.idle, w.staged, w.removed, w.emptied = nil, nil, nil, true
	w.mu.Unlock()
	abortAll(idle)
	w.dropFold()
	w.dropCleared(ctx)
	w.removeStaged(ctx, staged)
}

// Close abandons what is staged.
func (w *Writer) Close() error {
	if !w.gate.Close() {
		return nil
	}
	w.mu.Lock()
	idle := w.idle
	w.idle = nil
	w.mu.Unlock()
	abortAll(idle)
	w.dropFold()
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	if err := w.settle(ctx); err != nil && w.unsure != nil {
		w.sink.letGo(w.at)
		return nil // the next run finds out
	}
	w.mu.Lock()
	at := w.at
	w.staged, w.at = nil, stage{}
	w.mu.Unlock()
	if at.name == "" {
		return nil
	}
	w.sink.letGo(at)
	if err := w.sink.store.discard(ctx, at); err != nil {
		w.sink.opts.Warn(fmt.Sprintf("%s: what is staged stays until the next run: %v", w.place(), err))
	}
	return nil
}

// closeTime is how long Close tries to remove what is staged.
const closeTime = 10 * time.Second

var errLost = hint.Transient(errors.New("another run has removed what this one had staged"))
