package mysql

import (
	"fmt"
	"io"
	"syscall"
	"testing"

	"github.com/tablehaul/tablehaul/testdata/services"
)

// BenchmarkLog reads sysbench's table as the log has it, inserted a thousand
// rows at a time. Run it with -benchtime 1x.
func BenchmarkLog(b *testing.B) {
	s := newTestServer(b, services.Env(b, "TABLEHAUL_TEST_MYSQL"))
	s.must(b, "CREATE TABLE sbtest (id INT NOT NULL PRIMARY KEY, k INT NOT NULL, c CHAR(120) NOT NULL, pad CHAR(60) NOT NULL)")
	st := s.open(b, Options{})
	tables := s.tables(b, st)
	from := locate(b, st, "now")
	const rows, each = 2_000_000, 1000
	for i := range rows / each {
		s.must(b, fmt.Sprintf("INSERT INTO sbtest SELECT %d+n, n*7, RPAD(CONCAT(n, '-68487932199-96439406143'), 119, '-0123456789'), RPAD(n, 59, '-67847967377') FROM %s", i*each, sequence(each)))
	}
	until := locate(b, st, "now")
	for b.Loop() {
		before := processorTime(b)
		rd := changes(b, st, all(tables, from), until)
		n := int64(0)
		for {
			batch, err := rd.Read(b.Context())
			if err == io.EOF {
				break
			}
			if err != nil {
				b.Fatal(err)
			}
			if batch.Rows != nil {
				n += batch.Rows.NumRows()
			}
			batch.Release()
		}
		rd.Close()
		if n != rows {
			b.Fatalf("got %d rows, want %d", n, rows)
		}
		b.ReportMetric((processorTime(b)-before)*1e6/rows, "cpu-µs/row")
		b.ReportMetric(rows/b.Elapsed().Seconds(), "rows/s")
	}
}

func processorTime(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
