package progress

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// TestStream counts from several goroutines while others look.
func TestStream(t *testing.T) {
	s := NewStream()
	boom := errors.New("boom")
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 500 {
				tab := s.Table(fmt.Sprintf("shop.t%d", i%3))
				s.Queued(10)
				tab.Add(2, 10)
				s.Queued(-10)
				s.Reached(fmt.Sprint(i), time.Now())
				tab.Committed(2, time.Millisecond)
				s.Committed(fmt.Sprint(i), time.Now(), 1, time.Millisecond)
			}
			s.Table("shop.t0").Failed(boom)
		})
	}
	for range 100 {
		s.View()
		s.Tables()
	}
	wg.Wait()
	v := s.View()
	if v.Rows != 4000 || v.Staged != 4000 || v.Bytes != 20000 || v.Queued != 0 || v.Last.Seq != 2000 || !v.Following {
		t.Errorf("got %+v", v)
	}
	if v.Times.Count != 2000 || v.Times.Sum != 2*time.Second || v.Times.Up[0] != 2000 {
		t.Errorf("times: %+v", v.Times)
	}
	tables := s.Tables()
	if len(tables) != 3 || tables[0].Rows+tables[1].Rows+tables[2].Rows != 4000 || tables[0].Committed.IsZero() {
		t.Errorf("tables: %+v", tables)
	}
	for _, tab := range tables {
		if (tab.Name == "shop.t0") != (tab.Errors == 4 && errors.Is(tab.Err, boom)) {
			t.Errorf("errors: %+v", tab)
		}
	}
}

// TestStreamNil: code that feeds counters need not ask whether there are any.
func TestStreamNil(t *testing.T) {
	var s *Stream
	s.Phase("x")
	s.Reached("x", time.Now())
	s.Queued(1)
	s.Committed("x", time.Now(), 1, time.Second)
	s.Started("x")
	s.Recovered()
	s.Retrying(errors.New("x"), time.Second)
	s.Stock().Phase("x")
	tab := s.Table("x")
	tab.Add(1, 1)
	tab.Committed(1, time.Second)
	tab.Failed(errors.New("x"))
}

// near compares lags, which go on while a test runs.
func near(t *testing.T, what string, got, want time.Duration) {
	t.Helper()
	if d := got - want; d < -10*time.Millisecond || d > time.Second {
		t.Errorf("%s: lag %v, want %v", what, got, want)
	}
}

func TestLag(t *testing.T) {
	ago := func(d time.Duration) time.Time { return time.Now().Add(-d) }
	s := NewStream()
	s.start, s.stock.start = ago(time.Minute), ago(time.Minute)
	near(t, "before the log is followed", s.View().Lag, time.Minute)

	s.Reached("1", ago(time.Hour))
	near(t, "an hour to catch up", s.View().Lag, time.Hour)
	s.Table("a").Add(5, 50)
	s.Reached("2", ago(30*time.Minute))
	near(t, "half an hour, but what is staged is older", s.View().Lag, time.Hour)
	s.Committed("2", ago(30*time.Minute), 1, 0)
	near(t, "committed", s.View().Lag, 30*time.Minute)

	s.Reached("3", ago(0))
	near(t, "caught up", s.View().Lag, 0)
	s.Reached("3", ago(10*time.Minute))
	near(t, "the log stands still", s.View().Lag, 0)
	s.seen = ago(grace - time.Second)
	near(t, "no word for a while", s.View().Lag, 0)
	s.seen = ago(5 * time.Minute)
	near(t, "no word for too long", s.View().Lag, 5*time.Minute)
	s.Reached("3", ago(15*time.Minute))
	near(t, "it stood still", s.View().Lag, 0)

	s.Queued(10)
	s.seen = ago(10 * time.Second)
	near(t, "changes wait in the queue", s.View().Lag, 10*time.Second)
	s.Reached("4", ago(time.Minute))
	near(t, "old ones", s.View().Lag, time.Minute)
	s.Reached("4", ago(time.Minute))
	s.Queued(-10)
	s.Table("a").Add(1, 1)
	near(t, "staged just now", s.View().Lag, 0)
	s.pending = ago(time.Minute)
	near(t, "staged a minute ago", s.View().Lag, time.Minute)
	s.Committed("4", ago(time.Hour), 1, 0) // in a quiet hour
	s.Reached("4", ago(time.Hour))
	s.Queued(10)
	near(t, "the first change after a quiet hour", s.View().Lag, 0)
	s.Queued(-10)
	s.Reached("4", time.Now().Add(time.Hour)) // a clock that is ahead
	s.Committed("4", time.Now().Add(time.Hour), 1, 0)
	near(t, "clocks differ", s.View().Lag, 0)
	s.Reached("5", time.Time{})
	near(t, "no time known", s.View().Lag, 0)
}

