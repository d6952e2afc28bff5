package binlog

import (
	"github.com/tablehaul/tablehaul/pkg/batch"
)

// With binlog_row_value_options = PARTIAL_JSON the after image of an update may
// have, in place of a JSON value, how it differs from the one in the before
// image. Such an image begins with options, and with a bit for each JSON column
// if the first of them is set.

func (d *Decoder) partialUpdate(p []byte, i int) (int, error) { return d.change(p, i, true) }

// partialBits reads what comes before a partial image: which JSON columns are
// partial, and where the image itself begins.
func (d *Decoder) partialBits(p []byte, i int) (bits []byte, start int, err error) {
	c := cursor{p: p[i:]}
	if c.lenenc()&1 != 0 {
		n := 0
		for f := range d.fields {
			if d.fields[f].json {
				n++
			}
		}
		bits = c.take(uint64(n+7) / 8)
	}
	if c.bad {
		return nil, 0, errShort
	}
	return bits, len(p) - len(c.p), nil
}

// partialImage appends the image at p[i:] of a row whose before image is at hand.
func (d *Decoder) partialImage(p []byte, i int, bits []byte) (int, error) {
	end, err := d.frame(p, i, d.after, len(d.fields))
	if err != nil {
		return 0, err
	}
	n := 0 // JSON columns so far
	for c := range d.fields[:d.visible] {
		f, at := &d.fields[c], d.after[c]
		partial := false
		if f.json {
			partial = bits != nil && bits[n>>3]&(1<<(n&7)) != 0
			n++
		}
		switch {
		case at.start < 0:
			err = d.null(c)
		case partial:
			err = d.diff(p, c)
		default:
			err = f.append(p[at.start:at.end])
		}
		if err != nil {
			return 0, d.columnError(c, err)
		}
	}
	return end, nil
}

// diff appends the value of column c before the update, changed as the after
// image says.
func (d *Decoder) diff(p []byte, c int) error {
	if _, ok := d.fields[c].col.(leftOut); ok {
		return nil
	}
	b, ok := d.fields[c].col.(*batch.Bytes)
	before, after := d.before[c], d.after[c]
	if !ok || before.start < 0 {
		return errDiff
	}
	var err error
	if d.text, err = appendDiff(d.text[:0], p[before.start:before.end], p[after.start:after.end]); err == nil {
		b.Append(d.text)
		d.grown += len(d.text)
	}
	return err
}
