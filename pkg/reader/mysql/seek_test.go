package mysql

import (
	"io"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader"
)

// TestSeek finds the rows of tables with all kinds of keys by these, and no others; where a table is
// large the server looks into its primary key.
func TestSeek(t *testing.T) {
	keys := map[string][2]string{
		"ints":      {"k INT PRIMARY KEY", "(-7), (0), (2147483647)"},
		"positive":  {"k BIGINT UNSIGNED PRIMARY KEY", "(0), (18446744073709551615)"},
		"numbers":   {"k DECIMAL(10,3) PRIMARY KEY", "(-1.5), (0), (1234567.891)"},
		"wide":      {"k DECIMAL(60,3) PRIMARY KEY", "(-1.5), (123456789012345678901234567890123456789012345.678)"},
		"floats":    {"k FLOAT PRIMARY KEY", "(0.1), (1e30), (-3)"},
		"doubles":   {"k DOUBLE PRIMARY KEY", "(0.1), (1e300), (-3)"},
		"bits":      {"k BIT(1) PRIMARY KEY", "(b'0'), (b'1')"},
		"bits64":    {"k BIT(64) PRIMARY KEY", "(0), (18446744073709551615)"},
		"texts":     {"k VARCHAR(20) CHARACTER SET utf8mb4 PRIMARY KEY", `('a'), ('ü'), (''), ('it''s \\'), ('😀')`},
		"latin":     {"k VARCHAR(20) CHARACTER SET latin1 COLLATE latin1_bin PRIMARY KEY", "('A'), ('a'), ('ü')"},
		"gbk":       {"k CHAR(4) CHARACTER SET gbk PRIMARY KEY", "('中'), ('文')"},
		"bytes":     {"k VARBINARY(20) PRIMARY KEY", "(x'00ff'), (x''), (x'27')"},
		"fixed":     {"k BINARY(4) PRIMARY KEY", "(x'00ff'), (x'01')"},
		"dates":     {"k DATE PRIMARY KEY", "('2026-01-31'), ('1000-01-01')"},
		"datetimes": {"k DATETIME(6) PRIMARY KEY", "('2026-01-31 12:00:00.000001'), ('2026-01-31 12:00:00')"},
		"stamps":    {"k TIMESTAMP(3) PRIMARY KEY", "('2026-01-31 12:00:00.001'), ('2026-06-30 12:00:00')"},
		"times":     {"k TIME(3) PRIMARY KEY", "('-838:59:59'), ('00:00:00.001'), ('100:00:00')"},
		"years":     {"k YEAR PRIMARY KEY", "(0), (1990), (2155)"},
		"enums":     {"k ENUM('b','a','1') PRIMARY KEY", "('b'), ('a'), ('1')"},
		"sets":      {"k SET('a','b') PRIMARY KEY", "(''), ('a,b'), ('b')"},
		"several":   {"a INT, k VARCHAR(5), PRIMARY KEY (k, a)", "(1, 'a'), (2, 'a'), (1, 'b')"},
	}
	servers(t, func(t *testing.T, s *testServer) {
		for name, create := range keys {
			s.must(t, "CREATE TABLE t_"+name+" ("+create[0]+")", "INSERT INTO t_"+name+" VALUES "+create[1])
		}
		s.must(t, "CREATE TABLE large (a INT, k VARCHAR(20), v INT, PRIMARY KEY (a, k))", "INSERT INTO large SELECT n, n, n FROM "+sequence(20000), "ANALYZE TABLE large")
		st := s.open(t, Options{Parallel: 1, ZeroDate: "epoch"})
		tables, snap := pinAll(t, st, 1)
		defer snap.Close()
		for _, table := range tables {
			var all []arrow.RecordBatch
			eachBatch(t, snap, table, func(b *batch.Batch) {
				columns := make([]arrow.Array, len(table.Key))
				fields := make([]arrow.Field, len(table.Key))
				for i, k := range table.Key {
					columns[i], fields[i] = b.Rows.Column(k), table.Arrow.Field(k)
				}
				keys := array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, b.Rows.NumRows())
				all = append(all, keys.NewSlice(0, min(keys.NumRows(), 1000)))
			})
			all = append(all, all[0].NewSlice(0, 1), all[0].NewSlice(0, 0))
			for _, keys := range all {
				rd, err := snap.(reader.Seeker).Seek(t.Context(), table, keys)
				if err != nil {
					t.Errorf("%s: %v", table, err)
					continue
				}
				var got int64
				for b, err := rd.Read(t.Context()); !isEnd(t, err); b, err = rd.Read(t.Context()) {
					got += b.Rows.NumRows()
					b.Release()
				}
				_ = rd.Close()
				if got != keys.NumRows() {
					where, _ := keysSQL(table, keys)
					t.Errorf("%s: %d rows of %d keys, by %.200s", table, got, keys.NumRows(), where)
				}
			}
			if table.Name != "large" {
				continue
			}
			where, _ := keysSQL(table, all[0].NewSlice(0, 100))
			plan, err := st.control.named(t.Context(), map[bool]string{false: "EXPLAIN FORMAT=TRADITIONAL ", true: "EXPLAIN EXTENDED "}[st.control.maria]+selectSQL(table, where))
			if err != nil || plan[0]["type"] != "range" || plan[0]["key"] != "PRIMARY" {
				t.Errorf("a hundred keys are found by %v (%v)", plan, err)
			}
		}
	})
}

func isEnd(t *testing.T, err error) bool {
	t.Helper()
	if err != nil && err != io.EOF {
		t.Fatal(err)
	}
	return err != nil
}
