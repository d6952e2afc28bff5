package mysql

import (
	"io"
	"slices"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
)

const (
	// idleWait is how long what is committed waits for more to come.
	idleWait = 100 * time.Millisecond
	// busyWait is how long it waits while more is coming.
	busyWait = 500 * time.Millisecond
	// tellWait is how often the position is told while nothing changes.
	tellWait = 2 * time.Second
)

// limit is how many bytes may be in builders.
func (r *stream) limit() int { return max(int(r.s.opts.Memory/4), r.s.opts.batchBytes) }

// mark notes that a table has something to hand out.
func (r *stream) mark(f *followed) {
	if !f.dirty {
		f.dirty = true
		r.dirty = append(r.dirty, f)
	}
}

// full deals with a builder that is full within a transaction. Where the
// transaction may still be undone, the rest of it is spooled.
func (r *stream) full(f *followed) error {
	if r.again == nil && r.tx.open && r.maria {
		r.tx.spool = &spool{}
		return nil
	}
	if r.bytes < r.limit() {
		r.handOut(f)
		return nil
	}
	for _, f := range r.dirty {
		r.handOut(f)
	}
	return nil
}

// handOut hands out what a table has, without a position.
func (r *stream) handOut(f *followed) {
	if f.b.Rows() > 0 {
		r.tx.left = r.tx.left || f.touched && f.b.Rows() > f.base
		r.out = append(r.out, r.take(f))
		r.wait()
	}
}

// wait notes that something was handed out that waits for its position.
func (r *stream) wait() {
	if r.since.IsZero() {
		r.since = time.Now()
	}
}

// take returns what a table has as a batch.
func (r *stream) take(f *followed) *batch.Batch {
	r.rows -= f.b.Rows()
	r.bytes -= f.b.Bytes()
	b := f.b.Batch()
	if f.dec != nil {
		b.Ops = f.dec.TakeOps()
	}
	b.Emptied, f.emptied = f.emptied, false
	b.Time = r.local(max(r.time, r.tx.time))
	if f.touched {
		f.base = 0
	}
	return b
}

// cut drops the rows that the transaction at hand has put into a builder.
func (r *stream) cut(f *followed) {
	base := f.base
	if f.b.Rows() == 0 {
		return
	}
	emptied := f.emptied
	b := r.take(f)
	if base == 0 {
		f.emptied = emptied
		b.Release()
		return
	}
	all := b.Rows
	b.Rows = all.NewSlice(0, int64(base))
	all.Release()
	if b.Ops != nil {
		b.Ops = b.Ops[:base]
	}
	r.out = append(r.out, b)
	r.wait()
}

// discard gives up what is in the builders.
func (r *stream) discard() {
	for _, f := range r.tables {
		// Also what an error left behind in mid-row.
		f.b.Batch().Release()
	}
	r.dirty, r.rows, r.bytes = nil, 0, 0
}

// settle decides, at the end of a transaction, whether to hand out what there is.
func (r *stream) settle(now time.Time) {
	pending := len(r.dirty) > 0 || !r.since.IsZero()
	if pending && r.since.IsZero() {
		r.since = now
	}
	switch {
	case r.s.opts.eager, r.rows >= batchRows, r.bytes >= r.s.opts.batchBytes,
		pending && now.Sub(r.since) >= busyWait,
		!pending && now.Sub(r.told) >= tellWait:
		r.flush(now)
	}
}

// wake returns when to look up from waiting for the next event.
func (r *stream) wake() time.Time {
	switch {
	case r.tx.open:
		return time.Time{} // the rest of it is on its way
	case !r.since.IsZero():
		return r.since.Add(idleWait)
	}
	return r.told.Add(tellWait)
}

// idle is called when no event came by then.
func (r *stream) idle(now time.Time) {
	if !r.tx.open && !now.Before(r.wake()) {
		r.flush(now)
	}
}

