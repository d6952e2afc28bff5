package binlog_test

import (
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/binlog"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// replay applies events to an empty keyed table and returns its rows. It fails
// the test where a change does not meet what it changes.
func (s *server) replay(t *testing.T, table *schema.Table, events []event) []string {
	t.Helper()
	b, err := batch.NewBuilder(table, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	rows, tables := map[string]string{}, map[uint64]*binlog.TableMap{}
	for _, e := range events {
		id := binlog.TableID(e.body)
		if !e.isRows() {
			if tables[id], err = binlog.ParseTableMap(e.body); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if tables[id].Name != table.Name {
			continue
		}
		d, err := binlog.NewDecoder(table, tables[id], b, binlog.Options{ZeroDate: "null", Charsets: s.sets, MariaDB: s.maria})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Rows(e.typ, e.body, &binlog.Tx{}); err != nil {
			t.Fatal(err)
		}
		got, ops := b.Batch(), d.TakeOps()
		for i, row := range texts(got, len(table.Columns)) {
			var key strings.Builder
			for _, k := range table.Key {
				fmt.Fprintf(&key, "%q ", got.Rows.Column(k).ValueStr(i))
			}
			op := batch.Insert
			if ops != nil {
				op = ops[i]
			}
			_, there := rows[key.String()]
			if moved := op == batch.After && i > 0 && ops[i-1] == batch.Before; there == (op == batch.Insert || moved) {
				t.Errorf("%s: Op %d of key %s: there before is %v", table, op, key.String(), there)
			}
			if op == batch.Insert || op == batch.After {
				rows[key.String()] = row
			} else {
				delete(rows, key.String())
			}
		}
		got.Release()
	}
	return slices.Sorted(maps.Values(rows))
}

// chained compares what was written with what was there when it was changed, or
// is there in the end: an image that is wrong for a while shows.
func (s *server) chained(t *testing.T, tables []*schema.Table, events []event, want map[string][]string) {
	t.Helper()
	for name, ops := range s.changes(t, tables, events, less["full"]) {
		wrote := slices.Concat(ops["c"], ops["u"])
		found := slices.Concat(ops["b"], ops["d"], want[name])
		slices.Sort(wrote)
		slices.Sort(found)
		compare(t, "written to "+name, wrote, found)
	}
}

// TestReplay changes tables in many ways and wants what the log tells to end in
// what the tables hold.
func TestReplay(t *testing.T) {
	const common = `CREATE TABLE k (id INT PRIMARY KEY, v VARCHAR(20), t TEXT, n INT UNSIGNED) CHARACTER SET utf8mb4;
CREATE TABLE c (v INT, k1 CHAR(20) CHARACTER SET latin1, d DECIMAL(9,3), k2 BINARY(4), e ENUM('a','b'), PRIMARY KEY (k2, k1));
INSERT INTO k VALUES (1,'a','x',1),(2,'b',NULL,4000000000),(3,NULL,'y',3);
INSERT INTO c VALUES (1,'é',1.5,'a','a'),(2,'e',-1.5,'b','b'),(3,'z',0,x'00000000',NULL);
UPDATE k SET v='changed', n=NULL WHERE id<3;
UPDATE k SET id=id+10 ORDER BY id DESC;
UPDATE c SET k1='E' WHERE v=2;
UPDATE c SET k2=x'ff00', d=NULL WHERE v<>1;
REPLACE INTO k VALUES (11,'replaced','r',7),(99,'new','n',8);
INSERT INTO k VALUES (12,'u','u',1) ON DUPLICATE KEY UPDATE v='up', id=50;
DELETE FROM c WHERE v=3;
SET SESSION sql_mode='';
CREATE TABLE u (id INT PRIMARY KEY, u VARCHAR(20) CHARACTER SET ucs2, s VARCHAR(20) CHARACTER SET utf16, l VARCHAR(20) CHARACTER SET utf16le, w VARCHAR(20) CHARACTER SET utf32);
INSERT IGNORE INTO u VALUES (1, x'D800', x'0041', x'4100', x'00000041'), (2, x'0041DC000042', x'D83DDE00', x'3DD800DE', x'0001F600'), (3, x'FFFE', x'FFFF', x'FFFF', x'0010FFFF'), (4, x'0000', '', x'0000', x'0000D800');
DELETE FROM k WHERE id=99;
`
	const maria = `CREATE TABLE h (id INT PRIMARY KEY, b BLOB, v INT, UNIQUE (b)) WITH SYSTEM VERSIONING;
INSERT INTO h VALUES (1,'x',1),(2,'y',2),(3,'z',3);
UPDATE h SET v=v+1;
DELETE FROM h WHERE id=1;
UPDATE h SET id=5 WHERE id=2;
REPLACE INTO h VALUES (3,'z',9),(4,'new',4);
`
	const partial = `SET SESSION binlog_row_value_options = 'PARTIAL_JSON';
CREATE TABLE p (id INT PRIMARY KEY, a JSON, v INT, b JSON);
INSERT INTO p VALUES (1, '{"a": 1, "bb": [1, 2, {"x": "y"}], "c c": "d", "q\\"q": 1.5, "é": null}', 1, '[1,2,3]'), (2, '[]', 2, NULL), (3, NULL, 3, '{}'), (4, '"text"', 4, '[[1],{"k":{"l":"m"}}]');
UPDATE p SET a = JSON_SET(a, '$.a', 'other', '$.new', JSON_OBJECT('n', 1e20)), v = v + 1;
UPDATE p SET a = JSON_SET(a, '$.bb[2].x', REPEAT('long', 100)), b = JSON_SET(b, '$[1]', 'two', '$[7]', 8) WHERE id = 1;
UPDATE p SET a = JSON_REMOVE(a, '$.bb[0]', '$."c c"'), id = 11 WHERE id = 1;
UPDATE p SET a = JSON_SET(a, '$."q\\"q"', CAST(1.50 AS DECIMAL(5,2)), '$."é"', DATE '2020-02-02', '$."a.b[0]"', 'dots') WHERE id = 11;
UPDATE p SET b = JSON_SET(b, '$[1].k.l', 5, '$[0][0]', NULL, '$[1].k.m', TRUE), a = JSON_SET(a, '$[0]', 'wrapped', '$[1]', 'more') WHERE id = 4;
UPDATE p SET a = JSON_REPLACE(a, '$', 'root'), b = JSON_SET(b, '$.deep', JSON_OBJECT('x', JSON_ARRAY(1, 2))) WHERE id IN (2, 3);
UPDATE p SET a = JSON_ARRAY_INSERT(a, '$[0]', 0), b = JSON_SET(b, '$.deep.x[0]', 9) WHERE id IN (2, 3);
UPDATE p SET b = JSON_REMOVE(b, '$.deep.x[1]'), v = NULL WHERE id = 3;
UPDATE p SET a = NULL WHERE id = 4;
UPDATE p SET v = 9;
`
	servers(t, func(t *testing.T, s *server) {
		db, sql := "binlog_replay", common+partial
		if s.maria {
			sql = common + maria
		}
		start := s.point()
		s.loadSQL(db, sql)
		defer s.query("DROP DATABASE " + db)
		tables, want := s.stockOf(t, db)
		events := s.events(db, start)
		if !s.maria && !slices.ContainsFunc(events, func(e event) bool { return e.typ == binlog.PartialUpdateRows }) {
			t.Error("the log has no partial updates")
		}
		for _, table := range tables {
			compare(t, table.Name, s.replay(t, table, events), want[table.Name])
		}
		s.chained(t, tables, events, want)
	})
}

// TestJSONNumbers compares how doubles and values from outside JSON are printed.
func TestJSONNumbers(t *testing.T) {
	servers(t, func(t *testing.T, s *server) {
		if s.maria {
			return // its JSON is text
		}
		r := rand.New(rand.NewPCG(7, 7))
		var values []string
		for _, f := range []float64{0, 1, 0.1, 1e14, 1e15, 1e16, 1e17, 123456789012345678, 1234567890123456, 999999999999999, 0.00001, 1e-14, 1e-15, 1e-16, 1.5e-14, 1.5e-15, math.MaxFloat64, 5e-324, 1e100, 1.25e-100, 4503599627370497.5} {
			values = append(values, fmt.Sprintf("CAST(%v AS JSON)", fmt.Sprintf("'%g'", f)), fmt.Sprintf("CAST('-%g' AS JSON)", f))
		}
		for range 500 {
			f := math.Float64frombits(r.Uint64())
			if math.IsNaN(f) || math.IsInf(f, 0) {
				continue
			}
			values = append(values, fmt.Sprintf("CAST('%g' AS JSON)", f), fmt.Sprintf("CAST('%.*g' AS JSON)", 1+r.IntN(17), r.NormFloat64()*math.Pow10(r.IntN(40)-20)))
		}
		for range 50 {
			digits, scale := 1+r.IntN(35), r.IntN(30)
			n := strings.Repeat("9876543210", 7)[:digits] + "." + strings.Repeat("0120", 10)[:scale+1]
			values = append(values, fmt.Sprintf("JSON_ARRAY(CAST('%s' AS DECIMAL(65,%d)), CAST('-0.%s' AS DECIMAL(65,30)))", n, scale, strings.Repeat("3", digits%30)+"0"))
		}
		for i := range 40 {
			values = append(values,
				fmt.Sprintf("JSON_OBJECT('b', REPEAT(x'00ff41', %d), 'c', CAST(%d AS UNSIGNED))", i*7, i),
				fmt.Sprintf("JSON_ARRAY(TIME '%d:00:%02d.%06d', TIME '-%d:01:02', DATE '%04d-01-31', TIMESTAMP '%04d-02-01 03:04:05.6')", i*20, i, i*1001, i, i*249+1, i*249+1))
		}
		values = append(values, "CAST(POINT(1,2) AS JSON)", "JSON_ARRAY(b'101', x'ff', 2001, CAST('x' AS BINARY(300)), CAST(2020 AS YEAR))", "JSON_ARRAY(1=1, NULL, -1, 65535, -32768, 2147483648, 18446744073709551615)")
		db := "binlog_json_numbers"
		start := s.point()
		s.loadSQL(db, "CREATE TABLE t (id INT PRIMARY KEY AUTO_INCREMENT, j JSON);\nINSERT INTO t (j) VALUES ("+strings.Join(values, "),(")+")")
		defer s.query("DROP DATABASE " + db)
		tables, want := s.stockOf(t, db)
		compare(t, "json", s.replay(t, tables[0], s.events(db, start)), want["t"])
	})
}

// TestPartialJSON changes documents at random places, which the log tells as
// differences.
func TestPartialJSON(t *testing.T) {
	servers(t, func(t *testing.T, s *server) {
		if s.maria {
			return // its JSON is text
		}
		r := rand.New(rand.NewPCG(3, 9))
		path := func() string {
			p := "$"
			for range 1 + r.IntN(3) {
				p += []string{".a", ".bb", `."c d"`, ".é", ".a1", "[0]", "[1]", "[2]", "[last]", ".zz"}[r.IntN(10)]
			}
			return p
		}
		value := func() string {
			return []string{"1", "'text'", "NULL", "TRUE", "1.5e0", "JSON_OBJECT('a', 1, 'bb', JSON_ARRAY(1, 2))", "JSON_ARRAY('x', JSON_OBJECT('a', 2))", "NOW(6)", "REPEAT('y', 300)", "18446744073709551615"}[r.IntN(10)]
		}
		sql := []string{
			"SET SESSION binlog_row_value_options = 'PARTIAL_JSON'", "CREATE TABLE p (id INT PRIMARY KEY, j JSON, n INT)",
			`INSERT INTO p VALUES (1, '{"a": {"a": [1, 2], "bb": {}}, "bb": [[1], {"é": 1}]}', 0), (2, '[{"a": 1}, [1, 2, 3], "x"]', 0), (3, '{}', 0)`,
		}
		for i := range 600 {
			f := []string{"JSON_SET(j, '%s', %s)", "JSON_REPLACE(j, '%s', %s)", "JSON_SET(JSON_SET(j, '$.a', JSON_OBJECT()), '%s', %s)"}[r.IntN(3)]
			call := fmt.Sprintf(f, path(), value())
			if r.IntN(4) == 0 {
				call = fmt.Sprintf("JSON_REMOVE(j, '%s')", path())
			}
			sql = append(sql, fmt.Sprintf("UPDATE p SET j = %s, n = %d WHERE id = %d", call, i, 1+r.IntN(3)))
		}
		start := s.point()
		s.loadSQL("binlog_partial", strings.Join(sql, ";\n"))
		defer s.query("DROP DATABASE binlog_partial")
		tables, want := s.stockOf(t, "binlog_partial")
		events := s.events("binlog_partial", start)
		compare(t, "p", s.replay(t, tables[0], events), want["p"])
		s.chained(t, tables, events, want)
		partial := 0
		for _, e := range events {
			if e.typ == binlog.PartialUpdateRows {
				partial++
			}
		}
		t.Logf("%d partial updates", partial)
		if partial < 100 {
			t.Error("there are too few partial updates")
		}
	})
}
