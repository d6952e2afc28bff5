package mysql

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/calendar"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// seekKeys are tables with keys of every kind, by their names: columns, and rows of which there are
// three at least where the type has so many values.
var seekKeys = map[string][2]string{
	"ints":      {"k INT PRIMARY KEY", "(-7), (0), (2147483647)"},
	"bigs":      {"k BIGINT PRIMARY KEY", "(-9223372036854775808), (0), (9223372036854775807)"},
	"positive":  {"k BIGINT UNSIGNED PRIMARY KEY", "(0), (9223372036854775808), (18446744073709551615)"},
	"numbers":   {"k DECIMAL(10,3) PRIMARY KEY", "(-1.5), (0), (1234567.891)"},
	"wide":      {"k DECIMAL(60,3) PRIMARY KEY", "(-1.5), (0), (123456789012345678901234567890123456789012345.678)"},
	"floats":    {"k FLOAT PRIMARY KEY", "(0.1), (1e30), (-3), (16777217), (3.4e38), (1e-40)"},
	"floats2":   {"k FLOAT(7,3) PRIMARY KEY", "(0.1), (1000.007), (-3)"},
	"doubles":   {"k DOUBLE PRIMARY KEY", "(0.1), (1e300), (-3), (1/3), (2e-308)"},
	"bits":      {"k BIT(1) PRIMARY KEY", "(b'0'), (b'1')"},
	"bits9":     {"k BIT(9) PRIMARY KEY", "(0), (39), (511)"},
	"bits64":    {"k BIT(64) PRIMARY KEY", "(0), (1), (18446744073709551615)"},
	"texts":     {"k VARCHAR(20) CHARACTER SET utf8mb4 PRIMARY KEY", `('a'), ('ü'), (''), ('it''s \\'), ('😀')`},
	"latinall":  {"k VARBINARY(1), l VARCHAR(1) CHARACTER SET latin1 COLLATE latin1_bin PRIMARY KEY", latinAll()},
	"padded":    {"k CHAR(8) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PRIMARY KEY", "('a'), ('a b'), ('')"},
	"latin":     {"k VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_bin PRIMARY KEY", "('A'), ('a'), ('ü')"},
	"gbk":       {"k CHAR(4) CHARACTER SET gbk PRIMARY KEY", "('中'), ('文'), ('a')"},
	"sjis":      {"k VARCHAR(12) CHARACTER SET sjis COLLATE sjis_bin PRIMARY KEY", "(UNHEX('FC4B')), (UNHEX('82A0')), ('a')"},
	"hebrew":    {"k CHAR(8) CHARACTER SET hebrew COLLATE hebrew_bin PRIMARY KEY", "(CONVERT(UNHEX('FB31') USING binary)), (CONVERT(UNHEX('E0') USING binary)), ('a')"},
	"utf16":     {"k VARCHAR(20) CHARACTER SET utf16 PRIMARY KEY", "('a'), ('ü'), ('😀')"},
	"prefix":    {"k TEXT CHARACTER SET utf8mb4, PRIMARY KEY (k(3))", "('abcdef'), ('b'), ('')"},
	"bytes":     {"k VARBINARY(20) PRIMARY KEY", "(x'00ff'), (x''), (x'27')"},
	"fixed":     {"k BINARY(4) PRIMARY KEY", "(x'00ff'), (x'01'), (x'')"},
	"blobs":     {"k BLOB, PRIMARY KEY (k(2))", "(x'00ffee'), (x''), (x'27')"},
	"dates":     {"k DATE PRIMARY KEY", "('2026-01-31'), ('1000-01-01'), ('9999-12-31'), ('0000-00-00')"},
	"datetimes": {"k DATETIME(6) PRIMARY KEY", "('2026-01-31 12:00:00.000001'), ('2026-01-31 12:00:00'), ('9999-12-31 23:59:59.999999')"},
	"stamps":    {"k TIMESTAMP(3) PRIMARY KEY", "('2026-01-31 12:00:00.001'), ('2026-06-30 12:00:00'), ('2026-10-25 01:30:00'), ('0000-00-00')"},
	"times":     {"k TIME(3) PRIMARY KEY", "('-838:59:59'), ('00:00:00.001'), ('100:00:00'), ('-00:00:00.5'), ('838:59:59')"},
	"years":     {"k YEAR PRIMARY KEY", "(0), (1990), (2155), (1901)"},
	"enums":     {"k ENUM('b','a','1','2','') PRIMARY KEY", "('b'), ('a'), ('1'), ('2'), ('')"},
	"enums0":    {"k ENUM('b','a') PRIMARY KEY", "('b'), ('a'), (0)"},
	"sets":      {"k SET('a','b','c') PRIMARY KEY", "(''), ('a,b'), ('b'), ('a,b,c')"},
	"several":   {"a INT, k VARCHAR(5), PRIMARY KEY (k, a)", "(1, 'a'), (2, 'a'), (1, 'b')"},
	"mixed":     {"d DATE, e ENUM('x','y'), t TIMESTAMP(6) NOT NULL, f FLOAT, s SET('a','b'), b VARBINARY(5), h TIME, y YEAR, PRIMARY KEY (d, e, t, f, s, b, h, y)", "('2026-01-01','x','2026-01-01 00:00:01.5',0.1,'a,b',x'00','-01:00:00',2000), ('0000-00-00','y','2026-01-01 00:00:01.5',0.1,'',x'','01:00:00',0), ('2026-01-01','y','2026-01-01 00:00:01.5',0.1,'b',x'','00:00:00',0)"},
	"epochs":    {"d DATE, id INT, PRIMARY KEY (d, id)", "('0000-00-00', 1), ('0000-00-00', 2), ('2021-03-03', 1)"},
}

