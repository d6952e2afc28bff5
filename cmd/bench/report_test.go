package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func testResult() *result {
	e := &env{opts: &options{connections: 2, repeat: 2}, versions: map[string]string{"mysql": "9.7.4"}, commit: "abc"}
	return newResult(e, cases[0], 1_000_000, map[string][]sample{
		"product": {{WallS: 1.2, CPUS: 1.25, PeakMiB: 290, OutBytes: 80 << 20}, {WallS: 1, CPUS: 1.5, PeakMiB: 300, OutBytes: 80 << 20}},
		"drain1":  {{WallS: 0.5, CPUS: 0.1}, {WallS: 0.8, CPUS: 0.2}},
		"throwaway": {
			{WallS: 1, CPUS: 1.25, OutBytes: 80 << 20},
		},
		"duckdb": {{WallS: 8, CPUS: 2.5}},
	})
}

func TestRatios(t *testing.T) {
	r := testResult()
	want := map[string]float64{
		"drain1": 2, "drain1_cpu": 12.5, "throwaway": 1, "throwaway_cpu": 1, "size": 1, "duckdb": 8, "duckdb_cpu": 0.5,
	}
	for name, v := range want {
		if r.Ratios[name] != v {
			t.Errorf("%s: got %v, want %v", name, r.Ratios[name], v)
		}
	}
	if len(r.Ratios) != len(want) {
		t.Errorf("got %v, want %v", r.Ratios, want)
	}
	if *r.RowsPerS != 1e6 || *r.CPUPerRow != 1.25 || *r.PeakMiB != 300 {
		t.Errorf("product: got %v rows/s, %v µs, %v MiB", *r.RowsPerS, *r.CPUPerRow, *r.PeakMiB)
	}
}

func TestResultsFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bench-results.json")
	if err := writeResults(path, []*result{testResult()}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got []map[string]any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"case", "rows", "rows_per_s", "cpu_us_per_row", "peak_mib", "ratios", "machine", "versions", "commit"} {
		if got[0][key] == nil {
			t.Errorf("%s is missing in %s", key, text)
		}
	}
}

func TestPrintResult(t *testing.T) {
	var b bytes.Buffer
	printResult(&b, cases[0], testResult())
	for _, want := range []string{
		"snapshot/sbtest: 1,000,000 rows, 2 connections, best of 2 rounds",
		"product  1,000,000", "cpu_us_per_row  1.25  ≤ 1.3   met", "drain1          2     ≤ 2     met", "duckdb          8     ≥ 6     met",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "mydumper") {
		t.Errorf("a rival that did not run is in the table:\n%s", b.String())
	}
}

func TestWithoutProduct(t *testing.T) {
	e := &env{opts: &options{connections: 1, repeat: 1}}
	r := newResult(e, cases[0], 100, map[string][]sample{"drain": {{WallS: 1, CPUS: 1}}})
	if r.RowsPerS != nil || len(r.Ratios) != 0 {
		t.Errorf("got %v and %v, want neither figures nor ratios", r.RowsPerS, r.Ratios)
	}
	var b bytes.Buffer
	printResult(&b, cases[0], r)
	if !strings.Contains(b.String(), "drain") {
		t.Errorf("got %q", b.String())
	}
}

func TestOptions(t *testing.T) {
	o, err := parseOptions([]string{"-bench", "orders", "-rows", "5", "-parallel", "4", "-without", "duckdb,mydumper"})
	if err != nil {
		t.Fatal(err)
	}
	if !o.match.MatchString("snapshot/orders") || o.rows != 5 || o.connections != 4 || len(o.without) != 2 {
		t.Errorf("got %+v", o)
	}
	for _, bad := range []string{"-bench [", "-repeat 0", "-without nobody", "-rows -1", "extra"} {
		if _, err := parseOptions(strings.Fields(bad)); err == nil {
			t.Errorf("%s: no error", bad)
		}
	}
}

func TestSettings(t *testing.T) {
	got := parseSettings([]byte("A=mysql://root@127.0.0.1:23098\nB='/a b/it'\\''s'\nC=\n"))
	for key, want := range map[string]string{"A": "mysql://root@127.0.0.1:23098", "B": "/a b/it's", "C": ""} {
		if got[key] != want {
			t.Errorf("%s: got %q, want %q", key, got[key], want)
		}
	}
}
