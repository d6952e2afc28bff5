package binlog

import (
	"bytes"
	"encoding/binary"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// tableOf returns a table with columns of types as the server prints them; the
// first is its key.
func tableOf(t testing.TB, natives ...string) *schema.Table {
	t.Helper()
	var cols []schema.Column
	for i, native := range natives {
		typ, err := schema.ParseMySQL(native)
		if err != nil {
			t.Fatal(err)
		}
		c := schema.Column{Name: string(rune('a' + i)), Native: native, Type: typ, Arrow: typ.Arrow(), Nullable: i > 0}
		if typ.Kind == schema.String || typ.Kind == schema.Enum {
			c.Charset = "utf8mb4"
		}
		cols = append(cols, c)
	}
	return schema.New("db", "t", cols, []int{0})
}

// narrowTable is sysbench's, wideTable one of 18 types.
func narrowTable(t testing.TB) (*schema.Table, *TableMap, []byte) {
	m := &TableMap{Columns: []MapColumn{{Type: typeLong}, {Type: typeLong}, {Type: typeString, Meta: 480}, {Type: typeString, Meta: 240}}}
	row := []byte{0, 1, 2, 3, 4, 5, 6, 7, 8}
	row = append(append(row, 119, 0), bytes.Repeat([]byte("68487932199-"), 10)[:119]...)
	row = append(append(row, 59), bytes.Repeat([]byte("67847967377-"), 5)[:59]...)
	return tableOf(t, "int", "int", "char(120)", "char(60)"), m, row
}

func wideTable(t testing.TB) (*schema.Table, *TableMap, []byte) {
	m := &TableMap{Columns: []MapColumn{
		{Type: typeLongLong},
		{Type: typeLong},
		{Type: typeShort},
		{Type: typeTiny},
		{Type: typeNewDecimal, Meta: 12<<8 | 2},
		{Type: typeNewDecimal, Meta: 10<<8 | 4},
		{Type: typeDouble, Meta: 8},
		{Type: typeFloat, Meta: 4},
		{Type: typeDateTime2, Meta: 6},
		{Type: typeTimestamp2},
		{Type: typeDate},
		{Type: typeTime2},
		{Type: typeVarchar, Meta: 160},
		{Type: typeVarchar, Meta: 800},
		{Type: typeEnum, Meta: 1},
		{Type: typeBit, Meta: 1<<8 | 1},
		{Type: typeYear},
		{Type: typeBlob, Meta: 2},
	}}
	row := []byte{0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 0, 9, 8, 7, 6, 5, 4, 3}
	row = append(row, 0x80, 12, 34, 56, 78, 9, 0x80, 0, 1, 2, 3, 4)
	row = row[:len(row)-1]
	row = append(row, 1, 2, 3, 4, 5, 6, 7, 8, 1, 2, 3, 4)
	row = append(row, 0x99, 0xaa, 0x03, 0x17, 0x0c, 0, 1, 2, 0x65, 1, 2, 3, 0x21, 0xcc, 0x0f, 0x80, 0x12, 0x34)
	row = append(append(row, 24), "somebody@mail.example.or"...)
	row = append(append(row, 40, 0), "an address of about forty bytes, roughly"...)
	row = append(row, 2, 1, 121)
	row = append(append(row, 100, 0), bytes.Repeat([]byte("note "), 20)...)
	return tableOf(t, "bigint", "int", "smallint", "tinyint", "decimal(12,2)", "decimal(10,4)", "double", "float", "datetime(6)", "timestamp",
		"date", "time", "varchar(40)", "varchar(200)", "enum('new','paid','sent')", "bit(1)", "year", "text"), m, row
}

// rowsEvent returns the body of an event of n images of a row, and of as many
// pairs for updates.
func rowsEvent(typ EventType, m *TableMap, row []byte, n int) []byte {
	body := make([]byte, 8, 8<<10)
	body = append(body, 2, 0, byte(len(m.Columns)))
	images := 1
	if typ == UpdateRowsV2 {
		images = 2
	}
	present := bytes.Repeat([]byte{0xff}, images*((len(m.Columns)+7)/8))
	body = append(body, present...)
	return append(body, bytes.Repeat(row, n*images)...)
}

func BenchmarkRows(b *testing.B) {
	for name, table := range map[string]func(testing.TB) (*schema.Table, *TableMap, []byte){"narrow": narrowTable, "wide": wideTable} {
		for kind, typ := range map[string]EventType{"insert": WriteRowsV2, "update": UpdateRowsV2, "delete": DeleteRowsV2} {
			b.Run(name+"-"+kind, func(b *testing.B) {
				t, m, row := table(b)
				const rows = 40
				body := rowsEvent(typ, m, row, rows)
				builder, err := batch.NewBuilder(t, &batch.Pool{Limit: 64 << 20})
				if err != nil {
					b.Fatal(err)
				}
				d, err := NewDecoder(t, m, builder, Options{ZeroDate: "null"})
				if err != nil {
					b.Fatal(err)
				}
				tx := &Tx{}
				b.SetBytes(int64(len(body)))
				b.ReportAllocs()
				for b.Loop() {
					if n, err := d.Rows(typ, body, tx); err != nil || n != rows {
						b.Fatal(n, err)
					}
					if builder.Rows() >= 8192 {
						builder.Batch().Release()
						d.TakeOps()
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
			})
		}
	}
}

// BenchmarkMap is what a transaction of one row costs more.
func BenchmarkMap(b *testing.B) {
	body := binary.LittleEndian.AppendUint64(nil, 1)
	body = append(body, "\x02db\x00\x01t\x00\x04\x03\x03\xfe\xfe\x04\xce\xe0\xfe\xf0\x00\x01\x01\x00\x02\x01\x2d\x04\x09\x02id\x01k\x01c\x01d"...)
	for b.Loop() {
		if _, err := ParseTableMap(body); err != nil {
			b.Fatal(err)
		}
	}
}
