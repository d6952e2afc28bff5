package binlog

import (
	"errors"
	"fmt"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/calendar"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// Options tell a Decoder what it cannot see in the events.
type Options struct {
	ZeroDate calendar.Policy
	// ZeroDates counts what ZeroDate changes; it may be nil.
	ZeroDates *calendar.Tally
	Charsets  *Charsets
	// Upsert has inserts become After: their rows may be there already. In a changelog
	// they are schema.OpUpdate with no OpBefore, and so is what comes of a key that was
	// changed, behind an OpDelete.
	Upsert  bool
	MariaDB bool
	// RowEnd is the column that a system-versioned table of MariaDB declares as
	// GENERATED ALWAYS AS ROW END, "" if there is none; hidden ones are found.
	RowEnd string
}

// A Tx is what a changelog says of the transaction that a change belongs to.
type Tx struct {
	Time int64  // of the commit: microseconds since 1970
	GTID string // "" where there is none
	Pos  string // beginning of the _pos column: log file and offset
	// Row is how many rows have been given Pos so far. It is counted here, and set
	// to 0 by whoever sets another Pos: events within a compressed transaction
	// have one Pos in common.
	Row int
}

// A Decoder appends the rows of one table's events to a builder. How each
// column is read is chosen once for a layout, so a row costs one call per
// column. The source of the format is the comment of Rows_event in MySQL's
// rows_event.h.
type Decoder struct {
	table     *schema.Table
	columns   []schema.Column // of the source's table, those that are left out included
	builder   *batch.Builder
	opts      Options
	fields    []field
	visible   int   // fields that are columns of the table; MariaDB hides some behind them
	rowEnd    int   // field that says whether a row is history; -1 if none
	changelog *meta // nil for tables of rows alone
	log       bool  // its changes are rows: there are no ops
	keys      []int // fields of the key
	keyEnd    int   // behind the last of them
	inKey     []bool

	before, after []span // of fields, of the row at hand
	text          []byte // scratch
	grown         int    // how much longer the row's values are than they were in the log
	ops           []batch.Op
	inserts       int // rows before the first that is not a plain insert, while ops is nil
}

// NewDecoder returns a Decoder of the events that follow m into b, whose table
// is t. A map that does not fit t is a *schema.TableError.
func NewDecoder(t *schema.Table, m *TableMap, b *batch.Builder, o Options) (*Decoder, error) {
	d := &Decoder{table: t, builder: b, opts: o}
	n, whole := len(t.Columns), t.AtSource()
	d.log = t.IsChangelog()
	if t.HasMeta() {
		for n > 0 && t.Columns[n-1].Meta != schema.NotMeta {
			n--
		}
		var err error
		if d.changelog, err = newMeta(t, b, n); err != nil {
			return nil, err
		}
	}
	if d.columns = t.Columns[:n]; t.Whole != nil {
		d.columns = whole.Columns
	}
	var err error
	if d.rowEnd, err = checkMap(d.columns, m, &o); err != nil {
		err = hint.Wrap(fmt.Errorf("the log has another shape of the table: %w", err), "the table was altered: copy it anew with snapshot --mode replace --tables %s and run the command again", t)
		return nil, &schema.TableError{Table: t.String(), Err: err}
	}
	all := len(m.Columns)
	d.fields, d.visible = make([]field, all), len(d.columns)
	at := 0 // in t.Columns
	for i := range d.fields {
		w := &m.Columns[i]
		switch {
		case i >= d.visible: // a hidden one
			d.fields[i].width, d.fields[i].prefix = shape(w, 0)
		case at == n || t.Columns[at].Name != d.columns[i].Name:
			d.fields[i] = leftOutField(&d.columns[i], w)
		default:
			f, err := newField(t, at, w, b.Columns[at], &o, &d.grown)
			if err != nil {
				return nil, &schema.TableError{Table: t.String(), Err: fmt.Errorf("column %s (%s): %w", t.Columns[at].Name, t.Columns[at].Native, err)}
			}
			d.fields[i] = f
			at++
		}
	}
	d.before, d.after, d.inKey = make([]span, all), make([]span, all), make([]bool, all)
	key := t.Key
	if o.Upsert && d.log { // else whether the key has changed is of no interest
		key = t.RowKey
	}
	if key != nil { // then all of it is in t
		if t.Whole != nil {
			key = whole.Key
		}
		for _, k := range key {
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
		c.take(max(uint64(c.uint16()), 2) - 2) // the length counts itself
	}
	n := c.lenenc()
	if !c.bad && n != uint64(len(d.fields)) {
		return nil, nil, fmt.Errorf("a rows event has %d columns, its table map %d", n, len(d.fields))
	}
	for images := 1 + kind&1; images > 0; images-- {
		if present := c.take((n + 7) / 8); !c.bad && !full(present, int(n)) {
			return nil, nil, hint.Wrap(errors.New("a row in the log lacks columns: it was written with another binlog_row_image than FULL"),
				"SET GLOBAL binlog_row_image = FULL, see that no session overrides it, and copy the table anew with snapshot --mode replace --tables %s", d.table)
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