func TestRetry(t *testing.T) {
	s := NewStream()
	if s.View().Retry.Now() {
		t.Error("fails from the start")
	}
	s.Retrying(errors.New("a"), time.Second)
	since := s.View().Retry.Since
	s.Retrying(errors.New("b"), 2*time.Second)
	r := s.View().Retry
	if !r.Now() || r.Seq != 2 || r.Err.Error() != "b" || r.Since != since {
		t.Errorf("got %+v", r)
	}
	s.Reached("1", time.Time{})
	if !s.View().Retry.Now() {
		t.Error("what is read before the next attempt is no sign of success")
	}
	s.Recovered()
	if v := s.View(); v.Retry.Now() || v.Errors != 2 {
		t.Errorf("recovered: %+v", v.Retry)
	}

	// The catalog is down: the log is read well, but nothing is committed.
	s.Table("a").Add(1, 1)
	s.pending = time.Now().Add(-time.Hour)
	s.Retrying(errors.New("d"), 0)
	s.Table("a").Add(1, 1)
	s.Reached("3", time.Now())
	s.Committed("3", time.Now(), 1, 0)
	s.Reached("4", time.Now())
	v := s.View()
	if !v.Retry.Now() {
		t.Error("only who reads the log knows what lies behind a position")
	}
	near(t, "what was dropped is not visible", v.Lag, time.Hour)
	s.Recovered()
	near(t, "nothing is left to commit", s.View().Lag, 0)
}

const gtid = `{"server":"62f9dfc2-e6c3-11f1-b366-02fc00000001","gtid":"62f9dfc2-e6c3-11f1-b366-02fc00000001:1-965,72f9dfc2-e6c3-11f1-b366-02fc00000001:1-3"}`

func TestShortPosition(t *testing.T) {
	for in, want := range map[string]string{
		`{"server":"1","gtid":"0-1-7","file":"binlog.000002","pos":8801208}`: "binlog.000002:8801208",
		"kafka:lby7xvJEo6aL;read@uxVkveFj==:0=12,1=40;users:0=3":             "read:0=12,1=40;users:0=3",
		`kafka:lby7xvJEo6aL;read@uxVkveFj==:0=12;!{"id":"x","stock":"{}"}`:   "read:0=12",
		gtid:                         "62f9dfc2…:1-965 +1",
		`{"server":"1"}`:             `{"server":"1"}`,
		"fake:7":                     "fake:7",
		"a\x1bb":                     `a\x1bb`,
		"":                           "",
		strings.Repeat("0123456", 9): strings.Repeat("0123456", 9)[:maxPosition-1] + "…",
	} {
		if got := ShortPosition(in); got != want {
			t.Errorf("%s: got %q, want %q", in, got, want)
		}
	}
}

// streamAt is a stream some seconds after its start: a fake clock.
func streamAt(seconds float64, staged int64, commits int64) StreamView {
	v := StreamView{Stock: at(seconds), Following: true, Position: `{"file":"binlog.000002","pos":8801208}`, Staged: staged, Rows: staged}
	v.Now, v.Elapsed, v.Bytes, v.Lag = v.Stock.Now, v.Stock.Elapsed, staged*100, 1234*time.Millisecond
	if commits > 0 {
		v.Last = Commit{
			Seq: commits, Position: "p" + fmt.Sprint(commits), At: v.Now.Add(-6 * time.Second), Time: v.Now.Add(-4 * time.Second),
			Tables: 3, Rows: 1234, Took: 210 * time.Millisecond,
		}
	}
	return v
}

