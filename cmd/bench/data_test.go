package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"
)

func TestSbtestRows(t *testing.T) {
	shape := regexp.MustCompile(`^\d+\t\d+\t(\d{11}-){9}\d{11}\t(\d{11}-){4}\d{11}$`)
	checkRows(t, cases[0], func(line string) bool { return shape.MatchString(line) })
}

func TestOrdersRows(t *testing.T) {
	checkRows(t, cases[1], func(line string) bool {
		return strings.Count(line, "\t") == len(ordersColumns)-1 && strings.Contains(line, "\tSKU-")
	})
}

// checkRows makes the first chunk twice: rows are well-formed, their keys have
// no gaps, and the same seed gives the same bytes.
func checkRows(t *testing.T, c *benchCase, ok func(string) bool) {
	const rows = 3000
	text := appendChunk(nil, c, rows, 0)
	if again := appendChunk(nil, c, rows, 0); !bytes.Equal(text, again) {
		t.Error("a chunk made twice differs")
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(lines) != rows {
		t.Fatalf("got %d rows, want %d", len(lines), rows)
	}
	for i, line := range lines {
		if !ok(line) || !strings.HasPrefix(line, thousandless(i+1)+"\t") {
			t.Fatalf("row %d: %q", i+1, line)
		}
	}
}

func thousandless(n int) string { return strings.ReplaceAll(thousands(int64(n)), ",", "") }

func TestLastChunkIsCut(t *testing.T) {
	text := appendChunk(nil, cases[0], chunkRows+7, 1)
	if got := bytes.Count(text, []byte("\n")); got != 7 {
		t.Errorf("got %d rows, want 7", got)
	}
}

func TestSpecialStaysInRange(t *testing.T) {
	rnd := newRandom(1)
	for _, n := range []int64{1, 2, 10, 1_000_000} {
		middle := 0
		for range 10_000 {
			v := rnd.special(n)
			if v < 1 || v > n {
				t.Fatalf("special(%d) = %d", n, v)
			}
			if v > n*495/1000 && v <= n*505/1000+1 {
				middle++
			}
		}
		if n == 1_000_000 && (middle < 7500 || middle > 8200) {
			t.Errorf("%d of 10,000 draws are in the middle percent, want some 7,700", middle)
		}
	}
}

func TestCut(t *testing.T) {
	got := cut(1, 10, 3)
	want := []string{"id >= 1 AND id < 4", "id >= 4 AND id < 7", "id >= 7 AND id < 11"}
	if strings.Join(got, ";") != strings.Join(want, ";") {
		t.Errorf("got %q, want %q", got, want)
	}
}
