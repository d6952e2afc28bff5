package message

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A connectSchema is the schema block of a message.
type connectSchema struct {
	text []byte
	row  []connectField
}

// A connectField is a schema of Kafka Connect, as its JsonConverter writes it.
type connectField struct {
	Type       string            `json:"type"`
	Name       string            `json:"name"`
	Field      string            `json:"field"`
	Parameters map[string]string `json:"parameters"`
	Fields     []connectField    `json:"fields"`
}

// The names of schemas that need more than a type to be read.
const (
	nameDecimal = "org.apache.kafka.connect.data.Decimal"
	nameBits    = "io.debezium.data.Bits"
	nameEnum    = "io.debezium.data.Enum"
	nameEnumSet = "io.debezium.data.EnumSet"
)

// A schemaCache keeps schema blocks: most messages have one of before, byte for byte.
type schemaCache struct {
	recent [8]*connectSchema // which are found without a way through them
	next   int
	all    map[string]*connectSchema
	bytes  int // of all
}

// maxSchemaBytes bounds what is kept.
const maxSchemaBytes = 32 << 20

// take takes a schema block, nil if it is null.
func (c *schemaCache) take(s *scanner) (*connectSchema, error) {
	s.space()
	for _, known := range c.recent {
		if known == nil {
			break
		}
		n := len(known.text)
		if len(s.text)-s.at <= n || !bytes.Equal(s.text[s.at:s.at+n], known.text) {
			continue
		}
		if next := s.text[s.at+n]; next == ',' || next == '}' {
			s.at += n
			return known, nil
		}
	}
	text, err := s.skip()
	if err != nil || string(text) == "null" {
		return nil, err
	}
	known := c.all[string(text)]
	if known == nil {
		known = &connectSchema{text: bytes.Clone(text)}
		if err := known.read(); err != nil {
			return nil, fmt.Errorf("read its schema: %w", err)
		}
		if c.bytes += len(text); c.all == nil || c.bytes > maxSchemaBytes {
			c.all, c.bytes = map[string]*connectSchema{}, len(text)
		}
		c.all[string(text)] = known
	}
	c.recent[c.next] = known
	c.next = (c.next + 1) % len(c.recent)
	return known, nil
}

func (c *connectSchema) read() error {
	var all connectField
	if err := json.Unmarshal(c.text, &all); err != nil {
		return err
	}
	for _, f := range all.Fields {
		if f.Field == "after" || f.Field == "before" && c.row == nil {
			c.row = f.Fields
		}
	}
	return nil
}

// readSchema makes the table's columns from its schema.
func (t *debeziumTable) readSchema(connector string) error {
	if len(t.schema.row) == 0 {
		return fmt.Errorf("its schema has no fields of a row")
	}
	for _, f := range t.schema.row {
		native, w := f.native(connector)
		c, err := columnOf(f.Field, native)
		if err != nil {
			return fmt.Errorf("column %s: %w", f.Field, err)
		}
		if source := f.source(); source != "" {
			if s, err := columnOf(f.Field, source); err == nil && carries(f, w, c, s) {
				c = s
			}
		}
		if w == wirePlain && c.Type.Kind == schema.BigInt && c.Type.Unsigned {
			w = wireUnsigned
		}
		t.shape, t.wires = append(t.shape, c), append(t.wires, w)
	}
	return nil
}

// A carried is the MySQL type whose values a schema holds, and how those are written.
type carried struct {
	native string
	wire   wire
}

// primitives are the types of schemas that have no name that tells more.
var primitives = map[string]carried{
	"boolean": {"bit(1)", wirePlain},
	"int8":    {"tinyint", wirePlain},
	"int16":   {"smallint", wirePlain},
	"int32":   {"int", wirePlain},
	"int64":   {"bigint", wirePlain},
	"float":   {"float", wirePlain},
	"float32": {"float", wirePlain},
	"double":  {"double", wirePlain},
	"float64": {"double", wirePlain},
	"bytes":   {"longblob", wireBytes},
	"string":  {"longtext", wirePlain},
}

// semantics are the schemas that have a name.
var semantics = map[string]carried{
	"io.debezium.time.Date":                   {"date", wireDays},
	"io.debezium.time.IsoDate":                {"date", wireISO},
	"io.debezium.time.Time":                   {"time(3)", wireMillis},
	"io.debezium.time.MicroTime":              {"time(6)", wireMicros},
	"io.debezium.time.NanoTime":               {"time(6)", wireNanos},
	"io.debezium.time.IsoTime":                {"time(6)", wireISO},
	"io.debezium.time.Timestamp":              {"datetime(3)", wireMillis},
	"io.debezium.time.MicroTimestamp":         {"datetime(6)", wireMicros},
	"io.debezium.time.NanoTimestamp":          {"datetime(6)", wireNanos},
	"io.debezium.time.IsoTimestamp":           {"datetime(6)", wireISO},
	"io.debezium.time.ZonedTimestamp":         {"timestamp(6)", wireISO},
	"io.debezium.time.Year":                   {"year", wirePlain},
	"org.apache.kafka.connect.data.Date":      {"date", wireDays},
	"org.apache.kafka.connect.data.Time":      {"time(3)", wireMillis},
	"org.apache.kafka.connect.data.Timestamp": {"datetime(3)", wireMillis},
	"io.debezium.data.Json":                   {"json", wirePlain},
	"io.debezium.data.Uuid":                   {"uuid", wirePlain},
	"io.debezium.data.VariableScaleDecimal":   {"decimal(65,30)", wireVariable},
	"io.debezium.data.geometry.Point":         {"geometry", wireGeometry},
	"io.debezium.data.geometry.Geometry":      {"geometry", wireGeometry},
	"io.debezium.data.geometry.Geography":     {"geometry", wireGeometry},
	"io.debezium.data.FloatVector":            {"vector", wireFloats},
}