func copyingAt(seconds float64, state State) StreamView {
	v := StreamView{Stock: at(seconds, table("shop.orders", state, 1000, 1000, 2))}
	v.Now, v.Elapsed = v.Stock.Now, v.Stock.Elapsed
	v.Stock.Position = "stock-position"
	return v
}

func failingAt(seconds float64, staged int64, seq int64, over bool) StreamView {
	v := streamAt(seconds, staged, 2)
	v.Errors = seq
	v.Retry = Retry{
		Seq: seq, Err: hint.Transient(errors.New("read the log: connection reset")), Wait: 2 * time.Second,
		Since: v.Now.Add(-65 * time.Second), Until: v.Now.Add(2 * time.Second), Over: over,
	}
	return v
}

func TestStreamBar(t *testing.T) {
	s := &screen{columns: 100}
	b := NewStreamBar(s, terminal(100, 24))
	b.Show(StreamView{Stock: at(0.2)})
	diff(t, s.String(), "⠹ pinning one point\n")
	b.Show(copyingAt(1, Working))
	b.Show(copyingAt(2, Whole))
	diff(t, s.String(), `
 100% |██████████████████████████████| 1,000 rows  97.7 KiB  500 rows/s  2.00 s
⠋ pinning one point
`)
	// Another copy begins at its own beginning.
	again := copyingAt(4, Working)
	again.Stock.Tables[0].Rows = 500
	b.Show(again)
	if got := s.String(); !strings.Contains(got, "\n  50% |") {
		t.Errorf("got\n%s", got)
	}
}

func TestStreamBarFollows(t *testing.T) {
	s := &screen{columns: 130}
	b := NewStreamBar(s, terminal(130, 24))
	b.Show(streamAt(10, 1000, 0))
	diff(t, s.String(), "⠋ 0 rows/s  lag 1.2 s  binlog.000002:8801208  no commit yet  1,000 rows\n")
	b.Show(streamAt(12, 21_000, 2))
	b.Note("a note")
	diff(t, s.String(), `
a note
⠋ 10,000 rows/s  lag 1.2 s  binlog.000002:8801208  commit 4 s ago: 3 tables, 1,234 rows in 0.21 s  21,000 rows
`)
	b.Show(failingAt(13, 21_000, 1, false))
	b.Show(failingAt(14, 21_000, 2, false)) // the same error is told once a minute
	diff(t, s.String(), `
a note
tablehaul: read the log: connection reset; trying again in 2.00 s
⠋ 5,000 rows/s  lag 1.2 s  binlog.000002:8801208  commit 4 s ago: 3 tables, 1,234 rows in 0.21 s  21,000 rows
  trying again in 0:02, failing for 1:05: read the log: connection reset
`)
	b.Show(failingAt(15, 21_000, 2, true))
	b.Close(failingAt(16, 21_000, 2, true))
	diff(t, s.String(), `
a note
tablehaul: read the log: connection reset; trying again in 2.00 s
tablehaul: going on, after 1:05
`)
}

func TestStreamBarFits(t *testing.T) {
	for columns := 10; columns < 140; columns++ {
		s := &screen{columns: columns}
		b := NewStreamBar(s, terminal(columns, 24))
		b.Show(streamAt(10, 1_000_000, 7))
		b.Show(streamAt(12, 21_000_000, 8))
		if n := strings.Count(s.String(), "\n"); n != 1 || !strings.Contains(s.String(), "lag") && columns > 12 {
			t.Fatalf("%d columns:\n%s", columns, s)
		}
	}
}

