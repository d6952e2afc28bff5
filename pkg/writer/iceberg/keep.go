package iceberg

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// Stock can be kept for a run that follows: beside its record a run then has
//
//	RUN.plan   the caller's note, and what the table was to be
//	RUN.00000  and on: some data files that are durable, and the origins whose rows
//	           are all in these files and in those of other such notes
//
// The next run holds the record on, under a name of its own for its files, deletes
// what no note names, and stages the rest of the origins.

// A keeping is what a run keeps.
type keeping struct {
	run     string // name of the record
	notes   []string
	next    int // number of the next note
	origins map[int]*keptOrigin
	spreads map[int]*spread // that origins being written have joined
	writing chan struct{}   // one note at a time
}

// A keptOrigin is what has become of the rows of an origin.
type keptOrigin struct {
	open  int  // files that hold rows of it and are not durable, and spreads that have not ended
	files int  // that hold rows of it, durable ones included
	whole bool // there will be no more rows
	noted bool
}

// A keptRun is stock that a dead run has kept.
type keptRun struct {
	run   *deadRun
	plan  string // the caller's note
	notes []keptNote
}

var _ writer.Keeper = (*Writer)(nil)

// Kept tells what a dead run has kept of the table.
func (w *Writer) Kept() writer.Kept {
	if w.kept == nil {
		return writer.Kept{}
	}
	k := writer.Kept{Note: w.kept.plan}
	for _, n := range w.kept.notes {
		k.Origins = append(k.Origins, n.Origins...)
		for _, f := range n.files {
			k.Rows += f.Count()
			k.Bytes += f.FileSizeBytes()
		}
	}
	slices.Sort(k.Origins)
	return k
}

// Keep begins to keep stock, with what a dead run has kept if the note is its own.
func (w *Writer) Keep(ctx context.Context, note string) error {
	if !w.keepable() {
		return nil
	}
	ctx = w.sink.shared(ctx)
	err := w.keepWith(ctx, note)
	if err != nil {
		return advise(fmt.Errorf("keep what is staged of %s: %w", w.name(), err))
	}
	return nil
}

// keepable reports whether stock of the table can be kept. Without a key, what comes
// later could not be applied to it.
func (w *Writer) keepable() bool { return w.fold != nil }

func (w *Writer) keepWith(ctx context.Context, note string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if note == "" {
		w.keep.abandon()
		return w.dropKept(ctx)
	}
	if w.kept != nil && w.kept.plan == note {
		return w.takeOver()
	}
	if err := w.begin(ctx); err != nil {
		return err
	}
	w.keep = newKeeping(w.prefix)
	return w.writePlan(note)
}

func newKeeping(run string) *keeping {
	return &keeping{
		run: run, origins: make(map[int]*keptOrigin), spreads: make(map[int]*spread), writing: make(chan struct{}, 1),
	}
}

// takeOver makes the dead run this one. The caller holds w.mu.
func (w *Writer) takeOver() error {
	k := w.kept
	if ok, err := k.run.unchanged(w.st, w.stagingFolder()); err != nil || !ok {
		if err == nil {
			err = hint.Transient(errors.New("another run has taken over what an earlier one had kept"))
		}
		return err
	}
	var b [3]byte
	_, _ = rand.Read(b[:]) // never fails
	attempt := hex.EncodeToString(b[:])
	r := &stagingRecord{
		// The table may have been dropped and made again since: it counts from 0 then.
		st: w.st, location: w.stagingFolder() + "/" + k.run.name, lock: k.run.lock, stop: func() {},
		attempts: append(k.run.text.attempts, attempt), base: min(k.run.text.base, w.sequence), made: k.run.text.made,
	}
	// The record tells of the attempt before there is a file of it.
	if err := r.start(); err != nil {
		return err
	}
	w.kept = nil
	w.prefix, w.record, w.files = k.run.name+"."+attempt, r, 0
	w.keep = newKeeping(k.run.name)
	w.keep.notes = slices.Clone(k.run.beside)
	spare := make(map[string]bool)
	for _, n := range k.notes {
		w.keep.next = max(w.keep.next, n.number+1)
		for _, o := range n.Origins {
			w.keep.origins[o] = &keptOrigin{whole: true, noted: true}
		}
		for _, f := range n.files {
			spare[path.Base(f.FilePath())] = true
			w.staged = append(w.staged, stagedData{df: f, location: f.FilePath(), content: stockContent, noted: true})
		}
	}
	if err := errors.Join(w.discardFiles(k.run, spare), w.discardMade(k.run, nil)); err != nil {
		return err
	}
	w.sink.step("kept stock taken over")
	return nil
}

