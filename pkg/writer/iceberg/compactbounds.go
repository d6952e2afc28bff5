package iceberg

import (
	"bytes"
	"cmp"
	"encoding/binary"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// A bound is one of a column's values in a file; nil if it is not known.
type bound interface{ compare(other bound) int }

type (
	intBound  int64
	textBound []byte
)

func (b intBound) compare(other bound) int {
	o, _ := other.(intBound)
	return cmp.Compare(b, o)
}

func (b textBound) compare(other bound) int {
	o, _ := other.(textBound)
	return bytes.Compare(b, o)
}

// compareBounds has files without bounds come first.
func compareBounds(a, b bound) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return -1
	case b == nil:
		return 1
	}
	return a.compare(b)
}

// keyBounds knows the bounds of the column that the key begins with.
type keyBounds struct {
	field int
	text  bool
	whole bool // eight bytes and no less: four would be of days, and not of time
}

// boundsOf returns nil where bounds tell nothing. Integers may have become wider, and files
// from before have bounds of four bytes: both are read.
func boundsOf(meta table.Metadata) *keyBounds {
	sc := meta.CurrentSchema()
	if len(sc.IdentifierFieldIDs) == 0 {
		return nil
	}
	first := -1
	for _, f := range sc.Fields() {
		for _, id := range sc.IdentifierFieldIDs {
			if f.ID != id || first >= 0 {
				continue
			}
			first = id
			switch f.Type.(type) {
			case iceberg.Int32Type, iceberg.Int64Type, iceberg.DateType:
				return &keyBounds{field: id}
			case iceberg.TimestampType, iceberg.TimestampTzType:
				return &keyBounds{field: id, whole: true}
			case iceberg.StringType, iceberg.BinaryType:
				return &keyBounds{field: id, text: true}
			}
		}
	}
	return nil
}

// of returns the bounds in a file, both or none.
func (k *keyBounds) of(df iceberg.DataFile) (low, high bound) {
	if k == nil {
		return nil, nil
	}
	l, h := df.LowerBoundValues()[k.field], df.UpperBoundValues()[k.field]
	if l == nil || h == nil || k.whole && (len(l) != 8 || len(h) != 8) {
		return nil, nil
	}
	if k.text {
		return textBound(l), textBound(h)
	}
	a, okA := readInt(l)
	b, okB := readInt(h)
	if !okA || !okB {
		return nil, nil
	}
	return a, b
}

func readInt(b []byte) (intBound, bool) {
	switch len(b) {
	case 4:
		return intBound(int32(binary.LittleEndian.Uint32(b))), true //nolint:gosec // two's complement
	case 8:
		return intBound(binary.LittleEndian.Uint64(b)), true //nolint:gosec // as above
	}
	return 0, false
}
