package message

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// LogFormats are the formats of lines that are no changes of tables.
var LogFormats = []string{"json", "csv"}

// LogOptions say what the messages of a log are.
type LogOptions struct {
	Format    string // json or csv
	DB, Table string // where its lines go
	// Columns of the table. If there are none they are inferred, from what Sample is given
	// or from the first message, and fields that come later are columns that are added.
	Columns []LogColumn
	// Origin adds columns that tell where a line comes from: _topic, _partition, _offset and
	// _time, which is that of the message.
	Origin bool

	// Of CSV.
	Delimiter byte   // 0 is a comma
	Header    bool   // the first line of each message names its fields
	Null      string // what a field without quotes is if it is NULL
}

// A LogReader appends the lines of messages to one table, which has no key. A message in
// JSON has any number of objects, and these may be in arrays; one in CSV any number of
// lines. A member that is missing is NULL, and so is null. One that has no column
// is left out, unless columns are inferred. Of members with the same name the first
// counts. A message with one line that cannot be read is refused as a whole: it lands, or
// is put aside, as it is. It is not for concurrent use.
type LogReader struct {
	o       LogOptions
	to      Target
	infers  bool
	columns []LogColumn
	shape   *schema.Table // of columns, nil as long as nothing is known
	asked   bool          // rows are those of shape
	rows    *Rows         // nil: they are not wanted
	read    []logField
	filled  []bool // scratch: fields of the line at hand
	origin  logOrigin

	tree   logNode // JSON: what of an object is read
	left   int     // the column that takes what has no other, -1
	object []byte  // scratch: its value
	text   []byte  // scratch: a string without its escapes
	head   []byte  // CSV: the header of the last message
	place  []int   // CSV: the column of each field, -1 if it has none
	width  int     // CSV: fields of a line, as far as that was inferred
	short  bool    // CSV: a line may have other numbers of fields
	before mark
}

// A logField is where values of a column go.
type logField struct {
	name  string
	read  readFunc
	null  func()
	typ   LogType
	whole bool // objects and arrays are values too: their texts are
}

// errGrown says that a field has no column yet.
var errGrown = errors.New("a field has no column")

// NewLogReader returns a LogReader into to.
func NewLogReader(o LogOptions, to Target) (*LogReader, error) {
	if o.Delimiter == 0 {
		o.Delimiter = ','
	}
	r := &LogReader{o: o, to: to, infers: len(o.Columns) == 0}
	if o.Format != "json" && o.Format != "csv" {
		return nil, fmt.Errorf("format %q is none of lines", o.Format)
	}
	if r.infers {
		return r, nil
	}
	return r, r.take(o.Columns)
}

// Sample implements Sampler.
func (r *LogReader) Sample(values [][]byte) error {
	if !r.infers || r.shape != nil {
		return nil
	}
	in, err := inferLog(values, &r.o)
	if err != nil {
		return nil //nolint:nilerr // each of them will be told to be bad
	}
	return r.guess(in)
}

// guess makes columns of what was inferred, if there are any.
func (r *LogReader) guess(in *inference) error {
	columns := in.columns(&r.o)
	if k, ok := r.to.(Knower); ok {
		t, err := k.Known(r.o.DB, r.o.Table)
		if err != nil {
			return err
		}
		columns = r.known(t, columns)
	}
	if len(columns) == 0 {
		return errors.New("it has no values that columns could be inferred from")
	}
	r.width = in.width
	return r.take(columns)
}

// At implements Placer.
func (r *LogReader) At(topic string, partition int32, offset int64, at time.Time) {
	r.origin.at(topic, partition, offset, at)
}

// take makes columns those of the table.
func (r *LogReader) take(columns []LogColumn) error {
	fields := make([]schema.Column, 0, len(columns)+len(originColumns))
	for _, c := range columns {
		fields = append(fields, c.Type.column(c.Name))
	}
	if r.o.Origin {
		for _, m := range originColumns {
			for _, c := range columns {
				if strings.EqualFold(c.Name, m.name) {
					return fmt.Errorf("column %s has the name of one that is to be added", c.Name)
				}
			}
			fields = append(fields, m.typ.column(m.name))
		}
	}
	r.columns, r.shape, r.asked, r.rows = columns, schema.New(r.o.DB, r.o.Table, fields, nil), false, nil
	return nil
}

