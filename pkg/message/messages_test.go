package message

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// landed is what comes of a file of messages, one a line.
func landed(t *testing.T, text []byte) string {
	t.Helper()
	var out strings.Builder
	u := &union{}
	r, err := NewDecoder(Auto, u)
	if err != nil {
		t.Fatal(err)
	}
	r.(Partitioned).Partition(0)
	for n, line := range bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n")) {
		var key []byte
		value := line
		if k, v, ok := bytes.Cut(line, []byte("\t")); ok {
			key, value = k, v
		}
		err := r.Decode(key, value)
		for _, name := range slices.Sorted(maps.Keys(u.tables)) {
			for _, row := range u.texts(t, name) {
				fmt.Fprintf(&out, "%d %s: %s\n", n+1, name, row)
			}
			u.rows[name].Into.Batch()
		}
		u.done = nil
		for _, table := range u.emptied {
			fmt.Fprintf(&out, "%d %s emptied\n", n+1, strings.Fields(table)[0])
		}
		u.emptied = nil
		if err != nil {
			fmt.Fprintf(&out, "%d refused: %v\n", n+1, err)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(u.tables)) {
		table := u.tables[name]
		fmt.Fprintf(&out, "\n%s", name)
		for i, c := range table.Columns {
			fmt.Fprintf(&out, "\n  %s %s (%s)", c.Name, c.Arrow, c.Native)
			if slices.Contains(table.Key, i) {
				out.WriteString(" key")
			}
		}
		out.WriteString("\n")
	}
	return out.String()
}

// TestMessages reads what is under testdata/messages, which other programs write so.
func TestMessages(t *testing.T) {
	files, err := filepath.Glob("../../testdata/messages/*/*.jsonl")
	if err != nil || len(files) < 10 {
		t.Fatalf("found %d files, %v", len(files), err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got := landed(t, text)
		golden := file + ".golden"
		if os.Getenv("TABLEHAUL_TEST_WRITE") != "" {
			if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
		}
	}
}
