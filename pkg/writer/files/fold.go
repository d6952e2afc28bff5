package files

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A fold gathers changes by key, of which the last one counts, until they are applied: the
// files that hold an older row of such a key are then written anew without it. Changes that
// take too much memory are applied earlier, to what is staged, of which nobody sees any.
type fold struct {
	w       *Writer
	keys    map[string]keyState
	batches [][]arrow.Array
	rows    []int // of each batch
	bytes   int64
	counted int64 // of that, in Sink.buffered
	scratch []byte

	applied bool   // and not yet committed
	base    []file // what was staged before that
	impure  bool   // more was applied than is in the fold, or what was staged was written anew
}

// A keyState is what has become of a key.
type keyState struct {
	batch, row int32 // of its row; −1 if it has none any more
	older      bool  // there may be a row of it in a file
}

// keyBytes is about what an entry of the map takes beside the key.
const keyBytes = 64

// change takes changes in; of Inserts alone if ops is nil.
func (w *Writer) change(ctx context.Context, columns []arrow.Array, ops []batch.Op, rows int) error {
	w.folding.Lock()
	defer w.folding.Unlock()
	w.writingTime() // which is that of the first change
	if w.fold == nil {
		if err := w.finishAll(ctx); err != nil { // of stock, which is to be looked through
			return err
		}
		w.fold = &fold{w: w, keys: map[string]keyState{}}
	}
	f := w.fold
	if f.applied { // for a commit that was not made
		f.reset()
		f.impure = true
	}
	kept, bytes, err := keep(columns, rows)
	if err != nil {
		return err
	}
	f.batches, f.rows = append(f.batches, kept), append(f.rows, rows)
	f.bytes += bytes
	n := int32(len(f.batches) - 1) //nolint:gosec // of few batches
	for row := range rows {
		op := batch.Insert
		if ops != nil {
			op = ops[row]
		}
		if f.scratch, err = w.appendKey(f.scratch[:0], kept, row); err != nil {
			return err
		}
		was, seen := f.keys[string(f.scratch)]
		is := keyState{n, int32(row), was.older || !seen && op != batch.Insert} //nolint:gosec // a row of a batch
		if op == batch.Before || op == batch.Delete {
			is.row = -1
		}
		if !seen {
			f.bytes += int64(len(f.scratch)) + keyBytes
		}
		f.keys[string(f.scratch)] = is
	}
	all := f.account()
	if most := w.sink.opts.Memory; f.bytes <= most/4 && (all <= most || f.bytes <= most/64) {
		return nil
	}
	if err := f.apply(ctx); errors.Is(err, fs.ErrNotExist) {
		return errors.Join(w.overtaken(ctx), errAgain)
	} else if err != nil {
		return err
	}
	f.reset()
	f.impure = true
	return nil
}

// keep returns columns with references of their own. Builders leave much room in the
// buffers of a small batch, so that one is copied.
func keep(columns []arrow.Array, rows int) ([]arrow.Array, int64, error) {
	kept := make([]arrow.Array, len(columns))
	var bytes int64
	for i, c := range columns {
		if rows >= 512 {
			c.Retain()
			kept[i] = c
		} else {
			var err error
			if kept[i], err = array.Concatenate([]arrow.Array{c}, memory.DefaultAllocator); err != nil {
				releaseAll(kept[:i])
				return nil, 0, err
			}
		}
		for _, b := range kept[i].Data().Buffers() {
			if b != nil {
				bytes += int64(b.Cap())
			}
		}
	}
	return kept, bytes, nil
}

func releaseAll(columns []arrow.Array) {
	for _, c := range columns {
		c.Release()
	}
}

// account counts what the fold holds back among what all files do, and returns the sum.
func (f *fold) account() int64 {
	d := f.bytes - f.counted
	f.counted = f.bytes
	return f.w.sink.buffered.Add(d)
}

// dropFold gives up changes that are not applied.
func (w *Writer) dropFold() {
	if w.fold != nil {
		w.fold.reset()
		w.fold = nil
	}
}

func (f *fold) reset() {
	for _, b := range f.batches {
		releaseAll(b)
	}
	clear(f.keys)
	f.batches, f.rows, f.bytes, f.applied, f.base = nil, nil, 0, false, nil
	f.account()
}

// undo takes back what apply has staged, so that it can be done anew with what the table
// holds now. It fails where not all of that is in the fold.
func (f *fold) undo(ctx context.Context) bool {
	if f == nil || f.impure {
		return false
	}
	w := f.w
	w.mu.Lock()
	staged, idle := w.staged, w.idle
	w.staged, w.idle = f.base, nil
	w.mu.Unlock()
	abortAll(idle)
	for _, s := range staged {
		if !slices.ContainsFunc(f.base, func(b file) bool { return b.Path == s.Path }) {
			w.removeStaged(ctx, []file{s})
		}
	}
	w.removed, f.applied = nil, false
	return true
}

