package mysql

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader"
)

// TestOddKeys splits tables whose keys cannot be halved or written down: every
// row must come once, and planning must end.
func TestOddKeys(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		s.must(t, "SET SESSION sql_mode='ALLOW_INVALID_DATES', max_heap_table_size=67108864")
		rows := map[string]int64{}
		for name, create := range map[string][2]string{
			"year":   {"y YEAR, id INT, PRIMARY KEY (y, id)", "SELECT ELT(1 + n % 3, 0, 1990, 2020), n FROM "},
			"hebrew": {"k CHAR(8) CHARACTER SET hebrew COLLATE hebrew_bin PRIMARY KEY", "SELECT CONCAT(CONVERT(UNHEX(ELT(1 + n % 2, 'FB', 'E0')) USING binary), n) FROM "},
			"sjis":   {"k VARCHAR(12) CHARACTER SET sjis COLLATE sjis_bin PRIMARY KEY", "SELECT CONCAT(CONVERT(UNHEX(ELT(1 + n % 2, 'FC4B', '82A0')) USING binary), n) FROM "},
			"gbk":    {"k VARCHAR(12) CHARACTER SET gbk PRIMARY KEY", "SELECT CONCAT(ELT(1 + n % 2, _utf8mb4'中', _utf8mb4'文'), n) FROM "},
			"dates":  {"d DATE, id INT, PRIMARY KEY (d, id)", "SELECT ELT(1 + n % 3, '0000-00-00', '2021-03-01', '2021-01-01'), n FROM "},
			"hash":   {"id INT PRIMARY KEY", "SELECT n * 90000 FROM "},
			"floats": {"f DOUBLE PRIMARY KEY", "SELECT n / 7 FROM "},
		} {
			engine := "InnoDB"
			if name == "hash" {
				engine = "MEMORY"
			}
			s.must(t, "CREATE TABLE "+name+" ("+create[0]+") ENGINE="+engine, "INSERT IGNORE INTO "+name+" "+create[1]+sequence(20000))
			n, err := s.queryOne(t.Context(), "SELECT COUNT(*) FROM "+name)
			if err != nil {
				t.Fatal(err)
			}
			rows[name] = int64(number(n))
		}
		st := s.open(t, Options{Parallel: 2, SplitRows: 1000, ZeroDate: "epoch"})
		tables, snap := pinAll(t, st, 2)
		defer snap.Close()
		for _, table := range tables {
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			splits, err := snap.Splits(ctx, table)
			if err != nil {
				t.Fatalf("%s: %v", table, err)
			}
			var got int64
			for _, sp := range splits {
				if err := readSplit(ctx, snap, sp, func(b *batch.Batch) { got += b.Rows.NumRows() }); err != nil {
					t.Errorf("%s %q: %v", table, sp.Range, err)
				}
			}
			cancel()
			if want := rows[table.Name]; got != want || want < 10000 {
				t.Errorf("%s: %d rows in %d splits, want %d", table, got, len(splits), want)
			}
			t.Logf("%s: %d splits", table.Name, len(splits))
		}
	})
}

// TestServerLimits reads on a server whose settings would cut results short.
func TestServerLimits(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		s.must(t, "CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t SELECT n FROM "+sequence(1000))
		c := s.open(t, Options{}).control
		for name, want := range map[string]string{"sql_select_limit": "18446744073709551615", "time_zone": "+00:00", "sql_mode": "", "lock_wait_timeout": "10"} {
			if got, err := c.queryOne(t.Context(), "SELECT @@SESSION."+name); err != nil || got != want {
				t.Errorf("%s is %q in the session (%v), want %q", name, got, err, want)
			}
		}
	})
}

// TestAlterWhileReading has an ALTER wait for a reader's transaction and a
// second reader come behind it: nobody may wait for long.
func TestAlterWhileReading(t *testing.T) {
	serversAtOnce(t, func(t *testing.T, s *testServer) {
		s.must(t, "CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t SELECT n FROM "+sequence(1000))
		s.must(t, "SET SESSION lock_wait_timeout=60") // this session is to wait longer than the readers
		st := s.open(t, Options{Parallel: 2})
		tables, snap := pinAll(t, st, 2)
		defer snap.Close()
		whole := reader.Split{Table: tables[0]}
		if err := readSplit(t.Context(), snap, whole, func(*batch.Batch) {}); err != nil {
			t.Fatal(err)
		}
		altered := make(chan error, 1)
		go func() {
			_, err := s.Execute("ALTER TABLE t ADD COLUMN v INT")
			altered <- err
		}()
		time.Sleep(300 * time.Millisecond)
		start := time.Now()
		err := readSplit(t.Context(), snap, whole, func(*batch.Batch) {})
		if took := time.Since(start); took > 50*time.Second {
			t.Errorf("the second reader waited %v", took)
		}
		if err == nil || !strings.Contains(err.Error(), "t") {
			t.Errorf("got %v, want an error of the table", err)
		}
		snap.Close()
		if err := <-altered; err != nil {
			t.Errorf("alter: %v", err)
		}
	})
}

// TestHalfOfTheTable splits tables of which each half of the keys is estimated as
// highly as all of them: InnoDB tells no more of a range than half of its rows.
func TestHalfOfTheTable(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		var names []string
		for _, n := range []int{30000, 50000, 70000, 90000} {
			name := "t" + itoa(uint64(n))
			names = append(names, name)
			s.must(t, "CREATE TABLE "+name+" (id INT PRIMARY KEY, pad CHAR(64))", "INSERT INTO "+name+" SELECT n, REPEAT('x', 64) FROM "+sequence(n), "ANALYZE TABLE "+name)
		}
		st := s.open(t, Options{Parallel: 2, SplitRows: 5000})
		tables, snap := pinAll(t, st, 2)
		defer snap.Close()
		if len(tables) != len(names) {
			t.Fatalf("got %d tables, want %d", len(tables), len(names))
		}
		for _, table := range tables {
			splits, err := snap.Splits(t.Context(), table)
			if err != nil || len(splits) < 4 {
				t.Errorf("%s: got %d splits (%v), want more", table, len(splits), err)
			}
		}
	})
}
