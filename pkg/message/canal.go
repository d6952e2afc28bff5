package message

import (
	"strconv"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/literal"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// canal writes canal-json, the flat messages of Canal's MQ producers: one row a
// message, its values as text. An update of a key is the delete of one row and the
// insert of another, so that each lands in the partition of its key.
// The format is that of Canal's FlatMessage, and the object _tablehaul beside it.
type canal struct {
	rowWriter
	now func() time.Time
	id  int64

	ofTable []byte // of a message, from behind id to the value of isDdl
	types   []byte // from behind ts to the value of old
}

// NewCanal returns an Encoder of canal-json for a table that has the shape of
// schema.Changelog.
func NewCanal(t *schema.Table, p Partitions) (Encoder, error) {
	w, err := newRowWriter(t, p, "canal-json", canalValue)
	if err != nil {
		return nil, err
	}
	e := &canal{rowWriter: w, now: time.Now}
	e.fixed()
	return e, nil
}

// fixed writes what all messages of the table have in common.
func (e *canal) fixed() {
	b := append(literal.AppendJSON([]byte(`,"database":`), e.table.DB), `,"table":`...)
	b = append(literal.AppendJSON(b, e.table.Name), `,"pkNames":`...)
	if len(e.key) == 0 {
		b = append(b, "null"...)
	}
	for i, k := range e.key {
		b = append(b, "[,"[min(i, 1)])
		b = literal.AppendJSON(b, e.columns[k].Name)
	}
	if len(e.key) > 0 {
		b = append(b, ']')
	}
	e.ofTable = append(b, `,"isDdl":`...)

	b = []byte(`,"sql":"","sqlType":{`)
	for i, c := range e.columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(append(b, e.names[i]...), int64(sqlType(c.Type, c.Native)), 10)
	}
	b = append(b, `},"mysqlType":{`...)
	for i, c := range e.columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = literal.AppendJSON(append(b, e.names[i]...), c.Native)
	}
	e.types = append(b, `},"old":`...)
}

// canalValue returns how a column is written: as a string, whatever it is.
func canalValue(c schema.Column) bindFunc {
	switch c.Type.Kind {
	case schema.Enum, schema.Set:
		return ordinals(c)
	case schema.String, schema.JSON:
		return func(a arrow.Array) valueFunc {
			v := a.(*array.String)
			return func(dst []byte, i int) []byte { return literal.AppendJSON(dst, v.Value(i)) }
		}
	case schema.Binary:
		return func(a arrow.Array) valueFunc {
			v := a.(*array.Binary)
			return func(dst []byte, i int) []byte { return appendLatin1(dst, v.Value(i)) }
		}
	case schema.Geometry: // as it is stored, behind an SRID
		return func(a arrow.Array) valueFunc {
			v := a.(*array.Binary)
			var stored []byte
			return func(dst []byte, i int) []byte {
				stored = append(append(stored[:0], 0, 0, 0, 0), v.Value(i)...)
				return appendLatin1(dst, stored)
			}
		}
	case schema.Vector:
		return func(a arrow.Array) valueFunc {
			v := a.(*array.List)
			items := v.ListValues().(*array.Float32)
			var stored []byte
			return func(dst []byte, i int) []byte {
				stored = floats(v, items, i, stored[:0])
				return appendLatin1(dst, stored)
			}
		}
	case schema.Year:
		return func(a arrow.Array) valueFunc {
			v := a.(*array.Int32)
			return func(dst []byte, i int) []byte {
				y := int64(v.Value(i))
				return append(literal.Pad2(literal.Pad2(append(dst, '"'), y/100), y%100), '"')
			}
		}
	}
	if bind := times(c, ' '); bind != nil {
		return quoted(bind)
	}
	return quoted(numbers(c))
}

// quoted puts a value between quotes that needs no escapes.
func quoted(bind bindFunc) bindFunc {
	if bind == nil {
		return nil
	}
	return func(a arrow.Array) valueFunc {
		value := bind(a)
		return func(dst []byte, i int) []byte { return append(value(append(dst, '"'), i), '"') }
	}
}

