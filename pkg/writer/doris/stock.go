package doris

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/klauspost/compress/gzip"
	"github.com/pierrec/lz4/v4"
	"golang.org/x/sync/errgroup"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// A buffer gathers rows of a load. It has its whole text, as a load whose reply is lost may
// have to be sent again.
type buffer struct {
	encoder
	text    []byte
	marks   []int // ends of rows, about one in markEvery bytes, at which it can be cut in two
	counted int64 // in Sink.buffered
}

const (
	markEvery = 256 << 10
	spare     = 4 << 20 // about what a batch can be more than what a load is to have
)

// add gathers rows of stock. Several do so at a time, each with a buffer of its own.
func (w *Writer) add(ctx context.Context, columns []arrow.Array, n int) error {
	if err := w.gatherRows(ctx, columns, n); err != nil {
		return err
	}
	return w.sink.relieve(ctx)
}

func (w *Writer) gatherRows(ctx context.Context, columns []arrow.Array, n int) error {
	b := w.take()
	defer w.giveBack(b)
	if err := b.bound(columns, nil); err != nil {
		return w.tableError(err)
	}
	for row := range n {
		b.text = b.row(b.text, row)
		if last := len(b.text); last >= markEvery && (len(b.marks) == 0 || last >= b.marks[len(b.marks)-1]+markEvery) {
			b.marks = append(b.marks, last)
		}
	}
	full := int(w.sink.loadSize.Load()) + spare
	if len(b.text) > spare && cap(b.text) < full && w.sink.buffered.Load()+int64(full) < w.sink.opts.Memory/2 {
		b.text = slices.Grow(b.text, full-len(b.text)) // once, and not twice as much again and again
	}
	grown := int64(cap(b.text)) - b.counted
	b.counted += grown
	w.gather(grown)
	if int64(len(b.text)) < w.sink.loadSize.Load() {
		return nil
	}
	return w.flush(ctx, b)
}

func (w *Writer) take() *buffer {
	w.mu.Lock()
	defer w.mu.Unlock()
	if n := len(w.idle); n > 0 {
		b := w.idle[n-1]
		w.idle = w.idle[:n-1]
		return b
	}
	b := &buffer{}
	b.columns = append(b.columns, w.plan...)
	return b
}

func (w *Writer) giveBack(b *buffer) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.idle = append(w.idle, b)
}

// flush loads what a buffer has, and empties it.
func (w *Writer) flush(ctx context.Context, b *buffer) error {
	if len(b.text) == 0 {
		return nil
	}
	err := w.load(ctx, w.loads, b.text, b.marks)
	b.text, b.marks = b.text[:0], b.marks[:0]
	return err
}

// flushAll loads what is left of stock.
func (w *Writer) flushAll(ctx context.Context) error {
	w.mu.Lock()
	idle := w.idle
	w.idle = nil
	w.mu.Unlock()
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for _, b := range idle {
		g.Go(func() error {
			err := w.flush(ctx, b)
			w.gather(-b.counted)
			return err
		})
	}
	return g.Wait()
}

// packed is what goes over the wire.
func (s *Sink) packed(headers map[string]string, text []byte) ([]byte, error) {
	kind := map[string]string{"gzip": "gz", "lz4": "lz4"}[s.opts.Compression]
	if kind == "" {
		return text, nil
	}
	headers["compress_type"] = kind
	return compressed(kind, text)
}

// otherwise loads rows that could not be loaded so in another way, if there is one.
func (w *Writer) otherwise(ctx context.Context, err error, two bool, columns string, text []byte, marks []int) error {
	var bad *rowsError
	switch {
	case ctx.Err() != nil:
	case strings.Contains(err.Error(), tooManySegments) && len(marks) > 0:
		return w.halves(ctx, columns, text, marks)
	case two && len(w.key) > 0 && strings.Contains(strings.ToLower(err.Error()), "two phase commit"):
		if !w.sink.onePhase.Swap(true) {
			w.sink.opts.Warn(inOnePhase)
		}
		return w.load(ctx, columns, text, marks)
	case errors.As(err, &bad):
		return w.tableError(hint.Wrap(err, "%s", badRows))
	}
	return fmt.Errorf("load %d bytes: %w", len(text), err)
}

// load brings rows to the table that they are aimed at. What is too much for one load is
// loaded in two.
func (w *Writer) load(ctx context.Context, columns string, text []byte, marks []int) error {
	h := csvHeaders(columns)
	label := w.sink.label(w.db, w.name)
	two := w.target == w.name && (len(w.key) == 0 || !w.sink.onePhase.Load())
	if two {
		h["two_phase_commit"] = "true"
		if err := w.early(); err != nil {
			return err
		}
		if err := w.aimAt(ctx); err != nil {
			return err
		}
		var err error
		if label, err = w.precommitLabel(ctx); err != nil {
			return err
		}
	}
	body, err := w.sink.packed(h, text)
	if err != nil {
		return err
	}
	done, err := w.sink.store.send(ctx, w.db, w.target, label, h, body, !two && len(w.key) == 0)
	if err != nil {
		return w.otherwise(ctx, err, two, columns, text, marks)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.pending.files++
	w.pending.bytes += int64(len(text))
	if w.began.IsZero() {
		w.began = time.Now()
	}
	if two {
		w.staged = append(w.staged, loaded{label, done.txn})
	} else if done.late {
		w.late = append(w.late, label)
	}
	return nil
}

const inOnePhase = "this cluster keeps its data apart from its back ends, and takes no load in two phases for tables with a key: " +
	"changes are seen before their commit, and come again, in place of themselves, if that fails; let no other run write to them"

const badRows = "leave the column out, or have Doris take such values: STRING by string_type_length_soft_limit_bytes of the back ends"

// aimAt notes which table has the name: one that other runs write to may be exchanged for
// another meanwhile.
func (w *Writer) aimAt(ctx context.Context) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.merge == nil || len(w.staged) > 0 {
		return nil
	}
	st, err := w.sink.store.read(ctx, w.db, w.name)
	if err == nil {
		w.aimed = st.Generation
	}
	return err
}

// tooManySegments is the number of Doris's error for a load that is too large for a back end.
const tooManySegments = "-238"

// halves loads the rows in two, and has those that come be less.
func (w *Writer) halves(ctx context.Context, columns string, text []byte, marks []int) error {
	w.sink.loadSize.Store(max(int64(len(text)/2), 1<<20))
	i := len(marks) / 2
	at := marks[i]
	if at == len(text) && i == 0 {
		return errors.New("a load of so few rows has too many segments for Doris")
	}
	if err := w.load(ctx, columns, text[:at], marks[:i]); err != nil {
		return err
	}
	rest := make([]int, 0, len(marks)-i)
	for _, m := range marks[i+1:] {
		rest = append(rest, m-at)
	}
	if at == len(text) {
		return nil
	}
	return w.load(ctx, columns, text[at:], rest)
}

// compressed is the text as it goes over the wire.
func compressed(kind string, text []byte) ([]byte, error) {
	var out bytes.Buffer
	var z io.WriteCloser = gzip.NewWriter(&out)
	if kind == "lz4" {
		z = lz4.NewWriter(&out)
	}
	_, err := z.Write(text)
	err = errors.Join(err, z.Close()) // which writes the rest: the bytes are whole behind it alone
	return out.Bytes(), err
}
