package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
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
	Position string  `json:"position"` // "": none
	Rows     [][]any `json:"rows"`
	Foreign  bool    `json:"foreign"` // another engine's
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
				{Position: "p1", Rows: [][]any{{1, 1000, 0}, {2, 1000, 0}, {3, 1000, 0}}},
				{Position: "p2", Rows: [][]any{{4, 5, 1}, {5, -5, 1}}},
			},
		},
		{
			"ledger",
			[][2]string{{"seq", "long"}, {"amount", "long"}, {"delta", "long"}},
			[]plantedCommit{
				{Position: "p1", Rows: [][]any{{1, 7, 0}, {2, -7, 0}}},
				{Position: "p2", Rows: [][]any{{3, 9, 2}, {4, -9, 0}}},
			},
		},
		{
			"texts",
			[][2]string{{"k", "long"}, {"v", "string"}},
			[]plantedCommit{{Position: "p1", Rows: [][]any{{1, nil}, {2, ""}, {3, "NULL"}, {4, `\N`}, {5, "a \"b\",\nc "}}}},
		},
		{
			"log",
			[][2]string{{"v", "string"}, {"_op", "string"}, {"_pos", "string"}},
			[]plantedCommit{
				{Position: "p1", Rows: [][]any{{"before", "r", nil}, {"x", "c", "1:1"}, {nil, "t", "1:2"}, {"x", "c", "1:3"}, {"x", "c", "1:4"}}},
				{Position: "p2", Rows: [][]any{{"x", "b", "1:5"}, {"y", "u", "1:5"}, {"gone", "c", "1:6"}, {"gone", "d", "1:7"}}},
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
		first := plantedCommit{Position: c.Position + "-half", Rows: c.Rows[:1]}
		t.Commits = slices.Insert(t.Commits, n, first)
		t.Commits[n+1].Rows = c.Rows[1:]
	}
}

func TestCheckFindsFaults(t *testing.T) {
	c, python, root := checking(t)
	dumps := dumped(t)
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
		{"a second snapshot at a position shows more", func(l *planted) {
			for _, table := range []string{"accounts", "ledger"} {
				t := l.table(table)
				t.Commits = append([]plantedCommit{{Position: "p0", Rows: t.Commits[0].Rows}}, t.Commits...)
				t.Commits[1].Rows, t.Commits[1].Position = nil, "p2"
			}
			l.table("ledger").Commits[1].Position = "p1"
		}, 0, 0, 1},
		{"a snapshot without a position", func(l *planted) { l.table("texts").Commits[0].Position = "" }, 0, 0, 1},
		{"a snapshot of the bank without a position", func(l *planted) { l.table("accounts").Commits[0].Position = "" }, 0, 0, 1},
		{"another engine's snapshot", func(l *planted) {
			t := l.table("texts")
			t.Commits = append(t.Commits, plantedCommit{Foreign: true, Rows: [][]any{{9, "z"}}})
		}, 0, 1, 0},
		{"no common position", func(l *planted) {
			for _, table := range []string{"accounts", "ledger"} {
				t := l.table(table)
				t.Commits = append(t.Commits, plantedCommit{})
				for i := range t.Commits {
					t.Commits[i].Position = fmt.Sprint(table, i)
				}
			}
		}, 0, 0, 2}, // and they end apart
		{"transactions that the snapshot before had", func(l *planted) {
			c := l.table("log").Commits
			c[0].Position, c[1].Position = `{"gtid":"u:1-9:12"}`, `{"gtid":"u:1-11"}`
		}, 0, 0, 1},
		{"positions that grow", func(l *planted) {
			c := l.table("log").Commits
			c[0].Position, c[1].Position = `{"gtid":"u:1-9:12"}`, `{"gtid":"u:1-12,v:7"}`
		}, 0, 0, 0},
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
			got, err := c.ask(lakes[i].question(dumps))
			if err != nil {
				t.Fatal(err)
			}
			if got.Lost != test.lost || got.Doubled != test.doubled || got.Torn != test.torn {
				t.Errorf("lost %d, doubled %d, torn %d; want %d, %d, %d\n%s",
					got.Lost, got.Doubled, got.Torn, test.lost, test.doubled, test.torn, strings.Join(got.Findings, "\n"))
			}
			clean := test.lost+test.doubled+test.torn == 0
			if clean != (len(got.Findings) == 0) {
				t.Errorf("findings: %q", got.Findings)
			}
			if r := (&result{verdict: got}); r.failed() == clean {
				t.Errorf("failed: %v", r.failed())
			}
			if got.Snapshots < 4 || clean && got.Pairs != 2 || got.Orphans != 0 {
				t.Errorf("%d snapshots, %d pairs, %d orphans; want at least 4 and 2, and none", got.Snapshots, got.Pairs, got.Orphans)
			}
		})
	}
}

// checking starts a checker for the time of a test.
func checking(t *testing.T) (c *checker, python, root string) {
	t.Helper()
	python = services.Env(t, "TABLEHAUL_TEST_PYTHON")
	root, err := services.Root()
	if err != nil {
		t.Fatal(err)
	}
	if c, err = startChecker(python, root); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.close() })
	return c, python, root
}

