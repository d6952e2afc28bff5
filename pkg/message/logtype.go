package message

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A LogType is the type of a column of a log. It is written as Iceberg names its
// types, some with an argument: decimal(10,2), timestamptz(ms), binary(hex).
type LogType struct {
	name string
	// Of decimal.
	precision, scale int
	// micros is what a timestamp's number counts, times 1000 (so that nanoseconds are
	// whole): 0 if it is a text.
	nanos int64
	hex   bool // of binary, else base64
}

// logTypes are the types by name, each with the type of MySQL that has the same values:
// sinks that know MySQL's types are told that.
var logTypes = []struct{ name, native string }{
	{"string", "longtext"},
	{"json", "json"},
	{"int", "int"},
	{"long", "bigint"},
	{"float", "float"},
	{"double", "double"},
	{"decimal", ""},
	{"boolean", "bit(1)"},
	{"date", "date"},
	{"timestamp", "datetime(6)"},
	{"timestamptz", "timestamp(6)"},
	{"binary", "longblob"},
}

// LogTypes returns the names of the types, with their arguments.
func LogTypes() []string {
	return []string{
		"string", "json", "int", "long", "float", "double", "decimal(P,S)", "boolean", "date",
		"timestamp", "timestamptz", "timestamptz(s|ms|us|ns)", "binary", "binary(hex)",
	}
}

var epochUnits = map[string]int64{"s": 1e9, "ms": 1e6, "us": 1e3, "ns": 1}

// ParseLogType reads a type.
func ParseLogType(text string) (LogType, error) {
	name, arg, hasArg := strings.Cut(strings.ToLower(text), "(")
	t := LogType{name: name}
	ok := slices.ContainsFunc(logTypes, func(l struct{ name, native string }) bool { return l.name == name })
	if hasArg {
		var closed bool
		arg, closed = strings.CutSuffix(arg, ")")
		ok = ok && closed
	}
	switch {
	case name == "decimal":
		p, s, both := strings.Cut(arg, ",")
		var err, err2 error
		t.precision, err = strconv.Atoi(strings.TrimSpace(p))
		if both {
			t.scale, err2 = strconv.Atoi(strings.TrimSpace(s))
		}
		ok = ok && err == nil && err2 == nil && t.precision >= 1 && t.precision <= schema.MaxDecimal && t.scale >= 0 && t.scale <= t.precision
	case !hasArg:
	case name == "timestamp", name == "timestamptz":
		t.nanos = epochUnits[arg]
		ok = ok && t.nanos != 0
	case name == "binary":
		t.hex = arg == "hex"
		ok = ok && (t.hex || arg == "base64")
	default:
		ok = false
	}
	if !ok {
		return t, fmt.Errorf("type %q is not known", text)
	}
	return t, nil
}

// String writes the type as ParseLogType reads it.
func (t LogType) String() string {
	switch {
	case t.name == "decimal":
		return fmt.Sprintf("decimal(%d,%d)", t.precision, t.scale)
	case t.hex:
		return t.name + "(hex)"
	}
	for unit, nanos := range epochUnits {
		if nanos == t.nanos {
			return t.name + "(" + unit + ")"
		}
	}
	return t.name
}

// column returns a column of the type.
func (t LogType) column(name string) schema.Column {
	native := fmt.Sprintf("decimal(%d,%d)", t.precision, t.scale)
	for _, l := range logTypes {
		if l.name == t.name && l.native != "" {
			native = l.native
		}
	}
	typ, _ := schema.ParseMySQL(native) // it knows all of these
	return schema.Column{Name: name, Native: native, Type: typ, Arrow: typ.Arrow(), Nullable: true}
}

// logTypeOf returns the type whose values a column at the sink holds, if there is one.
func logTypeOf(c schema.Column) (LogType, bool) {
	if c.Type.Kind == schema.JSON {
		return LogType{name: "json"}, true
	}
	switch a := c.Arrow.(type) {
	case *arrow.Decimal128Type:
		return LogType{name: "decimal", precision: int(a.Precision), scale: int(a.Scale)}, true
	case *arrow.TimestampType:
		if a.TimeZone == "" {
			return LogType{name: "timestamp"}, true
		}
		return LogType{name: "timestamptz"}, true
	}
	name, ok := map[arrow.Type]string{
		arrow.STRING: "string", arrow.INT32: "int", arrow.INT64: "long", arrow.FLOAT32: "float", arrow.FLOAT64: "double",
		arrow.BOOL: "boolean", arrow.DATE32: "date", arrow.BINARY: "binary",
	}[c.Arrow.ID()]
	return LogType{name: name}, ok
}
