package message

import (
	"encoding/binary"
	"fmt"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// wholeText makes sure that a message is UTF-8, as JSON is. Many readers of a table give up
// at the first text that is not: a single message would take the whole table from them.
func wholeText(value []byte) error {
	if utf8.Valid(value) {
		return nil
	}
	at := 0
	for {
		r, n := utf8.DecodeRune(value[at:])
		if r == utf8.RuneError && n == 1 {
			return fmt.Errorf("it is not UTF-8 at byte %d: %q", at+1, value[at:min(len(value), at+seen/4)])
		}
		at += n
	}
}

// texts makes sure of the same for the n rows of the batch at hand.
func (r *ArrowReader) texts(t *arrowShape, n int) error {
	for k, c := range t.shape.Columns {
		if c.Arrow.ID() == arrow.STRING && !textsIn(&r.parts[k], n) {
			return fmt.Errorf("column %s of %s has a text that is not UTF-8", c.Name, t.shape)
		}
	}
	for _, m := range []schema.Meta{schema.MetaGTID, schema.MetaPos} {
		if !textsIn(&r.parts[t.meta[m]], n) {
			return fmt.Errorf("column %s of %s has a text that is not UTF-8", m.Column(), t.shape)
		}
	}
	return nil
}

// textsIn reports whether each of n texts is UTF-8 by itself.
func textsIn(v *batch.Values, n int) bool {
	at := func(i int) uint32 { return binary.LittleEndian.Uint32(v.Offsets[4*i:]) }
	all := v.Data[at(0):at(n)]
	ok := utf8.Valid(all)
	for i := 1; i < n && ok; i++ {
		from := int(at(i) - at(0))
		ok = from == len(all) || utf8.RuneStart(all[from])
	}
	return ok
}
