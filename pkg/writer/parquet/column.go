package parquet

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"
)

// A physical is one of Parquet's physical types, by its number.
type physical int

const (
	boolean    physical = 0
	int32Type  physical = 1
	int64Type  physical = 2
	int96Type  physical = 3
	float32s   physical = 4
	float64s   physical = 5
	byteArray  physical = 6
	fixedBytes physical = 7
)

// Parquet's encodings, by their numbers.
const (
	encPlain     = 0
	encPlainDict = 2
	encRLE       = 3
	encDelta     = 5
	encDict      = 8
)

// A Column describes one column of a file.
type Column struct {
	Name      string
	ID        int // field id
	ElementID int // of a list's elements
	Type      arrow.DataType
	Nullable  bool
	// WholeBounds keeps the bounds of text and bytes in the statistics as they
	// are; others are cut after 64 bytes.
	WholeBounds bool
}

// A column is a column chunk in the making. Values gather as the page at work;
// a page that is full is encoded, compressed and put at the end of the chunk.
type column struct {
	Column
	phys   physical
	width  int // bytes of a fixedBytes value, scale of nothing else
	legacy bool
	list   bool
	text   bool
	codec  Codec
	target int // bytes of a page
	add    func(c *column, a arrow.Array, from, n int) int

	// The page at work. Only those of the physical type are used.
	rows   int // of it, nulls included
	def    bitmap
	levels []uint32 // of a list: repetition, then definition in bit 1 and up
	plain  []byte   // PLAIN values behind headRoom bytes, but for the next three
	bools  bitmap
	i32    []int32
	i64    []int64
	huge   []byte // a value that is to get a page of its own, next

	// The chunk.
	data      rope
	dict      dictionary
	mode      mode
	way       way
	dictWay   way
	pages     [2]int // data pages with and without dictionary
	values    int64  // levels in all pages
	nonNull   int64
	nulls     int64
	size      int64 // uncompressed, headers included
	ints      intRange
	floats    floatRange
	strings   stringRange
	decimals  decimalRange
	trueFalse [2]bool
}

// A mode is how the values of a chunk are encoded.
type mode int

const (
	unset  mode = iota
	direct      // PLAIN, or DELTA_BINARY_PACKED for integers
	coded       // by a dictionary
)

// pageRows is the most rows of a page, so that a page of nulls ends too.
const pageRows = 64 << 10

// full reports whether the page at work is ready to be written.
func (c *column) full() bool { return c.rows >= pageRows || c.pageSize() >= c.target }

// headRoom is left before plain values, so that the levels of a page without
// nulls fit in front of them and the values need not be copied.
const headRoom = 16

func (c *column) pageSize() int {
	return max(0, len(c.plain)-headRoom) + 4*len(c.i32) + 8*len(c.i64) + len(c.bools.b) + len(c.def.b) + 4*len(c.levels)
}

// memory is what the chunk holds back, in bytes.
func (c *column) memory() int64 {
	return c.data.size + int64(c.pageSize()+len(c.dict.page)+24*c.dict.len())
}

// estimate is about what the chunk would take in the file if it ended here. The
// page at work is taken to become as small as those before it, or half its size.
func (c *column) estimate() int64 {
	page := int64(c.pageSize() + len(c.dict.page))
	if c.size == 0 {
		return page / 2
	}
	return c.data.size + int64(float64(page)*float64(c.data.size)/float64(c.size))
}

// endPage encodes the page at work and appends it to the chunk.
func (c *column) endPage(z *compressor) error {
	if c.rows == 0 {
		return nil
	}
	levels := c.rows
	z.body = z.body[:0]
	if c.list {
		levels = len(c.levels)
		z.body = c.appendListLevels(z.body)
	} else if c.Nullable {
		z.body = c.def.appendLevels(z.body)
	}
	c.countValues(levels)
	if c.mode == unset {
		c.mode = c.choose(z)
	}
	if c.mode == coded {
		if body, ok := c.appendIndices(z); ok {
			c.pages[0]++
			numbers, _ := c.dictEncodings()
			return c.endBody(z, &c.dictWay, body, levels, numbers)
		}
		c.mode = direct // the rest of the chunk goes without
	}
	c.pages[1]++
	body, enc := c.appendValues(z)
	return c.endBody(z, &c.way, body, levels, enc)
}

func (c *column) endBody(z *compressor, w *way, body []byte, levels, enc int) error {
	err := c.writePage(&c.data, z, w, body, levels, enc, false)
	c.values += int64(levels)
	c.clearPage()
	return err
}

func (c *column) clearPage() {
	c.rows = 0
	c.def.reset()
	c.bools.reset()
	c.levels, c.plain, c.i32, c.i64 = c.levels[:0], c.plain[:0], c.i32[:0], c.i64[:0]
}