// afresh has changes be applied to what others have committed meanwhile, who may have had some of the
// same rows. It fails where not all of them are in the fold any more.
func (f *fold) afresh(ctx context.Context) bool {
	return f == nil || !f.impure && (!f.applied || f.undo(ctx))
}

// apply writes the rows that are left, and anew the files in which they, or what was
// deleted, had older ones.
func (f *fold) apply(ctx context.Context) error {
	w := f.w
	if err := w.finishAll(ctx); err != nil {
		return err
	}
	f.base = slices.Clone(w.staged)
	older := f.older()
	if len(older.keys) > 0 {
		if err := w.rewriteStaged(ctx, older); err != nil {
			return err
		}
		if err := w.rewriteCommitted(ctx, older); err != nil {
			return err
		}
	}
	for n, columns := range f.batches {
		spans, err := f.living(n, columns)
		if err != nil {
			return err
		}
		if len(spans) > 0 {
			if err := w.addSpans(ctx, columns, spans); err != nil {
				return err
			}
		}
	}
	f.applied = true
	return w.finishAll(ctx)
}

// living returns the rows of a batch that are the last ones of their keys.
func (f *fold) living(n int, columns []arrow.Array) (spans []span, err error) {
	for row := range f.rows[n] {
		if f.scratch, err = f.w.appendKey(f.scratch[:0], columns, row); err != nil {
			return nil, err
		}
		if s := f.keys[string(f.scratch)]; int(s.batch) != n || int(s.row) != row {
			continue
		}
		if k := len(spans); k > 0 && spans[k-1].from+spans[k-1].n == row {
			spans[k-1].n++
		} else {
			spans = append(spans, span{row, 1})
		}
	}
	return spans, nil
}

// Superseded are keys whose rows in files are to go.
type superseded struct {
	keys      map[string]keyState
	prefix    []byte // and those that begin so; nil if none do
	cleared   []byte // likewise, of a file that is written anew whatever the reason
	ranged    bool   // low and high are known
	low, high int64
}

// older returns the keys of which there may be rows in files.
func (f *fold) older() superseded {
	s := superseded{keys: map[string]keyState{}}
	for k, state := range f.keys {
		if state.older {
			s.keys[k] = state
		}
	}
	i := f.w.keyColumn()
	if id := f.w.types[i].ID(); id != arrow.INT32 && id != arrow.INT64 {
		return s
	}
	first := true
	for k := range s.keys {
		v := int64(binary.LittleEndian.Uint64([]byte(k[:8]))) //nolint:gosec // as appendKey wrote it
		if first {
			s.low, s.high, first = v, v, false
		}
		s.low, s.high = min(s.low, v), max(s.high, v)
	}
	s.ranged = true
	return s
}

// holds reports whether a key is one of them.
func (s superseded) holds(key []byte) bool {
	_, ok := s.keys[string(key)]
	return ok || s.prefix != nil && bytes.HasPrefix(key, s.prefix)
}

// mayHold reports whether a file may hold one of the keys.
func (s superseded) mayHold(f file) bool {
	return !s.ranged || f.Min == nil || *f.Min <= s.high && *f.Max >= s.low
}

// rewriteStaged writes files anew that this commit has staged.
func (w *Writer) rewriteStaged(ctx context.Context, s superseded) error {
	w.mu.Lock()
	staged := w.staged
	w.staged = nil
	w.mu.Unlock()
	var left []file
	for i, f := range staged {
		anew, err := w.rewrite(ctx, f, s, func() (input, error) { return w.sink.store.reveal(ctx, w.at, f.Path, f.Token) })
		if err != nil {
			return err
		}
		if !anew {
			left = append(left, f)
			continue
		}
		w.fold.impure = true
		w.removeStaged(ctx, staged[i:i+1])
	}
	if err := w.finishAll(ctx); err != nil {
		return err
	}
	w.mu.Lock()
	w.staged = append(left, w.staged...)
	w.mu.Unlock()
	return nil
}

// rewriteCommitted writes files anew that earlier commits have brought.
func (w *Writer) rewriteCommitted(ctx context.Context, s superseded) error {
	if w.emptied || w.replaces || w.fresh {
		return nil
	}
	s.cleared = w.clearing.prefix
	for _, f := range w.known.Files {
		if slices.Contains(w.removed, f.Path) {
			continue
		}
		anew, err := w.rewriteKnown(ctx, f, s)
		if err != nil {
			return err
		}
		if anew {
			w.removed = append(w.removed, f.Path)
			w.notCleared(ctx, f.Path)
		}
	}
	return w.finishAll(ctx)
}

// rewriteKnown is rewrite for a file that is the table's.
func (w *Writer) rewriteKnown(ctx context.Context, f file, s superseded) (anew bool, err error) {
	return w.rewrite(ctx, f, s, func() (input, error) { return w.sink.store.open(ctx, path.Join(w.dir, f.Path)) })
}