// native returns the MySQL type whose values a field holds, and how they are written.
func (f *connectField) native(connector string) (string, wire) {
	if s, ok := semantics[f.Name]; ok {
		return s.native, s.wire
	}
	switch f.Name {
	case nameDecimal:
		return f.decimal(connector), wireDecimal
	case nameBits:
		if n, err := strconv.Atoi(f.Parameters["length"]); err == nil && n > 0 && n <= 64 {
			return "bit(" + strconv.Itoa(n) + ")", wireBits
		}
		return "longblob", wireBytes
	case nameEnum:
		return f.labels("enum"), wireLabel
	case nameEnumSet:
		return f.labels("set"), wirePlain
	}
	if p, ok := primitives[f.Type]; ok {
		return p.native, p.wire
	}
	return "json", wireJSON
}

// decimal makes a type of a field's scale and precision.
func (f *connectField) decimal(connector string) string {
	scale, precision := f.Parameters["scale"], f.Parameters["connect.decimal.precision"]
	if precision == "" {
		if scale == "0" && (connector == "mysql" || connector == "mariadb") { // older ones have told it of DECIMAL alone
			return "bigint unsigned"
		}
		precision = strconv.Itoa(schema.MaxDecimal)
	}
	s, err := strconv.Atoi(scale)
	p, err2 := strconv.Atoi(precision)
	if err != nil || err2 != nil || s < 0 || p < max(s, 1) {
		return fmt.Sprintf("a decimal of precision %q and scale %q", precision, scale) // which no type is
	}
	return "decimal(" + precision + "," + scale + ")"
}

// labels makes a type of the labels that a field allows.
func (f *connectField) labels(kind string) string {
	list, ok := f.Parameters["allowed"]
	if !ok || list == "" {
		return "longtext"
	}
	b := append([]byte(kind), '(', '\'')
	for i := 0; i < len(list); i++ {
		switch c := list[i]; {
		case c == '\\' && i+1 < len(list) && list[i+1] == ',':
			b = append(b, ',')
			i++
		case c == ',':
			b = append(b, '\'', ',', '\'')
		case c == '\'', c == '\\':
			b = append(b, c, c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == 0:
			b = append(b, '\\', '0')
		default:
			b = append(b, c)
		}
	}
	return string(append(b, '\'', ')'))
}

// source returns the type that the column has at its source, as a connector tells it that
// propagates them (column.propagate.source.type), "" if it does not.
func (f *connectField) source() string {
	const prefix = "__debezium.source.column."
	typ := strings.ToLower(f.Parameters[prefix+"type"])
	name, attributes, _ := strings.Cut(typ, " ")
	length, scale := f.Parameters[prefix+"length"], f.Parameters[prefix+"scale"]
	if _, err := strconv.Atoi(length); err != nil {
		length = ""
	}
	switch name {
	case "":
		return ""
	case "enum", "set":
		return "" // the schema's own parameters have the labels
	case "tinyint":
		if length != "1" {
			length = ""
		}
	case "decimal":
		if length != "" && scale != "" {
			length += "," + scale
		}
	case "char", "varchar", "binary", "varbinary", "bit", "time", "datetime", "timestamp", "vector":
	default:
		length = ""
	}
	if length != "" {
		name += "(" + length + ")"
	}
	if attributes != "" {
		name += " " + attributes
	}
	return name
}

// carries reports whether values of a field, which are those of c, can be read as what
// they are at their source.
func carries(f connectField, w wire, c, source schema.Column) bool {
	was, is := c.Type.Kind, source.Type.Kind
	switch {
	case f.Type == "string" && w == wirePlain && was == schema.String:
		// Of binaries nobody knows whether they are hexadecimal or base64.
		return is == schema.String || is == schema.Decimal || is == schema.JSON
	case was == schema.TinyInt, was == schema.SmallInt, was == schema.Int, was == schema.BigInt:
		return is >= schema.TinyInt && is <= schema.BigInt || is == schema.Year
	case w == wireDecimal:
		return is == schema.Decimal && source.Type.Scale == c.Type.Scale || is == schema.BigInt && source.Type.Unsigned
	case w == wireBits:
		return is == schema.Bit && source.Type.Precision == c.Type.Precision
	case was == schema.Double:
		return is == schema.Double || is == schema.Float
	case was == schema.DateTime, was == schema.Time, was == schema.Timestamp, was == schema.Binary, was == schema.Geometry,
		was == schema.Float, was == schema.Date, was == schema.Year, was == schema.JSON, was == schema.Vector:
		return is == was
	}
	return false
}
