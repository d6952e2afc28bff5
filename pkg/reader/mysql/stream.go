package mysql

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/binlog"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/schema/ddl"
)

// A followed table is one whose changes are wanted.
type followed struct {
	t       *schema.Table // in whose columns the log has its rows
	kept    *schema.Table // in which they are handed out, if these stay as they were; else nil
	b       *batch.Builder
	dec     *binlog.Decoder
	def     *ddl.Table // t as statements make it; nil until one does
	mapBody []byte     // of the table map that dec was made for, without the id
	from    mark
	extra   binlog.Set // what the table has and others have not: MySQL
	rowEnd  string     // a declared ROW END column of a system-versioned table: MariaDB
	upsert  bool       // rows may be there already
	emptied bool       // before the rows in b
	gone    bool       // dropped
	forgone error      // why its rows are of no use any more, if so: see forgo
	skip    bool       // the transaction at hand is one that the table has
	dirty   bool       // in stream.dirty
	touched bool       // in txn.touched
	base    int        // rows in b when the transaction began, if touched
}

// passes reports whether rows are none of the table's business.
func (f *followed) passes() bool { return f.skip || f.forgone != nil }

// A tableID is what an id in rows events stands for.
type tableID struct {
	body []byte
	f    *followed // nil if the table is not followed
}

// A stream reads a log and hands out what becomes of the followed tables.
type stream struct {
	s       *Stock
	server  string
	maria   bool
	byGTID  bool
	clock   time.Duration
	d       *dump
	payload binlog.Payload
	inside  bool // events come from payload
	again   *replay

	tables   map[binlog.Name]*followed
	ids      map[uint64]*tableID
	lastID   uint64 // of last
	last     *tableID
	uneven   bool // tables start at different points
	loose    goal
	early    bool // rows may be there already until loose is reached
	behind   bool // the stream looks for what another one has missed
	after    int64
	until    goal
	tx       txn
	prepared map[string]*prepared
	ghosts   map[binlog.Name]*ghost // that tools make beside followed tables
	tools    map[*followed]bool     // tables that tools alter so
	keepers  map[*schema.Table]*keeper
	doomed   []string // tables that were dropped and are followed no longer

	done gtids // what is through
	at   spot  // likewise
	time int64 // when the last of it was committed
	meta binlog.Tx

	charsets *binlog.Charsets

	out     []*batch.Batch
	err     error // after out
	dirty   []*followed
	rows    int       // in the builders
	bytes   int       // likewise
	since   time.Time // when the oldest thing came that waits for a position; zero if none
	told    time.Time // when the last position was handed out
	scratch []byte
}

// Read returns the next batch. A context that ends interrupts it; the next Read
// goes on where it was.
func (r *stream) Read(ctx context.Context) (*batch.Batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if len(r.out) == 0 && r.err == nil {
		r.d.ended.Store(false)
		stop := context.AfterFunc(ctx, func() {
			r.d.ended.Store(true)
			_ = r.d.c.SetReadDeadline(time.Unix(1, 0)) // fails only on a closed connection
		})
		defer stop()
		r.d.feed.heard = time.Now()
	}
	for len(r.out) == 0 && r.err == nil {
		if err := r.step(ctx); err != nil {
			if ctx.Err() != nil {
				return nil, ctx.Err()
			}
			r.fail(err)
		}
	}
	if len(r.out) > 0 {
		b := r.out[0]
		r.out = append(r.out[:0], r.out[1:]...)
		return r.keep(b)
	}
	return nil, r.err
}

// Close ends the connection and gives back what was not handed out.
func (r *stream) Close() error {
	r.discard()
	for _, b := range r.out {
		b.Release()
	}
	r.out = nil
	if r.err == nil {
		r.err = errors.New("the reader is closed")
	}
	r.payload.Close()
	r.tx.drop()
	for _, p := range r.prepared {
		p.spool.close()
	}
	return r.d.Close()
}