// rewrite writes a file anew if rows of these keys are in it, and without them.
func (w *Writer) rewrite(ctx context.Context, f file, s superseded, open func() (input, error)) (anew bool, err error) {
	if !s.mayHold(f) {
		return false, nil
	}
	in, err := open()
	if err != nil {
		return false, fmt.Errorf("read %s: %w", w.sink.store.url(path.Join(w.dir, f.Path)), err)
	}
	defer in.Close()
	gone, stays, seen := false, false, int64(0)
	var scratch []byte
	holds := func(columns []arrow.Array, row int) (bool, error) {
		scratch, err = w.appendKey(scratch[:0], columns, row)
		return s.holds(scratch), err
	}
	err = w.scan(ctx, in, w.keyAt, func(columns []arrow.Array, rows int) error {
		seen += int64(rows)
		for row := 0; row < rows && (!gone || !stays); row++ {
			hit, err := holds(columns, row)
			if err != nil {
				return err
			}
			gone, stays = gone || hit, stays || !hit
		}
		if gone && stays {
			return errEnough
		}
		return nil
	})
	if err == nil { // all of its rows are alike
		return gone, w.whole(f, seen)
	}
	if !errors.Is(err, errEnough) {
		return false, err
	}
	return true, w.copyStaying(ctx, f, in, func(columns []arrow.Array, row int) (bool, error) {
		gone, err := holds(columns, row)
		return gone || s.cleared != nil && bytes.HasPrefix(scratch, s.cleared), err
	})
}

// copyStaying writes the rows of a file anew that are not gone.
func (w *Writer) copyStaying(ctx context.Context, f file, in input, gone func(columns []arrow.Array, row int) (bool, error)) error {
	folder, seen := folderOf(f.Path), int64(0)
	err := w.scan(ctx, in, nil, func(columns []arrow.Array, rows int) error {
		seen += int64(rows)
		var spans []span
		for row := range rows {
			gone, err := gone(columns, row)
			if err != nil {
				return err
			}
			if gone {
				continue
			}
			if k := len(spans); k > 0 && spans[k-1].from+spans[k-1].n == row {
				spans[k-1].n++
			} else {
				spans = append(spans, span{row, 1})
			}
		}
		if len(spans) == 0 {
			return nil
		}
		return w.addTo(ctx, columns, share{folder, spans})
	})
	if err != nil {
		return err
	}
	return w.whole(f, seen)
}

// whole checks that a file that was read holds what it is said to hold.
func (w *Writer) whole(f file, rows int64) error {
	if rows == f.Rows {
		return nil
	}
	return hint.Wrap(fmt.Errorf("%s holds %d rows, and %d were written to it", w.sink.store.url(path.Join(w.dir, f.Path)), rows, f.Rows),
		"somebody has changed the file: bring it back, or copy the table anew with snapshot --mode replace")
}

// folderOf is the part of a file's path between the generation and the name.
func folderOf(name string) string {
	_, rest, _ := strings.Cut(path.Dir(name), "/")
	return rest
}

// appendKey appends the key of a row. Different keys are different bytes, and integers
// come first in 8 of them.
func (w *Writer) appendKey(dst []byte, columns []arrow.Array, row int) ([]byte, error) {
	for _, k := range w.keyAt {
		c := columns[k]
		if c.IsNull(row) {
			return dst, w.keyError(k, "null")
		}
		switch a := c.(type) {
		case *array.Int32:
			dst = binary.LittleEndian.AppendUint64(dst, uint64(int64(a.Value(row)))) //nolint:gosec // bits
		case *array.Int64:
			dst = binary.LittleEndian.AppendUint64(dst, uint64(a.Value(row))) //nolint:gosec // bits
		case *array.Date32:
			dst = binary.LittleEndian.AppendUint32(dst, uint32(a.Value(row))) //nolint:gosec // bits
		case *array.Timestamp:
			dst = binary.LittleEndian.AppendUint64(dst, uint64(a.Value(row))) //nolint:gosec // bits
		case *array.Decimal128:
			v := a.Value(row)
			dst = binary.LittleEndian.AppendUint64(dst, v.LowBits())
			dst = binary.LittleEndian.AppendUint64(dst, uint64(v.HighBits())) //nolint:gosec // bits
		case *array.Boolean:
			b := byte(0)
			if a.Value(row) {
				b = 1
			}
			dst = append(dst, b)
		case *array.String:
			dst = append(binary.AppendUvarint(dst, uint64(len(a.Value(row)))), a.Value(row)...)
		case *array.Binary:
			dst = append(binary.AppendUvarint(dst, uint64(len(a.Value(row)))), a.Value(row)...)
		default:
			return dst, w.keyError(k, "a type that cannot identify rows")
		}
	}
	return dst, nil
}

func (w *Writer) keyError(column int, what string) error {
	return &schema.TableError{Table: w.src.String(), Err: fmt.Errorf("column %s of the key: %s", w.columns[column].Name, what)}
}
