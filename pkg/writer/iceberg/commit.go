package iceberg

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	restcat "github.com/apache/iceberg-go/catalog/rest"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// An attempt is a commit that was sent and not seen to have landed or failed.
type attempt struct {
	goal
	id     string
	staged int      // it holds the first so many of Writer.staged
	lost   bool     // the catalog has called it a conflict
	made   []string // metadata files that are orphans if it has not landed
}

// A goal is what a commit was asked to bring the table to, and what it brings it to:
// something else if the table is shared.
type goal struct{ asked, pos batch.Position }

// A retryPolicy bounds how often a commit is tried again.
type retryPolicy struct {
	attempts int
	min, max time.Duration // between two attempts
	timeout  time.Duration // of one call to the catalog
}

var defaultRetry = retryPolicy{attempts: 10, min: 100 * time.Millisecond, max: 10 * time.Second, timeout: 2 * time.Minute}

// wait sleeps before the n-th retry, some time at random around a doubling one.
func (p retryPolicy) wait(ctx context.Context, n int) error {
	d := min(p.min<<min(n, 20), p.max)
	d = d/2 + rand.N(d)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// Commit publishes what is staged together with pos. It fails with writer.ErrFenced if
// the table does not hold the position that this writer follows.
func (w *Writer) Commit(ctx context.Context, pos batch.Position) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	ctx = w.sink.shared(ctx)
	err := w.finishAll(ctx)
	if err == nil {
		w.sink.step("files durable")
		err = w.commit(ctx, pos)
	}
	if err != nil {
		return advise(fmt.Errorf("commit %s: %w", w.name(), err))
	}
	return nil
}

// commit sends attempts until one is known to have landed. iceberg-go's own
// retries are not used: on SQL catalogs they do not recognize a conflict, and
// nowhere an unknown outcome.
func (w *Writer) commit(ctx context.Context, pos batch.Position) error {
	var last error
	turns := 0
	for n := 0; n < w.sink.retry.attempts; n++ {
		if n > 0 {
			if err := w.sink.retry.wait(ctx, n-1); err != nil {
				return errors.Join(err, last)
			}
		}
		base, err := w.look(ctx)
		switch {
		case err == nil:
		case transient(err):
			last = err
			continue
		default:
			return err
		}
		if base.landed != nil && len(w.staged) == 0 && base.landed.asked == pos {
			return w.committed(ctx)
		}
		to, err := w.fence(base, pos)
		if err != nil {
			return err
		}
		outcome, err := w.try(ctx, base.tbl, to)
		switch outcome {
		case done:
			return w.committed(ctx)
		case refused:
			return err
		case conflict:
			n = yield(n, &turns, w.merge != nil)
		}
		last = err
	}
	return w.sink.gaveUp(len(w.attempts) > 0, w.mode, last)
}

// gaveUp is the error of a commit whose attempts have all failed, with last in
// the end.
func (s *Sink) gaveUp(unknown bool, mode writer.Mode, last error) error {
	if !unknown {
		return hint.Transient(fmt.Errorf("gave up after %d attempts: %w", s.retry.attempts, last))
	}
	err := hint.Transient(fmt.Errorf("the catalog did not tell whether it was accepted: %w", last))
	if mode == writer.Append || mode == writer.Evolve {
		return hint.Wrap(err, "a run with --mode %s adds all rows, whatever has become of these: before you run it again, look whether the table has a snapshot whose %s begins with %s, "+
			"and if so leave it", mode, commitProperty, s.session.name)
	}
	return hint.Wrap(err, "run the same command again: it finds out, and adds no row twice")
}

// committed tidies up behind a commit that has landed.
func (w *Writer) committed(ctx context.Context) error {
	w.ours, w.tag = false, ""
	// The record goes after it, for what it may leave half done.
	if w.sink.kind == embedded {
		if err := w.sink.syncHint(context.WithoutCancel(ctx), w.ident, w.location); err != nil {
			return err
		}
	}
	if err := errors.Join(w.endRun(), w.dropKept(context.WithoutCancel(ctx))); err != nil {
		w.sink.warn(fmt.Sprintf("%s is committed, but what the commit has left over stays for the next run to remove: %v", w.name(), err))
	}
	w.sink.step("tidied")
	return nil
}

type outcome int

const (
	unclear  outcome = iota // it may have landed, or may yet
	conflict                // it has not, but may the next time
	refused                 // it has not, and will not
	done
)

