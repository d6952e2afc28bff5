package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A plainLake is truth in CSV files, a file a commit.
type plainLake struct {
	*testing.T
	root  string
	truth *planted
}

func (l *plainLake) path(table, name string) string {
	return filepath.Join(l.root, "bank", table, name)
}

func (l *plainLake) put(table, name, text string) {
	l.Helper()
	path := l.path(table, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		l.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		l.Fatal(err)
	}
}

// publish puts the first commits of each table in place.
func (l *plainLake) publish(commits int) {
	l.Helper()
	for _, t := range l.truth.Tables {
		n := min(commits, len(t.Commits))
		m := map[string]any{
			"number": n, "committed": fmt.Sprintf("2026-07-01T12:00:0%d.5Z", n), "position": t.Commits[n-1].Position,
			"generation": "g1", "format": "csv", "columns": csvColumns(t.Fields),
		}
		rows, files := 0, []any{}
		for i, c := range t.Commits[:n] {
			name, text := fmt.Sprintf("g1/part-%d.csv", i), csvRows(c.Rows)
			l.put(t.Name, name, text)
			rows += len(c.Rows)
			files = append(files, map[string]any{"path": name, "rows": len(c.Rows), "bytes": len(text)})
		}
		m["rows"], m["files"] = rows, files
		text, err := json.Marshal(m)
		if err != nil {
			l.Fatal(err)
		}
		l.put(t.Name, "_tablehaul/manifest.json", string(text))
	}
}

func csvColumns(fields [][2]string) (columns []any) {
	for _, f := range fields {
		columns = append(columns, map[string]any{"name": f[0], "type": strings.ReplaceAll(f[1], "long", "bigint")})
	}
	return columns
}

func csvRows(rows [][]any) string {
	var b strings.Builder
	for _, r := range rows {
		for i, v := range r {
			if i > 0 {
				b.WriteByte(',')
			}
			switch v := v.(type) {
			case nil:
			case string:
				b.WriteString(`"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(v) + `"`)
			default:
				fmt.Fprint(&b, v)
			}
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func (l *plainLake) question(dumps string) question {
	q := l.truth.question(dumps)
	q.Folder, q.Plain = "", &plain{Kind: local, Root: l.root, Seen: l.TempDir(), Looks: map[string][]json.RawMessage{}}
	return q
}

// What is wrong with plain files is found, whether they are read by the manifest, listed, or
// were read while they came.
func TestCheckFindsFaultsOfFiles(t *testing.T) {
	c, _, _ := checking(t)
	dumps := dumped(t)
	put := func(table, name, text string) func(*plainLake) {
		return func(l *plainLake) { l.put(table, name, text) }
	}
	for _, test := range []struct {
		name                                string
		truth                               func(*planted)
		first, last                         func(*plainLake) // after those commits
		lost, doubled, torn, orphans, waits int
	}{
		{name: "nothing"},
		{name: "a row dropped", truth: rows("texts", 0, without(4)), lost: 2}, // in both ways
		{name: "a change twice", truth: rows("log", 0, with("x", "c", "1:4")), doubled: 4},
		{name: "half a transaction", truth: split("accounts", 1), torn: 1},
		{name: "a file that was taken out", last: put("accounts", "g1/part-7.csv", "1,1000,0\n"), doubled: 1, orphans: 1},
		{name: "a file that is hidden", last: put("accounts", "g1/.part-7.csv", "1,1000,0\n"), orphans: 1},
		{name: "a mark", last: put("accounts", "g1/dt=2026-07-01/_SUCCESS", "")},
		{name: "an old generation", last: put("accounts", "g0/part-0.csv", ""), orphans: 1},
		{name: "a stage", last: put("accounts", "_tablehaul/staging/run/owner.json", "vm"), orphans: 1},
		{name: "a stage of nobody yet", last: put("accounts", "_tablehaul/staging/run/owner.json", ""), waits: 1},
		{name: "a manifest that was torn", first: put("texts", "_tablehaul/manifest.json", `{"number"`), torn: 1},
		{name: "a file that was missing", first: func(l *plainLake) { _ = os.Remove(l.path("texts", "g1/part-0.csv")) }, torn: 1},
		{name: "a file that was torn", first: put("texts", "g1/part-0.csv", "1,\n2,\"\"\n"), torn: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			l := &plainLake{T: t, root: t.TempDir(), truth: truth()}
			if test.truth != nil {
				test.truth(l.truth)
			}
			q := l.question(dumps)
			look := func() {
				for _, table := range specs {
					one := q
					one.Look = table.Name
					v, err := c.ask(one)
					if err != nil {
						t.Fatal(err)
					}
					if string(v.Look) != "null" {
						q.Plain.Looks[table.Name] = append(q.Plain.Looks[table.Name], v.Look)
					}
				}
			}
			look()
			if len(q.Plain.Looks) > 0 {
				t.Errorf("seen before there was anything: %s", q.Plain.Looks)
			}
			for n, change := range []func(*plainLake){test.first, nil, test.last} {
				l.publish(n + 1)
				if change != nil {
					change(l)
				}
				if n < 2 {
					look()
				}
			}
			// What was read is not read again, as it does not change: here it did.
			q.Plain.Seen = t.TempDir()
			got, err := c.ask(q)
			if err != nil {
				t.Fatal(err)
			}
			if got.Lost != test.lost || got.Doubled != test.doubled || got.Torn != test.torn || got.Orphans != test.orphans || got.Held != test.waits {
				t.Errorf("lost %d, doubled %d, torn %d, orphans %d, held %d; want %d, %d, %d, %d, %d\n%s", got.Lost, got.Doubled, got.Torn, got.Orphans, got.Held,
					test.lost, test.doubled, test.torn, test.orphans, test.waits, strings.Join(got.Findings, "\n"))
			}
		})
	}
}
