package parquet

import "github.com/apache/arrow-go/v18/arrow"

// createdBy has the form that readers parse to tell writers' bugs apart.
const createdBy = "tablehaul version 0.1.0 (build 0)"

// footer returns the file's metadata (parquet.thrift, FileMetaData).
func (w *Writer) footer() []byte {
	var t thrift
	t.begin()
	version := 2 // of the format
	if w.opts.Legacy {
		version = 1
	}
	t.i32(1, version)
	leaves, nodes := len(w.columns), 1
	for _, c := range w.columns {
		nodes++
		if c.list {
			nodes += 2
		}
	}
	t.list(2, thriftStruct, nodes)
	t.begin() // the root
	t.text(4, "table")
	t.i32(5, leaves)
	t.end()
	for _, c := range w.columns {
		c.schema(&t)
	}
	t.i64(3, w.total)
	t.list(4, thriftStruct, w.count)
	t.b = append(t.b, w.groups.b...)
	// Or Hive 4 takes dates for those of the Julian calendar up to 1582.
	t.list(5, thriftStruct, 1)
	t.begin()
	t.text(1, "writer.date.proleptic")
	t.text(2, "true")
	t.end()
	t.text(6, createdBy)
	t.list(7, thriftStruct, leaves)
	for range leaves { // statistics are ordered as the type says
		t.begin()
		t.empty(1)
		t.end()
	}
	t.end()
	return t.b
}

// Repetition types.
const (
	required = 0
	optional = 1
	repeated = 2
)

// schema appends the column's schema elements.
func (c *column) schema(t *thrift) {
	repetition := required
	if c.Nullable {
		repetition = optional
	}
	if !c.list {
		t.begin()
		t.i32(1, int(c.phys))
		if c.phys == fixedBytes {
			t.i32(2, c.width)
		}
		t.i32(3, repetition)
		t.text(4, c.Name)
		c.logical(t)
		t.end()
		return
	}
	t.begin()
	t.i32(3, repetition)
	t.text(4, c.Name)
	t.i32(5, 1)
	t.i32(6, 3) // LIST
	t.i32(9, c.ID)
	t.structure(10)
	t.empty(3)
	t.end()
	t.end()

	t.begin()
	t.i32(3, repeated)
	t.text(4, "list")
	t.i32(5, 1)
	t.end()

	t.begin()
	t.i32(1, int(c.phys))
	t.i32(3, required)
	t.text(4, "element")
	t.i32(9, c.ElementID)
	t.end()
}

// logical appends the converted type, the field id and the logical type.
func (c *column) logical(t *thrift) {
	switch typ := c.Type.(type) {
	case *arrow.StringType:
		t.i32(6, 0)
		t.i32(9, c.ID)
		t.structure(10)
		t.empty(1)
		t.end()
	case *arrow.Decimal128Type:
		t.i32(6, 5)
		t.i32(7, int(typ.Scale))
		t.i32(8, int(typ.Precision))
		t.i32(9, c.ID)
		t.structure(10)
		t.structure(5)
		t.i32(1, int(typ.Scale))
		t.i32(2, int(typ.Precision))
		t.end()
		t.end()
	case *arrow.Date32Type:
		t.i32(6, 6)
		t.i32(9, c.ID)
		t.structure(10)
		t.empty(6)
		t.end()
	case *arrow.TimestampType:
		if c.phys == int96Type { // which says it all
			t.i32(9, c.ID)
			return
		}
		if typ.TimeZone != "" {
			t.i32(6, 10) // the old annotation means UTC
		}
		t.i32(9, c.ID)
		t.structure(10)
		t.structure(8)
		t.boolean(1, typ.TimeZone != "")
		t.structure(2)
		t.empty(2) // microseconds
		t.end()
		t.end()
		t.end()
	default:
		t.i32(9, c.ID)
	}
}

// describe appends the chunk's metadata (ColumnChunk).
func (c *column) describe(t *thrift, start, dictAt, dataAt, packed int64) {
	t.begin()
	t.i64(2, start)
	t.structure(3)
	t.i32(1, int(c.phys))
	direct := c.directEncoding()
	numbers, dictionary := c.dictEncodings()
	used := []int{encRLE} // of levels
	if c.pages[1] > 0 {
		used = append(used, direct)
	}
	if c.pages[0] > 0 {
		used = append(used, numbers)
		if numbers != dictionary && (direct != encPlain || c.pages[1] == 0) {
			used = append(used, dictionary)
		}
	}
	t.list(2, thriftI32, len(used))
	for _, e := range used {
		t.zigzag(int64(e))
	}
	path := []string{c.Name}
	if c.list {
		path = append(path, "list", "element")
	}
	t.list(3, thriftBinary, len(path))
	for _, p := range path {
		t.str(p)
	}
	t.i32(4, int(c.codec.number()))
	t.i64(5, c.values)
	t.i64(6, c.size)
	t.i64(7, packed)
	t.i64(9, dataAt)
	if c.pages[0] > 0 {
		t.i64(11, dictAt)
	}
	c.statistics(t)
	c.encodingStats(t, direct)
	t.end()
	t.end()
}

func (c *column) statistics(t *thrift) {
	b, ok := c.bounds()
	if ok && b.max == nil {
		// A chunk with a lower bound alone, arrow-go takes to end at "". One with
		// none, iceberg-go leaves out of the bounds of the file, as if it held no
		// values. Without any statistics both believe nothing of it.
		return
	}
	t.structure(12)
	t.i64(3, c.nulls)
	if ok {
		t.bytes(5, b.max)
		t.bytes(6, b.min)
		t.boolean(7, b.maxExact)
		t.boolean(8, b.minExact)
	}
	t.end()
}

// encodingStats counts pages, by which readers know that a chunk has no page
// without the dictionary.
func (c *column) encodingStats(t *thrift, direct int) {
	n := 0
	for _, k := range c.pages {
		n += min(k, 1)
	}
	dict := min(c.pages[0], 1)
	t.list(13, thriftStruct, n+dict)
	entry := func(kind, enc, count int) {
		t.begin()
		t.i32(1, kind)
		t.i32(2, enc)
		t.i32(3, count)
		t.end()
	}
	if dict > 0 {
		numbers, dictionary := c.dictEncodings()
		entry(2, dictionary, 1)
		entry(0, numbers, c.pages[0])
	}
	if c.pages[1] > 0 {
		entry(0, direct, c.pages[1])
	}
}
