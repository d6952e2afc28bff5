package main

import (
	"fmt"
	"io"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/tablehaul/tablehaul/pkg/progress"
)

// tailPages tell of a tail, whose commits are so far apart.
func tailPages(s *progress.Stream, status *progress.StreamStatus, interval time.Duration) pages {
	labels := new(tableLabels)
	return pages{
		collectors: []prometheus.Collector{&streamCollector{s: s, labels: labels}, &stockCollector{run: s.Stock(), labels: labels}},
		unready:    func() string { return unready(s.View(), interval) },
		status:     func(w io.Writer) error { return status.Write(w) },
	}
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

// A streamCollector tells a Stream's counters, but those of its stock.
type streamCollector struct {
	s      *progress.Stream
	labels *tableLabels
}

// docs/metrics.md lists them.
var (
	descLag       = desc("lag_seconds", "How long ago the source committed the oldest change that may not be visible yet; 0 if all is.")
	descSourceLag = desc("source_lag_seconds", "The same of one of several sources.", "source")
	descFollowing = desc("following", "1 once the log is followed, 0 before.")
	descQueue     = desc("queue_bytes", "Changes between the reader of the log and the writers.")
	descErrors    = desc("errors_total", "Errors after which the run was begun again.")
	descRefused   = desc("messages_refused_total", "Messages that could not be read and were left out, those read again after an error included.")
	descCommit    = desc("commit_seconds", "Time that commits took, each of all tables that had changes.")

	descRows       = desc("rows_total", "Changed rows committed.", "table")
	descBytes      = desc("bytes_total", "Changes staged, in bytes of the log, those staged again after an error included.", "table")
	descFiles      = desc("files_total", "Files that the sink has made of changes.", "table")
	descWritten    = desc("written_bytes_total", "The size of these files.", "table")
	descCommits    = desc("commits_total", "Commits of the table.", "table")
	descCommitTime = desc("table_commit_seconds_total", "Time that commits with the table took.", "table")
	descLast       = desc("last_commit_timestamp_seconds", "When the table was committed last.", "table")
	descFailed     = desc("table_errors_total", "Errors for which the table was left behind.", "table")
)

// Describe sends all descriptions.
func (*streamCollector) Describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descLag, descSourceLag, descFollowing, descQueue, descErrors, descRefused, descCommit,
		descRows, descBytes, descFiles, descWritten, descCommits, descCommitTime, descLast, descFailed,
	} {
		ch <- d
	}
}

// Collect sends the values of this moment.
func (c *streamCollector) Collect(ch chan<- prometheus.Metric) {
	v := c.s.View()
	send := func(d *prometheus.Desc, kind prometheus.ValueType, value float64) {
		ch <- prometheus.MustNewConstMetric(d, kind, value)
	}
	following := 0.0
	if v.Following {
		following = 1
	}
	send(descLag, prometheus.GaugeValue, v.Lag.Seconds())
	for _, s := range v.Sources {
		ch <- prometheus.MustNewConstMetric(descSourceLag, prometheus.GaugeValue, s.Lag.Seconds(), s.Source)
	}
	send(descFollowing, prometheus.GaugeValue, following)
	send(descQueue, prometheus.GaugeValue, float64(v.Queued))
	send(descErrors, prometheus.CounterValue, float64(v.Errors))
	send(descRefused, prometheus.CounterValue, float64(v.Refused))
	buckets := make(map[float64]uint64, len(progress.CommitBounds))
	for i, b := range progress.CommitBounds {
		buckets[b] = uint64(v.Times.Up[i])
	}
	ch <- prometheus.MustNewConstHistogram(descCommit, uint64(v.Times.Count), v.Times.Sum.Seconds(), buckets)

	var sums tableSums
	for _, t := range c.s.Tables() {
		label := c.labels.of(t.Name)
		sums.add(descRows, label, float64(t.Rows))
		sums.add(descBytes, label, float64(t.Bytes))
		sums.add(descCommits, label, float64(t.Commits))
		sums.add(descCommitTime, label, t.Took.Seconds())
		sums.add(descFailed, label, float64(t.Errors))
		if t.Output != nil {
			sums.add(descFiles, label, float64(t.Output.Files))
			sums.add(descWritten, label, float64(t.Output.Bytes))
		}
		if !t.Committed.IsZero() {
			sums.latest(descLast, label, float64(t.Committed.UnixMilli())/1000)
		}
	}
	sums.send(ch)
}
