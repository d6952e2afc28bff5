package doris

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tablehaul/tablehaul/pkg/batch"
)

// deleteSign is the column that every table with a key has, unseen: 1 takes the row out.
const deleteSign = "__DORIS_DELETE_SIGN__"

// A fold gathers changes by key, of which the last one counts: within a load Doris promises
// no order. They are rows as a load has them, in a text in which those that do not count any
// more are left out when it is sent.
type fold struct {
	encoder
	text    []byte
	ends    []int32          // of each row
	dead    []bool           // of each row, that a later one of its key has come
	last    map[string]int32 // of each key, its row
	numbers map[int64]int32  // the same, of a key that is one integer
	key     []byte
	counted int64
}

// change gathers changes.
func (w *Writer) change(ctx context.Context, columns []arrow.Array, ops []batch.Op, n int) error {
	if err := w.gatherChanges(ctx, columns, ops, n); err != nil {
		return err
	}
	return w.sink.relieve(ctx)
}

func (w *Writer) gatherChanges(ctx context.Context, columns []arrow.Array, ops []batch.Op, n int) error {
	if !w.folds() { // stock comes before
		w.unloading.Lock()
		err := w.flushAll(ctx)
		w.unloading.Unlock()
		if err != nil {
			return err
		}
	}
	w.folding.Lock()
	defer w.folding.Unlock()
	if w.fold == nil {
		w.fold = w.newFold()
	}
	f := w.fold
	if err := f.bound(columns, ops); err != nil {
		return w.tableError(err)
	}
	key := keyOf(columns, w.keyAt)
	for row := range n {
		op := batch.Insert
		if ops != nil {
			op = ops[row]
		}
		if err := f.put(w, key, row, op); err != nil {
			return err
		}
	}
	held := int64(cap(f.text)) + int64(len(f.ends))*64
	w.gather(held - f.counted)
	f.counted = held
	// A commit of more than a load may have is several, one behind the other.
	if int64(len(f.text)) < 2*w.sink.loadSize.Load() {
		return nil
	}
	return w.flushFold(ctx)
}

func (w *Writer) newFold() *fold {
	f := &fold{}
	f.columns = append(f.columns, w.plan...)
	if len(w.keyAt) == 1 && isWhole(w.src.Columns[w.keyAt[0]].Arrow) {
		f.numbers = map[int64]int32{}
	} else {
		f.last = map[string]int32{}
	}
	return f
}

// put gathers a change in place of an earlier one of its key.
func (f *fold) put(w *Writer, key keyFunc, row int, op batch.Op) error {
	at := int32(len(f.ends)) //nolint:gosec // the text is shorter than that
	if key.number != nil {
		k := key.number(row)
		if was, ok := f.numbers[k]; ok {
			f.dead[was] = true
		}
		f.numbers[k] = at
	} else {
		var err error
		if f.key, err = key.bytes(f.key[:0], row); err != nil {
			return w.tableError(err)
		}
		if was, ok := f.last[string(f.key)]; ok {
			f.dead[was] = true
		}
		f.last[string(f.key)] = at
	}
	f.comes(w, row)
	sign, n := byte('0'), len(f.columns)
	if takesOut(op) {
		sign, n = '1', len(w.key) // the others are the reader's choice
	}
	f.text = f.values(f.text, row, n)
	f.text = append(f.text, sign, '\n')
	f.ends = append(f.ends, int32(len(f.text))) //nolint:gosec // likewise
	f.dead = append(f.dead, false)
	return nil
}

// takesOut reports whether a change takes the row of its key out: its key alone counts.
func takesOut(op batch.Op) bool { return op == batch.Delete || op == batch.Before }

// live are the rows that count, in place of all, and where they can be cut.
func (f *fold) live() (text []byte, marks []int) {
	text = f.text[:0]
	from := int32(0)
	for i, end := range f.ends {
		if !f.dead[i] {
			text = append(text, f.text[from:end]...)
			if n := len(text); n >= markEvery && (len(marks) == 0 || n >= marks[len(marks)-1]+markEvery) {
				marks = append(marks, n)
			}
		}
		from = end
	}
	return text, marks
}

// flushFold loads the changes that have come, one load at a time.
func (w *Writer) flushFold(ctx context.Context) error {
	f := w.fold
	if f == nil || len(f.ends) == 0 {
		return nil
	}
	text, marks := f.live()
	if err := w.load(ctx, w.loads+","+deleteSign, text, marks); err != nil {
		return err
	}
	f.text, f.ends, f.dead = f.text[:0], f.ends[:0], f.dead[:0] // its memory is used again
	clear(f.last)
	clear(f.numbers)
	return nil
}

func (w *Writer) dropFold() {
	w.folding.Lock()
	defer w.folding.Unlock()
	if w.fold != nil {
		w.gather(-w.fold.counted)
		w.fold = nil
	}
}

func isWhole(t arrow.DataType) bool { return t.ID() == arrow.INT32 || t.ID() == arrow.INT64 }

// A keyFunc tells rows apart, by a number or by bytes.
type keyFunc struct {
	number func(row int) int64
	bytes  func(dst []byte, row int) ([]byte, error)
}

func keyOf(columns []arrow.Array, at []int) keyFunc {
	if len(at) == 1 {
		switch a := columns[at[0]].(type) {
		case *array.Int64:
			v := a.Int64Values()
			return keyFunc{number: func(row int) int64 { return v[row] }}
		case *array.Int32:
			v := a.Int32Values()
			return keyFunc{number: func(row int) int64 { return int64(v[row]) }}
		}
	}
	return keyFunc{bytes: func(dst []byte, row int) (_ []byte, err error) {
		for _, k := range at {
			if dst, err = appendKey(dst, columns[k], row); err != nil {
				return dst, err
			}
		}
		return dst, nil
	}}
}

// appendKey appends a key's value so that no two values look alike.
func appendKey(dst []byte, a arrow.Array, row int) ([]byte, error) {
	if a.IsNull(row) {
		return dst, fmt.Errorf("a column of the key is null")
	}
	switch a := a.(type) {
	case *array.Int32:
		return binary.LittleEndian.AppendUint32(dst, uint32(a.Value(row))), nil //nolint:gosec // bits
	case *array.Int64:
		return binary.LittleEndian.AppendUint64(dst, uint64(a.Value(row))), nil //nolint:gosec // bits
	case *array.Date32:
		return binary.LittleEndian.AppendUint32(dst, uint32(a.Value(row))), nil //nolint:gosec // bits
	case *array.Timestamp:
		return binary.LittleEndian.AppendUint64(dst, uint64(a.Value(row))), nil //nolint:gosec // bits
	case *array.Decimal128:
		v := a.Value(row)
		dst = binary.LittleEndian.AppendUint64(dst, v.LowBits())
		return binary.LittleEndian.AppendUint64(dst, uint64(v.HighBits())), nil //nolint:gosec // bits
	case *array.Boolean:
		if a.Value(row) {
			return append(dst, 1), nil
		}
		return append(dst, 0), nil
	case *array.String:
		return append(binary.AppendUvarint(dst, uint64(len(a.Value(row)))), a.Value(row)...), nil
	case *array.Binary:
		return append(binary.AppendUvarint(dst, uint64(len(a.Value(row)))), a.Value(row)...), nil
	}
	return dst, fmt.Errorf("a column of the key is of a type that cannot identify rows")
}
