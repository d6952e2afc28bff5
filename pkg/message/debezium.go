package message

import (
	"strconv"
	"strings"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/literal"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// debezium writes debezium-json, the envelopes of Debezium's connector for MySQL as Kafka
// Connect's JsonConverter has them, with and without their schemas: one row a message,
// before and after. The format is that of the connector's documentation, and the object
// _tablehaul beside it. What says of which table and kind a change is comes before the
// rows, so that they can be read at once.
type debezium struct {
	rowWriter
	now     func() time.Time
	opts    Options
	ofTable []byte // _tablehaul up to what differs
	head    []byte // of a message, up to the version of the source
	keyText []byte // of a record's key, up to its first value
}

// logicalName is what Debezium calls topic.prefix.
const logicalName = "tablehaul"

// NewDebezium returns an Encoder of debezium-json for a table that has the shape of
// schema.Changelog.
func NewDebezium(t *schema.Table, p Partitions, o Options) (Encoder, error) {
	w, err := newRowWriter(t, p, "debezium-json", func(c schema.Column) bindFunc { return debeziumValue(c, o.Schemas) })
	if err != nil {
		return nil, err
	}
	e := &debezium{rowWriter: w, now: time.Now, opts: o}
	e.fixed()
	return e, nil
}

// fixed writes what all messages of the table have in common.
func (e *debezium) fixed() {
	if e.opts.Schemas {
		e.head = append(e.valueSchema([]byte(`{"schema":`)), `,"payload":`...)
		e.keyText = append(e.keySchema([]byte(`{"schema":`)), `,"payload":`...)
	}
	e.head = append(e.head, `{"source":{"version":"`+connectorVersion+`","connector":"mysql","name":"`+logicalName+`","ts_ms":`...)
	b := []byte(`,"_tablehaul":{"types":{`)
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
	e.ofTable = append(b, `],"op":`...)
}

// Encode implements Encoder.
func (e *debezium) Encode(dst []Record, b *batch.Batch) ([]Record, error) {
	at := e.now().UnixMilli()
	var out arena
	err := e.each(b, func(k kind, i int) {
		value := out.end(e.message(out.begin(), k, i, at))
		if e.shortened(k, len(value), e.rowKey) {
			value = out.end(e.message(out.begin(), k, i, at))
		}
		n := len(dst)
		dst = e.records(dst, &out, k, value)
		var key []byte
		if len(e.key) > 0 && k != emptied {
			key = out.end(e.rowKey(out.begin()))
		}
		for ; n < len(dst); n++ {
			dst[n].Key = key // where it goes was decided by that of all formats
		}
		if k == deleted && key != nil && !e.opts.NoTombstones {
			dst = append(dst, Record{Key: key, Partition: dst[n-1].Partition})
		}
	})
	return dst, err
}

// rowKey appends the key of a record: that of fresh.
func (e *debezium) rowKey(b []byte) []byte {
	b = append(append(b, e.keyText...), '{')
	for i, k := range e.key {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, e.names[k]...), e.fresh.value(k)...)
	}
	if b = append(b, '}'); e.opts.Schemas {
		b = append(b, '}')
	}
	return b
}

// message appends the message of one change.
func (e *debezium) message(b []byte, k kind, i int, now int64) []byte {
	op := [...]byte{'c', 'u', 'd', 't'}[k]
	snapshot := e.meta.op.Value(i) == schema.OpRead
	if snapshot {
		op = 'r'
	}
	b = e.source(append(b, e.head...), snapshot, i, now)
	b = append(append(append(b, `,"op":"`...), op), `","ts_ms":`...)
	b = appendInt(b, now)
	b = e.own(append(b, e.ofTable...), i)
	b = append(b, `,"before":`...)
	switch k {
	case updated:
		b = e.object(b, &e.old, nil)
	case deleted:
		b = e.object(b, &e.fresh, nil)
	default:
		b = append(b, "null"...)
	}
	b = append(b, `,"after":`...)
	if k == inserted || k == updated {
		b = e.object(b, &e.fresh, nil)
	} else {
		b = append(b, "null"...)
	}
	if b = append(b, '}'); e.opts.Schemas {
		b = append(b, '}')
	}
	return b
}

// source goes on behind ts_ms.
func (e *debezium) source(b []byte, snapshot bool, i int, now int64) []byte {
	at := now
	if us := e.meta.micros(i); us != 0 {
		at = us / 1000
	}
	b = append(strconv.AppendBool(append(appendInt(b, at), `,"snapshot":"`...), snapshot), `","db":`...)
	b = literal.AppendJSON(append(literal.AppendJSON(b, e.table.DB), `,"table":`...), e.table.Name)
	b = append(b, `,"server_id":0,"gtid":`...)
	if e.meta.gtid.IsNull(i) {
		b = append(b, "null"...)
	} else {
		b = literal.AppendJSON(b, e.meta.gtid.Value(i))
	}
	file, pos, row := "", "", ""
	if !e.meta.pos.IsNull(i) {
		file, pos, row = places(e.meta.pos.Value(i))
	}
	b = append(literal.AppendJSON(append(b, `,"file":`...), file), `,"pos":`...)
	b = append(appendDigits(b, pos), `,"row":`...)
	return append(appendDigits(b, row), '}')
}

// places are the parts of a MetaPos.
func places(pos string) (file, at, row string) {
	last := strings.LastIndexByte(pos, ':')
	first := strings.LastIndexByte(pos[:max(last, 0)], ':')
	if first < 0 {
		return pos, "", ""
	}
	return pos[:first], pos[first+1 : last], pos[last+1:]
}

// appendDigits appends a number that may begin with zeros.
func appendDigits(b []byte, digits string) []byte {
	digits = strings.TrimLeft(digits, "0")
	for _, c := range []byte(digits) {
		if c < '0' || c > '9' {
			digits = ""
		}
	}
	if digits == "" {
		digits = "0"
	}
	return append(b, digits...)
}

// own goes on behind op of _tablehaul.
func (e *debezium) own(b []byte, i int) []byte {
	b = append(literal.AppendJSON(b, e.meta.op.Value(i)), `,"us":`...)
	b = appendInt(b, e.meta.micros(i))
	if !e.meta.gtid.IsNull(i) {
		b = literal.AppendJSON(append(b, `,"gtid":`...), e.meta.gtid.Value(i))
	}
	if !e.meta.pos.IsNull(i) {
		b = literal.AppendJSON(append(b, `,"pos":`...), e.meta.pos.Value(i))
	}
	return append(b, '}')
}

func appendInt(b []byte, n int64) []byte { return strconv.AppendInt(b, n, 10) }