// mariaKeys are of types that MariaDB alone has.
var mariaKeys = map[string][2]string{
	"uuids": {"k UUID PRIMARY KEY", "('123e4567-e89b-12d3-a456-426655440000'), ('00000000-0000-0000-0000-000000000000'), ('ffffffff-ffff-ffff-ffff-ffffffffffff')"},
	"inet4": {"k INET4 PRIMARY KEY", "('0.0.0.0'), ('10.1.2.3'), ('255.255.255.255')"},
	"inet6": {"k INET6 PRIMARY KEY", "('::'), ('2001:db8::ff00:42:8329'), ('::ffff:192.0.2.1')"},
}

// latinAll are rows of all bytes that latin1 has a character for, and that is all but the blank.
func latinAll() string {
	var rows []string
	for b := range 256 {
		if b != ' ' {
			rows = append(rows, fmt.Sprintf("(NULL, x'%02x')", b))
		}
	}
	return strings.Join(rows, ", ")
}

// stockKeys returns the keys of all rows of a table, some thousand at most.
func stockKeys(t *testing.T, snap reader.Snapshot, table *schema.Table) []arrow.RecordBatch {
	var all []arrow.RecordBatch
	eachBatch(t, snap, table, func(b *batch.Batch) {
		columns, fields := make([]arrow.Array, len(table.Key)), make([]arrow.Field, len(table.Key))
		for i, k := range table.Key {
			columns[i], fields[i] = b.Rows.Column(k), table.Arrow.Field(k)
		}
		all = append(all, array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, b.Rows.NumRows()))
	})
	return all
}

// seek returns the rows that are found, as text, sorted.
func seek(t *testing.T, snap reader.Snapshot, table *schema.Table, keys arrow.RecordBatch) []string {
	t.Helper()
	rd, err := snap.(reader.Seeker).Seek(t.Context(), table, keys)
	if err != nil {
		t.Errorf("%s: %v", table, err)
		return nil
	}
	defer rd.Close()
	var out []string
	for {
		b, err := rd.Read(t.Context())
		if err == io.EOF {
			slices.Sort(out)
			return out
		}
		if err != nil {
			t.Errorf("%s: %v", table, err)
			return out
		}
		out = append(out, rowTexts(t, b.Rows)...)
		b.Release()
	}
}

func rowTexts(t *testing.T, b arrow.RecordBatch) (out []string) {
	t.Helper()
	rows, err := batchtest.Rows(b)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range rows {
		out = append(out, r.String())
	}
	return out
}

