package mysql

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/binlog"
)

// A txn is the transaction at hand.
type txn struct {
	open    bool
	group   bool // it ends with a COMMIT of its own, not with the next statement
	skip    bool // it was committed before the time to start from
	gtid    binlog.GTID
	time    int64
	start   spot
	opened  spot // the end of the event that began it, on this server
	touched []*followed
	left    bool // rows of it were handed out
	// spool, if set, keeps the rows from some point on: they can still be undone.
	spool      *spool
	savepoints []savepoint
	xa         bool   // it is an XA transaction: nothing counts until it is decided
	replayed   uint64 // where in the log the replayed event ended
	also       *prepared
}

type savepoint struct {
	name string
	end  int64
}

// A prepared transaction waits for its XA COMMIT or XA ROLLBACK.
type prepared struct {
	spool  *spool
	gtid   binlog.GTID
	before place // where the log stood before it
}

func (t *txn) drop() {
	if t.spool != nil {
		t.spool.close()
		t.spool = nil
	}
}

// pos returns where in the log a change counts that is dealt with now: where it
// was logged, or, if it was prepared long before, where it was committed.
func (t *txn) pos(now uint64) uint64 {
	if t.replayed != 0 && t.also == nil {
		return t.replayed
	}
	return now
}

// errOrder is a log whose transactions do not begin and end as they should.
var errOrder = hint.Wrap(errors.New("the log is out of order: a transaction begins before another ended"), "%s", allAnew)

// begin starts a transaction.
func (r *stream) begin(h binlog.Header, body []byte) error {
	if r.tx.open {
		return errOrder
	}
	g, err := parseGTID(h, body)
	if err != nil {
		return err
	}
	if r.until.after > 0 && g.Time >= r.until.after {
		r.finish()
		return nil
	}
	r.open(g)
	r.tx.group = r.maria && !g.Standalone
	if g.Prepared {
		r.tx.xa, r.tx.spool = true, &spool{}
	}
	return nil
}

func (r *stream) open(g binlog.GTID) {
	r.tx = txn{open: true, gtid: g, time: g.Time, start: r.at, opened: spot{r.d.file, r.d.pos}, touched: r.tx.touched[:0]}
	r.meta.GTID = ""
	if r.after > 0 {
		if g.Time >= r.after {
			r.after = 0
		} else {
			r.tx.skip = true
		}
	}
	if r.uneven {
		for _, f := range r.tables {
			f.skip = r.covers(f)
		}
	}
}

// covers reports whether a table has the transaction at hand already.
func (r *stream) covers(f *followed) bool {
	g := &r.tx.gtid
	if f.from.After > 0 && r.after == 0 {
		if r.tx.time < f.from.After {
			return true
		}
		f.from.After = 0
	}
	switch {
	case !r.byGTID:
		return r.tx.start.compare(f.from.spot) < 0
	case r.maria:
		return f.from.list.Contains(g.Domain, g.Mark.Seq)
	}
	return f.extra.Contains(g.Source, g.N)
}

// end ends the transaction at hand; what is spooled of it counts from now on.
func (r *stream) end(ctx context.Context) error {
	if r.tx.spool != nil {
		r.again = r.tx.spool.replay()
		return r.replay(ctx)
	}
	r.committed()
	return nil
}

// replay deals with one event of what was spooled.
func (r *stream) replay(ctx context.Context) error {
	typ, pos, body, err := r.again.next()
	if errors.Is(err, io.EOF) {
		r.again.s.close()
		r.again, r.tx.spool, r.tx.replayed = nil, nil, 0
		r.committed()
		return nil
	}
	if err != nil {
		return err
	}
	r.tx.replayed = pos
	if typ == binlog.TableMapEvent {
		return r.forgo(ctx, r.tableMap(body))
	}
	return r.changes(typ, body)
}

// committed notes that the transaction at hand is through.
func (r *stream) committed() {
	r.pass(&r.tx.gtid)
	if r.tx.also != nil && r.done.set != nil {
		r.pass(&r.tx.also.gtid)
	}
	r.close()
}

// pass adds a GTID to what is through.
func (r *stream) pass(g *binlog.GTID) {
	switch {
	case g.N > 0 && r.done.set != nil:
		r.done.set.Add(g.Source, g.N)
	case g.Mark.Seq > 0 && r.done.list != nil:
		r.done.list[g.Domain] = g.Mark
	}
	r.until.pass(g)
	r.loose.pass(g)
}

// close ends the transaction at hand in the stream's books.
func (r *stream) close() {
	if r.tx.time > 0 {
		r.time = r.tx.time
	}
	for _, f := range r.tx.touched {
		f.touched, f.base = false, 0
	}
	r.tx = txn{touched: r.tx.touched[:0]}
	r.at = spot{r.d.file, r.d.pos}
	if r.early && r.loose.reached(r) {
		r.early = false
		for _, f := range r.tables {
			if f.upsert {
				r.handOut(f)
				f.upsert, f.dec = false, nil
			}
		}
	}
	if r.until.reached(r) {
		r.finish()
		return
	}
	r.settle(time.Now())
}

