package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Whatever nothing leads to is found, wherever it lies in the lake.
func TestCheckFindsStrayFiles(t *testing.T) {
	c, python, root := checking(t)
	l := truth()
	l.Folder = filepath.Join(t.TempDir(), "lake")
	plant(t, python, root, l)
	q := l.question(dumped(t))
	homes, err := filepath.Glob(filepath.Join(l.Folder, "bank*", "texts", "metadata"))
	if err != nil || len(homes) != 1 {
		t.Fatalf("folders of texts: %q, %v", homes, err)
	}
	for _, test := range []struct {
		file      string
		some, all int // left over
	}{
		{"", 0, 0},
		{filepath.Join(homes[0], "144aec3e-16d0-4ed5-8271-d2b5a1da173d-m0.avro"), 0, 1},
		{filepath.Join(homes[0], ".tmp-1"), 0, 2},
		{filepath.Join(l.Folder, "_tablehaul-probe"), 0, 3},
		{filepath.Join(filepath.Dir(homes[0]), "data", "x-00000.parquet"), 1, 4},
	} {
		if test.file != "" {
			if err := os.WriteFile(test.file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		for _, q.All = range []bool{false, true} {
			want := test.some
			if q.All {
				want = test.all
			}
			got, err := c.ask(q)
			if err != nil {
				t.Fatal(err)
			}
			if got.Orphans != want {
				t.Errorf("with %s, all %v: %d orphans, want %d\n%s", test.file, q.All, got.Orphans, want, strings.Join(got.Findings, "\n"))
			}
		}
	}
}

// Tables that were committed before the source stood still need not be equal to it, and
// where each snapshot adds all rows there are as many of each.
func TestCheckComparesWhatIsPromised(t *testing.T) {
	c, python, root := checking(t)
	behind, twice := truth(), truth()
	behind.Folder, twice.Folder = filepath.Join(t.TempDir(), "lake"), filepath.Join(t.TempDir(), "lake")
	texts := behind.table("texts")
	texts.Commits[0].Rows = texts.Commits[0].Rows[:4]
	texts = twice.table("texts")
	texts.Commits = append(texts.Commits, texts.Commits[0])
	plant(t, python, root, behind, twice)
	dumps := dumped(t)
	past, future := time.Now().Add(-time.Hour).UnixMilli(), time.Now().Add(time.Hour).UnixMilli()
	for _, test := range []struct {
		name          string
		lake          *planted
		ask           func(*question)
		lost, doubled int
	}{
		{"behind", behind, func(q *question) { q.Since = past }, 1, 0},
		{"behind, and may be", behind, func(q *question) { q.Since = future }, 0, 0},
		{"behind, and left alone", behind, func(q *question) { q.Since, q.Still = past, []string{"texts"} }, 0, 0},
		{"twice", twice, func(q *question) { q.Since = past }, 0, 5},
		{"twice, as it should be", twice, func(q *question) { q.Adds = true }, 0, 0},
	} {
		q := test.lake.question(dumps)
		q.Tables, q.Alone = q.Tables[2:3], true
		test.ask(&q)
		got, err := c.ask(q)
		if err != nil {
			t.Fatal(err)
		}
		if got.Lost != test.lost || got.Doubled != test.doubled {
			t.Errorf("%s: lost %d, doubled %d; want %d and %d\n%s", test.name, got.Lost, got.Doubled, test.lost, test.doubled, strings.Join(got.Findings, "\n"))
		}
	}
}
