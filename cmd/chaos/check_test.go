package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/testdata/services"
)

// A planted lake is what plant.py makes.
type planted struct {
	Folder    string          `json:"folder"`
	Namespace string          `json:"namespace"`
	Tables    []*plantedTable `json:"tables"`
}

type plantedTable struct {
	Name    string          `json:"name"`
	Fields  [][2]string     `json:"fields"`
	Commits []plantedCommit `json:"commits"`
}

type plantedCommit struct {
	Position string  `json:"position"`
	Rows     [][]any `json:"rows"`
}

func (l *planted) table(name string) *plantedTable {
	return l.Tables[slices.IndexFunc(l.Tables, func(t *plantedTable) bool { return t.Name == name })]
}

// truth is a lake without a fault: two commits of a bank, a table with texts
// that are hard to tell apart, and one in which each change is a row.
func truth() *planted {
	return &planted{Namespace: "bank", Tables: []*plantedTable{
		{
			"accounts",
			[][2]string{{"id", "long"}, {"balance", "long"}, {"version", "long"}},
			[]plantedCommit{
				{"p1", [][]any{{1, 1000, 0}, {2, 1000, 0}, {3, 1000, 0}}},
				{"p2", [][]any{{4, 5, 1}, {5, -5, 1}}},
			},
		},
		{
			"ledger",
			[][2]string{{"seq", "long"}, {"amount", "long"}, {"delta", "long"}},
			[]plantedCommit{
				{"p1", [][]any{{1, 7, 0}, {2, -7, 0}}},
				{"p2", [][]any{{3, 9, 2}, {4, -9, 0}}},
			},
		},
		{
			"texts",
			[][2]string{{"k", "long"}, {"v", "string"}},
			[]plantedCommit{{"p1", [][]any{{1, nil}, {2, ""}, {3, "NULL"}, {4, `\N`}, {5, "a \"b\",\nc "}}}},
		},
		{
			"log",
			[][2]string{{"v", "string"}, {"_op", "string"}, {"_pos", "string"}},
			[]plantedCommit{
				{"p1", [][]any{{"before", "r", nil}, {"x", "c", "1:1"}, {nil, "t", "1:2"}, {"x", "c", "1:3"}, {"x", "c", "1:4"}}},
				{"p2", [][]any{{"x", "b", "1:5"}, {"y", "u", "1:5"}, {"gone", "c", "1:6"}, {"gone", "d", "1:7"}}},
			},
		},
	}}
}

// source is what truth was made of.
var source = map[string]string{
	"accounts": "\"1\",\"1000\",\"0\"\n\"2\",\"1000\",\"0\"\n\"3\",\"1000\",\"0\"\n\"4\",\"5\",\"1\"\n\"5\",\"-5\",\"1\"\n",
	"ledger":   "\"1\",\"7\",\"0\"\n\"2\",\"-7\",\"0\"\n\"3\",\"9\",\"2\"\n\"4\",\"-9\",\"0\"\n",
	"texts":    "\"1\",\\N\n\"2\",\"\"\n\"3\",\"NULL\"\n\"4\",\"\\N\"\n\"5\",\"a \"\"b\"\",\nc \"\n",
	"log":      "\"x\"\n\"y\"\n",
}

var specs = []tableSpec{
	{"accounts", []string{"id", "balance", "version"}, []string{"id"}},
	{"ledger", []string{"seq", "amount", "delta"}, []string{"seq"}},
	{"texts", []string{"k", "v"}, []string{"k"}},
	{"log", []string{"v"}, nil},
}

// rows gives a fault the rows of a table's n-th commit.
func rows(table string, n int, change func(r [][]any) [][]any) func(*planted) {
	return func(l *planted) {
		c := &l.table(table).Commits[n]
		c.Rows = change(c.Rows)
	}
}

func without(i int) func(r [][]any) [][]any {
	return func(r [][]any) [][]any { return slices.Delete(r, i, i+1) }
}

func with(row ...any) func(r [][]any) [][]any {
	return func(r [][]any) [][]any { return append(r, row) }
}

func value(i, column int, v any) func(r [][]any) [][]any {
	return func(r [][]any) [][]any { r[i][column] = v; return r }
}

// split publishes a commit in two halves.
func split(table string, n int) func(*planted) {
	return func(l *planted) {
		t := l.table(table)
		c := t.Commits[n]
		first := plantedCommit{c.Position + "-half", c.Rows[:1]}
		t.Commits = slices.Insert(t.Commits, n, first)
		t.Commits[n+1].Rows = c.Rows[1:]
	}
}