// dropKept discards what a dead run has kept. The caller holds w.mu or is alone.
func (w *Writer) dropKept(ctx context.Context) error {
	k := w.kept
	if k == nil {
		return nil
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	w.kept = nil
	defer k.run.release()
	if ok, err := k.run.unchanged(w.st, w.stagingFolder()); err != nil || !ok {
		return err // another run has taken it over, and may have committed it
	}
	return w.discardRun(k.run, nil) // Open has seen that no snapshot names it
}

// Whole notes that an origin has been written. The file that it ends in ends with
// it if that is about full, or has been open for long; so does the spread.
func (w *Writer) Whole(ctx context.Context, origin int) error {
	w.mu.Lock()
	if w.keep == nil {
		w.mu.Unlock()
		return nil
	}
	o := w.keep.origin(origin)
	o.whole = true
	var ends []*dataFile
	w.idle = slices.DeleteFunc(w.idle, func(f *dataFile) bool {
		end := f.content == stockContent && slices.Contains(f.origins, origin) && w.due(f, o)
		if end {
			ends = append(ends, f)
		}
		return end
	})
	s := w.spreads.leave(origin)
	w.mu.Unlock()
	for _, f := range ends {
		if err := w.finish(ctx, f); err != nil {
			f.abort()
			w.fail(err)
		}
	}
	var err error
	switch {
	case w.spreads == nil:
		err = w.noteWhole()
	case s != nil:
		err = s.end(w.sink.shared(ctx), 1) // the others go on reading
	}
	if err != nil {
		return advise(fmt.Errorf("keep what is staged of %s: %w", w.name(), err))
	}
	return ctx.Err()
}

// due reports whether a file ends with an origin. One that goes on in the next
// file too would have both wait for each other's other origins.
func (w *Writer) due(f *dataFile, o *keptOrigin) bool {
	size := f.pq.Estimate()
	next := size / int64(len(f.origins))
	return o.files > 1 || size+next/2 >= w.target() || time.Since(f.began) >= w.sink.opts.KeepEvery
}

// full reports whether a file ends here, within an origin.
func (w *Writer) full(f *dataFile) bool {
	limit := w.target()
	if w.keep != nil && len(f.origins) > 1 {
		limit += limit / 2 // rather than that its other origins wait for this one
	}
	return f.pq.Estimate() >= limit
}

func (k *keeping) origin(n int) *keptOrigin {
	if k.origins[n] == nil {
		k.origins[n] = &keptOrigin{}
	}
	return k.origins[n]
}

// joins notes that rows of an origin go to a file. The caller holds w.mu.
func (w *Writer) joins(f *dataFile, origin int) {
	f.origin = origin
	if w.keep == nil || slices.Contains(f.origins, origin) {
		return
	}
	f.origins = append(f.origins, origin)
	o := w.keep.origin(origin)
	o.open++
	o.files++
}

// ends notes that a file is about to be made durable. One of a spread may hold rows
// of whatever has joined that until now. The caller holds w.mu.
func (k *keeping) ends(f *dataFile) {
	if k == nil || f.spread == nil {
		return
	}
	f.origins = slices.Clip(f.spread.origins)
	for _, n := range f.origins {
		k.origin(n).open++
	}
}

// durable notes that the rows of a file are safe, or with other files those of a
// spread, and reports whether an origin has nothing else to wait for. The caller
// holds w.mu.
func (k *keeping) durable(origins []int) (more bool) {
	if k != nil {
		for _, n := range origins {
			o := k.origin(n)
			o.open--
			more = more || o.open == 0
		}
	}
	return more
}

// abandon has nothing of this run outlive it.
func (k *keeping) abandon() {
	if k != nil {
		k.origins = make(map[int]*keptOrigin)
		k.next = -1
	}
}

// keeps reports whether anything would be left to go on with.
func (k *keeping) keeps() bool {
	return k != nil && k.next > 0
}

// ready returns the files that can be noted: those durable whose origins are whole,
// with all that these have in other files. The caller holds w.mu.
func (k *keeping) ready(staged []stagedData) (files []int, origins []int) {
	waits := make(map[int]bool) // origins that cannot be noted yet
	for n, o := range k.origins {
		waits[n] = !o.whole || o.open > 0
	}
	for again := true; again; {
		again = false
		files = files[:0]
		for i, d := range staged {
			if d.noted || d.content != stockContent {
				continue
			}
			if !slices.ContainsFunc(d.origins, func(n int) bool { return waits[n] }) {
				files = append(files, i)
				continue
			}
			for _, n := range d.origins {
				again = again || !waits[n]
				waits[n] = true
			}
		}
	}
	for n, o := range k.origins {
		if !o.noted && !waits[n] {
			origins = append(origins, n)
		}
	}
	slices.Sort(origins)
	return files, origins
}

// leave ends a run whose stock is kept. What no note names goes.
func (w *Writer) leave() error {
	w.abandonStaged(false)
	err := w.removeAbandoned()
	r := w.record
	w.record, w.prefix = nil, ""
	return errors.Join(err, r.giveUp())
}

// Tag notes what the next commit is of.
func (w *Writer) Tag(tag string) { w.tag = tag }

// Tagged returns what the table's last commit was of.
func (w *Writer) Tagged() string { return w.props[tagProperty] }