// dumped returns a folder with what truth was made of.
func dumped(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range source {
		if err := os.WriteFile(filepath.Join(dir, name+".csv"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func (l *planted) question(dumps string) question {
	return question{Folder: l.Folder, Namespace: l.Namespace, Source: dumps, Tables: specs, Changelog: []string{"log"}, Total: 3000}
}

// Where tables are committed in one step none may be ahead of the other, but for
// the stock.
func TestCheckFindsTablesApart(t *testing.T) {
	c, python, root := checking(t)
	// Three transactions, each with a version and its entry.
	history := func(table string, positions ...string) func(*planted) {
		return func(l *planted) {
			t := l.table(table)
			t.Commits = []plantedCommit{{Position: positions[0], Rows: [][]any{{100, 0, 0}}}}
			for i, p := range positions[1:] {
				if p != "" {
					t.Commits = append(t.Commits, plantedCommit{Position: p, Rows: [][]any{{101 + i, 0, 1}}})
				}
			}
		}
	}
	tests := []struct {
		name             string
		accounts, ledger func(*planted)
		torn             int
	}{
		{"together", history("accounts", "p0", "p1", "p2", "p3"), history("ledger", "p0", "p1", "p2", "p3"), 0},
		{"one ahead for a while", history("accounts", "p0", "p1", "p2", "p3"), func(l *planted) {
			history("ledger", "p0", "p1", "", "p3")(l)
			t := l.table("ledger")
			t.Commits[2].Rows[0][2] = 2
		}, 1},
		{"the other ahead for a while", func(l *planted) {
			history("accounts", "p0", "p1", "", "p3")(l)
			t := l.table("accounts")
			t.Commits[2].Rows[0][2] = 2
		}, history("ledger", "p0", "p1", "p2", "p3"), 1},
		{"stock of later", history("accounts", "p0", "p1", "p2", "p3"), func(l *planted) {
			history("ledger", "p2", "", "", "p3")(l)
			l.table("ledger").Commits[0].Rows[0][2] = 2
		}, 0},
	}
	lakes := make([]*planted, len(tests))
	for i, test := range tests {
		lakes[i] = truth()
		lakes[i].Folder = filepath.Join(t.TempDir(), "lake")
		test.accounts(lakes[i])
		test.ledger(lakes[i])
	}
	plant(t, python, root, lakes...)
	for i, test := range tests {
		for _, together := range []bool{true, false} {
			q := lakes[i].question(t.TempDir())
			q.Tables, q.Total, q.Together = nil, 0, together
			for _, s := range specs[:2] {
				q.Tables = append(q.Tables, s)
				if err := os.WriteFile(filepath.Join(q.Source, s.Name+".csv"), nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			got, err := c.ask(q)
			if err != nil {
				t.Fatalf("%s: %v", test.name, err)
			}
			want := 0
			if together {
				want = test.torn
			}
			if got.Torn != want {
				t.Errorf("%s, together %v: torn %d, want %d\n%s", test.name, together, got.Torn, want, strings.Join(got.Findings, "\n"))
			}
		}
	}
}

// Files that no snapshot names are left over, unless a commit may be under way.
func TestCheckFindsOrphans(t *testing.T) {
	c, python, root := checking(t)
	l := truth()
	l.Folder = filepath.Join(t.TempDir(), "lake")
	plant(t, python, root, l)
	dumps := dumped(t)
	put := func(name, text string) {
		t.Helper()
		homes, err := filepath.Glob(filepath.Join(l.Folder, "bank*", "texts"))
		if err != nil || len(homes) != 1 {
			t.Fatalf("folders of texts: %q, %v", homes, err)
		}
		name = filepath.Join(homes[0], name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	check := func(late bool, orphans, held int) {
		t.Helper()
		q := l.question(dumps)
		q.Late = late
		got, err := c.ask(q)
		if err != nil {
			t.Fatal(err)
		}
		if got.Orphans != orphans || got.Held != held {
			t.Errorf("late %v: %d orphans, %d held; want %d and %d\n%s", late, got.Orphans, got.Held, orphans, held, strings.Join(got.Findings, "\n"))
		}
		if r := (&result{verdict: got}); r.failed() != (orphans > 0) {
			t.Errorf("late %v: failed %v with %d orphans", late, r.failed(), orphans)
		}
	}
	check(false, 0, 0)
	put("data/run-00000.parquet", "")
	put("metadata/_staging/run", "machine\na commit was sent")
	check(true, 0, 1)
	check(false, 2, 0) // a folder has no server that could be late
	put("metadata/_staging/run", "machine\n")
	check(true, 2, 0)
	put("metadata/_staging/run", "") // it has no file yet, but for the one
	check(true, 1, 0)
}

// A file that only an old snapshot names is missed as well.
func TestCheckFindsFilesGone(t *testing.T) {
	c, python, root := checking(t)
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
	dumps := dumped(t)
	got, err := c.ask(l.question(dumps))
	if err != nil {
		t.Fatal(err)
	}
	if got.Torn != 1 || got.Lost+got.Doubled > 0 {
		t.Errorf("got %+v, want one snapshot torn", got)
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