// step deals with one event, or with its not coming.
func (r *stream) step(ctx context.Context) error {
	if r.again != nil {
		return r.replay(ctx)
	}
	if r.inside {
		p, err := r.payload.Next()
		if !errors.Is(err, io.EOF) {
			if err != nil {
				return err
			}
			h, err := binlog.ParseHeader(p)
			if err != nil {
				return err
			}
			return r.event(ctx, h, p[binlog.HeaderLen:])
		}
		r.inside = false
	}
	h, body, err := r.d.next(r.wake())
	if errors.Is(err, errWait) {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		r.idle(time.Now())
		return nil
	}
	if err != nil {
		return err
	}
	if err := r.event(ctx, h, body); err != nil {
		return err
	}
	if !r.tx.open {
		// A server that was asked by GTID begins at the start of a file, and sends
		// nothing of what was read before.
		if at := (spot{r.d.file, r.d.pos}); !r.byGTID || r.at.compare(at) < 0 {
			r.at = at
		}
		if r.until.spot != nil && r.err == nil && r.at.compare(*r.until.spot) >= 0 {
			r.finish()
		}
	}
	return nil
}

// event deals with an event.
func (r *stream) event(ctx context.Context, h binlog.Header, body []byte) error {
	switch h.Type {
	case binlog.WriteRowsV2, binlog.UpdateRowsV2, binlog.DeleteRowsV2, binlog.WriteRowsV1, binlog.UpdateRowsV1, binlog.DeleteRowsV1, binlog.PartialUpdateRows:
		return r.changes(h.Type, body)
	case binlog.TableMapEvent:
		return r.forgo(ctx, r.tableMap(body))
	case binlog.GTIDEvent, binlog.AnonymousGTID, binlog.TaggedGTID, binlog.MariaGTID:
		return r.begin(h, body)
	case binlog.Xid:
		return r.end(ctx)
	case binlog.Query, binlog.MariaQueryCompressed, binlog.ExecuteLoadQuery:
		return r.query(ctx, h, body)
	case binlog.XAPrepare:
		return r.xaPrepare(ctx, body)
	case binlog.TransactionPayload:
		r.inside = true
		return r.payload.Reset(body)
	case binlog.MariaWriteRowsCompressed, binlog.MariaUpdateRowsCompressed, binlog.MariaDeleteRowsCompressed,
		binlog.MariaWriteRowsCompressedV1, binlog.MariaUpdateRowsCompressedV1, binlog.MariaDeleteRowsCompressedV1:
		if t := r.table(binlog.TableID(body)); t == nil || t.f != nil {
			typ, plain, err := binlog.Decompress(h.Type, body, r.scratch)
			if err != nil {
				return err
			}
			r.scratch = plain
			return r.changes(typ, plain)
		}
		return nil
	}
	return r.otherEvent(h, body)
}

// otherEvent deals with events that hold nothing of a transaction.
func (r *stream) otherEvent(h binlog.Header, body []byte) error {
	switch h.Type {
	case binlog.Rotate, binlog.FormatDescription, binlog.Stop:
		if r.tx.open && h.Flags&binlog.FlagArtificial == 0 {
			if err := r.abandon(); err != nil {
				return err
			}
		}
		clear(r.ids)
		r.last = nil
	case binlog.Heartbeat, binlog.HeartbeatV2:
		r.heartbeat()
	case binlog.Incident:
		return hint.Wrap(fmt.Errorf("the server reports at %s:%d that its log has a gap (an incident event)", r.d.file, r.d.pos), "copy the tables anew")
	case binlog.IntVar, binlog.Rand, binlog.UserVar, binlog.BeginLoadQuery, binlog.AppendBlock, binlog.DeleteFile,
		binlog.Ignorable, binlog.RowsQuery, binlog.PreviousGTIDs, binlog.TransactionContext, binlog.ViewChange,
		binlog.MariaAnnotateRows, binlog.MariaCheckpoint, binlog.MariaGTIDList, binlog.MariaStartEncryption:
	default:
		if h.Flags&binlog.FlagIgnorable == 0 {
			return hint.Wrap(fmt.Errorf("the log has an event of unknown type %d at %s:%d", h.Type, r.d.file, r.d.pos),
				"it comes from a newer server than this program knows: see whether there is a newer version, and report the type")
		}
	}
	return nil
}

// table returns what an id stands for, or nil.
func (r *stream) table(id uint64) *tableID {
	if r.last == nil || r.lastID != id {
		r.lastID, r.last = id, r.ids[id]
	}
	return r.last
}

