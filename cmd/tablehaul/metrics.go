package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/progress"
)

// A metricsServer answers Prometheus, and whoever asks whether the run is well.
type metricsServer struct {
	addr   string // as it listens
	server *http.Server
	done   chan struct{}
}

// serveMetrics listens at addr, which fails before the run has done anything.
// interval is that of commits.
func serveMetrics(addr string, s *progress.Stream, interval time.Duration, hide secrets, warn func(string)) (*metricsServer, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("--metrics: %w", err), "another process may use the port: choose another one")
	}
	m := &metricsServer{
		addr:   l.Addr().String(),
		server: &http.Server{Handler: metricsHandler(s, interval, hide), ReadHeaderTimeout: 10 * time.Second},
		done:   make(chan struct{}),
	}
	go func() {
		defer close(m.done)
		if err := m.server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
			warn("metrics are no longer served: " + err.Error())
		}
	}()
	return m, nil
}

func (m *metricsServer) close() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if m.server.Shutdown(ctx) != nil {
		_ = m.server.Close() // who still asks gets no answer
	}
	<-m.done
}

func metricsHandler(s *progress.Stream, interval time.Duration, hide secrets) http.Handler {
	reg := prometheus.NewRegistry()
	reg.MustRegister(streamCollector{s}, buildInfo(), collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(reg, promhttp.HandlerOpts{}))
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		if why := unready(s.View(), interval); why != "" {
			http.Error(w, hide.redact(why), http.StatusServiceUnavailable)
			return
		}
		fmt.Fprintln(w, "ok")
	})
	return mux
}

// unready returns why the sink's tables cannot be counted on to follow the
// source, or "". A run that is behind but commits is ready: it catches up.
func unready(v progress.StreamView, interval time.Duration) string {
	patience := 3*interval + 2*v.Last.Took + 15*time.Second
	switch {
	case !v.Following:
		return "not following yet: " + progress.Printable(v.Stock.Phase)
	case v.Retry.Now():
		return "trying again: " + progress.Printable(v.Retry.Err.Error())
	case !v.Waiting: // behind through what others have changed, if at all
	case v.Lag > patience && v.Last.Seq == 0 && v.Elapsed > patience:
		return "behind, and nothing committed yet"
	case v.Lag > patience && v.Last.Seq > 0 && v.Now.Sub(v.Last.Time) > patience:
		return fmt.Sprintf("behind, and nothing committed for %s", progress.Age(v.Now.Sub(v.Last.Time)))
	}
	return ""
}

func buildInfo() prometheus.Collector {
	g := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "tablehaul_build_info", Help: "1, with what the program was built from.",
		ConstLabels: prometheus.Labels{"version": versionNumber(), "goversion": runtime.Version()},
	})
	g.Set(1)
	return g
}

// A streamCollector tells a Stream's counters.
type streamCollector struct{ s *progress.Stream }

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("tablehaul_"+name, help, labels, nil)
}

// docs/metrics.md lists them.
var (
	descLag       = desc("lag_seconds", "How long ago the source committed the oldest change that may not be visible yet; 0 if all is.")
	descFollowing = desc("following", "1 once the log is followed, 0 before.")
	descQueue     = desc("queue_bytes", "Changes between the reader of the log and the writers.")
	descErrors    = desc("errors_total", "Errors after which the run was begun again.")
	descCommit    = desc("commit_seconds", "Time that commits took, each of all tables that had changes.")

	descRows       = desc("rows_total", "Changed rows committed.", "table")
	descBytes      = desc("bytes_total", "Changes staged, in bytes of the log, those staged again after an error included.", "table")
	descStock      = desc("stock_rows_total", "Rows of stock read before the log.", "table")
	descCommits    = desc("commits_total", "Commits of the table.", "table")
	descCommitTime = desc("table_commit_seconds_total", "Time that commits with the table took.", "table")
	descLast       = desc("last_commit_timestamp_seconds", "When the table was committed last.", "table")
	descFailed     = desc("table_errors_total", "Errors for which the table was left behind.", "table")
)

// Describe sends all descriptions.
func (streamCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descLag, descFollowing, descQueue, descErrors, descCommit,
		descRows, descBytes, descStock, descCommits, descCommitTime, descLast, descFailed,
	} {
		ch <- d
	}
}

// Collect sends the values of this moment.
func (c streamCollector) Collect(ch chan<- prometheus.Metric) {
	v := c.s.View()
	send := func(d *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
		ch <- prometheus.MustNewConstMetric(d, kind, value, labels...)
	}
	following := 0.0
	if v.Following {
		following = 1
	}
	send(descLag, prometheus.GaugeValue, v.Lag.Seconds())
	send(descFollowing, prometheus.GaugeValue, following)
	send(descQueue, prometheus.GaugeValue, float64(v.Queued))
	send(descErrors, prometheus.CounterValue, float64(v.Errors))
	buckets := make(map[float64]uint64, len(progress.CommitBounds))
	for i, b := range progress.CommitBounds {
		buckets[b] = uint64(v.Times.Up[i])
	}
	ch <- prometheus.MustNewConstHistogram(descCommit, uint64(v.Times.Count), v.Times.Sum.Seconds(), buckets)

	for _, t := range c.s.Tables() {
		send(descRows, prometheus.CounterValue, float64(t.Rows), t.Name)
		send(descBytes, prometheus.CounterValue, float64(t.Bytes), t.Name)
		send(descCommits, prometheus.CounterValue, float64(t.Commits), t.Name)
		send(descCommitTime, prometheus.CounterValue, t.Took.Seconds(), t.Name)
		send(descFailed, prometheus.CounterValue, float64(t.Errors), t.Name)
		if !t.Committed.IsZero() {
			send(descLast, prometheus.GaugeValue, float64(t.Committed.UnixMilli())/1000, t.Name)
		}
	}
	stock := map[string]int64{} // a table may have been copied more than once
	for _, t := range v.Stock.Tables {
		stock[t.Name] += t.Spent + t.Rows
	}
	for name, rows := range stock {
		send(descStock, prometheus.CounterValue, float64(rows), name)
	}
}
