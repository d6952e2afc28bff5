package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/tablehaul/tablehaul/pkg/progress"
)

func get(t *testing.T, url string) (code int, body string) {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(b)
}

func TestMetrics(t *testing.T) {
	s := progress.NewStream()
	hide := newSecrets([]string{"mysql://a:s3cret@h"})
	status := progress.NewStreamStatus(progress.StreamStart{Command: "tail", Source: "mysql://a:s3cret@h"}, s)
	served := tailPages(s, status, time.Second)
	m, err := serveMetrics("127.0.0.1:0", served, hide, func(msg string) { t.Error(msg) })
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + m.addr
	if code, body := get(t, url+"/healthz"); code != 200 || body != "ok\n" {
		t.Errorf("healthz: %d %s", code, body)
	}
	s.Phase("listing tables")
	if code, body := get(t, url+"/readyz"); code != 503 || body != "not following yet: listing tables\n" {
		t.Errorf("readyz: %d %s", code, body)
	}
	begun := s.Stock().Table("shop.a", 0)
	begun.Add(5, 50)
	begun.Fail(errors.New("truncated"))
	again := s.Stock().Table("shop.a", 0)
	again.Resumed(3)
	again.Add(2, 20)
	again.Wrote(4, 400)
	a := s.Table("shop.a")
	a.Add(10, 1000)
	s.Queued(5)
	a.Committed(10, 300*time.Millisecond)
	a.Wrote(1, 70)
	a.Wrote(1, 7)
	s.Reached("p1", time.Now())
	s.Committed("p1", time.Now(), 1, 300*time.Millisecond)
	s.Table(`odd"\.b`).Failed(errors.New("x"))
	if code, body := get(t, url+"/readyz"); code != 200 || body != "ok\n" {
		t.Errorf("readyz: %d %s", code, body)
	}
	s.Refused()
	s.Retrying(errors.New("connect to mysql://a:s3cret@h:\nrefused"), time.Minute)
	if code, body := get(t, url+"/readyz"); code != 503 || body != "trying again: connect to mysql://a:***@h: refused\n" {
		t.Errorf("readyz: %d %s", code, body)
	}
	if code, body := get(t, url+"/status"); code != 200 || !strings.Contains(body, `"source":"mysql://a:***@h"`) || !strings.Contains(body, `"retry":{`) {
		t.Errorf("status: %d %s", code, body)
	}
	_, body := get(t, url+"/metrics")
	for _, want := range []string{
		`tablehaul_rows_total{table="shop.a"} 10`,
		`tablehaul_bytes_total{table="shop.a"} 1000`,
		`tablehaul_stock_rows_total{table="shop.a"} 7`,
		`tablehaul_stock_bytes_total{table="shop.a"} 20`,
		`tablehaul_stock_resumed_rows_total{table="shop.a"} 3`,
		`tablehaul_stock_errors_total{table="shop.a"} 1`,
		`tablehaul_stock_files_total{table="shop.a"} 4`,
		`tablehaul_stock_written_bytes_total{table="shop.a"} 400`,
		`tablehaul_stock_tables{state="waiting"} 1`,
		`tablehaul_files_total{table="shop.a"} 2`,
		`tablehaul_written_bytes_total{table="shop.a"} 77`,
		`tablehaul_commits_total{table="shop.a"} 1`,
		`tablehaul_table_commit_seconds_total{table="shop.a"} 0.3`,
		`tablehaul_last_commit_timestamp_seconds{table="shop.a"} 1.`,
		`tablehaul_table_errors_total{table="odd\"\\.b"} 1`,
		"tablehaul_commit_seconds_bucket{le=\"0.25\"} 0\n",
		"tablehaul_commit_seconds_bucket{le=\"0.5\"} 1\n",
		"tablehaul_commit_seconds_count 1\n",
		"tablehaul_queue_bytes 5\n", "tablehaul_errors_total 1\n", "tablehaul_messages_refused_total 1\n", "tablehaul_following 1\n", "tablehaul_lag_seconds ",
		"tablehaul_build_info{", "go_goroutines ", "process_",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
	// Nobody else gets the port, and it is free again at the end.
	if _, err := serveMetrics(m.addr, served, hide, nil); err == nil {
		t.Error("listens twice")
	}
	m.close()
	m, err = serveMetrics(m.addr, served, hide, func(msg string) { t.Error(msg) })
	if err != nil {
		t.Fatal(err)
	}
	m.close()
}

// TestMetricsLint asks Prometheus' own linter, and the docs for each name.
func TestMetricsLint(t *testing.T) {
	s := progress.NewStream()
	s.Stock().Table("a", 0).Wrote(1, 1)
	s.Table("a").Committed(1, 0)
	s.Table("a").Wrote(1, 1)
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(tailPages(s, nil, 0).collectors...)
	reg.MustRegister(buildInfo(), gauge("run_exit_code", "x", 0), gauge("run_end_timestamp_seconds", "x", 0))
	problems, err := testutil.GatherAndLint(reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	page, err := os.ReadFile("../../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if !strings.Contains(string(page), "`"+f.GetName()+"`") {
			t.Errorf("docs/metrics.md does not tell of %s", f.GetName())
		}
	}
	if len(families) != 28 {
		t.Errorf("%d metrics", len(families))
	}
}

func TestUnready(t *testing.T) {
	now := time.Now()
	ok := progress.StreamView{Now: now, Elapsed: time.Hour, Following: true, Waiting: true, Last: progress.Commit{Seq: 5, Time: now.Add(-time.Minute)}}
	for _, c := range []struct {
		name   string
		change func(*progress.StreamView)
		want   string
	}{
		{"idle", func(*progress.StreamView) {}, ""},
		{"catching up", func(v *progress.StreamView) { v.Lag, v.Last.Time = time.Hour, now.Add(-20*time.Second) }, ""},
		{"just begun", func(v *progress.StreamView) { v.Lag, v.Last, v.Elapsed = time.Hour, progress.Commit{}, time.Second }, ""},
		{"skipping", func(v *progress.StreamView) { v.Lag, v.Waiting = time.Hour, false }, ""},
		{"skipping from the start", func(v *progress.StreamView) { v.Lag, v.Waiting, v.Last = time.Hour, false, progress.Commit{} }, ""},
		{"stuck", func(v *progress.StreamView) { v.Lag = time.Minute }, "behind, and nothing committed for 1 min"},
		{"stuck from the start", func(v *progress.StreamView) { v.Lag, v.Last = time.Minute, progress.Commit{} }, "behind, and nothing committed yet"},
		{"slow commits", func(v *progress.StreamView) { v.Lag, v.Last.Took = time.Minute, 30*time.Second }, ""},
		{"before", func(v *progress.StreamView) { v.Following = false }, "not following yet: "},
	} {
		v := ok
		c.change(&v)
		if got := unready(v, 10*time.Second); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

// TestManyTables bounds what Prometheus has to keep, and loses nothing of the sum.
func TestManyTables(t *testing.T) {
	run := progress.NewRun()
	for i := range 5000 {
		run.Table(fmt.Sprintf("shop.t%04d", i), int64(i)).Add(1, 10)
	}
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(snapshotPages(run, nil).collectors...)
	for range 2 {
		families, err := reg.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if f.GetName() != "tablehaul_stock_rows_total" {
				continue
			}
			sum, others := 0.0, 0.0
			own := map[string]bool{}
			for _, m := range f.GetMetric() {
				name := m.GetLabel()[0].GetValue()
				own[name] = true
				sum += m.GetCounter().GetValue()
				if name == otherTables {
					others = m.GetCounter().GetValue()
				}
			}
			if len(own) != maxLabels+1 || sum != 5000 || others != 4000 || !own["shop.t4999"] || own["shop.t0001"] {
				t.Errorf("%d series, %.0f rows, %.0f of others", len(own), sum, others)
			}
		}
	}
}

func TestNotReading(t *testing.T) {
	run := progress.NewRun()
	run.Phase("pinning one point")
	tab := run.Table("shop.a", 1)
	if got := notReading(run.View()); got != "not reading yet: pinning one point" {
		t.Errorf("got %q", got)
	}
	tab.Begin()
	if got := notReading(run.View()); got != "" {
		t.Errorf("got %q", got)
	}
	run.Paused("threads_running is 80, more than 40")
	if got := notReading(run.View()); got != "paused: threads_running is 80, more than 40" {
		t.Errorf("got %q", got)
	}
	run.Paused()
	tab.Done()
	if got := notReading(run.View()); got != "" {
		t.Errorf("got %q", got)
	}
}
