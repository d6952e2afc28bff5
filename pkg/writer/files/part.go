package files

import (
	"context"
	"fmt"
	"path"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// A part is a data file that is being written. One goroutine at a time uses it.
type part struct {
	w       *Writer
	file    file
	folder  string
	out     *counted
	to      output
	enc     encoder
	counted int64 // what it counts for in Sink.buffered
	used    int64 // when it was written to last, by Writer.parts
}

// manyFiles is of how many in one commit there is a warning.
const manyFiles = 2000

// maxParts is how many files of a table are open at once: of rows of more folders than
// that, in no order, some make files that are smaller.
const maxParts = 128

// shape returns the columns of the files, of rows of a batch.
func (w *Writer) shape(ctx context.Context, have []arrow.Array, rows int) ([]arrow.Array, func(), error) {
	columns := make([]arrow.Array, len(w.columns))
	var own []arrow.Array
	release := func() {
		for _, c := range own {
			c.Release()
		}
	}
	for i, from := range w.from {
		switch {
		case from < 0:
			columns[i] = array.MakeArrayOfNull(memory.DefaultAllocator, w.types[i], rows)
			own = append(own, columns[i])
		case w.casts[i] != nil:
			c, err := compute.CastArray(ctx, have[from], compute.SafeCastOptions(w.casts[i]))
			if err != nil {
				release()
				return nil, nil, fmt.Errorf("column %s: %w", w.columns[i].Name, err)
			}
			columns[i] = c
			own = append(own, c)
		default:
			columns[i] = have[from]
		}
	}
	return columns, release, nil
}

// add writes rows to the files of their folders. It may be called by several at once.
func (w *Writer) add(ctx context.Context, columns []arrow.Array, rows int) error {
	return w.addSpans(ctx, columns, []span{{0, rows}})
}

// addSpans is add for some of the rows.
func (w *Writer) addSpans(ctx context.Context, columns []arrow.Array, spans []span) error {
	if len(w.levels) == 0 {
		return w.addTo(ctx, columns, share{"", spans})
	}
	a := assigner{levels: w.levels}
	for _, s := range spans {
		sliced := make([]arrow.Array, len(columns))
		for i, c := range columns {
			sliced[i] = array.NewSlice(c, int64(s.from), int64(s.from+s.n))
		}
		shares, err := a.assign(sliced, s.n, w.writingTime())
		for i := 0; i < len(shares) && err == nil; i++ {
			err = w.addTo(ctx, sliced, shares[i])
		}
		for _, c := range sliced {
			c.Release()
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// writingTime is when the commit was begun that the rows become part of: all of them go
// to the same hour.
func (w *Writer) writingTime() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.began.IsZero() {
		w.began = w.sink.clock()
	}
	return w.began
}

func (w *Writer) addTo(ctx context.Context, columns []arrow.Array, s share) error {
	p, cold, err := w.take(ctx, s.folder)
	if cold != nil {
		if e := w.finish(cold); e != nil && err == nil {
			err = e
		}
	}
	if err != nil {
		if p != nil {
			p.abort()
		}
		return err
	}
	stop := context.AfterFunc(ctx, p.to.abort)
	for _, r := range s.spans {
		if err = p.enc.rows(columns, r.from, r.n); err != nil {
			break
		}
		p.file.Rows += int64(r.n)
		w.span(p, columns, r)
	}
	if err == nil {
		err = p.relieve()
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		p.abort()
		return err
	}
	if p.enc.size() >= w.sink.opts.TargetFileSize {
		return w.finish(p)
	}
	w.mu.Lock()
	w.idle = append(w.idle, p)
	w.mu.Unlock()
	return nil
}

// take returns a file of the folder, and one that has to make room for it.
func (w *Writer) take(ctx context.Context, folder string) (p, cold *part, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.gate.Err(); err != nil {
		return nil, nil, err
	}
	w.parts++
	oldest := -1
	for i, p := range w.idle {
		if p.folder == folder {
			w.idle = append(w.idle[:i], w.idle[i+1:]...)
			p.used = int64(w.parts)
			return p, nil, nil
		}
		if oldest < 0 || p.used < w.idle[oldest].used {
			oldest = i
		}
	}
	if len(w.idle) >= maxParts {
		cold = w.idle[oldest]
		w.idle = append(w.idle[:oldest], w.idle[oldest+1:]...)
	}
	if err := w.ready(ctx); err != nil {
		return nil, cold, err
	}
	if w.files++; w.files == manyFiles && len(w.levels) > 0 {
		w.sink.opts.Warn(fmt.Sprintf("%s: one commit has made %d files, in folders by %s; readers and NameNodes do better with few large ones", w.place(), manyFiles, w.partition))
	}
	name := fmt.Sprintf("part-%s-%05d%s", w.at.name, w.parts, w.format.suffix(w.compression))
	p = &part{w: w, folder: folder, used: int64(w.parts)}
	p.file.Path = path.Join(w.gen, folder, name)
	if p.to, err = w.sink.store.create(ctx, w.at, p.file.Path); err != nil {
		return nil, cold, err
	}
	p.out = &counted{Writer: p.to}
	if p.enc, err = w.encode(p.out); err != nil {
		p.to.abort()
		return nil, cold, err
	}
	return p, cold, nil
}

// ready begins a stage if there is none. The caller holds w.mu.
func (w *Writer) ready(ctx context.Context) error {
	if w.at.name != "" {
		return nil
	}
	at := w.sink.stage(w.dir, w.follows() && len(w.src.Key) > 0)
	if err := w.sink.hold(ctx, at); err != nil {
		return err
	}
	w.at = at
	return nil
}

// span widens the range of keys that is known of a file.
func (w *Writer) span(p *part, columns []arrow.Array, r span) {
	i := w.keyColumn()
	if i < 0 {
		return
	}
	var low, high int64
	switch c := columns[i].(type) {
	case *array.Int64:
		low, high = bounds(c.Int64Values()[r.from : r.from+r.n])
	case *array.Int32:
		low, high = bounds(c.Int32Values()[r.from : r.from+r.n])
	default:
		return
	}
	if p.file.Min == nil {
		p.file.Min, p.file.Max = &low, &high
		return
	}
	*p.file.Min, *p.file.Max = min(*p.file.Min, low), max(*p.file.Max, high)
}

func bounds[T int32 | int64](values []T) (low, high int64) {
	a, b := values[0], values[0]
	for _, v := range values[1:] {
		a, b = min(a, v), max(b, v)
	}
	return int64(a), int64(b)
}

// keyColumn is the place of the key's first column, −1 if there is no key.
func (w *Writer) keyColumn() int {
	if len(w.src.Key) == 0 {
		return -1
	}
	for i, from := range w.from {
		if from == w.src.Key[0] {
			return i
		}
	}
	return -1
}

// relieve has the file give memory back where all together hold too much.
func (p *part) relieve() error {
	s := p.w.sink
	all := p.hold(p.enc.held())
	if all <= s.opts.Memory || p.counted < s.opts.Memory/64 {
		return nil
	}
	err := p.enc.relieve()
	p.hold(p.enc.held())
	return err
}

// hold counts what the file holds back and returns the sum for all files.
func (p *part) hold(n int64) int64 {
	d := n - p.counted
	p.counted = n
	return p.w.sink.buffered.Add(d)
}

// finish ends a file and makes it durable.
func (w *Writer) finish(p *part) error {
	err := p.enc.end()
	if err == nil {
		p.file.Token, err = p.to.finish()
	}
	if err != nil {
		p.abort()
		return err
	}
	p.hold(0)
	p.file.Bytes = p.out.n
	w.mu.Lock()
	w.staged = append(w.staged, p.file)
	w.mu.Unlock()
	return nil
}

// finishAll ends all files, several at once.
func (w *Writer) finishAll(ctx context.Context) error {
	w.mu.Lock()
	idle := w.idle
	w.idle = nil
	w.mu.Unlock()
	var wg sync.WaitGroup
	limit := make(chan struct{}, 8)
	for _, p := range idle {
		wg.Go(func() {
			limit <- struct{}{}
			defer func() { <-limit }()
			stop := context.AfterFunc(ctx, p.to.abort)
			err := w.finish(p)
			if !stop() && err == nil {
				err = ctx.Err() // it may have been given up behind its end
			}
			if err != nil {
				_ = w.gate.Fail(err)
			}
		})
	}
	wg.Wait()
	return w.gate.Err()
}

func (p *part) abort() {
	p.enc.drop()
	p.hold(0)
	p.to.abort()
}

func abortAll(parts []*part) {
	for _, p := range parts {
		p.abort()
	}
}