// Encode implements Encoder.
func (e *canal) Encode(dst []Record, b *batch.Batch) ([]Record, error) {
	at := e.now().UnixMilli()
	var out arena
	err := e.each(b, func(k kind, i int) {
		value := out.end(e.message(out.begin(), k, i, at))
		if e.shortened(k, len(value), e.keyOf) {
			value = out.end(e.message(out.begin(), k, i, at))
		}
		dst = e.records(dst, &out, k, value)
	})
	return dst, err
}

// message appends the message of one change.
func (e *canal) message(b []byte, k kind, i int, now int64) []byte {
	typ := [...]string{"INSERT", "UPDATE", "DELETE", "TRUNCATE"}[k]
	b = e.head(b, typ, k == emptied, i, now)
	if k == emptied {
		b = literal.AppendJSON(append(b, `,"sql":`...), "TRUNCATE TABLE `"+e.table.DB+"`.`"+e.table.Name+"`")
		return e.tail(append(b, `,"sqlType":null,"mysqlType":null,"old":null,"data":null`...), i)
	}
	b = append(b, e.types...)
	if k == updated {
		b = append(e.object(append(b, '['), &e.old, &e.fresh), ']')
	} else {
		b = append(b, "null"...)
	}
	return e.tail(append(e.object(append(b, `,"data":[`...), &e.fresh, nil), ']'), i)
}

// head writes a message up to what it changes.
func (e *canal) head(b []byte, typ string, ddl bool, i int, now int64) []byte {
	e.id++
	b = strconv.AppendInt(append(b, `{"id":`...), e.id, 10)
	b = strconv.AppendBool(append(b, e.ofTable...), ddl)
	b = append(append(b, `,"type":"`...), typ...)
	es := now
	if us := e.meta.micros(i); us != 0 {
		es = us / 1000
	}
	b = strconv.AppendInt(append(b, `","es":`...), es, 10)
	return strconv.AppendInt(append(b, `,"ts":`...), now, 10)
}

// tail ends a message with what Canal does not tell.
func (e *canal) tail(b []byte, i int) []byte {
	b = append(literal.AppendJSON(append(b, `,"_tablehaul":{"op":`...), e.meta.op.Value(i)), `,"us":`...)
	b = strconv.AppendInt(b, e.meta.micros(i), 10)
	if !e.meta.gtid.IsNull(i) {
		b = literal.AppendJSON(append(b, `,"gtid":`...), e.meta.gtid.Value(i))
	}
	if !e.meta.pos.IsNull(i) {
		b = literal.AppendJSON(append(b, `,"pos":`...), e.meta.pos.Value(i))
	}
	return append(b, "}}"...)
}

// sqlType is the java.sql.Types constant that Canal gives a type.
func sqlType(t schema.Type, native string) int {
	wide := 0
	if t.Unsigned {
		wide = 1
	}
	switch t.Kind {
	case schema.TinyInt:
		return []int{-6, 5}[wide]
	case schema.SmallInt:
		return []int{5, 4}[wide]
	case schema.MediumInt:
		return 4
	case schema.Int:
		return []int{4, -5}[wide]
	case schema.BigInt:
		return []int{-5, 3}[wide]
	case schema.Float:
		return 7
	case schema.Double:
		return 8
	case schema.Decimal:
		return 3
	case schema.Bit, schema.Set:
		return -7
	case schema.Date:
		return 91
	case schema.Time:
		return 92
	case schema.DateTime, schema.Timestamp:
		return 93
	case schema.Enum:
		return 4
	case schema.Binary, schema.Geometry, schema.Vector:
		return 2004
	case schema.String:
		switch name := native[:min(len(native), 4)]; name {
		case "char":
			return 1
		case "tiny", "text", "medi", "long":
			return 2005
		}
	}
	return 12
}
