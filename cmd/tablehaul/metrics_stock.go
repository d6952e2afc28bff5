package main

import (
	"cmp"
	"io"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tablehaul/tablehaul/pkg/progress"
)

// snapshotPages tell of a snapshot.
func snapshotPages(run *progress.Run, status *progress.Status) pages {
	return pages{
		collectors: []prometheus.Collector{&stockCollector{run: run, labels: new(tableLabels)}},
		unready:    func() string { return notReading(run.View()) },
		status:     func(w io.Writer) error { return status.Write(w) },
	}
}

// notReading returns why no rows are moved, or "". A run is ready from its first
// table on until it ends, and the server with it, but while it is paused.
func notReading(v progress.View) string {
	if len(v.Paused) > 0 {
		return "paused: " + progress.Printable(strings.Join(v.Paused, "; "))
	}
	if sum := v.Totals(); sum.Count[progress.Working]+sum.Count[progress.Whole]+sum.Count[progress.Failed] == 0 {
		return "not reading yet: " + progress.Printable(v.Phase)
	}
	return ""
}

// A stockCollector tells a Run's counters.
type stockCollector struct {
	run    *progress.Run
	labels *tableLabels
}

// docs/metrics.md lists them.
var (
	descTables   = desc("stock_tables", "Tables in each state.", "state")
	descPaused   = desc("paused", "1 while nothing is read, be it for the source's sake or the operator's.")
	descParallel = desc("parallel", "Parts of tables that may be read at once.")
	descExpected = desc("stock_expected_rows", "Rows that there will be in the end, by the source's estimates; 0 if they tell nothing.")

	descStock        = desc("stock_rows_total", "Rows of stock read.", "table")
	descStockBytes   = desc("stock_bytes_total", "Rows of stock read, in bytes as they came from the source.", "table")
	descStockResumed = desc("stock_resumed_rows_total", "Rows of stock that were taken over from a run that was stopped.", "table")
	descStockFiles   = desc("stock_files_total", "Files that the sink has made of stock.", "table")
	descStockWritten = desc("stock_written_bytes_total", "The size of these files.", "table")
	descStockSeconds = desc("stock_seconds", "Time from the first row to the commit, or until now.", "table")
	descStockFailed  = desc("stock_errors_total", "Times that copying the table has failed.", "table")
)

// Describe sends all descriptions.
func (*stockCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descTables, descPaused, descParallel, descExpected, descStock, descStockBytes, descStockResumed, descStockFiles, descStockWritten, descStockSeconds, descStockFailed,
	} {
		ch <- d
	}
}

// Collect sends the values of this moment.
func (c *stockCollector) Collect(ch chan<- prometheus.Metric) {
	v := c.run.View()
	sum := v.Totals()
	for s, n := range sum.Count {
		ch <- prometheus.MustNewConstMetric(descTables, prometheus.GaugeValue, float64(n), progress.State(s).String())
	}
	paused := 0.0
	if len(v.Paused) > 0 {
		paused = 1
	}
	ch <- prometheus.MustNewConstMetric(descPaused, prometheus.GaugeValue, paused)
	ch <- prometheus.MustNewConstMetric(descParallel, prometheus.GaugeValue, float64(v.Pace.Parallel))
	ch <- prometheus.MustNewConstMetric(descExpected, prometheus.GaugeValue, float64(sum.Expected))

	// The largest tables first: they are those that one wants to see.
	tables := slices.Clone(v.Tables)
	slices.SortStableFunc(tables, func(a, b progress.TableView) int { return cmp.Compare(b.Estimate, a.Estimate) })
	var sums tableSums
	for _, t := range tables {
		label := c.labels.of(t.Name)
		failed := t.Tries
		if t.State == progress.Failed {
			failed++
		}
		sums.add(descStock, label, float64(t.Spent+t.Rows))
		sums.add(descStockBytes, label, float64(t.Bytes))
		sums.gauge(descStockSeconds, label, t.Took.Seconds())
		sums.add(descStockFailed, label, float64(failed))
		sums.add(descStockResumed, label, float64(t.Resumed))
		if t.Output != nil {
			sums.add(descStockFiles, label, float64(t.Output.Files))
			sums.add(descStockWritten, label, float64(t.Output.Bytes))
		}
	}
	sums.send(ch)
}