// TestSeek finds the rows of tables with all kinds of keys by these, each alone and all of them.
func TestSeek(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		s.must(t, "SET SESSION sql_mode='ALLOW_INVALID_DATES'")
		create := func(all map[string][2]string) {
			for name, c := range all {
				s.must(t, "CREATE TABLE t_"+name+" ("+c[0]+")", "INSERT INTO t_"+name+" VALUES "+c[1])
			}
		}
		if create(seekKeys); s.maria {
			create(mariaKeys)
		}
		st := s.open(t, Options{Parallel: 1, ZeroDate: "epoch"})
		tables, snap := pinAll(t, st, 1)
		defer snap.Close()
		for _, table := range tables {
			for _, keys := range stockKeys(t, snap, table) {
				n := int(keys.NumRows())
				if n < 2 || n < 3 && table.Name != "t_bits" {
					t.Errorf("%s has %d rows", table, n)
				}
				where, err := keysSQL(table, keys, st.zero)
				if got := seek(t, snap, table, keys); len(got) != n {
					t.Errorf("%s: %d rows of %d keys (%v), by %.300s", table, len(got), n, err, where)
				}
				for i := range n {
					one := keys.NewSlice(int64(i), int64(i+1))
					where, _ := keysSQL(table, one, st.zero)
					got, want := seek(t, snap, table, one), rowTexts(t, one)
					if len(table.Key) == len(table.Columns) && len(table.Key) == 1 && !slices.Contains(got, want[0]) || len(got) != 1 {
						t.Errorf("%s: %q for %q, by %s", table, got, want, where)
					}
				}
				if got := seek(t, snap, table, keys.NewSlice(0, 0)); len(got) != 0 {
					t.Errorf("%s: %q for no keys", table, got)
				}
			}
		}
	})
}

// TestSeekByIndex has a thousand keys looked up in the primary key, of those kinds whose values are
// found there.
func TestSeekByIndex(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		for name, c := range map[string][2]string{
			"ints":    {"k BIGINT PRIMARY KEY", "n"},
			"several": {"a INT, k VARCHAR(20), b DATE, PRIMARY KEY (a, k, b)", "n % 100, n, '2026-01-01'"},
			"texts":   {"k VARCHAR(20) PRIMARY KEY", "n"},
			"latin":   {"k VARCHAR(20) CHARACTER SET latin1 PRIMARY KEY", "n"},
			"bytes":   {"k VARBINARY(20) PRIMARY KEY", "n"},
			"numbers": {"k DECIMAL(30,2) PRIMARY KEY", "n / 4"},
			"floats":  {"k FLOAT PRIMARY KEY", "n / 7"},
			"doubles": {"k DOUBLE PRIMARY KEY", "n / 7"},
			"stamps":  {"k DATETIME(3) PRIMARY KEY", "'2026-01-01' + INTERVAL n SECOND"},
			"times":   {"k TIME PRIMARY KEY", "SEC_TO_TIME(n)"},
			"bits":    {"k BIT(20) PRIMARY KEY", "n"},
			"enums":   {"e ENUM('a','b'), k INT, PRIMARY KEY (e, k)", "1 + n % 2, n"},
			"sets":    {"e SET('a','b'), k INT, PRIMARY KEY (e, k)", "n % 4, n"},
			"years":   {"e YEAR, k INT, PRIMARY KEY (e, k)", "2000 + n % 100, n"},
		} {
			s.must(t, "CREATE TABLE t_"+name+" ("+c[0]+")", "INSERT INTO t_"+name+" SELECT "+c[1]+" FROM "+sequence(20000), "ANALYZE TABLE t_"+name)
		}
		st := s.open(t, Options{Parallel: 1})
		tables, snap := pinAll(t, st, 1)
		defer snap.Close()
		for _, table := range tables {
			keys := stockKeys(t, snap, table)[0].NewSlice(5000, 6000)
			if got := seek(t, snap, table, keys); len(got) != 1000 {
				t.Errorf("%s: %d rows of 1000 keys", table, len(got))
			}
			where, _ := keysSQL(table, keys, st.zero)
			explain := map[bool]string{false: "EXPLAIN FORMAT=TRADITIONAL ", true: "EXPLAIN EXTENDED "}[st.control.maria]
			plan, err := st.control.named(t.Context(), explain+selectSQL(table, where))
			if err != nil || len(plan) != 1 || plan[0]["type"] != "range" || plan[0]["key"] != "PRIMARY" || number(plan[0]["rows"]) > 3000 {
				t.Errorf("%s: a thousand keys are found by %v (%v)", table, plan, err)
			}
		}
	})
}

