package binlog_test

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/binlog"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// crossCheck has go-mysql decode the same bytes and compares what it decodes as
// the server means it. It returns how many values were compared.
func (s *server) crossCheck(t *testing.T, tables []*schema.Table, events []event) (compared int) {
	t.Helper()
	p := replication.NewBinlogParser()
	p.SetTimestampStringLocation(time.UTC)
	if s.maria {
		p.SetFlavor("mariadb")
	}
	if _, err := p.Parse(s.format); err != nil {
		t.Fatal(err)
	}
	byName := map[string]*schema.Table{}
	for _, table := range tables {
		if c, err := schema.Changelog(table); err == nil {
			byName[table.Name] = c
		}
	}
	maps := map[uint64]*binlog.TableMap{}
	for _, e := range events {
		theirs, err := p.Parse(e.raw)
		if err != nil {
			t.Logf("go-mysql: %v", err)
			continue
		}
		if !e.isRows() {
			if maps[binlog.TableID(e.body)], err = binlog.ParseTableMap(e.body); err != nil {
				t.Fatal(err)
			}
			continue
		}
		m := maps[binlog.TableID(e.body)]
		table := byName[m.Name]
		if table == nil {
			continue
		}
		b, err := batch.NewBuilder(table, memory.DefaultAllocator)
		if err != nil {
			t.Fatal(err)
		}
		d, err := binlog.NewDecoder(table, m, b, binlog.Options{ZeroDate: "null", Charsets: s.sets, MariaDB: s.maria})
		if err != nil {
			continue
		}
		if _, err := d.Rows(e.typ, e.body, &binlog.Tx{}); err != nil {
			t.Fatal(err)
		}
		ours := b.Batch()
		rows := theirs.Event.(*replication.RowsEvent).Rows
		if int64(len(rows)) != ours.Rows.NumRows() {
			t.Errorf("%s: %d rows, go-mysql has %d", table, ours.Rows.NumRows(), len(rows))
		}
		for i := range min(len(rows), int(ours.Rows.NumRows())) {
			for j, v := range rows[i] {
				if j >= len(table.Columns)-4 || v == nil {
					continue
				}
				c, col := table.Columns[j], ours.Rows.Column(j)
				want, ok := meant(c, v)
				if !ok || col.IsNull(i) { // dates of no calendar are null
					continue
				}
				compared++
				if got := plain(col, i); got != want {
					t.Errorf("%s.%s: got %s, go-mysql has %v, which is %s", table, c.Name, got, v, want)
				}
			}
		}
		ours.Release()
	}
	return compared
}

// meant returns what a value of go-mysql's means as text, if it is known to mean
// what the server does.
func meant(c schema.Column, v any) (string, bool) {
	switch c.Type.Kind {
	case schema.TinyInt, schema.SmallInt, schema.MediumInt, schema.Int, schema.BigInt, schema.Year:
		n, err := strconv.ParseInt(fmt.Sprint(v), 10, 64)
		bits := map[schema.Kind]int{schema.TinyInt: 8, schema.SmallInt: 16, schema.MediumInt: 24, schema.Int: 32}[c.Type.Kind]
		if bits > 0 && c.Type.Unsigned && n < 0 {
			n += 1 << bits
		}
		return fmt.Sprint(n), err == nil && (n >= 0 || !c.Type.Unsigned)
	case schema.Bit:
		n, ok := v.(int64)
		return fmt.Sprint(n), ok && n >= 0
	case schema.Float:
		f, ok := v.(float32)
		return fmt.Sprint(math.Float32bits(f)), ok
	case schema.Double:
		f, ok := v.(float64)
		return fmt.Sprint(math.Float64bits(f)), ok
	case schema.Decimal:
		return fmt.Sprint(v), c.Type.Precision <= 38
	case schema.Date:
		return fmt.Sprint(v), true
	case schema.DateTime, schema.Timestamp:
		at, err := time.Parse("2006-01-02 15:04:05", fmt.Sprint(v))
		return fmt.Sprint(at.UnixMicro()), err == nil
	case schema.String:
		s, ok := v.(string)
		if b, isBytes := v.([]byte); isBytes {
			s, ok = string(b), true
		}
		return s, ok && c.Charset == "utf8mb4" && !strings.Contains(c.Native, "compressed")
	}
	return "", false
}

// plain returns a value of ours in the same form.
func plain(col arrow.Array, i int) string {
	switch a := col.(type) {
	case *array.Float32:
		return fmt.Sprint(math.Float32bits(a.Value(i)))
	case *array.Float64:
		return fmt.Sprint(math.Float64bits(a.Value(i)))
	case *array.Boolean:
		if a.Value(i) {
			return "1"
		}
		return "0"
	case *array.Timestamp:
		return fmt.Sprint(int64(a.Value(i)))
	case *array.Decimal128:
		return a.Value(i).ToString(a.DataType().(*arrow.Decimal128Type).Scale)
	}
	return col.ValueStr(i)
}
