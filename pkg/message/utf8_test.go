package message

import (
	"bytes"
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
)

// TestNotUTF8 has texts that are not UTF-8, or each for itself are not: their message is
// refused, and others are read.
func TestNotUTF8(t *testing.T) {
	table := batchtest.Shape("d", "t", "id int key", "v varchar(9)")
	b := logged(t, table, []string{"c", "c"}, []batchtest.Row{{int64(1), "söme"}, {int64(2), "text"}})
	for _, format := range []string{"canal-json", "maxwell-json", "debezium-json", "arrow"} {
		records := encoded(t, format, b)
		for _, broken := range []string{"s\xc3me\xc3", "s\xffme.", "söm\xc3"} {
			u := &union{}
			r, err := NewDecoder(format, u)
			if err != nil {
				t.Fatal(err)
			}
			bad := bytes.Replace(records[0].Value, []byte("söme"), []byte(broken), 1)
			if err := r.Decode(nil, bad); err == nil || !strings.Contains(err.Error(), "not UTF-8") {
				t.Errorf("%s, %q: got %v", format, broken, err)
			}
			for _, m := range records {
				if err := r.Decode(m.Key, m.Value); err != nil {
					t.Errorf("%s: %v", format, err)
				}
			}
			if got := u.texts(t, "d.t"); len(got) != 2 {
				t.Errorf("%s, %q: got %q", format, broken, got)
			}
		}
	}
	// Two halves of a letter in two rows.
	records := encoded(t, "arrow", logged(t, table, []string{"c", "c"}, []batchtest.Row{{int64(1), "x\x01"}, {int64(2), "\x02y"}}))
	halves := bytes.Replace(records[0].Value, []byte("x\x01\x02y"), []byte("x\xc3\xb6y"), 1)
	if err := NewArrowReader(&union{}).Decode(nil, halves); err == nil {
		t.Error("half a letter is a text")
	}
}
