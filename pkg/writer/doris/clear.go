package doris

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

var _ writer.Clearer = (*Writer)(nil)

// A clearing is of rows that go with the next commit. Doris takes rows out in a load that names them
// one by one, so they are asked for; what comes again in the same commit is left out of that. The
// load is the commit's last one, or part of its only one: until then readers see a row of a key that
// stays, be it the old one or the new one, and should Doris give loads of the commit up, none is lost.
//
// Rows that may not be told from those that come, by what Doris prints of their keys, and more than
// there is memory for, are taken out before.
type clearing struct {
	on    bool
	keys  map[string]struct{} // of rows that go, as a load has them
	bytes int64               // that they take, in Sink.clearing
	first bool                // rows are taken out by loads that are committed before others
}

// staleBytes is about what an entry of the map takes beside the key.
const staleBytes = 48

// Clear takes the rows out that the table holds now.
func (w *Writer) Clear(ctx context.Context, key ...string) error {
	err := w.gate.Err()
	if err == nil {
		err = w.settle(ctx)
	}
	if err == nil {
		err = w.clear(ctx, key)
	}
	if err != nil { // rows that are to go would stay
		return w.named("clear", w.gate.Fail(err))
	}
	return nil
}

func (w *Writer) clear(ctx context.Context, key []string) error {
	w.mu.Lock()
	staged := len(w.idle) + len(w.staged)
	w.mu.Unlock()
	switch {
	case len(key) > len(w.key):
		return w.tableError(errors.New("rows of a table without such a key cannot be told from others"))
	case staged > 0 || w.folds() || w.clearing.on:
		return errors.New("rows are staged already")
	case w.fresh:
		return nil // nothing is there, or all of it goes
	}
	for i := range key {
		if w.src.Columns[w.keyAt[i]].Arrow.ID() != arrow.STRING {
			return w.tableError(fmt.Errorf("column %s of the key is not a text, by which rows could be taken out", w.key[i]))
		}
	}
	w.clearing = clearing{on: true, keys: map[string]struct{}{}}
	err := w.aim(ctx)
	if err == nil {
		err = w.aimAt(ctx)
	}
	for _, l := range w.known.Loads { // or rows that are about to be seen would be left
		if err == nil {
			err = w.sink.store.seen(ctx, w.db, l.Label)
		}
	}
	if err == nil {
		err = w.sink.store.patiently(ctx, func() (bool, error) {
			err := w.findKeys(ctx, key)
			return !hint.IsTransient(err), err
		})
	}
	if err != nil {
		return fmt.Errorf("look for the rows that are to go: %w", err)
	}
	return nil
}

// findKeys asks for the rows that are to go.
func (w *Writer) findKeys(ctx context.Context, key []string) error {
	names, where := make([]string, len(w.key)), make([]string, len(key))
	for i, k := range w.key {
		names[i] = quoted(columnName(k))
	}
	for i, v := range key {
		where[i] = names[i] + " = " + text(v)
	}
	query := "SELECT " + strings.Join(names, ", ") + " FROM " + quoted(w.db, w.name) + " WHERE " + strings.Join(where, " AND ")
	plain := w.plainKey()
	out := clearBatch{w: w, tail: w.keyTail()}
	var row []byte
	err := w.sink.store.sql.stream(ctx, query, func(values []string) error {
		row = row[:0]
		for i, v := range values {
			if w.quotes(i) {
				row = appendText(row, v)
			} else {
				row = append(row, v...)
			}
			row = append(row, separator)
		}
		if plain && w.keepKey(row) {
			return nil
		}
		return out.add(ctx, row)
	})
	if err == nil {
		err = out.flush(ctx)
	}
	return err
}

// quotes reports whether a load has a column of the key as a text, and not as it is.
func (w *Writer) quotes(i int) bool {
	return w.src.Columns[w.keyAt[i]].Arrow.ID() == arrow.STRING
}