func TestStreamLines(t *testing.T) {
	var out bytes.Buffer
	l := NewStreamLines(&out, 10*time.Second)
	l.Show(copyingAt(1, Working))
	l.Show(copyingAt(2, Whole))
	for i := range 20 { // two seconds apart
		l.Show(streamAt(4+float64(2*i), min(int64(1000*i), 12_000), int64(min(i/5, 2))))
	}
	l.Show(failingAt(45, 12_000, 1, false))
	l.Show(failingAt(47, 12_000, 1, true))
	for i := range 80 {
		l.Show(streamAt(48+float64(i), 12_000, 2))
	}
	l.Close(streamAt(150, 12_000, 2))
	diff(t, out.String(), `
[0:02] shop.orders: 1,000 rows, 97.7 KiB in 2.00 s
[0:04] 0 rows/s, lag 1.2 s, at binlog.000002:8801208; no commit yet; 0 rows committed
[0:12] 500 rows/s, lag 1.2 s, at binlog.000002:8801208; no commit yet; 4,000 rows committed
[0:22] 500 rows/s, lag 1.2 s, at binlog.000002:8801208; commit 4 s ago: 3 tables, 1,234 rows; 9,000 rows committed
[0:32] 300 rows/s, lag 1.2 s, at binlog.000002:8801208; commit 4 s ago: 3 tables, 1,234 rows; 12,000 rows committed
tablehaul: read the log: connection reset; trying again in 2.00 s
tablehaul: going on, after 1:05
[1:32] 0 rows/s, lag 1.2 s, at binlog.000002:8801208; commit 4 s ago: 3 tables, 1,234 rows; 12,000 rows committed
`)
}

func TestStreamJSON(t *testing.T) {
	var out, notes bytes.Buffer
	j := NewStreamJSON(&out, &notes, 10*time.Second, StreamStart{Version: "1", Command: "tail"})
	if got := out.String(); !strings.HasPrefix(got, `{"event":"start","time":"`) || !strings.HasSuffix(got, `","version":"1","command":"tail","source":"","sink":"","start":"","commit_interval":0,"commit_size":0,"keyless":"","changelog":false,"on_purged":"","parallel":0,"memory":0}`+"\n") {
		t.Error(got)
	}
	out.Reset() // its time is the real one
	for _, v := range []StreamView{
		copyingAt(1, Working), copyingAt(2, Whole), streamAt(3, 1000, 1), streamAt(3.5, 1500, 2), streamAt(4, 2000, 3),
		failingAt(5, 2000, 1, false), failingAt(6, 2000, 1, true), streamAt(13, 3000, 3),
	} {
		v.Stock.Position = "stock-position"
		if v.Retry.Seq > 0 {
			v.Last = streamAt(4, 2000, 3).Last
		}
		j.Show(v)
	}
	j.Note("a note")
	last := streamAt(14, 4000, 4)
	last.Stock.Position = "stock-position"
	if err := j.Close(last); err != nil {
		t.Fatal(err)
	}
	diff(t, out.String(), `
{"event":"position","time":"2026-07-01T12:00:01.000Z","position":"stock-position"}
{"event":"progress","time":"2026-07-01T12:00:01.000Z","seconds":1,"rows":1000,"bytes":100000,"rows_per_second":0,"rows_expected":1000,"seconds_left":null,"tables":{"waiting":0,"working":1,"whole":0,"skipped":0,"failed":0},"at_work":["shop.orders"]}
{"event":"table","time":"2026-07-01T12:00:02.000Z","table":"shop.orders","state":"whole","rows":1000,"bytes":100000,"seconds":2,"rows_per_second":500}
{"event":"commit","time":"2026-07-01T11:59:59.000Z","position":"p1","source_time":"2026-07-01T11:59:57.000Z","commits":1,"tables":3,"rows":1000,"seconds":0.21,"lag_seconds":1.234}
{"event":"follow","time":"2026-07-01T12:00:03.000Z","seconds":3,"rows_per_second":0,"lag_seconds":1.234,"position":"{\"file\":\"binlog.000002\",\"pos\":8801208}","queue_bytes":0,"rows":1000,"commits":1,"errors":0}
{"event":"commit","time":"2026-07-01T12:00:00.000Z","position":"p3","source_time":"2026-07-01T11:59:58.000Z","commits":3,"tables":3,"rows":1000,"seconds":0.21,"lag_seconds":1.234}
{"event":"retry","time":"2026-07-01T12:00:05.000Z","error":"read the log: connection reset","wait_seconds":2,"failing_seconds":65,"errors":1}
{"event":"follow","time":"2026-07-01T12:00:13.000Z","seconds":13,"rows_per_second":200,"lag_seconds":1.234,"position":"{\"file\":\"binlog.000002\",\"pos\":8801208}","queue_bytes":0,"rows":3000,"commits":3,"errors":0}
{"event":"commit","time":"2026-07-01T12:00:10.000Z","position":"p4","source_time":"2026-07-01T12:00:08.000Z","commits":4,"tables":3,"rows":2000,"seconds":0.21,"lag_seconds":1.234}
`)
	if got := notes.String(); got != "a note\n" {
		t.Errorf("notes: %q", got)
	}
}

