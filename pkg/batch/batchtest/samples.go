package batchtest

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// samples holds values of each type that a MySQL and a MariaDB server take and
// give back unchanged.
var samples = []struct {
	native string
	values []any
}{
	{"tinyint", ints(0, -128, 127)},
	{"tinyint(1)", ints(0, 1, -1)},
	{"tinyint unsigned", ints(0, 255)},
	{"smallint", ints(0, -32768, 32767)},
	{"smallint unsigned", ints(0, 65535)},
	{"mediumint", ints(0, -1<<23, 1<<23-1)},
	{"mediumint unsigned", ints(0, 1<<24-1)},
	{"int", ints(0, math.MinInt32, math.MaxInt32)},
	{"int unsigned", ints(0, math.MaxUint32)},
	{"bigint", ints(0, math.MinInt64, math.MaxInt64)},
	{"bigint unsigned", []any{"0", "18446744073709551615", "9223372036854775808"}},
	{"float", []any{float32(0), float32(-math.MaxFloat32), float32(math.MaxFloat32), float32(0.1), float32(16777217)}},
	{"double", []any{0.0, -math.MaxFloat64, math.MaxFloat64, 0.1, 2.2250738585072014e-308}},
	{"decimal(5,2)", []any{"0.00", "-999.99", "999.99", "0.01", "-0.10"}},
	{"decimal(18,0)", []any{"0", "-999999999999999999", "999999999999999999"}},
	{"decimal(38,10)", []any{"0.0000000000", "9999999999999999999999999999.9999999999", "-1.0000000001"}},
	{"decimal(38,30)", []any{"0.000000000000000000000000000001", "-99999999.999999999999999999999999999999"}},
	{"decimal(65,2)", []any{strings.Repeat("9", 63) + ".99", "-0.01"}},
	{"bit(1)", []any{true, false}},
	{"bit(10)", ints(0, 1023)},
	{"bit(64)", []any{"0", "18446744073709551615"}},
	{"year", ints(1901, 2155, 2024)},
	{"date", []any{"1000-01-01", "9999-12-31", "1970-01-01", "1969-12-31", "2024-02-29"}},
	{"datetime", []any{"1000-01-01 00:00:00.000000", "9999-12-31 23:59:59.000000", "1969-12-31 23:59:59.000000"}},
	{"datetime(6)", []any{"1000-01-01 00:00:00.000001", "9999-12-31 23:59:59.999999", "1969-12-31 23:59:59.999999"}},
	{"timestamp", []any{"1970-01-01 00:00:01.000000Z", "2038-01-19 03:14:07.000000Z", "2024-03-31 01:30:00.000000Z"}},
	{"timestamp(6)", []any{"1970-01-01 00:00:01.000001Z", "2038-01-19 03:14:07.999999Z"}},
	{"time", ints(0, -hour(839)+1e6, hour(839)-1e6, -1e6)},
	{"time(6)", ints(0, -hour(838), 1, -1, hour(24))},
	{"char(10)", []any{"", "abc", "ÄÖÜ漢字€☃ñø"}},
	{"varchar(50)", []any{"", "a'b\"c\\d`e", "(null)", "NULL", "\x00\n\r\t\x1a", "😀漢字", "trailing  "}},
	{"longtext", []any{"", "x", strings.Repeat("long 漢 ", 20000)}},
	{"binary(4)", []any{[]byte{0, 0, 0, 0}, []byte{255, 254, 0, 1}}},
	{"varbinary(20)", []any{[]byte{}, []byte{0}, []byte("a'b\\c\x00\xff")}},
	{"longblob", []any{[]byte{}, []byte(strings.Repeat("\xff\x00\x80", 40000))}},
	{"enum('a','b,c','it''s','(x)','ü')", []any{"a", "b,c", "it's", "(x)", "ü"}},
	{"set('x','y(z)','ü')", []any{"", "x", "x,y(z),ü"}},
	{"json", []any{`{}`, `[]`, `null`, `{"a": [1, null, "ü\n"], "b": 1.5}`}},
	{"point", []any{point(1, -2.5), point(0, 0)}},
	{"vector(3)", []any{[]float32{0, -1.5, math.MaxFloat32}, []float32{1, 2, 3}}},
}

// Samples returns values of the column's type: its extremes, what is empty, and
// what has gone wrong before in such programs.
func Samples(c schema.Column) []any {
	for _, s := range samples {
		if s.native == c.Native {
			return s.values
		}
	}
	// A declared size only bounds what may be stored: a sibling's values will do.
	name, _, _ := strings.Cut(c.Native, "(")
	for _, s := range samples {
		if strings.HasPrefix(s.native, name+"(") && s.native != "bit(64)" && c.Type.Kind == schema.String {
			return s.values[:2]
		}
	}
	panic(fmt.Sprintf("no sample values for %s", c.Native))
}

func ints(values ...int64) []any {
	out := make([]any, len(values))
	for i, v := range values {
		out[i] = v
	}
	return out
}

// hour is what a TIME of n hours is behind the reader.
func hour(n int64) int64 { return n * 3600 * 1e6 }

// point returns WKB as a reader hands it on, without MySQL's SRID before it.
func point(x, y float64) []byte {
	b := []byte{1, 1, 0, 0, 0}
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(y))
}
