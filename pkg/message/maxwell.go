package message

import (
	"encoding/base64"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/literal"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// maxwell writes maxwell-json: one row a message, its numbers as JSON's. The format is that
// of Maxwell's Kafka producer, and the object _tablehaul beside it, with the types that
// Maxwell does not tell; xid and commit, which it has where a transaction is known as a
// whole, are left out.
type maxwell struct {
	rowWriter
	ofTable []byte // of a message, up to type
	types   []byte // the end of _tablehaul
}

// NewMaxwell returns an Encoder of maxwell-json for a table that has the shape of
// schema.Changelog.
func NewMaxwell(t *schema.Table, p Partitions) (Encoder, error) {
	w, err := newRowWriter(t, p, "maxwell-json", maxwellValue)
	if err != nil {
		return nil, err
	}
	e := &maxwell{rowWriter: w, ofTable: append(slices.Clip(w.keyHead), `,"type":"`...)}
	b := []byte(`,"types":{`)
	for i, c := range e.columns {
		if i > 0 {
			b = append(b, ',')
		}
		b = literal.AppendJSON(append(b, e.names[i]...), c.Native)
	}
	b = append(b, `},"keys":[`...)
	for i, k := range e.key {
		if i > 0 {
			b = append(b, ',')
		}
		b = literal.AppendJSON(b, e.columns[k].Name)
	}
	e.types = append(b, ']')
	return e, nil
}

// maxwellValue returns how a column is written.
func maxwellValue(c schema.Column) bindFunc {
	switch c.Type.Kind {
	case schema.JSON: // as it is; a null that is JSON's own has a space before it
		return func(a arrow.Array) valueFunc {
			v := a.(*array.String)
			return func(dst []byte, i int) []byte {
				if v.Value(i) == "null" {
					dst = append(dst, ' ')
				}
				return append(dst, v.Value(i)...)
			}
		}
	case schema.Set:
		return func(a arrow.Array) valueFunc {
			v := a.(*array.String)
			return func(dst []byte, i int) []byte { return appendLabels(dst, v.Value(i)) }
		}
	case schema.String, schema.Enum:
		return func(a arrow.Array) valueFunc {
			v := a.(*array.String)
			return func(dst []byte, i int) []byte { return literal.AppendJSON(dst, v.Value(i)) }
		}
	case schema.Binary, schema.Geometry: // which Maxwell writes as WKT
		return func(a arrow.Array) valueFunc {
			v := a.(*array.Binary)
			return func(dst []byte, i int) []byte {
				return append(base64.StdEncoding.AppendEncode(append(dst, '"'), v.Value(i)), '"')
			}
		}
	case schema.Vector:
		return floatArray
	}
	if bind := times(c, ' '); bind != nil {
		return quoted(bind)
	}
	return numbers(c)
}

// appendLabels writes the labels of a SET as an array.
func appendLabels(dst []byte, labels string) []byte {
	dst = append(dst, '[')
	if labels != "" {
		for i, l := range strings.Split(labels, ",") {
			if i > 0 {
				dst = append(dst, ',')
			}
			dst = literal.AppendJSON(dst, l)
		}
	}
	return append(dst, ']')
}

// Encode implements Encoder.
func (e *maxwell) Encode(dst []Record, b *batch.Batch) ([]Record, error) {
	var out arena
	err := e.each(b, func(k kind, i int) {
		value := out.end(e.message(out.begin(), k, i))
		if e.shortened(k, len(value), e.keyOf) {
			value = out.end(e.message(out.begin(), k, i))
		}
		dst = e.records(dst, &out, k, value)
	})
	return dst, err
}

func (e *maxwell) message(b []byte, k kind, i int) []byte {
	typ := [...]string{"insert", "update", "delete", "table-truncate"}[k]
	if k == inserted && e.meta.op.Value(i) == schema.OpRead {
		typ = "bootstrap-insert"
	}
	b = append(append(append(b, e.ofTable...), typ...), `","ts":`...)
	b = strconv.AppendInt(b, e.meta.micros(i)/literal.SecondMicros, 10)
	if !e.meta.pos.IsNull(i) {
		b = literal.AppendJSON(append(b, `,"position":`...), e.meta.pos.Value(i))
	}
	if !e.meta.gtid.IsNull(i) {
		b = literal.AppendJSON(append(b, `,"gtid":`...), e.meta.gtid.Value(i))
	}
	b = literal.AppendJSON(append(b, `,"_tablehaul":{"op":`...), e.meta.op.Value(i))
	b = strconv.AppendInt(append(b, `,"us":`...), e.meta.micros(i), 10)
	if !e.meta.gtid.IsNull(i) {
		b = literal.AppendJSON(append(b, `,"gtid":`...), e.meta.gtid.Value(i))
	}
	if !e.meta.pos.IsNull(i) {
		b = literal.AppendJSON(append(b, `,"pos":`...), e.meta.pos.Value(i))
	}
	if k == emptied {
		return append(b, '}', '}')
	}
	b = append(append(b, e.types...), '}')
	b = e.object(append(b, `,"data":`...), &e.fresh, nil)
	if k == updated {
		b = e.object(append(b, `,"old":`...), &e.old, &e.fresh)
	}
	return append(b, '}')
}
