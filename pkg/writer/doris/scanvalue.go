package doris

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/literal"
)

// A valueFunc appends a value, which is not NULL, to its column, and returns what it weighs.
type valueFunc func(*mysql.FieldValue) (int, error)

// valueFuncOf returns how values of a column's type become those of an Arrow type: what encoders do,
// the other way round. It is nil if none of them does.
func valueFuncOf(of string, to arrow.DataType, c batch.Column) valueFunc {
	switch c := c.(type) {
	case *batch.Bools:
		if of == "boolean" {
			return texts(func(text []byte) error { return appendBool(c, text) })
		}
	case *batch.Fixed[int32]:
		if to.ID() == arrow.DATE32 {
			return parsed(of == "date", literal.ParseDate, func(v int64) { c.Append(int32(v)) }) //nolint:gosec // days
		}
		return parsed(isExact(of), func(text []byte) (int64, error) { return parseWhole(text, 32) }, func(v int64) { c.Append(int32(v)) }) //nolint:gosec // of 32 bits
	case *batch.Fixed[int64]:
		if to.ID() == arrow.TIMESTAMP {
			return parsed(strings.HasPrefix(of, "datetime"), literal.ParseDateTime, c.Append)
		}
		if _, isTime := timeDigits(of); isTime {
			return parsed(true, literal.ParseClock, c.Append)
		}
		return parsed(isExact(of), func(text []byte) (int64, error) { return parseWhole(text, 64) }, c.Append)
	case *batch.Fixed[float32]:
		return parsed(of == "float" || of == "double", func(text []byte) (float32, error) { return parseFloat32(text, of == "double") }, c.Append)
	case *batch.Fixed[float64]:
		return parsed(of == "float" || of == "double", func(text []byte) (float64, error) {
			v, err := strconv.ParseFloat(string(text), 64)
			if of == "float" {
				v = float64(float32(v)) // which it was printed for
			}
			return v, err
		}, c.Append)
	case *batch.Fixed[decimal128.Num]:
		d := to.(*arrow.Decimal128Type)
		return parsed(isExact(of), func(text []byte) (decimal128.Num, error) {
			return literal.ParseDecimal(text, int(d.Precision), int(d.Scale))
		}, c.Append)
	case *batch.Bytes:
		return bytesOf(of, to, c)
	case *batch.FloatList:
		if of == "array<float>" {
			return texts(func(text []byte) error { return appendList(c, text) })
		}
	}
	return nil
}

// bytesOf is valueFuncOf for texts and bytes.
func bytesOf(of string, to arrow.DataType, c *batch.Bytes) valueFunc {
	var buf []byte
	_, isTime := timeDigits(of)
	is64, isShape := strings.HasPrefix(of, inBase64), strings.HasPrefix(of, asWKT)
	switch isText := of == "string" || of == "json" || strings.HasPrefix(of, "varchar") || strings.HasPrefix(of, "char"); {
	case to.ID() == arrow.STRING && isText && !isTime:
		return texts(func(text []byte) error {
			c.Append(text)
			return nil
		})
	case to.ID() == arrow.BINARY && is64:
		return parsed(true, func(text []byte) (_ []byte, err error) {
			buf, err = base64.StdEncoding.AppendDecode(buf[:0], text)
			return buf, err
		}, c.Append)
	case to.ID() == arrow.BINARY && isShape:
		return parsed(true, func(text []byte) (_ []byte, err error) {
			buf, err = literal.ParseWKT(buf[:0], text)
			return buf, err
		}, c.Append)
	}
	return nil
}

// parsed appends what is read from texts; nil if it is not of a type that can be.
func parsed[T any](can bool, parse func([]byte) (T, error), to func(T)) valueFunc {
	if !can {
		return nil
	}
	return texts(func(text []byte) error {
		v, err := parse(text)
		if err == nil {
			to(v)
		}
		return err
	})
}

// texts has values as texts, whatever type the client has made of them.
func texts(add func(text []byte) error) valueFunc {
	var buf []byte
	return func(f *mysql.FieldValue) (int, error) {
		var text []byte
		switch f.Type {
		case mysql.FieldValueTypeString:
			text = f.AsString()
		case mysql.FieldValueTypeSigned:
			buf = strconv.AppendInt(buf[:0], f.AsInt64(), 10)
			text = buf
		case mysql.FieldValueTypeUnsigned:
			buf = strconv.AppendUint(buf[:0], f.AsUint64(), 10)
			text = buf
		default:
			buf = strconv.AppendFloat(buf[:0], f.AsFloat64(), 'g', -1, 64)
			text = buf
		}
		return len(text) + 1, add(text)
	}
}

// isExact reports whether a type is of whole numbers or of decimals.
func isExact(of string) bool { return slices.Contains(wholes, of) || strings.HasPrefix(of, "decimal") }

// parseWhole reads a whole number of so many bits, be it that of a decimal.
func parseWhole(text []byte, bits int) (int64, error) {
	v, err := literal.ParseInt(text)
	if err != nil {
		d, err := literal.ParseDecimal(text, 38, 0)
		if err != nil {
			return 0, err
		}
		if n := d.BigInt(); n.IsInt64() {
			v = n.Int64()
		} else {
			return 0, literal.Bad(text, "number of 64 bits")
		}
	}
	if bits == 32 && v != int64(int32(v)) { //nolint:gosec // that is what is looked for
		return 0, literal.Bad(text, "number of 32 bits")
	}
	return v, nil
}

// parseFloat32 reads a number; one of 64 bits has to be one of 32.
func parseFloat32(text []byte, wide bool) (float32, error) {
	v, err := strconv.ParseFloat(string(text), 64)
	n := float32(v)
	if err == nil && (wide && float64(n) != v && !math.IsNaN(v) || math.IsInf(float64(n), 0) && !math.IsInf(v, 0)) {
		err = literal.Bad(text, "number of 32 bits")
	}
	return n, err
}

func appendBool(c *batch.Bools, text []byte) error {
	switch string(text) {
	case "1", "true":
		c.Append(true)
	case "0", "false":
		c.Append(false)
	default:
		return literal.Bad(text, "boolean")
	}
	return nil
}

// appendList takes a list as JSON has it, which is as Doris prints one.
func appendList(c *batch.FloatList, text []byte) error {
	var items []json.Number
	if err := json.Unmarshal(text, &items); err != nil {
		return fmt.Errorf("%.40q is no list: %w", text, err)
	}
	for _, n := range items {
		v, err := parseFloat32([]byte(n), false)
		if err != nil {
			return err
		}
		c.AppendItem(v)
	}
	c.End()
	return nil
}
