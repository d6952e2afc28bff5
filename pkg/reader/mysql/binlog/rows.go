package binlog

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/calendar"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

var errShort = errors.New("the event is cut short")

// Options tell a Decoder what it cannot see in the events.
type Options struct {
	ZeroDate calendar.Policy
	Charsets *Charsets
	Upsert   bool // inserts become After: their rows may be there already
	MariaDB  bool
	// RowEnd is the column that a system-versioned table of MariaDB declares as
	// GENERATED ALWAYS AS ROW END, "" if there is none; hidden ones are found.
	RowEnd string
}

// A Tx is what a changelog says of the transaction that a change belongs to.
type Tx struct {
	Time int64  // of the commit: microseconds since 1970
	GTID string // "" where there is none
	Pos  string // beginning of the _pos column: log file and offset
}

// A field is a column of the rows on the wire. All types take one of two
// shapes: a fixed width, or a length of prefix bytes and as many bytes.
type field struct {
	width    int
	prefix   int
	append   func(v []byte) error
	blank    func() // appends any value, which costs less than a null
	col      batch.Column
	nullable bool
	json     bool
}

// A span is where a value lies; start < 0 is NULL.
type span struct{ start, end int }

// A Decoder appends the rows of one table's events to a builder. How each
// column is read is chosen once for a layout, so a row costs one call per
// column. The source of the format is the comment of Rows_event in MySQL's
// rows_event.h.
type Decoder struct {
	table     *schema.Table
	builder   *batch.Builder
	opts      Options
	fields    []field
	visible   int   // fields that are columns of the table; MariaDB hides some behind them
	rowEnd    int   // field that says whether a row is history; -1 if none
	changelog *meta // nil for tables that are kept up to date
	keys      []int // fields of the key
	keyEnd    int   // behind the last of them
	inKey     []bool

	before, after []span // of fields, of the row at hand
	text          []byte // scratch
	ops           []batch.Op
	inserts       int // rows before the first that is not a plain insert, while ops is nil
}

// NewDecoder returns a Decoder of the events that follow m into b, whose table
// is t. A map that does not fit t is a *schema.TableError.
func NewDecoder(t *schema.Table, m *TableMap, b *batch.Builder, o Options) (*Decoder, error) {
	d := &Decoder{table: t, builder: b, opts: o}
	n := len(t.Columns)
	if t.IsChangelog() {
		for n > 0 && t.Columns[n-1].Meta != schema.NotMeta {
			n--
		}
		var err error
		if d.changelog, err = newMeta(t, b, n); err != nil {
			return nil, err
		}
	}
	var err error
	if d.rowEnd, err = checkMap(t.Columns[:n], m, &o); err != nil {
		err = hint.Wrap(fmt.Errorf("the log has another shape of the table: %w", err), "the table was altered; read it anew")
		return nil, &schema.TableError{Table: t.String(), Err: err}
	}
	all := len(m.Columns)
	d.fields, d.visible = make([]field, all), n
	for i := range d.fields {
		if i >= n { // a hidden one
			d.fields[i].width, d.fields[i].prefix = shape(&m.Columns[i], 0)
			continue
		}
		f, err := newField(&t.Columns[i], &m.Columns[i], b.Columns[i], &o)
		if err != nil {
			return nil, &schema.TableError{Table: t.String(), Err: fmt.Errorf("column %s (%s): %w", t.Columns[i].Name, t.Columns[i].Native, err)}
		}
		d.fields[i] = f
	}
	d.before, d.after, d.inKey = make([]span, all), make([]span, all), make([]bool, all)
	if d.changelog == nil {
		for _, k := range t.Key {
			d.keys, d.keyEnd, d.inKey[k] = append(d.keys, k), max(d.keyEnd, k+1), true
		}
	}
	return d, nil
}

// Rows decodes the body of a rows event, which is what lies between its header
// of 19 bytes and its checksum, decompressed. It returns the number of changes.
// After an error the builder's rows are of no use.
func (d *Decoder) Rows(typ EventType, body []byte, tx *Tx) (changes int, err error) {
	p, change, err := d.header(typ, body)
	if err != nil {
		return 0, d.wrap(err)
	}
	if d.changelog != nil {
		d.changelog.begin(tx)
	}
	for i := 0; i < len(p); changes++ {
		next, err := change(d, p, i)
		if err != nil {
			return changes, d.wrap(err)
		}
		if next <= i {
			return changes, d.wrap(errShort) // rows of no columns
		}
		i = next
	}
	return changes, nil
}

func (d *Decoder) wrap(err error) error {
	return &schema.TableError{Table: d.table.String(), Err: err}
}

