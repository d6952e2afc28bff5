package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// A result is a case's object in bench-results.json. Without the product
// (-without product) its figures are null.
type result struct {
	Case        string              `json:"case"`
	Rows        int64               `json:"rows"`
	RowsPerS    *float64            `json:"rows_per_s"`
	CPUPerRow   *float64            `json:"cpu_us_per_row"`
	PeakMiB     *float64            `json:"peak_mib"`
	Ratios      map[string]float64  `json:"ratios"`
	Lag         *lag                `json:"lag,omitempty"`
	Scale       *scale              `json:"scale,omitempty"`
	Beside      *besideLag          `json:"beside,omitempty"`
	Topic       *topicFigures       `json:"topic,omitempty"`
	WallS       *float64            `json:"wall_s"`
	OutBytes    *int64              `json:"out_bytes"`
	Connections int                 `json:"connections"`
	Repeat      int                 `json:"repeat"`
	Figures     map[string]*figures `json:"figures"` // of every contender, with each round
	Machine     machine             `json:"machine"`
	Versions    map[string]string   `json:"versions"`
	Commit      string              `json:"commit"`
	Time        time.Time           `json:"time"`
}

type machine struct {
	OS        string `json:"os"`
	Arch      string `json:"arch"`
	CPU       string `json:"cpu"`
	Cores     int    `json:"cores"`
	MemoryMiB int64  `json:"memory_mib"`
}

func newResult(e *env, c *benchCase, rows int64, samples map[string][]sample) *result {
	by := map[string]*figures{}
	for name, s := range samples {
		by[name] = sumUp(rows, s)
	}
	r := &result{
		Case: c.name, Rows: rows, Ratios: ratios(by), Connections: e.opts.connections, Repeat: e.opts.repeat,
		Figures: by, Machine: thisMachine(), Versions: e.versions, Commit: e.commit, Time: time.Now().UTC().Truncate(time.Second),
	}
	for name, v := range r.Ratios {
		r.Ratios[name] = round(v)
	}
	if p := by["product"]; p != nil {
		r.RowsPerS, r.CPUPerRow, r.PeakMiB, r.WallS, r.OutBytes = &p.RowsPerS, &p.CPUPerRow, &p.PeakMiB, &p.WallS, &p.OutBytes
	}
	return r
}

// round leaves three decimals.
func round(v float64) float64 { return math.Round(v*1000) / 1000 }

func thisMachine() machine {
	m := machine{OS: runtime.GOOS, Arch: runtime.GOARCH, Cores: runtime.NumCPU()}
	cpuinfo, _ := os.ReadFile("/proc/cpuinfo")
	_, after, _ := strings.Cut(string(cpuinfo), "model name")
	line, _, _ := strings.Cut(after, "\n")
	m.CPU = strings.Trim(line, "\t :")
	meminfo, _ := os.ReadFile("/proc/meminfo")
	if _, err := fmt.Sscanf(string(meminfo), "MemTotal: %d", &m.MemoryMiB); err != nil {
		m.MemoryMiB = 0 // not known here
	}
	m.MemoryMiB /= 1024
	return m
}

// writeResults writes the file as a JSON array, an object a case.
func writeResults(path string, results []*result) error {
	text, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o644)
}

// order is that of the table's lines.
var order = []string{"product", "snapshot", "throwaway", "drain", "drain1", "mydumper", "duckdb", "mysqlbinlog", "frames", "go-mysql", "producer-perf", "consumer-perf", "franz-go", "hdfs", "hdfs-put"}

// printResult prints a case as a table for people: every contender, then the
// ratios with what is asked of them.
func printResult(w io.Writer, c *benchCase, r *result) {
	var b bytes.Buffer
	connections := ""
	if c.log == nil {
		connections = fmt.Sprintf("%d connections, ", r.Connections)
	}
	fmt.Fprintf(&b, "\n%s: %s rows, %sbest of %d rounds, MySQL %s, commit %s\n",
		r.Case, thousands(r.Rows), connections, r.Repeat, r.Versions["mysql"], r.Commit)
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\trows/s\tCPU µs/row\tserver µs/row\tpeak MiB\tout MiB\twall s\tworst\tnoise\t")
	for _, name := range order {
		f := r.Figures[name]
		if f == nil {
			continue
		}
		noise := 1.0
		for _, s := range f.Samples {
			noise = min(noise, s.Foreign)
		}
		fmt.Fprintf(t, "%s\t%s\t%.2f\t%.2f\t%.0f\t%.1f\t%.2f\t%.2f\t%.0f%%\t\n", name, thousands(int64(f.RowsPerS)),
			f.CPUPerRow, f.ServerCPU, f.PeakMiB, float64(f.OutBytes)/(1<<20), f.WallS, f.worstOfWall, noise*100)
	}
	t.Flush()
	if r.Topic != nil {
		fmt.Fprintf(&b, "  %s messages of %d bytes on average; the product: %s messages/s\n",
			thousands(r.Topic.Messages), r.Topic.Bytes/max(r.Topic.Messages, 1), thousands(int64(r.Topic.MessagesPerS)))
	}
	if l := r.Beside; l != nil {
		fmt.Fprintf(&b, "  lag of another table, median and worst: before %.1f and %.1f s, during snapshots %.1f and %.1f s, backfills %.1f and %.1f s, after %.1f and %.1f s\n",
			l.Before.P50, l.Before.Max, l.Snapshot.P50, l.Snapshot.Max, l.Backfill.P50, l.Backfill.Max, l.After.P50, l.After.Max)
	}
	printGoals(&b, c, r)
	_, _ = w.Write(b.Bytes()) // a terminal that is gone is no news for a measurement
}

func printGoals(b *bytes.Buffer, c *benchCase, r *result) {
	if r.RowsPerS == nil {
		return
	}
	got := maps.Clone(r.Ratios)
	got["cpu_us_per_row"], got["peak_mib"] = *r.CPUPerRow, *r.PeakMiB
	if r.Lag != nil {
		got["lag_p50_s"], got["lag_max_s"] = r.Lag.P50, r.Lag.Max
	}
	if r.Scale != nil {
		got["first_row_s"] = r.Scale.FirstRowS
	}
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	for _, name := range slices.Sorted(maps.Keys(got)) {
		asked := "\t"
		for _, g := range c.goals {
			if g.name == name {
				asked = g.String() + "\tmissed"
				if g.met(got[name]) {
					asked = g.String() + "\tmet"
				}
			}
		}
		fmt.Fprintf(t, "  %s\t%.3g\t%s\t\n", name, got[name], asked)
	}
	t.Flush()
}

// thousands writes 1234567 as 1,234,567.
func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
