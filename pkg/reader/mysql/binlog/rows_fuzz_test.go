package binlog_test

import (
	"bytes"
	"fmt"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/binlog"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// FuzzTableMap gives the parser any bytes.
func FuzzTableMap(f *testing.F) {
	for _, file := range goldens(f) {
		f.Add(readGolden(f, file).mapb)
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		m, err := binlog.ParseTableMap(body)
		if err != nil {
			return
		}
		for i := range m.Columns {
			_ = m.Columns[i].String()
		}
	})
}

// natives are types that fit a column of a map.
func native(c *binlog.MapColumn) string {
	switch c.Type {
	case 1, 2, 3, 8, 9:
		sign := ""
		if c.Unsigned {
			sign = " unsigned"
		}
		return map[byte]string{1: "tinyint", 2: "smallint", 3: "int", 8: "bigint", 9: "mediumint"}[c.Type] + sign
	case 16:
		return fmt.Sprintf("bit(%d)", c.Meta&0xff)
	case 246:
		return fmt.Sprintf("decimal(%d,%d)", c.Meta>>8, c.Meta&0xff)
	case 17, 18, 19:
		return fmt.Sprintf("%s(%d)", map[byte]string{17: "timestamp", 18: "datetime", 19: "time"}[c.Type], c.Meta)
	case 7, 11, 12: // their precision is not told
		return map[byte]string{7: "timestamp(1)", 11: "time(3)", 12: "datetime(6)"}[c.Type]
	case 15, 252, 254:
		if c.Charset == 63 {
			return "varbinary(9)"
		}
		return map[byte]string{15: "varchar(9)", 252: "text", 254: "uuid"}[c.Type]
	}
	return map[byte]string{
		4: "float", 5: "double", 10: "date", 13: "year", 14: "date", 140: "blob", 141: "varchar(9)", 242: "vector(3)", 245: "json",
		247: "enum('a','b')", 248: "set('a','b')", 255: "point",
	}[c.Type]
}

// tableFor returns a table that fits a map, nil if there is none.
func tableFor(m *binlog.TableMap) *schema.Table {
	var cols []schema.Column
	for i := range m.Columns {
		n := native(&m.Columns[i])
		typ, err := schema.ParseMySQL(n)
		if err != nil || i > 64 {
			return nil
		}
		name := m.Columns[i].Name
		if name == "" {
			name = fmt.Sprint(i)
		}
		cols = append(cols, schema.Column{Name: name, Native: n, Type: typ, Arrow: typ.Arrow(), Nullable: i != 0, Charset: "utf16"})
	}
	if len(cols) == 0 {
		return nil
	}
	return schema.New("db", "t", cols, []int{0})
}

// FuzzRows gives the decoder rows of any bytes, of tables that their maps fit.
func FuzzRows(f *testing.F) {
	for _, file := range goldens(f) {
		g := readGolden(f, file)
		f.Add(g.mapb, byte(g.typ), g.body)
	}
	doc := "\x00\x01\x00\x0c\x00\x0b\x00\x01\x00\x05\x02\x00a"
	f.Add([]byte("\x01\x00\x00\x00\x00\x00\x00\x00\x02db\x00\x01t\x00\x02\x03\xf5\x01\x04\x02"), byte(binlog.PartialUpdateRows),
		[]byte("\x01\x00\x00\x00\x00\x00\x00\x00\x02\x00\x02\x03\x03"+"\x00\x09\x00\x00\x00\x0d\x00\x00\x00"+doc+
			"\x01\x01\x00\x09\x00\x00\x00\x12\x00\x00\x00"+"\x00\x03$.a\x03\x05\x07\x00"+"\x01\x03$.b\x03\x04\x01\x00"))
	ask := func(_ string, texts [][]byte) ([][]byte, error) { return texts, nil }
	f.Fuzz(func(t *testing.T, mapb []byte, typ byte, body []byte) {
		m, err := binlog.ParseTableMap(mapb)
		if err != nil {
			return
		}
		table := tableFor(m)
		if table == nil {
			return
		}
		log, err := schema.Changelog(table)
		if err != nil {
			return
		}
		for _, table := range []*schema.Table{table, log} {
			mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
			b, err := batch.NewBuilder(table, mem)
			if err != nil {
				t.Fatal(err)
			}
			charsets := &binlog.Charsets{Ask: ask, Collations: map[uint64]string{8: "latin1", 28: "gbk", 45: "utf8mb4", 97: "eucjpms", 248: "gb18030"}}
			d, err := binlog.NewDecoder(table, m, b, binlog.Options{ZeroDate: "null", Charsets: charsets})
			if err != nil {
				b.Batch().Release()
				continue
			}
			_, err = d.Rows(binlog.EventType(typ), body, &binlog.Tx{})
			got := b.Batch()
			if ops := d.TakeOps(); err == nil && ops != nil && int64(len(ops)) != got.Rows.NumRows() {
				t.Errorf("%d Ops for %d rows", len(ops), got.Rows.NumRows())
			}
			got.Release()
			mem.AssertSize(t, 0)
		}
	})
}

// FuzzJSON gives the printer any bytes. It may not write much more than it read.
func FuzzJSON(f *testing.F) {
	f.Add([]byte{0, 1, 0, 12, 0, 11, 0, 1, 0, 5, 2, 0, 'a'})
	f.Add([]byte{2, 2, 0, 12, 0, 5, 1, 0, 4, 1, 0, 0, 0})
	f.Add([]byte("\x0f\xf6\x05\x04\x02\x81\x32\x00"))
	f.Add(append([]byte{5}, bytes.Repeat([]byte{1}, 8)...))
	f.Add(append([]byte{15, 12, 8}, bytes.Repeat([]byte{0x99}, 8)...))
	f.Add([]byte("\x0c\x03a\"\n"))
	f.Fuzz(func(t *testing.T, v []byte) {
		out, err := binlog.AppendJSON(nil, v)
		if err == nil && len(out) > 64+330*len(v) {
			t.Errorf("%d bytes became %d", len(v), len(out))
		}
	})
}
