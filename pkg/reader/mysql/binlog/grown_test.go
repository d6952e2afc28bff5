package binlog

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// TestInflatedRowsWeighWhatTheyAre has the memory that rows take counted by what
// they are in it: a COMPRESSED column of MariaDB may be a thousandth of that in
// the log.
func TestInflatedRowsWeighWhatTheyAre(t *testing.T) {
	c := schema.Column{Name: "v", Native: "longblob"}
	var err error
	if c.Type, err = schema.ParseMySQL(c.Native); err != nil {
		t.Fatal(err)
	}
	c.Arrow = c.Type.Arrow()
	table := schema.New("d", "t", []schema.Column{c}, nil)
	b, err := batch.NewBuilder(table, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	m := &TableMap{Columns: []MapColumn{{Type: typeBlobCompressed, Meta: 4}}}
	d, err := NewDecoder(table, m, b, Options{MariaDB: true})
	if err != nil {
		t.Fatal(err)
	}
	const size = 1 << 20
	var z bytes.Buffer
	w := zlib.NewWriter(&z)
	_, _ = w.Write(make([]byte, size))
	w.Close()
	value := append([]byte{0x83, size >> 16, size >> 8 & 0xff, size & 0xff}, z.Bytes()...)
	body := append(make([]byte, 8), 1, 1, 0) // one column, present, not NULL
	body = binary.LittleEndian.AppendUint32(body, uint32(len(value)))
	body = append(body, value...)
	for range 2 {
		if _, err := d.Rows(WriteRowsV1, body, &Tx{}); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.Bytes(); got < 2*size || got > 2*size+4*len(value) {
		t.Errorf("two rows of %d bytes weigh %d", size, got)
	}
}