// header reads up to the first row and returns the rows and how to read one.
func (d *Decoder) header(typ EventType, body []byte) ([]byte, changeFunc, error) {
	kind, extra := kindOf(typ)
	if kind < 0 {
		return nil, nil, fmt.Errorf("event of type %d is no rows event", typ)
	}
	c := cursor{p: body}
	c.take(8) // id and flags
	if extra {
		c.take(max(uint64(c.u16()), 2) - 2) // the length counts itself
	}
	n := c.lenenc()
	if !c.bad && n != uint64(len(d.fields)) {
		return nil, nil, fmt.Errorf("a rows event has %d columns, its table map %d", n, len(d.fields))
	}
	for images := 1 + kind&1; images > 0; images-- {
		if present := c.take((n + 7) / 8); !c.bad && !full(present, int(n)) {
			return nil, nil, hint.Wrap(errors.New("a row in the log lacks columns: it was written with another binlog_row_image than FULL"),
				"SET GLOBAL binlog_row_image = FULL, see that no session overrides it, and read the table again")
		}
	}
	if c.bad {
		return nil, nil, errShort
	}
	if d.rowEnd >= 0 {
		return c.p, versionChanges[kind], nil
	}
	return c.p, changes[kind], nil
}

// The kinds of change. Those of two images are odd.
const (
	kindInsert = iota
	kindUpdate
	kindDelete
	kindPartialUpdate
)

// A changeFunc reads the change at p[i:] and returns where it ends.
type changeFunc func(d *Decoder, p []byte, i int) (int, error)

var (
	changes        = [...]changeFunc{(*Decoder).insert, (*Decoder).update, (*Decoder).delete, (*Decoder).partialUpdate}
	versionChanges = [...]changeFunc{(*Decoder).insertVersion, (*Decoder).updateVersion, (*Decoder).deleteVersion, (*Decoder).partialUpdate}
)

// kindOf returns the kind of change, and whether the event's header has a part of
// variable length.
func kindOf(typ EventType) (kind int, extra bool) {
	switch typ {
	case WriteRowsV2:
		return kindInsert, true
	case UpdateRowsV2:
		return kindUpdate, true
	case DeleteRowsV2:
		return kindDelete, true
	case PartialUpdateRows:
		return kindPartialUpdate, true
	case WriteRowsV1, MariaWriteRowsCompressedV1:
		return kindInsert, false
	case UpdateRowsV1, MariaUpdateRowsCompressedV1:
		return kindUpdate, false
	case DeleteRowsV1, MariaDeleteRowsCompressedV1:
		return kindDelete, false
	case MariaWriteRowsCompressed:
		return kindInsert, true
	case MariaUpdateRowsCompressed:
		return kindUpdate, true
	case MariaDeleteRowsCompressed:
		return kindDelete, true
	}
	return -1, false
}

// full reports whether the first n bits are set.
func full(bits []byte, n int) bool {
	for i, b := range bits {
		want := byte(0xff)
		if rest := n - 8*i; rest < 8 {
			want = 1<<rest - 1
		}
		if b&want != want {
			return false
		}
	}
	return true
}

func (d *Decoder) insert(p []byte, i int) (int, error) {
	end, err := d.image(p, i)
	if err != nil {
		return 0, err
	}
	op, name := batch.Insert, schema.OpInsert
	if d.opts.Upsert {
		op = batch.After
	}
	return end, d.endRow(op, name, end-i)
}

func (d *Decoder) delete(p []byte, i int) (int, error) {
	if d.changelog != nil {
		end, err := d.image(p, i)
		if err != nil {
			return 0, err
		}
		return end, d.endRow(batch.Delete, schema.OpDelete, end-i)
	}
	end, err := d.frame(p, i, d.before, len(d.fields))
	if err != nil {
		return 0, err
	}
	if err := d.key(p); err != nil {
		return 0, err
	}
	return end, d.endRow(batch.Delete, schema.OpDelete, end-i)
}

func (d *Decoder) update(p []byte, i int) (int, error) { return d.change(p, i, false) }

// change reads the two images of an update, the second of which may be partial.
func (d *Decoder) change(p []byte, i int, partial bool) (int, error) {
	mid, err := d.frame(p, i, d.before, len(d.fields))
	if err != nil {
		return 0, err
	}
	after, bits := mid, []byte(nil)
	if partial {
		if bits, after, err = d.partialBits(p, mid); err != nil {
			return 0, err
		}
	}
	begin := i // of what the row that is yet to come weighs
	if d.changelog != nil {
		if _, err = d.image(p, i); err != nil {
			return 0, err
		}
		if err = d.endRow(batch.Before, schema.OpBefore, mid-i); err != nil {
			return 0, err
		}
		begin = mid
	} else {
		if _, err = d.frame(p, after, d.after, d.keyEnd); err != nil {
			return 0, err
		}
		// Other bytes that the key's collation takes for the same are a change
		// too: the destination compares bytes.
		if d.moved(p) {
			if err = d.key(p); err != nil {
				return 0, err
			}
			if err = d.endRow(batch.Before, schema.OpBefore, 0); err != nil {
				return 0, err
			}
		}
	}
	var end int
	if partial {
		end, err = d.partialImage(p, after, bits)
	} else {
		end, err = d.image(p, after)
	}
	if err != nil {
		return 0, err
	}
	return end, d.endRow(batch.After, schema.OpUpdate, end-begin)
}

