package progress

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// story is a run from its start to its end, as printers see it.
func story() []View {
	failed := table("shop.odd", Failed, 10, 0, 0.5)
	failed.Err = hint.Wrap(errors.New("shop.odd: column \"d\" holds 0000-00-00"), "--zero-date null")
	start := at(0.1)
	start.Position = ""
	views := []View{
		start,
		at(1, table("shop.orders", Working, 0, 1000, 0), table("shop.items", Waiting, 0, 1000, 0), table("shop.old", Skipped, 0, 0, 0), table("shop.odd", Waiting, 0, 0, 0)),
		at(6, table("shop.orders", Working, 500, 1000, 5), table("shop.items", Working, 100, 1000, 5), table("shop.old", Skipped, 0, 0, 0), failed),
		at(11, table("shop.orders", Whole, 1002, 1000, 9.5), table("shop.items", Working, 600, 1000, 10), table("shop.old", Skipped, 0, 0, 0), failed),
		at(12, table("shop.orders", Whole, 1002, 1000, 9.5), table("shop.items", Whole, 1001, 1000, 11), table("shop.old", Skipped, 0, 0, 0), failed),
	}
	for i := range views[1:] {
		views[1+i].Position = "gtid:a-1:1-5"
	}
	return views
}

func TestLines(t *testing.T) {
	var out bytes.Buffer
	l := NewLines(&out, 5*time.Second)
	views := story()
	for _, v := range views[:4] {
		l.Show(v)
	}
	l.Note("a note")
	l.Close(views[4])
	diff(t, out.String(), `
[0:01] 1 table whole since an earlier run, left alone
[0:06] shop.odd failed: column "d" holds 0000-00-00
[0:06] 30%, 610 rows, 59.6 KiB, 122 rows/s, about 0:11 left; at work: shop.orders, shop.items
[0:11] shop.orders: 1,002 rows, 97.9 KiB in 9.50 s
[0:11] 80%, 1,612 rows, 157.4 KiB, 161 rows/s, about 0:02 left; at work: shop.items
a note
[0:12] shop.items: 1,001 rows, 97.8 KiB in 11.0 s
`)
}

func TestJSON(t *testing.T) {
	var out, notes bytes.Buffer
	s := Start{Version: "1", Command: "snapshot", Source: "mysql://a:***@b/shop?x=1&y=2", Sink: "iceberg:./lake", Mode: "create", Parallel: 4, Memory: 1 << 29}
	j := NewJSON(&out, &notes, 5*time.Second, s)
	out.Reset() // its time is the real one
	views := story()
	for _, v := range views[:4] {
		j.Show(v)
	}
	j.Note("a note")
	if err := j.Close(views[4]); err != nil {
		t.Fatal(err)
	}
	WriteSummary(&out, s, views[4], Outcome{Exit: 3, Status: "incomplete", Error: "incomplete: 3 of 4 tables are whole"})
	diff(t, out.String(), `
{"event":"position","time":"2026-07-01T12:00:01.000Z","position":"gtid:a-1:1-5"}
{"event":"table","time":"2026-07-01T12:00:01.000Z","table":"shop.old","state":"skipped","rows":0,"bytes":0,"seconds":0,"rows_per_second":0}
{"event":"table","time":"2026-07-01T12:00:06.000Z","table":"shop.odd","state":"failed","rows":10,"bytes":1000,"seconds":0.5,"rows_per_second":20,"error":"column \"d\" holds 0000-00-00","hint":"--zero-date null"}
{"event":"progress","time":"2026-07-01T12:00:06.000Z","seconds":6,"rows":610,"bytes":61000,"rows_per_second":122,"rows_expected":2010,"seconds_left":11.475,"tables":{"waiting":0,"working":2,"whole":0,"skipped":1,"failed":1},"at_work":["shop.orders","shop.items"]}
{"event":"table","time":"2026-07-01T12:00:11.000Z","table":"shop.orders","state":"whole","rows":1002,"bytes":100200,"seconds":9.5,"rows_per_second":105}
{"event":"progress","time":"2026-07-01T12:00:11.000Z","seconds":11,"rows":1612,"bytes":161200,"rows_per_second":161,"rows_expected":2012,"seconds_left":2.481,"tables":{"waiting":0,"working":1,"whole":1,"skipped":1,"failed":1},"at_work":["shop.items"]}
{"event":"table","time":"2026-07-01T12:00:12.000Z","table":"shop.items","state":"whole","rows":1001,"bytes":100100,"seconds":11,"rows_per_second":91}
{"event":"summary","time":"2026-07-01T12:00:12.000Z","status":"incomplete","exit":3,"source":"mysql://a:***@b/shop?x=1&y=2","sink":"iceberg:./lake","mode":"create","position":"gtid:a-1:1-5","seconds":12,"rows":2013,"bytes":201300,"rows_per_second":167,"tables":[{"table":"shop.orders","state":"whole","rows":1002,"bytes":100200,"seconds":9.5,"rows_per_second":105},{"table":"shop.items","state":"whole","rows":1001,"bytes":100100,"seconds":11,"rows_per_second":91},{"table":"shop.old","state":"skipped","rows":0,"bytes":0,"seconds":0,"rows_per_second":0},{"table":"shop.odd","state":"failed","rows":10,"bytes":1000,"seconds":0.5,"rows_per_second":20,"error":"column \"d\" holds 0000-00-00","hint":"--zero-date null"}],"error":"incomplete: 3 of 4 tables are whole"}
`)
	if got := notes.String(); got != "a note\n" {
		t.Errorf("notes: %q", got)
	}
}