// try sends one commit on top of base, or creates the table if there is none.
func (w *Writer) try(ctx context.Context, base *table.Table, to goal) (outcome, error) {
	// From here on a cancelled context must not tear the call: that would only
	// leave its outcome unknown.
	if err := ctx.Err(); err != nil {
		return refused, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), w.sink.retry.timeout)
	defer cancel()
	if w.st == nil { // an empty table that only the catalog can place
		if err := w.begin(ctx); err != nil {
			return unsent(err), err
		}
		return conflict, errors.New("created at the catalog's choice of place")
	}
	p, o, err := w.prepare(ctx, base, to, w.sink.session.commitID(w.supersedes(), w.once))
	if err != nil {
		return o, err
	}
	w.sink.step("manifests written")
	w.send(p)
	w.sink.step("commit sent")
	if base == nil {
		var got table.Metadata
		got, err = w.sink.cat.createWhole(ctx, w.ident, p.meta, p.commit.Updates)
		w.sink.present.forget()
		if err == nil {
			p.meta = got
		}
	} else {
		var got table.Metadata
		if got, _, err = w.sink.cat.CommitTable(ctx, w.ident, p.commit.Requirements, p.commit.Updates); err == nil {
			p.superseded = w.supersededMetadata(base.Metadata(), got)
		}
	}
	o = judge(err)
	if o == done {
		w.sink.step("commit landed")
	}
	w.conclude(p, o)
	return o, err
}

// A prepared commit is ready to be sent.
type prepared struct {
	attempt
	commit     table.TableCommit
	meta       table.Metadata
	superseded []string // metadata files to remove when it has landed
}

// prepare stages a commit on top of base, or one that creates the table. An
// outcome comes with an error only.
func (w *Writer) prepare(ctx context.Context, base *table.Table, to goal, id string) (p prepared, o outcome, err error) {
	p.attempt = attempt{goal: to, id: id, staged: len(w.staged)}
	if err := w.announce(ctx); err != nil {
		return p, unsent(err), err
	}
	if p.commit, p.meta, err = w.build(ctx, base, &p.attempt); err != nil {
		w.removeMade(p.made)
		return p, unsent(err), err
	}
	if err = w.record.alive(); err == nil && w.sink.rest {
		err = w.record.sent()
	}
	if err != nil {
		w.removeMade(p.made)
	}
	return p, unsent(err), err
}

// unsent is the outcome of a commit that has come to an end before it was sent.
func unsent(err error) outcome {
	if err != nil && (transient(err) || errors.Is(err, catalog.ErrTableAlreadyExists)) { // createBare's
		return conflict
	}
	return refused
}

// send notes that a commit goes out.
func (w *Writer) send(p prepared) { w.attempts = append(w.attempts, p.attempt) }

// conclude takes in how the commit that was sent last came out.
func (w *Writer) conclude(p prepared, o outcome) {
	last := len(w.attempts) - 1
	switch o {
	case done:
		w.written.add(w.staged)
		for _, other := range w.attempts[:last] {
			w.removeMade(other.made)
		}
		w.attempts = nil
		w.pos, w.last, w.staged, w.replace, w.exists, w.unborn, w.was = p.pos, p.id, nil, false, true, false, nil
		w.told = true
		w.uuid, w.sequence = p.meta.TableUUID(), p.meta.LastSequenceNumber()
		w.resetFold()
		w.removeMade(p.superseded)
	case refused:
		w.attempts = w.attempts[:last]
		w.removeMade(p.made)
	case conflict:
		// A conflict may be with ourselves, where something between here and
		// the catalog has sent the request twice: settle finds out.
		w.attempts[last].lost = true
	}
}

// supersededMetadata lists the metadata files that before remembers as earlier
// ones and now, its successor, does not any more. A REST catalog removes them
// itself, a SQL catalog leaves that to its clients.
func (w *Writer) supersededMetadata(before, now table.Metadata) []string {
	if w.sink.rest || !now.Properties().GetBool(table.MetadataDeleteAfterCommitEnabledKey, false) {
		return nil
	}
	kept := make(map[string]bool)
	for e := range now.PreviousFiles() {
		kept[e.MetadataFile] = true
	}
	var gone []string
	for e := range before.PreviousFiles() {
		if !kept[e.MetadataFile] {
			gone = append(gone, e.MetadataFile)
		}
	}
	return gone
}