// writePage compresses a page's body and appends it behind its header.
func (c *column) writePage(to *rope, z *compressor, w *way, body []byte, values, enc int, dict bool) error {
	packed, err := z.page(c.codec, w, body)
	if err != nil {
		return err
	}
	if err := c.writeHeader(to, len(body), len(packed), crc32.ChecksumIEEE(packed), values, enc, dict); err != nil {
		return err
	}
	to.append(packed)
	return nil
}

// writeHeader appends a page's header (PageHeader) and counts the page.
func (c *column) writeHeader(to *rope, size, packed int, sum uint32, values, enc int, dict bool) error {
	if size > math.MaxInt32 || packed > math.MaxInt32 {
		return fmt.Errorf("column %q: a page of %d bytes is more than Parquet holds", c.Name, size)
	}
	var t thrift
	t.begin()
	kind := 0
	if dict {
		kind = 2
	}
	t.i32(1, kind)
	t.i32(2, size)
	t.i32(3, packed)
	t.i32(4, int(int32(sum)))
	if dict {
		t.structure(7)
		t.i32(1, values)
		t.i32(2, enc)
		t.end()
	} else {
		t.structure(5)
		t.i32(1, values)
		t.i32(2, enc)
		t.i32(3, encRLE)
		t.i32(4, encRLE)
		t.end()
	}
	t.end()
	to.append(t.b)
	c.size += int64(len(t.b) + size)
	return nil
}

// appendValues returns the page's body, which is z.body's levels and then the
// values without a dictionary.
func (c *column) appendValues(z *compressor) ([]byte, int) {
	switch enc := c.directEncoding(); {
	case enc == encDelta && c.phys == int32Type:
		z.body = appendDelta(z.body, c.i32)
		return z.body, encDelta
	case enc == encDelta:
		z.body = appendDelta(z.body, c.i64)
		return z.body, encDelta
	case c.phys == int32Type, c.phys == int64Type:
		z.body = c.appendPlain(z.body)
		return z.body, encPlain
	case c.phys == boolean:
		z.body = append(z.body, c.bools.b...)
		return z.body, encPlain
	}
	if n := len(z.body); n <= headRoom && len(c.plain) >= headRoom {
		copy(c.plain[headRoom-n:], z.body)
		return c.plain[headRoom-n:], encPlain
	}
	z.body = append(z.body, c.plainValues()...)
	return z.body, encPlain
}

// plainValues are the plain values of the page.
func (c *column) plainValues() []byte { return c.plain[min(headRoom, len(c.plain)):] }

// sampleValues is how many values the choice of an encoding looks at.
const sampleValues = 4096

// choose decides for a dictionary where the page's values repeat so much that
// their numbers are shorter than themselves.
func (c *column) choose(z *compressor) mode {
	if c.phys == boolean || c.list {
		return direct
	}
	c.dict.reset()
	z.indices = c.number(z.indices[:0], sampleValues)
	seen := len(z.indices)
	different := c.dict.len()
	width := c.dict.width()
	c.dict.reset()
	var repeats bool
	switch {
	case c.legacy: // values are not packed
		repeats = different*2 <= seen
	case c.phys == int32Type:
		repeats = different*8 <= seen && width < deltaWidth(c.i32)
	case c.phys == int64Type:
		repeats = different*8 <= seen && width < deltaWidth(c.i64)
	case c.phys == byteArray:
		repeats = different*2 <= seen
	default:
		repeats = different*4 <= seen
	}
	if seen >= 64 && repeats {
		return coded
	}
	return direct
}

// deltaWidth is about how many bits a value takes in DELTA_BINARY_PACKED.
func deltaWidth[S int32 | int64](values []S) int {
	values = values[:min(len(values), sampleValues)]
	if len(values) < 2 {
		return 0
	}
	lo, hi := values[1]-values[0], values[1]-values[0]
	for i, v := range values[1:] {
		d := v - values[i]
		lo, hi = min(lo, d), max(hi, d)
	}
	return bits.Len64(unsigned(hi - lo))
}

// appendIndices returns the page's body with the values as numbers of the
// dictionary. It fails when the dictionary has grown out of proportion.
func (c *column) appendIndices(z *compressor) ([]byte, bool) {
	z.indices = c.number(z.indices[:0], c.rows)
	n := c.dict.len()
	if len(c.dict.page) > c.maxDict() || n > 1024 && int64(n)*3 > c.nonNull {
		return nil, false
	}
	width := c.dict.width()
	z.body = appendHybrid(append(z.body, byte(width)), z.indices, width)
	return z.body, true
}

// appendListLevels appends repetition and definition levels of a list.
func (c *column) appendListLevels(body []byte) []byte {
	level := make([]uint32, len(c.levels))
	for part := range 2 {
		width := 1
		if part == 1 && c.Nullable {
			width = 2
		}
		for i, l := range c.levels {
			if part == 0 {
				level[i] = l & 1
			} else {
				level[i] = l >> 1
			}
		}
		at := len(body)
		body = append(body, 0, 0, 0, 0)
		body = appendHybrid(body, level, width)
		binary.LittleEndian.PutUint32(body[at:], uint32(len(body)-at-4))
	}
	return body
}
