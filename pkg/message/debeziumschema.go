package message

import (
	"strconv"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/literal"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// connectorVersion is the version of Debezium whose messages are written.
const connectorVersion = "3.3.1.Final"

// Of the fields that a schema block has beside the rows.
const (
	sourceFields = `{"type":"string","optional":false,"field":"version"},{"type":"string","optional":false,"field":"connector"},` +
		`{"type":"string","optional":false,"field":"name"},{"type":"int64","optional":false,"field":"ts_ms"},` +
		`{"type":"string","optional":true,"name":"io.debezium.data.Enum","version":1,` +
		`"parameters":{"allowed":"true,first,first_in_data_collection,last_in_data_collection,last,false,incremental"},"default":"false","field":"snapshot"},` +
		`{"type":"string","optional":false,"field":"db"},{"type":"string","optional":true,"field":"table"},` +
		`{"type":"int64","optional":false,"field":"server_id"},{"type":"string","optional":true,"field":"gtid"},` +
		`{"type":"string","optional":false,"field":"file"},{"type":"int64","optional":false,"field":"pos"},{"type":"int32","optional":false,"field":"row"}`
	sourceSchema = `{"type":"struct","fields":[` + sourceFields + `],"optional":false,"name":"io.debezium.connector.mysql.Source","field":"source"}`
	otherFields  = `{"type":"string","optional":false,"field":"op"},{"type":"int64","optional":true,"field":"ts_ms"}`
)

// keySchema appends the schema block of a record's key.
func (e *debezium) keySchema(b []byte) []byte {
	b = append(b, `{"type":"struct","fields":[`...)
	for i, k := range e.key {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendField(b, e.columns[k], false)
	}
	return append(literal.AppendJSON(append(b, `],"optional":false,"name":`...), e.prefix()+".Key"), '}')
}

// valueSchema appends the schema block of a message.
func (e *debezium) valueSchema(b []byte) []byte {
	b = append(b, `{"type":"struct","fields":[`...)
	for _, field := range []string{"before", "after"} {
		b = append(b, `{"type":"struct","fields":[`...)
		for i, c := range e.columns {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendField(b, c, !e.isKey(i))
		}
		b = literal.AppendJSON(append(b, `],"optional":true,"name":`...), e.prefix()+".Value")
		b = append(append(append(b, `,"field":"`...), field...), `"},`...)
	}
	b = append(append(append(b, sourceSchema...), ','), otherFields...)
	return append(literal.AppendJSON(append(b, `],"optional":false,"name":`...), e.prefix()+".Envelope"), '}')
}

// prefix is what the names of the table's schemas begin with.
func (e *debezium) prefix() string { return logicalName + "." + e.table.DB + "." + e.table.Name }

func (e *debezium) isKey(column int) bool {
	for _, k := range e.key {
		if k == column {
			return true
		}
	}
	return false
}

// appendField appends what a schema block says of a column.
func appendField(b []byte, c schema.Column, optional bool) []byte {
	t := connectTypeOf(c)
	more := t.more
	b = append(append(append(b, `{"type":"`...), t.typ...), '"')
	if more != "" && more[0] == '"' { // what stands beside the type
		b = append(append(b, ','), more...)
		more = ""
	}
	b = strconv.AppendBool(append(b, `,"optional":`...), optional)
	if t.name != "" {
		b = append(append(append(b, `,"name":"`...), t.name...), `","version":1`...)
	}
	if more != "" {
		b = append(append(b, `,"parameters":`...), more...)
	}
	return append(literal.AppendJSON(append(b, `,"field":`...), c.Name), '}')
}

// A connectType is the type that Debezium gives a column, the name of its schema, and the
// schema's parameters or fields.
type connectType struct{ typ, name, more string }

// plainTypes are those of columns that need no more than their kind.
var plainTypes = map[schema.Kind]connectType{
	schema.TinyInt:   {"int16", "", ""},
	schema.SmallInt:  {"int16", "", ""},
	schema.MediumInt: {"int32", "", ""},
	schema.Int:       {"int32", "", ""},
	schema.BigInt:    {"int64", "", ""},
	schema.Float:     {"float", "", ""},
	schema.Double:    {"double", "", ""},
	schema.Year:      {"int32", "io.debezium.time.Year", ""},
	schema.Date:      {"int32", "io.debezium.time.Date", ""},
	schema.Timestamp: {"string", "io.debezium.time.ZonedTimestamp", ""},
	schema.Time:      {"int64", "io.debezium.time.MicroTime", ""},
	schema.String:    {"string", "", ""},
	schema.Binary:    {"bytes", "", ""},
	schema.JSON:      {"string", "io.debezium.data.Json", ""},
	schema.Vector:    {"array", "io.debezium.data.FloatVector", `"items":{"type":"float","optional":false}`},
}

// unsignedTypes are those of columns that hold more above zero than plainTypes do.
var unsignedTypes = map[schema.Kind]connectType{
	schema.SmallInt: {"int32", "", ""},
	schema.Int:      {"int64", "", ""},
	schema.BigInt:   {"bytes", nameDecimal, `{"scale":"0","connect.decimal.precision":"20"}`},
}

func connectTypeOf(c schema.Column) connectType {
	const (
		wkb   = `{"type":"bytes","optional":false,"field":"wkb"},{"type":"int32","optional":true,"field":"srid"}]`
		point = `"fields":[{"type":"double","optional":false,"field":"x"},{"type":"double","optional":false,"field":"y"},`
	)
	t := c.Type
	switch t.Kind {
	case schema.Decimal:
		return connectType{"bytes", nameDecimal, `{"scale":"` + strconv.Itoa(t.Scale) + `","connect.decimal.precision":"` + strconv.Itoa(t.Precision) + `"}`}
	case schema.Bit:
		if t.Precision == 1 {
			return connectType{"boolean", "", ""}
		}
		return connectType{"bytes", nameBits, `{"length":"` + strconv.Itoa(t.Precision) + `"}`}
	case schema.DateTime:
		if t.Precision <= 3 {
			return connectType{"int64", "io.debezium.time.Timestamp", ""}
		}
		return connectType{"int64", "io.debezium.time.MicroTimestamp", ""}
	case schema.Enum:
		return connectType{"string", nameEnum, allowed(t.Labels)}
	case schema.Set:
		return connectType{"string", nameEnumSet, allowed(t.Labels)}
	case schema.Geometry:
		if c.Native == "point" {
			return connectType{"struct", "io.debezium.data.geometry.Point", point + wkb}
		}
		return connectType{"struct", "io.debezium.data.geometry.Geometry", `"fields":[` + wkb}
	}
	if wide, ok := unsignedTypes[t.Kind]; ok && t.Unsigned {
		return wide
	}
	return plainTypes[t.Kind]
}

// allowed are labels as Debezium lists them.
func allowed(labels []string) string {
	escaped := make([]string, len(labels))
	for i, l := range labels {
		escaped[i] = strings.ReplaceAll(l, ",", `\,`)
	}
	return string(append(literal.AppendJSON([]byte(`{"allowed":`), strings.Join(escaped, ",")), '}'))
}
