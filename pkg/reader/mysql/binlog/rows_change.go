package binlog

import (
	"bytes"
	"errors"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// The kinds of change. Those of two images are odd.
const (
	kindInsert = iota
	kindUpdate
	kindDelete
	kindPartialUpdate
)

// A changeFunc reads the change at p[i:] and returns where it ends.
type changeFunc func(d *Decoder, p []byte, i int) (int, error)

var (
	changes        = [...]changeFunc{(*Decoder).insert, (*Decoder).update, (*Decoder).delete, (*Decoder).partialUpdate}
	versionChanges = [...]changeFunc{(*Decoder).insertVersion, (*Decoder).updateVersion, (*Decoder).deleteVersion, (*Decoder).partialUpdate}
)

// kindOf returns the kind of change, and whether the event's header has a part of
// variable length.
func kindOf(typ EventType) (kind int, extra bool) {
	switch typ {
	case WriteRowsV2:
		return kindInsert, true
	case UpdateRowsV2:
		return kindUpdate, true
	case DeleteRowsV2:
		return kindDelete, true
	case PartialUpdateRows:
		return kindPartialUpdate, true
	case WriteRowsV1:
		return kindInsert, false
	case UpdateRowsV1:
		return kindUpdate, false
	case DeleteRowsV1:
		return kindDelete, false
	}
	return -1, false
}

func (d *Decoder) insert(p []byte, i int) (int, error) {
	end, err := d.image(p, i)
	if err != nil {
		return 0, err
	}
	op, name := batch.Insert, schema.OpInsert
	if d.opts.Upsert {
		op = batch.After
		if d.keys != nil {
			name = schema.OpUpdate
		}
	}
	return end, d.endRow(op, name, end-i)
}

func (d *Decoder) delete(p []byte, i int) (int, error) {
	if d.changelog != nil {
		end, err := d.image(p, i)
		if err != nil {
			return 0, err
		}
		return end, d.endRow(batch.Delete, schema.OpDelete, end-i)
	}
	end, err := d.frame(p, i, d.before, len(d.fields))
	if err != nil {
		return 0, err
	}
	if err := d.key(p); err != nil {
		return 0, err
	}
	return end, d.endRow(batch.Delete, schema.OpDelete, end-i)
}

func (d *Decoder) update(p []byte, i int) (int, error) { return d.change(p, i, false) }

// change reads the two images of an update, the second of which may be partial.
func (d *Decoder) change(p []byte, i int, partial bool) (int, error) {
	mid, err := d.frame(p, i, d.before, len(d.fields))
	if err != nil {
		return 0, err
	}
	after, bits := mid, []byte(nil)
	if partial {
		if bits, after, err = d.partialBits(p, mid); err != nil {
			return 0, err
		}
	}
	begin := i // of what the row that is yet to come weighs
	if d.changelog != nil {
		name := schema.OpBefore
		if d.log && d.keys != nil { // a row of the new key may be there already
			if _, err = d.frame(p, after, d.after, d.keyEnd); err != nil {
				return 0, err
			}
			if d.moved(p) {
				name = schema.OpDelete
			}
		}
		if _, err = d.image(p, i); err != nil {
			return 0, err
		}
		if err = d.endRow(batch.Before, name, mid-i); err != nil {
			return 0, err
		}
		begin = mid
	} else {
		if _, err = d.frame(p, after, d.after, d.keyEnd); err != nil {
			return 0, err
		}
		// Other bytes that the key's collation takes for the same are a change
		// too: the destination compares bytes.
		if d.moved(p) {
			if err = d.key(p); err != nil {
				return 0, err
			}
			if err = d.endRow(batch.Before, schema.OpBefore, 0); err != nil {
				return 0, err
			}
		}
	}
	var end int
	if partial {
		end, err = d.partialImage(p, after, bits)
	} else {
		end, err = d.image(p, after)
	}
	if err != nil {
		return 0, err
	}
	return end, d.endRow(batch.After, schema.OpUpdate, end-begin)
}

// moved reports whether the key differs between the images at hand.
func (d *Decoder) moved(p []byte) bool {
	for _, k := range d.keys {
		b, a := d.before[k], d.after[k]
		if b.start < 0 || a.start < 0 {
			if b.start != a.start {
				return true
			}
		} else if !bytes.Equal(p[b.start:b.end], p[a.start:a.end]) {
			return true
		}
	}
	return false
}

// endRow completes a row.
func (d *Decoder) endRow(op batch.Op, name string, size int) error {
	d.builder.EndRow(size + d.grown)
	d.grown = 0
	if d.changelog != nil {
		d.changelog.row(name)
		if d.log {
			return nil
		}
	}
	if op == batch.Insert && d.ops == nil {
		d.inserts++
		return nil
	}
	if d.keys == nil && op != batch.Insert {
		return hint.Wrap(errors.New("rows of a table without a key were changed or deleted, which cannot be told apart"),
			"follow it with --keyless append, into a table of its own, or leave it out with --exclude")
	}
	if d.ops == nil {
		d.ops = make([]batch.Op, d.inserts, max(2*d.inserts, 1024)) // of zeros, which is Insert
		d.inserts = 0
	}
	d.ops = append(d.ops, op)
	return nil
}

// TakeOps returns the Ops of the rows since the last call. Call it when a batch
// is taken from the builder. It is nil if all are inserts, and for changelogs.
func (d *Decoder) TakeOps() []batch.Op {
	ops := d.ops
	d.ops, d.inserts = nil, 0
	return ops
}
