package binlog_test

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader"
	stock "github.com/tablehaul/tablehaul/pkg/reader/mysql"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/binlog"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// texts returns the first n columns of each row as one text.
func texts(b *batch.Batch, n int) (out []string) {
	for i := range int(b.Rows.NumRows()) {
		var row strings.Builder
		for j := range n {
			c := b.Rows.Column(j)
			if c.IsNull(i) {
				row.WriteString("NULL | ")
			} else {
				fmt.Fprintf(&row, "%s | ", c.ValueStr(i))
			}
		}
		out = append(out, row.String())
	}
	return out
}

// stockOf reads the tables of a database.
func (s *server) stockOf(t *testing.T, db string) ([]*schema.Table, map[string][]string) {
	t.Helper()
	st, err := stock.Open(t.Context(), s.url.String()+"/"+db, stock.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	tables, err := st.Tables(t.Context(), reader.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	snap, err := st.Pin(t.Context(), tables, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	rows := map[string][]string{}
	for _, table := range tables {
		splits, err := snap.Splits(t.Context(), table)
		if err != nil {
			t.Fatal(err)
		}
		for _, sp := range splits {
			r, err := snap.Open(t.Context(), sp)
			if err != nil {
				t.Fatal(err)
			}
			for {
				b, err := r.Read(t.Context())
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				rows[table.Name] = append(rows[table.Name], texts(b, len(table.Columns))...)
				b.Release()
			}
			r.Close()
		}
		slices.Sort(rows[table.Name])
	}
	return tables, rows
}

// less takes from a map what servers may leave out.
var less = map[string]func(m *binlog.TableMap){
	"full": func(*binlog.TableMap) {},
	"minimal": func(m *binlog.TableMap) {
		m.PrimaryKey = nil
		for i := range m.Columns {
			c := &m.Columns[i]
			c.Name, c.Labels = "", nil
			if c.Type == 247 || c.Type == 248 {
				c.Charset = 0
			}
		}
	},
	"none": func(m *binlog.TableMap) {
		m.PrimaryKey = nil
		for i := range m.Columns {
			c := &m.Columns[i]
			c.Name, c.Labels, c.Charset, c.SignKnown, c.Unsigned = "", nil, 0, false, false
		}
	},
}

// changes decodes events in the shape of a changelog; by table and Op.
func (s *server) changes(t *testing.T, tables []*schema.Table, events []event, less func(m *binlog.TableMap)) map[string]map[string][]string {
	t.Helper()
	out := map[string]map[string][]string{}
	byName := map[string]*schema.Table{}
	for _, table := range tables {
		c, err := schema.Changelog(table)
		if err != nil {
			continue // a column has the name of one of its own
		}
		byName[table.Name] = c
		out[table.Name] = map[string][]string{}
	}
	rowEnd := map[string]string{}
	if s.maria {
		for _, r := range s.query("SELECT table_name, column_name FROM information_schema.columns WHERE generation_expression = 'ROW END' AND table_schema = '" + tables[0].DB + "'") {
			rowEnd[r[0]] = r[1]
		}
	}
	maps := map[uint64]*binlog.TableMap{}
	for _, e := range events {
		id := binlog.TableID(e.body)
		if !e.isRows() {
			m, err := binlog.ParseTableMap(e.body)
			if err != nil {
				t.Fatal(err)
			}
			less(m)
			maps[id] = m
			continue
		}
		table := byName[maps[id].Name]
		if table == nil {
			continue // dropped, renamed or refused since
		}
		rows := out[table.Name]
		b, err := batch.NewBuilder(table, memory.DefaultAllocator)
		if err != nil {
			t.Fatal(err)
		}
		d, err := binlog.NewDecoder(table, maps[id], b, binlog.Options{ZeroDate: "null", Charsets: s.sets, MariaDB: s.maria, RowEnd: rowEnd[table.Name]})
		if err != nil {
			rows["error"] = append(rows["error"], err.Error())
			continue
		}
		n, err := d.Rows(e.typ, e.body, &binlog.Tx{Time: 1, Pos: "f:1"})
		if err != nil && strings.Contains(err.Error(), "label has a question mark") && maps[id].PrimaryKey == nil {
			delete(out, table.Name) // refused for good
			delete(byName, table.Name)
			b.Batch().Release()
			continue
		}
		if err != nil {
			t.Errorf("%s, row %d: %v", table, n, err)
		}
		got := b.Batch()
		cols := len(table.Columns) - 4
		for i, text := range texts(got, cols) {
			op := got.Rows.Column(cols).ValueStr(i)
			rows[op] = append(rows[op], text)
		}
		got.Release()
		if d.TakeOps() != nil {
			t.Errorf("%s: a changelog has Ops", table)
		}
	}
	for _, rows := range out {
		for _, r := range rows {
			slices.Sort(r)
		}
	}
	return out
}

// elsewhere are cases whose tables hold what was inserted into others, or less.
var elsewhere = map[string]bool{"altered-tables": true, "empty-tables": true}

// TestCases loads each SQL case, deletes all its rows, and wants the images in
// the log to be what the reader of stock makes of the same rows.
func TestCases(t *testing.T) {
	servers(t, func(t *testing.T, s *server) {
		for name, file := range s.cases() {
			t.Run(name, func(t *testing.T) {
				s.t = t
				db := "binlog_" + strings.ReplaceAll(name, "-", "_")
				start := s.point()
				s.load(db, file)
				defer s.query("DROP DATABASE IF EXISTS " + db)
				tables, want := s.stockOf(t, db)
				loaded := s.events(db, start)
				empty := s.point()
				s.query("SET foreign_key_checks = 0")
				for _, table := range tables {
					s.query("DELETE FROM `" + db + "`.`" + strings.ReplaceAll(table.Name, "`", "``") + "`")
				}
				deleted := s.events(db, empty)
				if *update && slices.Contains(goldenCases, name) {
					s.keep(t, name, tables, deleted)
				}
				if name != "system-versioning" { // whose history we drop
					t.Logf("%d values are as go-mysql has them", s.crossCheck(t, tables, deleted))
				}
				for level, less := range less {
					got := s.changes(t, tables, deleted, less)
					for _, table := range tables {
						for _, e := range got[table.Name]["error"] {
							t.Errorf("%s: %s", level, e)
						}
						if got[table.Name] == nil {
							continue
						}
						compare(t, level+": deleted from "+table.Name, got[table.Name]["d"], want[table.Name])
					}
					got = s.changes(t, tables, loaded, less)
					for _, table := range tables {
						if ops := got[table.Name]; ops == nil || elsewhere[name] || ops["u"] != nil || ops["d"] != nil || ops["error"] != nil {
							continue // what was inserted is not what is there now
						}
						compare(t, level+": inserted into "+table.Name, got[table.Name]["c"], want[table.Name])
					}
				}
			})
		}
	})
}

func compare(t *testing.T, what string, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d rows, want %d", what, len(got), len(want))
	}
	bad := 0
	for i := range min(len(got), len(want)) {
		if got[i] != want[i] {
			if bad++; bad <= 3 {
				t.Errorf("%s:\n got %s\nwant %s", what, near(got[i], want[i]), near(want[i], got[i]))
			}
		}
	}
}

// near cuts a text around where it differs from another.
func near(a, b string) string {
	i := 0
	for i < min(len(a), len(b)) && a[i] == b[i] {
		i++
	}
	return fmt.Sprintf("…%q (at %d)", a[max(0, i-150):min(len(a), i+150)], i)
}