// plainKey reports whether Doris prints keys just as they are loaded, whatever its version: whole
// numbers, texts and dates. Two forms of one key would have a row taken out that has just come.
func (w *Writer) plainKey() bool {
	for _, at := range w.keyAt {
		switch t := w.src.Columns[at].Arrow.(type) {
		case *arrow.Int32Type, *arrow.Int64Type, *arrow.StringType, *arrow.BinaryType, *arrow.Date32Type:
		case *arrow.Decimal128Type:
			if t.Scale != 0 {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// keyTail is what a row that takes another out has behind its key.
func (w *Writer) keyTail() string {
	return strings.Repeat(null+string(separator), len(w.plan)-len(w.key)) + "1\n"
}

// keepKey remembers a row that is to go, if there is memory for it: a quarter of what there is.
func (w *Writer) keepKey(row []byte) bool {
	if _, ok := w.clearing.keys[string(row)]; ok {
		return true
	}
	n := int64(len(row)) + staleBytes
	if w.sink.clearing.Add(n) > w.sink.opts.Memory/4 {
		w.sink.clearing.Add(-n)
		return false
	}
	w.clearing.bytes += n
	w.sink.buffered.Add(n)
	w.clearing.keys[string(row)] = struct{}{}
	return true
}

// dropClearing forgets what was to go.
func (w *Writer) dropClearing() {
	w.sink.clearing.Add(-w.clearing.bytes)
	w.sink.buffered.Add(-w.clearing.bytes)
	w.clearing = clearing{}
}

// comes notes that a row comes again. The caller has w.folding.
func (f *fold) comes(w *Writer, row int) {
	if len(w.clearing.keys) == 0 {
		return
	}
	f.key = f.keyText(f.key[:0], row, len(w.key))
	delete(w.clearing.keys, string(f.key))
}

// flushClearing has the rows that have not come again taken out, in the commit's only load if that
// is possible, else in its last ones. The caller has w.folding.
func (w *Writer) flushClearing(ctx context.Context) error {
	keys := w.clearing.keys
	if len(keys) == 0 {
		return nil
	}
	tail := w.keyTail()
	size := 0
	for k := range keys {
		size += len(k) + len(tail)
	}
	if w.fold == nil {
		w.fold = w.newFold()
	}
	if f := w.fold; int64(len(f.text)+size) < 2*w.sink.loadSize.Load() {
		for k := range keys {
			f.text = append(append(f.text, k...), tail...)
			f.ends, f.dead = append(f.ends, int32(len(f.text))), append(f.dead, false) //nolint:gosec // shorter than that
		}
		clear(keys)
		return nil
	}
	if err := w.flushFold(ctx); err != nil {
		return err
	}
	last := clearBatch{w: w, tail: tail, last: true}
	for _, k := range slices.Sorted(maps.Keys(keys)) {
		if err := last.add(ctx, []byte(k)); err != nil {
			return err
		}
	}
	clear(keys)
	return last.flush(ctx)
}

// A clearBatch gathers rows of a load that takes others out.
type clearBatch struct {
	w     *Writer
	tail  string
	last  bool // it is behind all others of the commit
	text  []byte
	marks []int
}

func (b *clearBatch) add(ctx context.Context, key []byte) error {
	b.text = append(append(b.text, key...), b.tail...)
	if n := len(b.text); n >= markEvery && (len(b.marks) == 0 || n >= b.marks[len(b.marks)-1]+markEvery) {
		b.marks = append(b.marks, n)
	}
	if int64(len(b.text)) < b.w.sink.loadSize.Load() {
		return nil
	}
	return b.flush(ctx)
}

func (b *clearBatch) flush(ctx context.Context) error {
	if len(b.text) == 0 {
		return nil
	}
	if !b.last {
		b.w.clearing.first = true
	}
	err := b.w.load(ctx, b.w.loads+","+deleteSign, b.text, b.marks)
	b.text, b.marks = b.text[:0], b.marks[:0]
	return err
}
