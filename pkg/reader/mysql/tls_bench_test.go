package mysql

import (
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// BenchmarkTLS reads rows such as sysbench's over a plain and an encrypted connection.
// cpu-ns/row is this process's own, whatever else the machine does.
func BenchmarkTLS(b *testing.B) {
	s := newTestServer(b, services.Env(b, "TABLEHAUL_TEST_MYSQL"))
	const rows = 200_000
	s.must(b, "CREATE TABLE t (id INT PRIMARY KEY, k INT, c CHAR(120), pad CHAR(60))",
		"INSERT INTO t SELECT n, n*7%1000003, RPAD(n, 119, '-68487932199-96439406143'), RPAD(n, 59, '-67847967377') FROM "+sequence(rows))
	for _, mode := range []string{"DISABLED", "REQUIRED"} {
		b.Run(mode, func(b *testing.B) {
			st, err := Open(b.Context(), s.url+"?ssl-mode="+mode, Options{})
			if err != nil {
				b.Fatal(err)
			}
			defer st.Close()
			tables, snap := pinAll(b, st, 1)
			defer snap.Close()
			before := processorTime(b)
			for b.Loop() {
				if err := readSplit(b.Context(), snap, reader.Split{Table: tables[0]}, func(*batch.Batch) {}); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric((processorTime(b)-before)*1e9/float64(b.N*rows), "cpu-ns/row")
		})
	}
}