func TestCheckFindsFaults(t *testing.T) {
	python := services.Env(t, "TABLEHAUL_TEST_PYTHON")
	root, err := services.Root()
	if err != nil {
		t.Fatal(err)
	}
	c, err := startChecker(python, root)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	dumps := t.TempDir()
	for name, text := range source {
		if err := os.WriteFile(filepath.Join(dumps, name+".csv"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	tests := []struct {
		name                string
		fault               func(*planted)
		lost, doubled, torn int
	}{
		{"nothing", func(*planted) {}, 0, 0, 0},
		{"a row dropped", rows("texts", 0, without(4)), 1, 0, 0},
		{"a row twice", rows("texts", 0, with(2, "")), 0, 1, 0},
		{"a row too many", rows("texts", 0, with(9, "z")), 0, 1, 0},
		{"an update lost", rows("texts", 0, value(4, 1, "old")), 1, 0, 0},
		{"an empty text for NULL", rows("texts", 0, value(0, 1, "")), 1, 0, 0},
		{"NULL for a text that looks like it", rows("texts", 0, value(3, 1, nil)), 1, 0, 0},
		{"a table missing", func(l *planted) { l.Tables = slices.Delete(l.Tables, 2, 3) }, 5, 0, 0},
		{"half a transaction", split("accounts", 1), 0, 0, 1},
		{"half a transaction of the ledger", split("ledger", 1), 0, 0, 1},
		{"money lost for good", rows("accounts", 0, value(0, 1, 999)), 1, 0, 2},
		{"an account twice, without money", rows("accounts", 1, with(5, 0, 0)), 0, 1, 1},
		{"tables apart at one position", func(l *planted) {
			a := l.table("ledger").Commits
			a[0].Rows, a[1].Rows = a[1].Rows, a[0].Rows
		}, 0, 0, 1},
		{"a change lost", rows("log", 1, without(1)), 1, 0, 0},
		{"a change twice", rows("log", 0, with("x", "c", "1:4")), 0, 2, 0},
		{"a change twice that cancels itself", func(l *planted) {
			rows("log", 1, with("gone", "c", "1:6"))(l)
			rows("log", 1, with("gone", "d", "1:7"))(l)
		}, 0, 2, 0},
		{"the emptying lost", rows("log", 0, without(2)), 0, 2, 0},
	}
	lakes := make([]*planted, len(tests))
	for i, test := range tests {
		lakes[i] = truth()
		lakes[i].Folder = filepath.Join(t.TempDir(), "lake")
		test.fault(lakes[i])
	}
	plant(t, python, root, lakes...)
	for i, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			l := lakes[i]
			got, err := c.ask(question{
				Folder: l.Folder, Namespace: l.Namespace, Source: dumps, Tables: specs, Changelog: []string{"log"}, Total: 3000,
			})
			if err != nil {
				t.Fatal(err)
			}
			if got.Lost != test.lost || got.Doubled != test.doubled || got.Torn != test.torn {
				t.Errorf("lost %d, doubled %d, torn %d; want %d, %d, %d\n%s",
					got.Lost, got.Doubled, got.Torn, test.lost, test.doubled, test.torn, strings.Join(got.Findings, "\n"))
			}
			if clean := test.lost+test.doubled+test.torn == 0; clean != (len(got.Findings) == 0) {
				t.Errorf("findings: %q", got.Findings)
			}
			if got.Snapshots < 4 || got.Pairs < 2 || got.Orphans != 0 {
				t.Errorf("%d snapshots, %d pairs, %d orphans; want at least 4 and 2, and none", got.Snapshots, got.Pairs, got.Orphans)
			}
		})
	}
}

// A file that only an old snapshot names is missed as well.
func TestCheckFindsFilesGone(t *testing.T) {
	python := services.Env(t, "TABLEHAUL_TEST_PYTHON")
	root, err := services.Root()
	if err != nil {
		t.Fatal(err)
	}
	l := truth()
	l.Folder = filepath.Join(t.TempDir(), "lake")
	plant(t, python, root, l)
	// The first snapshot's list of manifests.
	lists, err := filepath.Glob(filepath.Join(l.Folder, "bank*", "accounts", "metadata", "snap-*.avro"))
	if err != nil || len(lists) != 2 {
		t.Fatalf("lists of manifests: %v, %v; want two", lists, err)
	}
	if first, err := os.Stat(lists[0]); err != nil {
		t.Fatal(err)
	} else if second, err := os.Stat(lists[1]); err != nil {
		t.Fatal(err)
	} else if second.ModTime().Before(first.ModTime()) {
		lists[0] = lists[1]
	}
	if err := os.Remove(lists[0]); err != nil {
		t.Fatal(err)
	}
	c, err := startChecker(python, root)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	got, err := c.ask(question{
		Folder: l.Folder, Namespace: l.Namespace, Source: t.TempDir(), Tables: nil, Changelog: nil, Total: 3000,
	})
	if err == nil && got.Torn == 0 {
		t.Errorf("nothing found: %+v", got)
	}
}

func plant(t *testing.T, python, root string, lakes ...*planted) {
	t.Helper()
	text, err := json.Marshal(lakes)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, filepath.Join(root, "cmd", "chaos", "plant.py"))
	cmd.Stdin = bytes.NewReader(text)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("plant.py: %v\n%s", err, out)
	}
}
