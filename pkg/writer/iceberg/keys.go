package iceberg

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A keyHasher hashes the keys of rows. Keys of up to 16 bytes, as numbers have,
// are only shuffled: different keys have different hashes. Others are hashed
// to 128 bits.
type keyHasher struct {
	columns []int // of the key
	width   int   // bytes of a key; 0 if that differs or is more than 16
	nulls   bool  // keys may have them: two of them are the same
	hashes  []keyHash
	scratch []byte
}

func newKeyHasher(t *schema.Table) *keyHasher {
	k := &keyHasher{columns: t.Key}
	for _, c := range t.Key {
		n := fixedWidth(t.Columns[c].Arrow)
		if n == 0 || k.width+n > 16 {
			k.width = 0
			break
		}
		k.width += n
	}
	return k
}

// fixedWidth is how many bytes a value takes in a key, 0 if that differs.
func fixedWidth(t arrow.DataType) int {
	switch t.ID() {
	case arrow.BOOL:
		return 1
	case arrow.INT32, arrow.DATE32:
		return 4
	case arrow.INT64, arrow.TIMESTAMP:
		return 8
	case arrow.DECIMAL128:
		return 16
	}
	return 0
}

// The seeds differ from run to run: nobody can prepare keys that collide.
var hashSeeds = [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}

// hash returns the hashes of the rows' keys, until the next call.
func (k *keyHasher) hash(rec arrow.RecordBatch) ([]keyHash, error) {
	n := int(rec.NumRows())
	if cap(k.hashes) < n {
		k.hashes = make([]keyHash, n)
	}
	out := k.hashes[:n]
	for _, c := range k.columns {
		if !k.nulls && rec.Column(c).NullN() > 0 {
			return nil, fmt.Errorf("column %q of the key: null", rec.ColumnName(c))
		}
	}
	if k.width > 0 && !k.nulls {
		return out, k.pack(rec, out)
	}
	if len(k.columns) == 1 && !k.nulls {
		switch a := rec.Column(k.columns[0]).(type) {
		case *array.String:
			hashBytes(out, a.ValueOffsets(), a.ValueBytes())
			return out, nil
		case *array.Binary:
			hashBytes(out, a.ValueOffsets(), a.ValueBytes())
			return out, nil
		}
	}
	for i := range out {
		b, err := k.encode(rec, i)
		if err != nil {
			return nil, err
		}
		out[i] = keyHash{maphash.Bytes(hashSeeds[0], b), maphash.Bytes(hashSeeds[1], b)}
	}
	return out, nil
}

// hashBytes hashes the values of a column; data begins with the first of them.
func hashBytes(out []keyHash, offsets []int32, data []byte) {
	base := offsets[0]
	for i := range out {
		v := data[offsets[i]-base : offsets[i+1]-base]
		out[i] = keyHash{maphash.Bytes(hashSeeds[0], v), maphash.Bytes(hashSeeds[1], v)}
	}
}

// pack puts the values of narrow keys side by side and shuffles the bits.
func (k *keyHasher) pack(rec arrow.RecordBatch, out []keyHash) error {
	clear(out)
	at := 0
	for _, c := range k.columns {
		col := rec.Column(c)
		switch a := col.(type) {
		case *array.Boolean:
			for i := range out {
				if a.Value(i) {
					out[i].put(at, 1)
				}
			}
		case *array.Int32:
			for i, v := range a.Int32Values() {
				out[i].put(at, uint64(uint32(v)))
			}
		case *array.Date32:
			for i, v := range a.Date32Values() {
				out[i].put(at, uint64(uint32(v)))
			}
		case *array.Int64:
			for i, v := range a.Int64Values() {
				out[i].put(at, uint64(v))
			}
		case *array.Timestamp:
			for i, v := range a.TimestampValues() {
				out[i].put(at, uint64(v))
			}
		case *array.Decimal128:
			for i, v := range a.Values() {
				out[i] = keyHash{v.LowBits(), uint64(v.HighBits())}
			}
		default:
			return fmt.Errorf("column %q of the key: %s", rec.ColumnName(c), col.DataType())
		}
		at += fixedWidth(col.DataType())
	}
	for i := range out {
		out[i].shuffle()
	}
	return nil
}

// put adds a value of up to 8 bytes at byte at.
func (h *keyHash) put(at int, v uint64) {
	switch {
	case at == 0:
		h[0] |= v
	case at < 8:
		h[0] |= v << (8 * at)
		h[1] |= v >> (64 - 8*at)
	default:
		h[1] |= v << (8 * (at - 8))
	}
}

// shuffle spreads the bits over the whole hash. As each step can be undone, two
// keys never become one.
func (h *keyHash) shuffle() {
	h[1] ^= mix(h[0])
	h[0] ^= mix(h[1])
}

// mix is the finalizer of MurmurHash3, with a constant added so that 0 moves.
func mix(v uint64) uint64 {
	v += 0x9e3779b97f4a7c15
	v ^= v >> 33
	v *= 0xff51afd7ed558ccd
	v ^= v >> 33
	v *= 0xc4ceb9fe1a85ec53
	v ^= v >> 33
	return v
}

// encode returns the key of a row in a form that no other key has.
func (k *keyHasher) encode(rec arrow.RecordBatch, row int) ([]byte, error) {
	b := k.scratch[:0]
	for _, c := range k.columns {
		if k.nulls {
			if rec.Column(c).IsNull(row) {
				b = append(b, 0)
				continue
			}
			b = append(b, 1)
		}
		switch a := rec.Column(c).(type) {
		case *array.String:
			v := a.Value(row)
			b = append(binary.LittleEndian.AppendUint32(b, uint32(len(v))), v...)
		case *array.Binary:
			v := a.Value(row)
			b = append(binary.LittleEndian.AppendUint32(b, uint32(len(v))), v...)
		case *array.Boolean:
			if a.Value(row) {
				b = append(b, 1)
			} else {
				b = append(b, 0)
			}
		case *array.Int32:
			b = binary.LittleEndian.AppendUint32(b, uint32(a.Value(row)))
		case *array.Date32:
			b = binary.LittleEndian.AppendUint32(b, uint32(a.Value(row)))
		case *array.Int64:
			b = binary.LittleEndian.AppendUint64(b, uint64(a.Value(row)))
		case *array.Timestamp:
			b = binary.LittleEndian.AppendUint64(b, uint64(a.Value(row)))
		case *array.Decimal128:
			v := a.Value(row)
			b = binary.LittleEndian.AppendUint64(b, v.LowBits())
			b = binary.LittleEndian.AppendUint64(b, uint64(v.HighBits()))
		default:
			return nil, fmt.Errorf("column %q of the key: %w", rec.ColumnName(c), errNoKey)
		}
	}
	k.scratch = b
	return b, nil
}

var errNoKey = errors.New("a type that cannot identify rows")