// TestEndsAgain: a table that failed and was begun anew is told of each time.
func TestEndsAgain(t *testing.T) {
	r := NewRun()
	var e ended
	told := func(want ...State) {
		t.Helper()
		var got []State
		for range 2 { // once each
			for _, n := range e.news(r.View()) {
				got = append(got, n.State)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("told %v, want %v", got, want)
		}
	}
	a := r.Table("a", 0)
	a.Add(5, 50)
	told()
	a.Fail(errors.New("truncated"))
	told(Failed)
	a = r.Table("a", 0)
	a.Add(3, 30)
	told()
	a.Done()
	told(Whole)
	if v := r.View().Tables[0]; v.Rows != 3 || v.Spent != 5 {
		t.Errorf("got %d rows, and %d before", v.Rows, v.Spent)
	}
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// TestJSONTellsWriteErrors: events are results, so losing one is an error.
func TestJSONTellsWriteErrors(t *testing.T) {
	j := NewJSON(brokenPipe{}, &bytes.Buffer{}, time.Second, Start{})
	if err := j.Close(at(1)); err == nil {
		t.Error("a write error was dropped")
	}
}

func TestWriteText(t *testing.T) {
	var out bytes.Buffer
	WriteText(&out, story()[4])
	diff(t, out.String(), `
shop.orders  1,002 rows  97.9 KiB  9.50 s  105 rows/s
shop.items   1,001 rows  97.8 KiB  11.0 s   91 rows/s
2 of 4 tables, 2,003 rows, 195.6 KiB in 12.0 s (166 rows/s)
position: gtid:a-1:1-5
1 table is whole since an earlier run and left alone; to copy again: --mode replace
`)
}

func TestBusy(t *testing.T) {
	r := NewRun()
	orders := r.Table("shop.orders", 1000)
	orders.Begin()
	orders.Add(990, 9900)
	orders.Busy("looking again at 2 differing rows")
	v := r.View()
	if got := working(v, 3); got != "shop.orders (looking again at 2 differing rows)" {
		t.Errorf("got %q", got)
	}
	if got := tableLines(v, 3, 80); len(got) != 1 || !strings.HasPrefix(got[0], "  shop.orders looking again at 2 differing rows   0:00") {
		t.Errorf("got %q", got)
	}
	orders.Done()
	if v := r.View(); v.Tables[0].Busy != "" {
		t.Errorf("%q with a table that has ended", v.Tables[0].Busy)
	}
}
