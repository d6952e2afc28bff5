package mysql

import (
	"context"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A copied is what a sink would hold: rows by key, for each table.
type copied map[string]map[string]string

func (c copied) clone() copied {
	out := copied{}
	for t, rows := range c {
		out[t] = maps.Clone(rows)
	}
	return out
}

// apply does to the rows what a batch says. Inserts of what is there, and
// deletes of what is not, are errors unless the table is loose.
func (c copied) apply(b *batch.Batch, loose bool) error {
	if b.Table == nil {
		return nil
	}
	rows := c[b.Table.Name]
	if rows == nil || b.Emptied {
		rows = map[string]string{}
		c[b.Table.Name] = rows
	}
	if b.Rows == nil {
		return nil
	}
	for i := range int(b.Rows.NumRows()) {
		var values []string
		for _, col := range b.Rows.Columns() {
			values = append(values, col.ValueStr(i))
		}
		op := batch.Insert
		if b.Ops != nil {
			op = b.Ops[i]
		}
		key := values[0]
		_, there := rows[key]
		switch op {
		case batch.Insert, batch.After:
			if op == batch.Insert && there {
				return fmt.Errorf("%s: row %s is inserted twice", b.Table, key)
			}
			rows[key] = strings.Join(values, "|")
		default:
			if !there && !loose {
				return fmt.Errorf("%s: row %s is deleted and was not there", b.Table, key)
			}
			delete(rows, key)
		}
	}
	return nil
}

// A step is what the copy was at a position.
type step struct {
	pos  batch.Position
	rows copied
}

// drain reads a log to its end and applies it. The copy is noted at each position.
func drain(t testing.TB, rd reader.Reader, rows copied, loose bool) (steps []step, err error) {
	t.Helper()
	defer rd.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for {
		b, err := rd.Read(ctx)
		if err == io.EOF {
			return steps, nil
		}
		if err != nil {
			return steps, err
		}
		if err := rows.apply(b, loose); err != nil {
			t.Error(err)
		}
		if b.Pos != "" {
			steps = append(steps, step{b.Pos, rows.clone()})
		}
		b.Release()
	}
}

// stockOf reads what the tables hold now.
func stockOf(t testing.TB, st *Stock, tables []*schema.Table) (copied, batch.Position) {
	t.Helper()
	snap, err := st.Pin(t.Context(), tables, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	rows := copied{}
	for _, table := range tables {
		rows[table.Name] = map[string]string{}
		if err := readSplit(t.Context(), snap, reader.Split{Table: table}, func(b *batch.Batch) {
			if err := rows.apply(b, false); err != nil {
				t.Error(err)
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	return rows, snap.Position()
}

func (c copied) diff(o copied) string {
	for _, name := range slices.Sorted(maps.Keys(o)) {
		for _, k := range slices.Sorted(maps.Keys(o[name])) {
			if c[name][k] != o[name][k] {
				return fmt.Sprintf("%s: got row %q, want %q", name, c[name][k], o[name][k])
			}
		}
		if len(c[name]) != len(o[name]) {
			return fmt.Sprintf("%s: got %d rows, want %d", name, len(c[name]), len(o[name]))
		}
	}
	return ""
}

// tables lists those of the test's database.
func (s *testServer) tables(t testing.TB, st *Stock, names ...string) []*schema.Table {
	t.Helper()
	tables, err := st.Tables(t.Context(), reader.Selection{Include: names})
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

func locate(t testing.TB, st *Stock, where string) batch.Position {
	t.Helper()
	pos, err := st.Locate(t.Context(), where)
	if err != nil {
		t.Fatalf("locate %s: %v", where, err)
	}
	return pos
}

// all gives every table the same position.
func all(tables []*schema.Table, pos batch.Position) map[*schema.Table]batch.Position {
	from := map[*schema.Table]batch.Position{}
	for _, t := range tables {
		from[t] = pos
	}
	return from
}

// changes opens the log.
func changes(t testing.TB, st *Stock, from map[*schema.Table]batch.Position, until batch.Position) reader.Reader {
	t.Helper()
	rd, err := st.Changes(t.Context(), from, until)
	if err != nil {
		t.Fatalf("changes: %v", err)
	}
	return rd
}

// checkLog follows the log while a workload runs and compares the copy with the
// source, then again from each position that was told.
func (s *testServer) checkLog(t *testing.T, work func()) {
	t.Helper()
	st := s.open(t, Options{eager: true})
	tables := s.tables(t, st)
	before, pos := stockOf(t, st, tables)
	work()
	until := locate(t, st, "now")
	want, _ := stockOf(t, st, tables)
	got := before.clone()
	steps, err := drain(t, changes(t, st, all(tables, pos), until), got, false)
	if err != nil {
		t.Fatal(err)
	}
	if d := got.diff(want); d != "" {
		t.Fatalf("the copy differs: %s", d)
	}
	steps = slices.Insert(steps, 0, step{pos, before})
	for i, at := range steps {
		if i%max(len(steps)/10, 1) != 0 && len(at.rows["a"]) > 1000 { // others write to the log, too
			continue
		}
		if _, err := drain(t, changes(t, st, all(tables, at.pos), until), at.rows, false); err != nil {
			t.Fatalf("from position %d, %s: %v", i, at.pos, err)
		}
		if d := at.rows.diff(want); d != "" {
			t.Fatalf("from position %d, %s, the copy differs: %s", i, at.pos, d)
		}
	}
	t.Logf("%d positions", len(steps)-1)
}

// TestLog follows transactions of many kinds.
func TestLog(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		s.must(t, "CREATE TABLE a (id INT PRIMARY KEY, v VARCHAR(100))", "CREATE TABLE b (id INT PRIMARY KEY, v INT, w DOUBLE)",
			"CREATE TABLE m (id INT PRIMARY KEY, v INT) ENGINE=MyISAM", "INSERT INTO a SELECT n, 'stock' FROM "+sequence(100))
		for _, w := range []struct {
			name string
			sql  []string
		}{
			{"several-tables", []string{
				"INSERT INTO a SELECT 1000+n, 'new' FROM " + sequence(1000), "BEGIN", "INSERT INTO b VALUES (1,1,1.5),(2,2,2.5)", "UPDATE a SET v='x' WHERE id<50", "DELETE FROM a WHERE id BETWEEN 20 AND 30",
				"UPDATE a SET id=id+100000 WHERE id=5", "COMMIT", "REPLACE INTO b VALUES (1,7,7)", "DELETE FROM b WHERE id=2",
			}},
			{"myisam", []string{"INSERT INTO m VALUES (1,1),(2,2)", "UPDATE m SET v=3", "DELETE FROM m WHERE id=1"}},
			{"savepoints", []string{
				"BEGIN", "INSERT INTO a VALUES (-1,'a')", "SAVEPOINT s", "INSERT INTO a VALUES (-2,'b')", "ROLLBACK TO s", "INSERT INTO a VALUES (-3,'c')", "COMMIT",
				"BEGIN", "INSERT INTO a VALUES (-4,'a')", "SAVEPOINT s", "INSERT INTO a VALUES (-5,'b')", "SAVEPOINT s2", "INSERT INTO a VALUES (-6,'b')", "RELEASE SAVEPOINT s2", "COMMIT",
			}},
			{"temporary", []string{
				"BEGIN", "INSERT INTO a VALUES (-11,'a')", "CREATE TEMPORARY TABLE tt (i INT)", "SAVEPOINT s", "INSERT INTO a VALUES (-12,'b')", "DROP TEMPORARY TABLE tt", "ROLLBACK TO s", "INSERT INTO a VALUES (-13,'c')", "COMMIT",
				"INSERT INTO b VALUES (50,1,1)", "BEGIN", "INSERT INTO a VALUES (-14,'a')", "CREATE TEMPORARY TABLE tt (i INT)", "INSERT INTO b VALUES (51,1,1)", "DROP TEMPORARY TABLE tt", "ROLLBACK",
				"BEGIN", "INSERT INTO a SELECT 500000+n, 'big' FROM " + sequence(20000), "CREATE TEMPORARY TABLE tt (i INT)", "DROP TEMPORARY TABLE tt", "ROLLBACK", "INSERT INTO b VALUES (52,1,1)",
			}},
			{"truncate", []string{"INSERT INTO b VALUES (60,1,1)", "TRUNCATE b", "INSERT INTO b VALUES (61,1,1)", "TRUNCATE TABLE a", "INSERT INTO a VALUES (1,'again')"}},
			{"drop", []string{"DROP TABLE b", "CREATE TABLE IF NOT EXISTS b (id INT PRIMARY KEY, v INT, w DOUBLE)", "INSERT INTO b VALUES (1,2,3)", "CREATE TABLE other SELECT * FROM a", "DROP TABLE other"}},
			{"xa", []string{
				"XA START 'x'", "INSERT INTO a VALUES (70,'xa')", "XA END 'x'", "XA PREPARE 'x'", "XA COMMIT 'x'",
				"XA START 'y','q',9", "INSERT INTO a VALUES (71,'xa')", "XA END 'y','q',9", "XA PREPARE 'y','q',9", "XA ROLLBACK 'y','q',9",
				"XA START 'z'", "INSERT INTO a VALUES (72,'xa')", "XA END 'z'", "XA COMMIT 'z' ONE PHASE",
			}},
			{"big", []string{"INSERT INTO a SELECT 1000000+n, REPEAT('z', 90) FROM " + sequence(60000), "INSERT INTO b VALUES (99,1,1)"}},
		} {
			t.Run(w.name, func(t *testing.T) { s.checkLog(t, func() { s.must(t, w.sql...) }) })
		}
	})
}

// TestLogCascades follows what foreign keys do by themselves, where the server logs
// it; where it does not the check tells of it.
func TestLogCascades(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		s.must(t, "CREATE TABLE a (id INT PRIMARY KEY)", "CREATE TABLE b (id INT PRIMARY KEY, a INT, FOREIGN KEY (a) REFERENCES a (id) ON DELETE CASCADE)",
			"INSERT INTO a VALUES (1),(2)", "INSERT INTO b VALUES (10,1),(20,2),(21,2)")
		st := s.open(t, Options{})
		tables := s.tables(t, st)
		rows, pos := stockOf(t, st, tables)
		s.must(t, "DELETE FROM a WHERE id=2")
		if _, err := drain(t, changes(t, st, all(tables, pos), locate(t, st, "now")), rows, false); err != nil {
			t.Fatal(err)
		}
		want, _ := stockOf(t, st, tables)
		d := rows.diff(want)
		found := s.check(t, "", Options{}, finding.Purpose{Tail: true, Before: true}, 0)
		if f := find(found, "fk-cascade"); (f != nil && slices.Equal(f.Tables, []string{s.db + ".b"})) == (d == "") {
			t.Errorf("the copy differs: %q; found: %+v", d, f)
		}
		if s.maria == (d == "") {
			t.Errorf("the copy differs: %q", d)
		}
	})
}
