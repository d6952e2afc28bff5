package progress

import (
	"bytes"
	"errors"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"
)

// logger writes records without their time.
func logger(out *bytes.Buffer) *slog.Logger {
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

func TestLog(t *testing.T) {
	var out bytes.Buffer
	l := NewLog(logger(&out), 5*time.Second)
	views := story()
	for i := range views {
		views[i].Phase = "reading"
	}
	views[0].Phase = "listing tables"
	views[2].Pace = Pace{Parallel: 2, MaxParallel: 4, RateLimit: "10MiB"}
	views[3].Pace = views[2].Pace
	views[4].Pace = views[2].Pace
	views[2].Paused = []string{"threads_running is 80, more than 40"}
	views[4].Tables[0].Resumed = 5
	views[4].Tables[1].Output = &Output{2, 99}
	for _, v := range views[:4] {
		l.Show(v)
	}
	l.Note("tablehaul: warning: a note")
	l.Note("  hint: another")
	if err := l.Close(views[4]); err != nil {
		t.Fatal(err)
	}
	l.info("end", views[4].Attrs()...)
	diff(t, out.String(), `
level=INFO msg=phase phase="listing tables"
level=INFO msg=phase phase=reading
level=INFO msg=position position=gtid:a-1:1-5
level=INFO msg="table begun" table=shop.orders rows_expected=1000
level=INFO msg="table skipped" table=shop.old
level=INFO msg=pace parallel=2 max_parallel=4 rate_limit=10MiB max_load="" max_lag=""
level=WARN msg=paused reason="threads_running is 80, more than 40"
level=INFO msg="table begun" table=shop.items rows_expected=1000
level=INFO msg="table begun" table=shop.odd rows_expected=0
level=ERROR msg="table failed" table=shop.odd rows=10 bytes=1000 seconds=0.5 error="column \"d\" holds 0000-00-00" hint="--zero-date null"
level=INFO msg=progress rows=610 bytes=61000 rows_per_second=122 tables_left=2 tables_failed=1 rows_expected=2010 seconds_left=11.475
level=INFO msg=resumed
level=INFO msg="table done" table=shop.orders rows=1002 bytes=100200 seconds=9.5 rows_per_second=105
level=INFO msg=progress rows=1612 bytes=161200 rows_per_second=161 tables_left=1 tables_failed=1 rows_expected=2012 seconds_left=2.481
level=WARN msg="a note"
level=INFO msg="hint: another"
level=INFO msg="table done" table=shop.items rows=1001 bytes=100100 seconds=11 rows_per_second=91 files=2 bytes_written=99
level=INFO msg=end seconds=12 rows=2013 bytes=201300 rows_per_second=167 tables_whole=2 tables_skipped=1 tables_failed=1 tables_left=0 files=2 bytes_written=99 rows_resumed=5
`)
}

func TestStreamLog(t *testing.T) {
	var out bytes.Buffer
	l := NewStreamLog(logger(&out), 10*time.Second)
	for _, v := range []StreamView{
		copyingAt(1, Working), copyingAt(2, Whole), streamAt(3, 1000, 1), streamAt(3.5, 1500, 2), streamAt(4, 2000, 3),
		failingAt(5, 2000, 1, false), failingAt(6, 2000, 1, true), streamAt(13, 3000, 3),
	} {
		v.Stock.Position = "stock-position"
		if v.Retry.Seq > 0 {
			v.Last = streamAt(4, 2000, 3).Last
		}
		l.Show(v)
	}
	last := streamAt(13.5, 4000, 4)
	last.Stock.Position = "stock-position"
	if err := l.Close(last); err != nil {
		t.Fatal(err)
	}
	l.stock.info("end", last.Attrs()...)
	diff(t, out.String(), `
level=INFO msg=phase phase="pinning one point"
level=INFO msg=position position=stock-position
level=INFO msg="table begun" table=shop.orders rows_expected=1000
level=INFO msg="table done" table=shop.orders rows=1000 bytes=100000 seconds=2 rows_per_second=500
level=INFO msg=commit position=p1 commits=1 tables=3 rows=1000 seconds=0.21 lag_seconds=1.234
level=INFO msg=following rows_per_second=0 lag_seconds=1.234 position="{\"file\":\"binlog.000002\",\"pos\":8801208}" queue_bytes=0 rows=1000 commits=1 errors=0
level=INFO msg=commit position=p3 commits=3 tables=3 rows=1000 seconds=0.21 lag_seconds=1.234
level=WARN msg=retry error="read the log: connection reset" wait_seconds=2 failing_seconds=65 errors=1
level=INFO msg=recovered failing_seconds=65
level=INFO msg=following rows_per_second=200 lag_seconds=1.234 position="{\"file\":\"binlog.000002\",\"pos\":8801208}" queue_bytes=0 rows=3000 commits=3 errors=0
level=INFO msg=commit position=p4 commits=4 tables=3 rows=2000 seconds=0.21 lag_seconds=1.234
level=INFO msg=end seconds=13.5 stock_rows=0 rows=4000 bytes=400000 commits=4 errors=0 position=p4
`)
}

// changing finds what a test cannot foretell.
var changing = regexp.MustCompile(`"(time|seconds|rows_per_second|lag_seconds|failing_seconds)":("[^"]*"|[0-9.e-]+)`)

func TestStatus(t *testing.T) {
	r := NewRun()
	s := NewStatus(Start{Version: "1", Command: "snapshot", Source: "mysql://h/shop", Sink: "iceberg:./lake"}, r)
	r.Phase("reading")
	r.Table("shop.a", 10).Fail(errors.New("shop.a: broken"))
	b := r.Table("shop.b", 10)
	b.Begin()
	b.Add(5, 50)
	var out bytes.Buffer
	All{s, Quiet{&out}}.Show(r.View())
	if err := s.Write(&out); err != nil {
		t.Fatal(err)
	}
	diff(t, changing.ReplaceAllString(out.String(), `"$1":0`), `
{"event":"status","time":0,"seconds":0,"rows":5,"bytes":50,"rows_per_second":0,"rows_expected":10,"seconds_left":null,"tables":{"waiting":0,"working":1,"whole":0,"skipped":0,"failed":1},"at_work":["shop.b"],"version":"1","command":"snapshot","source":"mysql://h/shop","sink":"iceberg:./lake","phase":"reading","position":"","pace":{"parallel":0,"max_parallel":0},"failures":[{"table":"shop.a","error":"broken"}]}
`)
}

func TestStreamStatus(t *testing.T) {
	r := NewStream()
	s := NewStreamStatus(StreamStart{Version: "1", Command: "tail", Source: "mysql://h/shop", Sink: "iceberg:./lake"}, r)
	r.Phase("reading")
	stock := r.Stock().Table("shop.a", 10)
	stock.Begin()
	var out bytes.Buffer
	AllStream{s, QuietStream{Quiet{&out}}}.Show(r.View())
	if err := s.Write(&out); err != nil {
		t.Fatal(err)
	}
	stock.Done()
	r.Phase("following the log")
	r.Reached("p1", time.Time{})
	r.Table("shop.a").Committed(3, time.Second)
	r.Committed("p1", time.Time{}, 1, time.Second)
	r.Table("shop.b").Failed(errors.New("shop.b: altered"))
	r.Retrying(errors.New("reset"), time.Second)
	if err := s.Write(&out); err != nil {
		t.Fatal(err)
	}
	diff(t, changing.ReplaceAllString(out.String(), `"$1":0`), `
{"event":"status","time":0,"seconds":0,"rows_per_second":0,"lag_seconds":0,"position":"","queue_bytes":0,"rows":0,"commits":0,"errors":0,"version":"1","command":"tail","source":"mysql://h/shop","sink":"iceberg:./lake","phase":"reading","following":false,"pace":{"parallel":0,"max_parallel":0},"stock":{"event":"progress","time":0,"seconds":0,"rows":0,"bytes":0,"rows_per_second":0,"rows_expected":10,"seconds_left":null,"tables":{"waiting":0,"working":1,"whole":0,"skipped":0,"failed":0},"at_work":["shop.a"]},"failures":[]}
{"event":"status","time":0,"seconds":0,"rows_per_second":0,"lag_seconds":0,"position":"p1","queue_bytes":0,"rows":3,"commits":1,"errors":1,"version":"1","command":"tail","source":"mysql://h/shop","sink":"iceberg:./lake","phase":"following the log","following":true,"pace":{"parallel":0,"max_parallel":0},"last_commit":{"event":"commit","time":0,"position":"p1","commits":1,"tables":1,"rows":3,"seconds":0,"lag_seconds":0},"retry":{"event":"retry","time":0,"error":"reset","wait_seconds":1,"failing_seconds":0,"errors":1},"failures":[{"table":"shop.b","error":"altered"}]}
`)
}

// TestAllCloses closes each, whatever becomes of the others.
func TestAllCloses(t *testing.T) {
	n := 0
	broken := &JSON{w: brokenPipe{}, note: &strings.Builder{}}
	broken.print(1)
	if err := (All{broken, counter{&n}, counter{&n}}).Close(View{}); err == nil || n != 2 {
		t.Errorf("%d closed, %v", n, err)
	}
}