// known gives columns that are inferred the types that they have at the sink. A column
// that is there, and of which nothing has come yet, keeps its place.
func (r *LogReader) known(t *schema.Table, columns []LogColumn) []LogColumn {
	if t == nil {
		return columns
	}
	var all []LogColumn
	at := make(map[string]bool)
	for _, c := range t.Columns {
		typ, ok := logTypeOf(c)
		if !ok || c.Meta != schema.NotMeta || r.o.Origin && isOrigin(c.Name) {
			continue
		}
		at[strings.ToLower(c.Name)] = true
		all = append(all, r.o.inferred(c.Name, typ))
	}
	for _, c := range columns {
		if !at[strings.ToLower(c.Name)] {
			all = append(all, c)
		}
	}
	return all
}

// Decode implements Decoder.
func (r *LogReader) Decode(_, value []byte) error {
	value = bytes.TrimPrefix(value, utf8BOM)
	if r.o.silent(value) {
		return nil
	}
	if r.shape == nil {
		if err := r.grow(value); err != nil || r.shape == nil {
			return err
		}
	}
	err := r.message(value)
	if errors.Is(err, errGrown) {
		if err = r.grow(value); err == nil {
			err = r.message(value)
		}
	}
	return err
}

// silent reports whether a message says nothing: it is empty or, in JSON, null.
func (o *LogOptions) silent(value []byte) bool {
	return len(value) == 0 || o.Format == "json" && string(bytes.Trim(value, " \t\r\n")) == "null"
}

// grow adds columns for what is new in a message.
func (r *LogReader) grow(value []byte) error {
	in := newInference(r.columns, r.width)
	if err := in.message(value, &r.o); err != nil || in.lines == 0 {
		return err
	}
	return r.guess(in)
}

// message reads a message into the table that is there. Of an error nothing stays.
func (r *LogReader) message(value []byte) error {
	if err := r.ask(); err != nil || r.rows == nil || r.rows.Skip != nil && r.rows.Skip() {
		return err
	}
	r.before = r.rows.Into.mark()
	var err error
	if r.o.Format == "csv" {
		err = r.csv(value)
	} else {
		err = r.json(value)
	}
	if err != nil {
		r.rows.Into.back(r.before)
		clear(r.filled)
		return err
	}
	r.rows.Tell(Change{Once: true, Micros: r.origin.micros})
	return nil
}

// ask finds out where rows go, if that is not known or not so any more.
func (r *LogReader) ask() error {
	if r.asked && (r.rows == nil || !r.rows.Into.Over) {
		return nil
	}
	rows, err := r.to.Rows(r.shape)
	if err != nil {
		return err
	}
	r.rows, r.asked = rows, true
	if rows == nil {
		return nil
	}
	r.read = r.read[:0]
	for i, c := range r.columns {
		column, col := rows.Column(i)
		f := logField{name: c.Name, read: logRead(c.Type, column, col), null: col.Null, typ: c.Type}
		if f.read == nil {
			r.asked = false
			err := fmt.Errorf("column %s: values of type %s do not go into one of %s", c.Name, c.Type, column.Arrow)
			return &schema.TableError{Table: r.shape.String(), Err: err}
		}
		f.whole = c.Type.name == "json" || c.Type.name == "string"
		r.read = append(r.read, f)
	}
	if r.o.Origin {
		if err := r.origin.open(rows, len(r.columns)); err != nil {
			return err
		}
	}
	r.filled = make([]bool, len(r.read))
	r.head = nil
	if r.o.Format == "json" {
		r.plant()
	} else {
		r.number()
	}
	return nil
}

// end ends a line, of which the message's part from a place on is.
func (r *LogReader) end(size int) {
	for i, ok := range r.filled {
		if !ok {
			r.read[i].null()
		}
	}
	r.origin.append()
	r.rows.End(batch.Insert, size)
	clear(r.filled)
}

// lineError tells where in a message there is something wrong. at is a byte within what
// is wrong, from 0 on.
func lineError(value []byte, at int, err error) error {
	if errors.Is(err, errGrown) {
		return err
	}
	if n := bytes.Count(value[:min(at, len(value))], []byte{'\n'}); n > 0 {
		return fmt.Errorf("line %d: %w", n+1, err)
	}
	return err
}

// fieldError tells of which column a value is bad.
func (f *logField) fail(at int, err error) error {
	if errors.Is(err, errGrown) {
		return err
	}
	return fmt.Errorf("column %s: %w, at byte %d", f.name, err, at+1)
}