// tableMap notes what an id stands for. A server repeats itself before every
// statement's rows, so most bodies have been seen before.
func (r *stream) tableMap(body []byte) error {
	id := binlog.TableID(body)
	t := r.table(id)
	if t == nil || !bytes.Equal(t.body, body) {
		name, err := binlog.MapName(body)
		if err != nil {
			return err
		}
		t = &tableID{body: bytes.Clone(body), f: r.lookup(name)}
		r.ids[id], r.lastID, r.last = t, id, t
	}
	if t.f == nil {
		return nil
	}
	if r.tx.spool != nil && r.again == nil {
		return r.tx.spool.add(binlog.TableMapEvent, r.d.pos, body)
	}
	if t.f.passes() || r.tx.skip {
		return nil
	}
	return r.decoder(t.f, body)
}

func (r *stream) lookup(n binlog.Name) *followed {
	return r.tables[binlog.Name{DB: r.s.fold(n.DB), Table: r.s.fold(n.Table)}]
}

// decoder sees to it that the table's decoder is for the given map.
func (r *stream) decoder(f *followed, body []byte) error {
	if f.dec != nil && bytes.Equal(f.mapBody, body[6:]) {
		return nil
	}
	m, err := binlog.ParseTableMap(body)
	if err != nil {
		return err
	}
	// What is in the builder has its Ops with the old decoder.
	r.handOut(f)
	dec, err := binlog.NewDecoder(f.t, m, f.b, binlog.Options{ZeroDate: r.s.zero, ZeroDates: r.s.zeroDates.of(f.t), Charsets: r.charsets, Upsert: f.upsert, MariaDB: r.maria, RowEnd: f.rowEnd})
	if err != nil {
		var te *schema.TableError
		if errors.As(err, &te) { // nobody has told of what has altered it
			te.Anew = r.evolves(f) && !f.t.IsChangelog()
		}
		return r.placed(err)
	}
	f.dec, f.mapBody = dec, bytes.Clone(body[6:])
	return nil
}

// dummyID is the id of rows events without rows, which end a statement.
const dummyID = 0xffffff

// changes deals with a rows event.
func (r *stream) changes(typ binlog.EventType, body []byte) error {
	id := binlog.TableID(body)
	t := r.table(id)
	if t == nil {
		if id == dummyID {
			return nil
		}
		return hint.Wrap(fmt.Errorf("rows at %s:%d are of table id %d, which no table map announced", r.d.file, r.d.pos, id), "%s", allAnew)
	}
	f := t.f
	if f == nil {
		return nil
	}
	if r.tx.spool != nil && r.again == nil {
		return r.tx.spool.add(typ, r.d.pos, body)
	}
	if f.passes() || r.tx.skip {
		return nil
	}
	if !f.touched {
		f.touched, f.base = true, f.b.Rows()
		r.tx.touched = append(r.tx.touched, f)
	}
	if f.t.HasMeta() {
		r.describe()
	}
	rows, size := f.b.Rows(), f.b.Bytes()
	if _, err := f.dec.Rows(typ, body, &r.meta); err != nil {
		return r.placed(err)
	}
	r.rows += f.b.Rows() - rows
	r.bytes += f.b.Bytes() - size
	r.mark(f)
	if f.b.Rows() >= batchRows || f.b.Bytes() >= r.s.opts.batchBytes || r.bytes >= r.limit() {
		return r.full(f)
	}
	return nil
}

// placed adds the place in the log to what is wrong with a table there.
func (r *stream) placed(err error) error {
	var te *schema.TableError
	if errors.As(err, &te) {
		te.Err = fmt.Errorf("%w, at %s:%d", te.Err, r.d.file, r.tx.pos(r.d.pos))
	}
	return err
}

// describe readies what changelogs say of the transaction and the event.
func (r *stream) describe() {
	if r.meta.GTID == "" {
		r.meta.GTID = r.tx.gtid.String()
	}
	r.meta.Time = r.tx.time
	if pos := fmt.Sprintf("%s:%020d", r.d.file, r.tx.pos(r.d.pos)); pos != r.meta.Pos {
		r.meta.Pos, r.meta.Row = pos, 0
	}
}