// undo takes back what the transaction at hand has done.
func (r *stream) undo() error {
	if r.tx.left {
		return hint.Wrap(fmt.Errorf("a large transaction that is rolled back in the log ends at %s:%d: part of it was handed on", r.d.file, r.d.pos), "copy the tables anew")
	}
	r.tx.drop()
	r.tx.savepoints = nil
	for _, f := range r.tx.touched {
		r.cut(f)
	}
	return nil
}

// abandon forgets the transaction at hand, whose end was never written: the
// server died over it, and has rolled it back. MySQL cuts its log there when it
// starts, MariaDB begins another file.
func (r *stream) abandon() error {
	if err := r.undo(); err != nil {
		return err
	}
	for _, f := range r.tx.touched {
		f.touched, f.base = false, 0
	}
	r.tx = txn{touched: r.tx.touched[:0]}
	return nil
}

// savepoint readies the transaction for being undone in part. The rows before
// the first savepoint can only be undone as a whole.
func (r *stream) savepoint(name string) {
	if r.tx.spool == nil {
		r.tx.spool = &spool{}
	}
	r.tx.savepoints = append(r.tx.savepoints, savepoint{name, r.tx.spool.end()})
}

// rollbackTo undoes what came behind a savepoint.
func (r *stream) rollbackTo(name string) error {
	for i := len(r.tx.savepoints) - 1; i >= 0; i-- {
		if sp := r.tx.savepoints[i]; r.s.sameName(sp.name, name) {
			r.tx.spool.cut(sp.end)
			r.tx.savepoints = r.tx.savepoints[:i+1]
			return nil
		}
	}
	return hint.Wrap(fmt.Errorf("the log goes back to savepoint %s at %s:%d, which it has not set", name, r.d.file, r.d.pos), "%s", allAnew)
}

// xaPrepare ends an XA transaction for now, or for good if it has one phase.
func (r *stream) xaPrepare(ctx context.Context, body []byte) error {
	xid, onePhase, err := binlog.ParseXAPrepare(body)
	if err != nil {
		return err
	}
	if onePhase || !r.tx.xa {
		return r.end(ctx)
	}
	p := &prepared{spool: r.tx.spool, gtid: r.tx.gtid, before: r.place(r.tx.start)}
	r.tx.spool = nil
	if err := p.spool.rest(); err != nil {
		p.spool.close()
		return err
	}
	if old := r.prepared[xid]; old != nil {
		old.spool.close()
	}
	r.prepared[xid] = p
	r.until.pass(&p.gtid)
	r.loose.pass(&p.gtid)
	if r.done.set == nil { // what is not decided is kept apart by its place
		r.pass(&p.gtid)
	}
	r.close()
	return nil
}

// xaDecide ends a prepared transaction.
func (r *stream) xaDecide(ctx context.Context, xid string, commit bool) error {
	p := r.prepared[xid]
	if p == nil && commit && !r.behind {
		var err error
		if p, err = r.lookBack(ctx, xid); err != nil {
			return err
		}
	}
	if p == nil {
		return r.end(ctx)
	}
	delete(r.prepared, xid)
	r.tx.also = p
	if !commit {
		p.spool.close()
		return r.end(ctx)
	}
	r.tx.spool = p.spool
	return r.end(ctx)
}

// lookBack finds the rows of an XA transaction that is committed now and was
// prepared before the log was followed. Most were prepared a moment before, so
// the log is read file by file, the newest first.
func (r *stream) lookBack(ctx context.Context, xid string) (*prepared, error) {
	st, err := r.s.logState(ctx)
	if err != nil {
		return nil, err
	}
	end := r.tx.opened // before its end, which is the end of what was prepared, too
	for i := st.file(end.file); i >= 0; i-- {
		p, err := r.lookInto(ctx, st.files[i].name, end, xid)
		if p != nil || err != nil {
			return p, err
		}
	}
	return nil, hint.Wrap(fmt.Errorf("at %s:%d an XA transaction (%s) is committed that was prepared in a part of the log that is purged: its rows are not known", end.file, end.pos, xid),
		"copy the tables anew")
}

// lookInto reads one file of the log up to a spot for a transaction that is
// prepared in it.
func (r *stream) lookInto(ctx context.Context, file string, end spot, xid string) (found *prepared, err error) {
	d, err := r.s.dump(ctx, dumpStart{spot: spot{file, 4}, aside: true})
	if err != nil {
		return nil, err
	}
	b := &stream{
		s: r.s, server: r.server, maria: r.maria, d: d, tables: r.tables, ids: map[uint64]*tableID{}, prepared: map[string]*prepared{}, told: time.Now(),
		behind: true, after: math.MaxInt64, // so that nothing counts but what is prepared
	}
	defer func() {
		if found != nil {
			delete(b.prepared, xid) // it stays open
		}
		b.tables = nil // they are the other stream's
		b.Close()
	}()
	defer d.c.guard(ctx)()
	for b.err == nil && d.file == file && (spot{d.file, d.pos}).compare(end) < 0 {
		if err := b.step(ctx); err != nil {
			return nil, cmp.Or(ctx.Err(), err)
		}
	}
	return b.prepared[xid], nil
}