// moved reports whether the key differs between the images at hand.
func (d *Decoder) moved(p []byte) bool {
	for _, k := range d.keys {
		b, a := d.before[k], d.after[k]
		if b.start < 0 || a.start < 0 {
			if b.start != a.start {
				return true
			}
		} else if !bytes.Equal(p[b.start:b.end], p[a.start:a.end]) {
			return true
		}
	}
	return false
}

// image appends the image at p[i:] and returns where it ends.
func (d *Decoder) image(p []byte, i int) (int, error) {
	nulls, i, err := d.nulls(p, i)
	if err != nil {
		return 0, err
	}
	var some byte
	for _, b := range nulls {
		some |= b
	}
	for c := range d.fields[:d.visible] {
		f := &d.fields[c]
		if some != 0 && nulls[c>>3]&(1<<(c&7)) != 0 {
			if err := d.null(c); err != nil {
				return 0, d.columnError(c, err)
			}
			continue
		}
		n := f.width
		if f.prefix != 0 {
			n, i = prefixed(p, i, f.prefix)
		}
		if n > len(p)-i {
			return 0, errShort
		}
		if err := f.append(p[i : i+n]); err != nil {
			return 0, d.columnError(c, err)
		}
		i += n
	}
	return d.skip(p, i, nulls, nil, d.visible, len(d.fields))
}

// frame notes where the first upto values of the image at p[i:] lie, and returns
// where the last of them ends.
func (d *Decoder) frame(p []byte, i int, at []span, upto int) (int, error) {
	nulls, i, err := d.nulls(p, i)
	if err != nil {
		return 0, err
	}
	return d.skip(p, i, nulls, at, 0, upto)
}

// skip passes over the fields from c up to, and notes where they lie if at is
// not nil.
func (d *Decoder) skip(p []byte, i int, nulls []byte, at []span, c, upto int) (int, error) {
	for ; c < upto; c++ {
		f := &d.fields[c]
		where := span{-1, -1}
		if nulls[c>>3]&(1<<(c&7)) == 0 {
			n := f.width
			if f.prefix != 0 {
				n, i = prefixed(p, i, f.prefix)
			}
			if n > len(p)-i {
				return 0, errShort
			}
			where = span{i, i + n}
			i += n
		}
		if at != nil {
			at[c] = where
		}
	}
	return i, nil
}

func (d *Decoder) nulls(p []byte, i int) ([]byte, int, error) {
	n := (len(d.fields) + 7) / 8
	if len(p)-i < n {
		return nil, 0, errShort
	}
	return p[i : i+n], i + n, nil
}

// prefixed reads a length of n bytes and returns it and where the value begins.
func prefixed(p []byte, i, n int) (length, start int) {
	if len(p)-i < n {
		return 1, len(p) // more than there is
	}
	switch n {
	case 1:
		return int(p[i]), i + 1
	case 2:
		return int(binary.LittleEndian.Uint16(p[i:])), i + 2
	case 3:
		return int(p[i]) | int(p[i+1])<<8 | int(p[i+2])<<16, i + 3
	}
	return int(binary.LittleEndian.Uint32(p[i:])), i + 4
}

// key appends a row of the key values at hand; sinks look at no others.
func (d *Decoder) key(p []byte) error {
	for c := range d.fields[:d.visible] {
		f := &d.fields[c]
		at := d.before[c]
		if !d.inKey[c] {
			f.blank()
			continue
		}
		if at.start < 0 {
			return fmt.Errorf("column %s of the key is NULL in a row in the log", d.table.Columns[c].Name)
		}
		if err := f.append(p[at.start:at.end]); err != nil {
			return d.columnError(c, err)
		}
	}
	return nil
}

// endRow completes a row.
func (d *Decoder) endRow(op batch.Op, name string, size int) error {
	d.builder.EndRow(size)
	if d.changelog != nil {
		d.changelog.row(name)
		return nil
	}
	if op == batch.Insert && d.ops == nil {
		d.inserts++
		return nil
	}
	if d.keys == nil && op != batch.Insert {
		if op == batch.After && d.opts.Upsert {
			d.inserts++ // an insert like any other
			return nil
		}
		return errors.New("rows of a table without a key were changed or deleted, which cannot be told apart")
	}
	if d.ops == nil {
		d.ops = make([]batch.Op, d.inserts, max(2*d.inserts, 1024)) // of zeros, which is Insert
		d.inserts = 0
	}
	d.ops = append(d.ops, op)
	return nil
}

// TakeOps returns the Ops of the rows since the last call. Call it when a batch
// is taken from the builder. It is nil if all are inserts, and for changelogs.
func (d *Decoder) TakeOps() []batch.Op {
	ops := d.ops
	d.ops, d.inserts = nil, 0
	return ops
}
