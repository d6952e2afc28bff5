package main

import (
	"errors"
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
	m, err := serveMetrics("127.0.0.1:0", s, time.Second, hide, func(msg string) { t.Error(msg) })
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
	s.Stock().Table("shop.a", 0).Add(2, 20)
	a := s.Table("shop.a")
	a.Add(10, 1000)
	s.Queued(5)
	a.Committed(10, 300*time.Millisecond)
	s.Reached("p1", time.Now())
	s.Committed("p1", time.Now(), 1, 300*time.Millisecond)
	s.Table(`odd"\.b`).Failed(errors.New("x"))
	if code, body := get(t, url+"/readyz"); code != 200 || body != "ok\n" {
		t.Errorf("readyz: %d %s", code, body)
	}
	s.Retrying(errors.New("connect to mysql://a:s3cret@h:\nrefused"), time.Minute)
	if code, body := get(t, url+"/readyz"); code != 503 || body != "trying again: connect to mysql://a:***@h: refused\n" {
		t.Errorf("readyz: %d %s", code, body)
	}
	_, body := get(t, url+"/metrics")
	for _, want := range []string{
		`tablehaul_rows_total{table="shop.a"} 10`,
		`tablehaul_bytes_total{table="shop.a"} 1000`,
		`tablehaul_stock_rows_total{table="shop.a"} 7`,
		`tablehaul_commits_total{table="shop.a"} 1`,
		`tablehaul_table_commit_seconds_total{table="shop.a"} 0.3`,
		`tablehaul_last_commit_timestamp_seconds{table="shop.a"} 1.`,
		`tablehaul_table_errors_total{table="odd\"\\.b"} 1`,
		"tablehaul_commit_seconds_bucket{le=\"0.25\"} 0\n",
		"tablehaul_commit_seconds_bucket{le=\"0.5\"} 1\n",
		"tablehaul_commit_seconds_count 1\n",
		"tablehaul_queue_bytes 5\n", "tablehaul_errors_total 1\n", "tablehaul_following 1\n", "tablehaul_lag_seconds ",
		"tablehaul_build_info{", "go_goroutines ", "process_",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s in\n%s", want, body)
		}
	}
	// Nobody else gets the port, and it is free again at the end.
	if _, err := serveMetrics(m.addr, s, time.Second, hide, nil); err == nil {
		t.Error("listens twice")
	}
	m.close()
	m, err = serveMetrics(m.addr, s, time.Second, hide, func(msg string) { t.Error(msg) })
	if err != nil {
		t.Fatal(err)
	}
	m.close()
}

// TestMetricsLint asks Prometheus' own linter, and the docs for each name.
func TestMetricsLint(t *testing.T) {
	s := progress.NewStream()
	s.Stock().Table("a", 0)
	s.Table("a").Committed(1, 0)
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(streamCollector{s}, buildInfo())
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
	if len(families) != 13 {
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
