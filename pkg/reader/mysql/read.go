package mysql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// batchRows is how many rows a batch holds at most: enough that the cost of a
// batch vanishes, and few enough that its columns stay in the processor's cache
// until they are encoded.
const batchRows = 8192

// A splitReader decodes the rows of one split.
type splitReader struct {
	snap    *snapshot
	conn    *conn
	split   reader.Split
	stmt    *statement
	builder *batch.Builder
	decoder *rowDecoder
	meta    []batch.Column // of a changelog: what the source has no values for
	broken  bool           // the connection is of no more use
}

func (p *snapshot) open(ctx context.Context, c *conn, sp reader.Split, where string) (reader.Reader, error) {
	r := &splitReader{snap: p, conn: c, split: sp}
	if err := r.start(ctx, where); err != nil {
		err = r.explain(ctx, err) // and know whether the connection is of use
		r.Close()
		return nil, err
	}
	return r, nil
}

func (r *splitReader) start(ctx context.Context, where string) (err error) {
	t := r.split.Table
	if r.builder, err = batch.NewBuilder(t, r.snap.s.opts.alloc); err != nil {
		return err
	}
	shape := source(t)
	r.meta = r.builder.Columns[len(shape.Columns):]
	if r.decoder, err = newRowDecoder(shape, r.builder, r.snap.s.zero, r.snap.s.zeroDates.of(shape)); err != nil {
		return err
	}
	defer r.conn.guard(ctx)()
	if r.stmt, err = r.conn.execute(selectSQL(shape, where)); err != nil {
		return err
	}
	if err := checkColumns(shape, r.stmt.columns); err != nil {
		err = hint.Wrap(fmt.Errorf("altered while the run was under way: %w", err), "run the command again")
		return &schema.TableError{Table: t.String(), Err: err, Anew: true}
	}
	return nil
}

// source returns the part of a table that the source has: a changelog has
// columns behind it that the reader fills in.
func source(t *schema.Table) *schema.Table {
	n := len(t.Columns)
	for n > 0 && t.Columns[n-1].Meta != schema.NotMeta {
		n--
	}
	if n == len(t.Columns) {
		return t
	}
	s := schema.New(t.DB, t.Name, t.Columns[:n], t.RowKey)
	s.Filter, s.Whole = t.Filter, t.Whole
	return s
}

// endRow fills the columns of a changelog: rows of stock have been read, and
// nothing else is known of them.
func (r *splitReader) endRow() {
	for i, c := range r.meta {
		if text, ok := c.(*batch.Bytes); ok && r.split.Table.Columns[len(r.decoder.columns)+i].Meta == schema.MetaOp {
			text.Append([]byte(schema.OpRead))
			continue
		}
		c.Null()
	}
}

// columnList names every column, as * leaves invisible ones out.
func columnList(t *schema.Table) string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = ident(c.Name)
	}
	return strings.Join(names, ",")
}

// selectSQL asks for the rows of a range. The primary key is forced because a
// covering index, which the server prefers, would give the rows in its own order.
// With a condition the server chooses: where an index finds few rows, order is
// worth less than all those that need not be read.
func selectSQL(t *schema.Table, where string) string {
	q := "SELECT " + columnList(t) + " FROM " + qualified(t)
	if t.SourceKey() != nil && t.Filter == "" {
		q += " FORCE INDEX (PRIMARY)"
	}
	if where = filtered(t, where); where != "" {
		q += " WHERE " + where
	}
	return q
}

// Read decodes rows until a batch is full.
func (r *splitReader) Read(ctx context.Context) (*batch.Batch, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	defer r.conn.guard(ctx)()
	for !r.stmt.done && r.builder.Rows() < batchRows && r.builder.Bytes() < r.snap.s.opts.batchBytes {
		p, err := r.stmt.next()
		if err == nil && p != nil {
			if err = r.decoder.row(p); err == nil {
				r.endRow()
			} else {
				err = &schema.TableError{Table: r.split.Table.String(), Err: badRow(r.decoder.table, p, err)}
			}
		}
		if err != nil {
			return nil, r.explain(ctx, err)
		}
	}
	if r.builder.Rows() == 0 {
		if err := r.snap.same(ctx, r.split.Table); err != nil {
			return nil, err
		}
		return nil, io.EOF
	}
	b := r.builder.Batch()
	b.Origin = r.split.Seq
	return b, nil
}

// explain says what an error under way means: the run was cancelled, the
// table is gone, or the connection is.
func (r *splitReader) explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		r.broken = true // guard has ended its reads in mid-packet
		return ctx.Err()
	}
	var te *schema.TableError
	// Neither the table's fault nor the server's word: the stream of packets is
	// out of step, or there is none.
	r.broken = r.broken || code(err) == 0 && !errors.As(err, &te)
	return tableError(r.split.Table, serverError(err))
}

// Close gives the connection back to the snapshot. In the middle of the rows it
// has the server stop sending first, as the connection holds the point and
// cannot be had again.
func (r *splitReader) Close() error {
	if r.conn == nil {
		return nil
	}
	c := r.conn
	r.conn = nil
	ctx, cancel := context.WithTimeout(context.Background(), abandonTime)
	defer cancel()
	if r.stmt != nil && !r.stmt.done && !r.broken {
		r.broken = r.abandon(ctx, c) != nil
	}
	if r.stmt != nil && !r.broken {
		r.broken = r.stmt.close() != nil || !c.maria && c.exec(ctx, unlockSQL) != nil
	}
	if r.broken {
		c.Close() // whoever gets it next finds out by its errors
	}
	r.snap.free <- c
	return nil
}

// abandonTime is how long the end of a read may take.
const abandonTime = 10 * time.Second

// abandon has the rest of the rows cancelled, and skips what is on its way.
func (r *splitReader) abandon(ctx context.Context, c *conn) error {
	k, err := dial(ctx, r.snap.s.cfg)
	if err != nil {
		return err
	}
	defer k.Close()
	if err := k.exec(ctx, "KILL QUERY "+itoa(uint64(c.GetConnectionID()))); err != nil {
		return err
	}
	defer c.guard(ctx)()
	for !r.stmt.done {
		if _, err := r.stmt.next(); err != nil && !r.stmt.done {
			return err
		}
	}
	return nil
}
