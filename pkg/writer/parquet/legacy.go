package parquet

import (
	"encoding/binary"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/bitutil"
)

// older has values lie as readers know them that are older than 64-bit timestamps, decimals
// in integers and packed integers: Hive 2 and 3, Impala 3, Spark 2.
func (c *column) older() {
	c.legacy = true
	switch t := c.Type.(type) {
	case *arrow.TimestampType:
		c.phys, c.width, c.add = int96Type, 12, addInt96
	case *arrow.Decimal128Type:
		c.phys, c.width, c.add = fixedBytes, decimalBytes(int(t.Precision)), addDecimals
	}
}

// directEncoding is that of values without a dictionary.
func (c *column) directEncoding() int {
	if !c.legacy && (c.phys == int32Type || c.phys == int64Type) {
		return encDelta
	}
	return encPlain
}

// dictEncodings are those of pages of numbers of the dictionary, and of its own page.
func (c *column) dictEncodings() (numbers, values int) {
	if c.legacy {
		return encPlainDict, encPlainDict
	}
	return encDict, encPlain
}

// Days of the Julian calendar's count, and microseconds.
const (
	epochDay   = 2440588
	dayMicros  = 24 * 60 * 60 * 1000 * 1000
	microNanos = 1000
)

// addInt96 takes microseconds since 1970 as nanoseconds of a day and the day's number, by
// which Impala and Hive have begun to write timestamps.
func addInt96(c *column, a arrow.Array, from, n int) int {
	n = c.room(n, c.width)
	v := a.(*array.Timestamp).TimestampValues()[from : from+n]
	bits, off := c.valid(a, from, n)
	for i, x := range v {
		if bits != nil && !bitutil.BitIsSet(bits, off+i) {
			continue
		}
		day, of := int64(x)/dayMicros, int64(x)%dayMicros
		if of < 0 {
			day, of = day-1, of+dayMicros
		}
		c.lead()
		c.plain = binary.LittleEndian.AppendUint64(c.plain, uint64(of*microNanos))
		c.plain = binary.LittleEndian.AppendUint32(c.plain, uint32(day+epochDay))
	}
	return n
}

// appendPlain appends integers as they are.
func (c *column) appendPlain(dst []byte) []byte {
	for _, v := range c.i32 {
		dst = binary.LittleEndian.AppendUint32(dst, uint32(v))
	}
	for _, v := range c.i64 {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(v))
	}
	return dst
}