// heartbeat is the server's word that the log has ended for now.
func (r *stream) heartbeat() {
	now := time.Now()
	// A transaction gets its time a little before it is in the log.
	if r.until.after > 0 && !r.tx.open && now.Add(r.clock).UnixMicro() > r.until.after+1e6 {
		r.finish()
	}
}

// flush hands out all there is, and with it the position.
func (r *stream) flush(now time.Time) {
	for _, f := range r.dirty {
		f.dirty = false
		if f.b.Rows() > 0 || f.emptied {
			r.out = append(r.out, r.take(f))
		}
	}
	r.dirty = r.dirty[:0]
	r.since, r.told = time.Time{}, now
	var last *batch.Batch
	// The last one may be a position of its own, or one that was handed out before
	// a position: no harm is in a second.
	if n := len(r.out); n > 0 && r.out[n-1].Pos == "" {
		last = r.out[n-1]
	} else {
		last = &batch.Batch{}
		r.out = append(r.out, last)
	}
	last.Pos = r.position()
	last.Time = r.local(r.time)
}

// local returns a time of the server's log by this machine's clock; 0 is none.
func (r *stream) local(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).Add(-r.clock)
}

// position returns the point up to which all is through.
func (r *stream) position() batch.Position {
	p := position{Server: r.server, Time: r.time, After: r.after}
	at := r.place(r.at)
	p.GTID, p.File, p.Pos = at.GTID, at.File, at.Pos
	p.Early, p.Log = r.early, r.early
	if r.done.set == nil {
		var first *prepared
		for _, x := range r.prepared {
			if first == nil || x.spot().compare(first.spot()) < 0 {
				first = x
			}
		}
		if first != nil {
			p.Prepared = &first.before
		}
	}
	for _, f := range r.tables {
		if f.gone {
			p.Gone = append(p.Gone, f.t.String())
		}
	}
	p.Gone, p.Doomed = append(p.Gone, r.doomed...), r.doomed
	slices.Sort(p.Gone)
	if r.uneven {
		p.Ahead = r.ahead()
	}
	return p.encode()
}

func (p *prepared) spot() spot { return spot{p.before.File, p.before.Pos} }

// place returns a spot with the GTIDs that are through.
func (r *stream) place(at spot) place {
	p := place{File: at.file, Pos: at.pos}
	switch {
	case r.done.set != nil:
		p.GTID = r.done.set.String()
	case r.done.list != nil:
		p.GTID = r.done.list.String()
	}
	return p
}

// ahead returns the points of those tables that are still ahead of the stream.
func (r *stream) ahead() map[string]place {
	out := map[string]place{}
	for _, f := range r.tables {
		own := place{File: f.from.File, Pos: f.from.Pos}
		switch {
		case f.from.After > 0:
			own = r.place(r.at)
			own.After = f.from.After
		case r.done.set != nil:
			if f.extra = f.extra.Minus(r.done.set); len(f.extra) == 0 {
				continue
			}
			own.GTID = r.done.set.Union(f.extra).String()
		case r.done.list != nil:
			if r.done.list.Covers(f.from.list) {
				continue
			}
			own.GTID = r.done.list.Later(f.from.list).String()
		case r.at.compare(f.from.spot) >= 0:
			continue
		}
		out[f.t.String()] = own
	}
	if len(out) == 0 {
		r.uneven = false
		for _, f := range r.tables {
			f.skip = false
		}
	}
	return out
}

// finish ends the stream where it shall end.
func (r *stream) finish() {
	for _, f := range r.tables {
		if f.forgone != nil {
			r.fail(f.forgone)
			return
		}
	}
	r.flush(time.Now())
	r.err = io.EOF
}

// fail ends the stream with an error, behind all that was complete before.
func (r *stream) fail(err error) {
	r.err = err
	if r.tx.left {
		r.discard()
		return
	}
	for _, f := range r.tx.touched {
		r.cut(f)
	}
	if len(r.dirty) > 0 || !r.since.IsZero() {
		r.flush(time.Now())
	}
}