// outgoing returns the UUIDs of the metadata files that supersededMetadata is going to list
// once a commit on top of base has landed: who dies before they are removed leaves them.
func (w *Writer) outgoing(base *table.Table) (ids []string) {
	if base == nil || w.sink.rest {
		return nil
	}
	var files []string
	for e := range base.Metadata().PreviousFiles() {
		files = append(files, e.MetadataFile)
	}
	most := base.Properties().GetInt(table.MetadataPreviousVersionsMaxKey, table.MetadataPreviousVersionsMaxDefault)
	for _, f := range files[:max(len(files)+1-most, 0)] {
		ids = append(ids, uuidIn(f))
	}
	return ids
}

// judge tells what an answer of the catalog says about the commit.
func judge(err error) outcome {
	switch {
	case err == nil:
		return done
	case errors.Is(err, restcat.ErrUnauthorized), errors.Is(err, restcat.ErrForbidden), errors.Is(err, restcat.ErrBadRequest),
		errors.Is(err, catalog.ErrNoSuchTable), errors.Is(err, catalog.ErrNoSuchNamespace), localCause(err), badCredential(err):
		return refused
	case errors.Is(err, table.ErrCommitFailed), errors.Is(err, catalog.ErrTableAlreadyExists),
		// The SQL catalog reports a moved branch so, without a type.
		strings.HasPrefix(err.Error(), "requirement failed"):
		return conflict
	}
	return unclear
}

// properties returns those that a commit sets, note among them, and those that it takes
// from the table.
func (w *Writer) properties(meta table.Metadata, note iceberg.Properties) (set iceberg.Properties, gone []string) {
	had := meta.Properties()
	set = w.missing(had)
	maps.Copy(set, note)
	for name, value := range map[string]string{
		filterProperty: w.nextFilter(had[filterProperty]), addedProperty: w.nextAdded(meta), tagProperty: w.tag,
	} {
		if value != "" {
			set[name] = value
		} else if had[name] != "" {
			gone = append(gone, name)
		}
	}
	return set, gone
}

// build stages the commit: manifests in the warehouse, and the changes that the
// catalog is to make. For a new table it returns the metadata too.
func (w *Writer) build(ctx context.Context, base *table.Table, a *attempt) (c table.TableCommit, meta table.Metadata, err error) {
	if err := w.st.fresh(ctx); err != nil {
		return c, nil, err
	}
	fs := &noteIO{WriteFileIO: w.st.files(), record: w.record, beside: append(w.outgoing(base), commitUUID(a.id))}
	defer func() { a.made = fs.made }()
	where := ""
	var shape table.TableCommit
	if base == nil {
		meta, err = newMetadata(w.schema, w.layout, w.location, w.props)
	} else {
		where = base.MetadataLocation()
		shape, meta, err = w.shaped(base.Metadata(), where)
	}
	if err != nil {
		return c, nil, err
	}
	first, meta, err := w.globalSpec(meta, where)
	if err != nil {
		return c, nil, err
	}
	onto, err := presentable(meta)
	if err != nil {
		return c, nil, err
	}
	tbl := table.New(w.ident, onto, where, fs.open, w.sink.cat)
	tx := tbl.NewTransaction()
	note := iceberg.Properties{positionProperty: string(a.pos), commitProperty: a.id}
	set, gone := w.properties(meta, note)
	if len(gone) > 0 {
		if err := tx.RemoveProperties(gone); err != nil {
			return c, nil, err
		}
	}
	if err := tx.SetProperties(set); err != nil {
		return c, nil, err
	}
	if err := tx.AssertRefSnapshotID(table.MainBranch); err != nil {
		return c, nil, err
	}
	if err := w.stage(ctx, tbl, tx, fs, note); err != nil {
		return c, nil, err
	}
	if c, err = tx.TableCommit(); err != nil {
		return c, meta, err
	}
	var orphans []string
	if c.Updates, orphans, err = collapse(c.Updates); err != nil {
		return c, meta, err
	}
	if err := inOrder(c.Updates, lastTime(meta)); err != nil {
		return c, meta, err
	}
	for _, o := range orphans {
		if err := w.st.remove(o); err != nil {
			return c, meta, err
		}
	}
	if base == nil {
		meta, err = table.UpdateTableMetadata(meta, c.Updates, "")
	}
	c.Updates = append(append(shape.Updates, first...), c.Updates...)
	c.Requirements = append(shape.Requirements, c.Requirements...)
	return c, meta, err
}