// TestSeekAnything looks for keys that the source cannot have, which a sink may: nothing is found,
// and nothing breaks.
func TestSeekAnything(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		s.must(t, "CREATE TABLE t_latin (k VARCHAR(20) CHARACTER SET latin1 PRIMARY KEY, v INT)", "INSERT INTO t_latin VALUES ('a', 1), ('b', 2)",
			"CREATE TABLE t_ascii (k VARCHAR(20) CHARACTER SET ascii PRIMARY KEY)", "INSERT INTO t_ascii VALUES ('b')", "CREATE TABLE t_three (k VARCHAR(20) CHARACTER SET utf8mb3 PRIMARY KEY)", "INSERT INTO t_three VALUES ('b')",
			"CREATE TABLE t_dates (k DATE PRIMARY KEY)", "INSERT INTO t_dates VALUES ('2026-01-01')",
			"CREATE TABLE t_enums (k ENUM('a','b') PRIMARY KEY)", "INSERT INTO t_enums VALUES ('a'), ('b')",
			"CREATE TABLE t_times (k TIME PRIMARY KEY)", "INSERT INTO t_times VALUES ('00:00:01')",
			"CREATE TABLE t_wide (k DECIMAL(60,0) PRIMARY KEY)", "INSERT INTO t_wide VALUES (1)",
			"CREATE TABLE t_stamps (k TIMESTAMP PRIMARY KEY)", "INSERT INTO t_stamps VALUES ('2026-01-01')")
		anything := map[string][]batchtest.Row{
			"t_latin": {{"中"}, {"b"}, {"\xff"}, {"😀' OR 1=1"}, {"\u0080"}, {"\u0178"}}, "t_ascii": {{"ü"}, {"b"}}, "t_three": {{"😀"}, {"b"}}, "t_dates": {{"0000-01-01"}, {"9999-12-31"}}, "t_enums": {{"2"}, {"c"}, {""}, {"b"}},
			"t_times": {{int64(1e15)}, {int64(-1e15)}, {int64(1e6)}}, "t_wide": {{"1 OR 1=1"}, {"1"}, {"NaN"}}, "t_stamps": {{"9999-12-31 00:00:00.000000"}, {"1000-01-01 00:00:00.000000"}},
		}
		want := map[string]int{"t_ascii": 1, "t_three": 1, "t_latin": 1, "t_enums": 1, "t_times": 1, "t_wide": 1}
		if s.maria {
			s.must(t, "CREATE TABLE t_uuids (k UUID PRIMARY KEY)", "INSERT INTO t_uuids VALUES ('123e4567-e89b-12d3-a456-426655440000')",
				"CREATE TABLE t_inets (k INET6 PRIMARY KEY)", "INSERT INTO t_inets VALUES ('::1')")
			anything["t_uuids"] = []batchtest.Row{{"x"}, {"123e4567-e89b-12d3-a456-426655440000"}}
			anything["t_inets"] = []batchtest.Row{{"x"}, {"::1"}}
			want["t_uuids"], want["t_inets"] = 1, 1
		}
		tables, snap := pinAll(t, s.open(t, Options{Parallel: 1}), 1)
		defer snap.Close()
		for _, table := range tables {
			keys := schema.New("", "", []schema.Column{table.Columns[table.Key[0]]}, nil)
			b := batchtest.Build(memory.DefaultAllocator, keys, anything[table.Name])
			if got := seek(t, snap, table, b.Rows); len(got) != want[table.Name] {
				t.Errorf("%s: %q are found by %v", table, got, anything[table.Name])
			}
			b.Release()
		}
	})
}

// What was 0000-00-00 is looked for, and what may not be beside it.
func TestKeysSQL(t *testing.T) {
	table := batchtest.Shape("d", "t", "d date key", "id int key")
	b := batchtest.Build(memory.DefaultAllocator, table, []batchtest.Row{{"1970-01-01", 5}, {"2026-01-01", 6}})
	defer b.Release()
	for policy, want := range map[calendar.Policy]string{
		calendar.Epoch: "(`d` IN (DATE'1970-01-01',DATE'0000-00-00') AND `id` = 5) OR (`d`,`id`) IN ((DATE'2026-01-01',6))",
		calendar.Null:  "(`d`,`id`) IN ((DATE'1970-01-01',5),(DATE'2026-01-01',6))",
	} {
		if got, err := keysSQL(table, b.Rows, policy); got != want {
			t.Errorf("%s: got %s (%v), want %s", policy, got, err, want)
		}
	}
	if got, err := keysSQL(batchtest.Shape("d", "t", "id int"), b.Rows, calendar.Null); err == nil || !strings.Contains(err.Error(), "keys of 2 columns") {
		t.Errorf("without a key: %s, %v", got, err)
	}
}
