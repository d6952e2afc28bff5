package binlog

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/tablehaul/tablehaul/pkg/batch"
)

var errShort = errors.New("the event is cut short")

// A field is a column of the rows on the wire. All types take one of two
// shapes: a fixed width, or a length of prefix bytes and as many bytes.
type field struct {
	width    int
	prefix   int
	append   func(v []byte) error
	blank    func() // appends any value, which costs less than a null
	col      batch.Column
	nullable bool
	json     bool
}

// A span is where a value lies; start < 0 is NULL.
type span struct{ start, end int }

// image appends the image at p[i:] and returns where it ends.
func (d *Decoder) image(p []byte, i int) (int, error) {
	nulls, i, err := d.nulls(p, i)
	if err != nil {
		return 0, err
	}
	var some byte
	for _, b := range nulls {
		some |= b
	}
	for c := range d.fields[:d.visible] {
		f := &d.fields[c]
		if some != 0 && nulls[c>>3]&(1<<(c&7)) != 0 {
			if err := d.null(c); err != nil {
				return 0, d.columnError(c, err)
			}
			continue
		}
		n := f.width
		if f.prefix != 0 {
			n, i = prefixed(p, i, f.prefix)
		}
		if n > len(p)-i {
			return 0, errShort
		}
		if err := f.append(p[i : i+n]); err != nil {
			return 0, d.columnError(c, err)
		}
		i += n
	}
	return d.skip(p, i, nulls, nil, d.visible, len(d.fields))
}

// frame notes where the first upto values of the image at p[i:] lie, and returns
// where the last of them ends.
func (d *Decoder) frame(p []byte, i int, at []span, upto int) (int, error) {
	nulls, i, err := d.nulls(p, i)
	if err != nil {
		return 0, err
	}
	return d.skip(p, i, nulls, at, 0, upto)
}

// skip passes over the fields from c up to, and notes where they lie if at is
// not nil.
func (d *Decoder) skip(p []byte, i int, nulls []byte, at []span, c, upto int) (int, error) {
	for ; c < upto; c++ {
		f := &d.fields[c]
		where := span{-1, -1}
		if nulls[c>>3]&(1<<(c&7)) == 0 {
			n := f.width
			if f.prefix != 0 {
				n, i = prefixed(p, i, f.prefix)
			}
			if n > len(p)-i {
				return 0, errShort
			}
			where = span{i, i + n}
			i += n
		}
		if at != nil {
			at[c] = where
		}
	}
	return i, nil
}

func (d *Decoder) nulls(p []byte, i int) ([]byte, int, error) {
	n := (len(d.fields) + 7) / 8
	if len(p)-i < n {
		return nil, 0, errShort
	}
	return p[i : i+n], i + n, nil
}

// prefixed reads a length of n bytes and returns it and where the value begins.
func prefixed(p []byte, i, n int) (length, start int) {
	if len(p)-i < n {
		return 1, len(p) // more than there is
	}
	switch n {
	case 1:
		return int(p[i]), i + 1
	case 2:
		return int(binary.LittleEndian.Uint16(p[i:])), i + 2
	case 3:
		return int(p[i]) | int(p[i+1])<<8 | int(p[i+2])<<16, i + 3
	}
	return int(binary.LittleEndian.Uint32(p[i:])), i + 4
}

// key appends a row of the key values at hand; sinks look at no others.
func (d *Decoder) key(p []byte) error {
	for c := range d.fields[:d.visible] {
		f := &d.fields[c]
		at := d.before[c]
		if !d.inKey[c] {
			f.blank()
			continue
		}
		if at.start < 0 {
			return fmt.Errorf("column %s of the key is NULL in a row in the log", d.columns[c].Name)
		}
		if err := f.append(p[at.start:at.end]); err != nil {
			return d.columnError(c, err)
		}
	}
	return nil
}

// null appends a NULL to column c.
func (d *Decoder) null(c int) error {
	f := &d.fields[c]
	if !f.nullable {
		return errors.New("it was listed as NOT NULL, a row in the log has NULL")
	}
	f.col.Null()
	return nil
}

func (d *Decoder) columnError(c int, err error) error {
	return fmt.Errorf("column %s (%s): %w", d.columns[c].Name, d.columns[c].Native, err)
}
