package progress

import (
	"bytes"
	"testing"
	"time"
)

// TestOutput follows a table that an earlier run had begun, and that a sink with
// files has taken.
func TestOutput(t *testing.T) {
	r := NewRun()
	tab := r.Table("shop.a", 1000)
	tab.Resumed(400)
	tab.Begin()
	tab.Add(200, 20<<10)
	v := r.View()
	sum := v.Totals()
	if got := percent(sum); got != 60 {
		t.Errorf("%d %%, want 60", got)
	}
	if sum.Rows != 200 || sum.Staged() != 600 || sum.Expected != 1000 || sum.Output != nil {
		t.Errorf("totals: %+v", sum)
	}
	v.Elapsed = 6 * time.Second
	var out bytes.Buffer
	NewLines(&out, 5*time.Second).Show(v)
	diff(t, out.String(), `
[0:06] 60%, 600 rows, 20.0 KiB read; at work: shop.a
`)

	tab.Add(400, 40<<10)
	tab.Wrote(3, 5<<10)
	tab.Done()
	v = r.View()
	v.Now, v.Elapsed, v.Tables[0].Took = at(2).Now, 2*time.Second, time.Second
	out.Reset()
	l := NewLines(&out, 5*time.Second)
	l.Close(v)
	WriteText(&out, v)
	WriteSummary(&out, Start{}, v, Outcome{Status: "done"})
	diff(t, out.String(), `
[0:02] shop.a: 1,000 rows, 60.0 KiB read in 1.00 s, 5.0 KiB in 3 files, 400 rows taken over
shop.a  1,000 rows  60.0 KiB read  1.00 s  600 rows/s  5.0 KiB in 3 files  400 rows taken over
1 table, 1,000 rows, 60.0 KiB read in 2.00 s (300 rows/s); 5.0 KiB in 3 files; 400 rows taken over
{"event":"summary","time":"2026-07-01T12:00:02.000Z","status":"done","exit":0,"source":"","sink":"","mode":"","position":"","seconds":2,"rows":600,"bytes":61440,"rows_per_second":300,"files":3,"bytes_written":5120,"rows_resumed":400,"tables":[{"table":"shop.a","state":"whole","rows":600,"bytes":61440,"seconds":1,"rows_per_second":600,"files":3,"bytes_written":5120,"rows_resumed":400}]}
`)
}