// endedStream is a stream that has copied one table and followed three.
func endedStream() *Stream {
	s := NewStream()
	stock := s.Stock().Table("shop.items", 5)
	stock.Begin()
	stock.Add(5, 50)
	stock.Done()
	s.Stock().Pinned("p0")
	s.Table("shop.orders").Add(12, 120)
	s.Table("shop.orders").Committed(12, 0)
	s.Table("shop.items").Committed(0, 0)
	s.Table("shop.odd").Failed(&named{"shop.odd: bad date"})
	s.Committed("p1", time.Time{}, 2, 0)
	s.Retrying(errors.New("x"), 0)
	s.Recovered()
	return s
}

var (
	clock     = regexp.MustCompile(`\d\.\d\d s`)
	instant   = regexp.MustCompile(`"time":"[^"]*","`)
	clockJSON = regexp.MustCompile(`"seconds":[0-9.e-]+`)
)

type named struct{ text string }

func (n *named) Error() string { return n.text }

func TestStreamSummary(t *testing.T) {
	var out bytes.Buffer
	s := endedStream()
	if err := WriteStreamText(&out, s); err != nil {
		t.Fatal(err)
	}
	diff(t, clock.ReplaceAllString(out.String(), "0.00 s"), `
shop.items   5 rows copied   0 changes  1 commit
shop.orders                 12 changes  1 commit
3 tables: 5 rows copied, 12 changes in 1 commit, 0.00 s, 1 error overcome
position: p1
`)
	out.Reset()
	if err := WriteStreamSummary(&out, StreamStart{Source: "a", Sink: "b"}, s, Outcome{Exit: 3, Status: "incomplete", Error: "e"}); err != nil {
		t.Fatal(err)
	}
	got := instant.ReplaceAllString(out.String(), `"time":"","`)
	got = clockJSON.ReplaceAllString(got, `"seconds":0`)
	diff(t, got, `
{"event":"summary","time":"","status":"incomplete","exit":3,"source":"a","sink":"b","position":"p1","seconds":0,"stock_rows":5,"rows":12,"bytes":120,"commits":1,"errors":1,"tables":[{"table":"shop.items","stock_rows":5,"rows":0,"bytes":0,"commits":1,"commit_seconds":0},{"table":"shop.odd","stock_rows":null,"rows":0,"bytes":0,"commits":0,"commit_seconds":0,"error":"bad date"},{"table":"shop.orders","stock_rows":null,"rows":12,"bytes":120,"commits":1,"commit_seconds":0}],"error":"e"}
`)
	// One that the error ended has not overcome it.
	s.Retrying(errors.New("y"), 0)
	out.Reset()
	if err := WriteStreamText(&out, s); err != nil || !strings.Contains(out.String(), ", 2 errors\n") {
		t.Errorf("%v %s", err, &out)
	}
	// Where tables begin is all that there is of a log that stands still.
	started := NewStream()
	started.Table("a")
	started.Started("p7")
	out.Reset()
	if err := WriteStreamText(&out, started); err != nil || !strings.HasSuffix(out.String(), "\nposition: p7\n") {
		t.Errorf("%v %s", err, &out)
	}
	// A run that moved nothing has nothing to tell.
	out.Reset()
	if err := WriteStreamText(&out, NewStream()); err != nil || out.Len() > 0 {
		t.Errorf("%v %s", err, &out)
	}
}
