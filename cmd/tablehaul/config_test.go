package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// A commandLine is what a command was run with.
type commandLine struct {
	command *cobra.Command
	args    []string
}

// runWith runs a command line with commands that do nothing but look at their flags.
func runWith(t *testing.T, args ...string) (commandLine, string, error) {
	t.Helper()
	kinds := all()
	kinds.sources["fake"], kinds.sinks["folder"] = sourceKind{}, sinkKind{}
	var notes bytes.Buffer
	p := &program{console: &console{stderr: &notes}, stores: kinds, hide: newSecrets(args), stdout: io.Discard}
	var got commandLine
	root := p.onlyChecking()
	root.SilenceErrors, root.SilenceUsage = true, true
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(newCheck(func(context.Context, checkOptions) error { return nil }))
	for _, c := range root.Commands() {
		run := c.RunE
		c.RunE = func(c *cobra.Command, args []string) error {
			got = commandLine{c, args}
			return run(c, args)
		}
	}
	p.takeFiles(root)
	root.SetArgs(args)
	root.SetOut(io.Discard)
	root.SetErr(io.Discard)
	err := root.ExecuteContext(t.Context())
	return got, notes.String(), err
}

func (c commandLine) String() string {
	var b strings.Builder
	fmt.Fprintln(&b, c.command.Name(), c.args)
	c.command.Flags().VisitAll(func(f *pflag.Flag) {
		if f.Name != configFlag {
			fmt.Fprintln(&b, f.Name, f.Value, f.Changed)
		}
	})
	return b.String()
}

// writeJob writes a file job.yaml, and has the test run beside it, so that errors name it so.
func writeJob(t *testing.T, text string) {
	t.Helper()
	t.Chdir(t.TempDir())
	if err := os.WriteFile("job.yaml", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestConfigIsFlags runs commands with a file and with the flags that it stands for.
func TestConfigIsFlags(t *testing.T) {
	const ends = "source: fake://h/shop\nsink: folder:lake\n"
	for _, c := range []struct {
		name, file  string
		args, flags []string // behind the command
	}{
		{"ends", ends, nil, []string{"snapshot", "fake://h/shop", "folder:lake"}},
		{"a list of one source", "source: [fake://h/shop]\nsink: folder:lake", nil, []string{"snapshot", "fake://h/shop", "folder:lake"}},
		{"JSON", `{"source": "fake://h/shop", "sink": "folder:lake", "parallel": 2}`, nil, []string{"snapshot", "fake://h/shop", "folder:lake", "--parallel=2"}},
		{"BOM", "\ufeff" + ends, nil, []string{"snapshot", "fake://h/shop", "folder:lake"}},
		{"CRLF", strings.ReplaceAll(ends+"memory: 1GiB\n", "\n", "\r\n"), nil, []string{"snapshot", "fake://h/shop", "folder:lake", "--memory=1GiB"}},
		{"ends of the command line", ends, []string{"fake://h/other", "folder:there"}, []string{"snapshot", "fake://h/other", "folder:there"}},
		{"the source of the command line", ends, []string{"fake://h/other"}, []string{"snapshot", "fake://h/other", "folder:lake"}},
		{"the sink of the command line", ends, []string{"folder:there"}, []string{"snapshot", "fake://h/shop", "folder:there"}},
		{"an end each", "sink: folder:lake", []string{"fake://h/shop"}, []string{"snapshot", "fake://h/shop", "folder:lake"}},
		{
			"values of every kind", ends + "parallel: 2\nmemory: 1GiB\ncheckpoint-interval: 1m\nheader: true\nformat: csv\nproperty: [a=b, 'c=d,e']\ncompression: zstd:3\ntarget-file-size: 1048576\nmax-load: threads_running=25\nmode: append\nquiet: True\n", nil,
			[]string{"snapshot", "fake://h/shop", "folder:lake", "--parallel=2", "--memory=1GiB", "--checkpoint-interval=1m", "--header", "--format=csv", "--property=a=b", "--property=c=d,e", "--compression=zstd:3", "--target-file-size=1048576", "--max-load=threads_running=25", "--mode=append", "-q"},
		},
		{"a word that YAML takes for nothing", ends + "zero-date: null\n", nil, []string{"snapshot", "fake://h/shop", "folder:lake", "--zero-date=null"}},
		{"flags before the file", ends + "parallel: 2\nmemory: 1GiB\nproperty: [a=b, c=d]\n", []string{"--parallel=3", "--property=e=f"}, []string{"snapshot", "fake://h/shop", "folder:lake", "--parallel=3", "--memory=1GiB", "--property=e=f"}},
		{"a flag's other name before the file", ends + "compression: gzip\n", []string{"--codec=lz4"}, []string{"snapshot", "fake://h/shop", "folder:lake", "--codec=lz4"}},
		{"tables as a list", ends + "tables: [orders, 'user_*', orders2]\n", nil, []string{"snapshot", "fake://h/shop", "folder:lake", "--tables=orders,user_*,orders2"}},
		{"tables as a text", ends + "tables: orders, user_*\n", nil, []string{"snapshot", "fake://h/shop", "folder:lake", "--tables=orders,user_*"}},
		{"tables that are excluded", ends + "exclude: [a, b]\n", nil, []string{"snapshot", "fake://h/shop", "folder:lake", "--exclude=a,b"}},
		{
			"tables and what is said of them", ends + "tables:\n  orders:\n    where: total > 5\n    columns: [id, total]\n  user_*: {partition: month(at)}\n  c:\n", nil,
			[]string{"snapshot", "fake://h/shop", "folder:lake", "--tables=orders,user_*,c", "--where=orders: total > 5", "--columns=orders: id, total", "--partition=user_*: month(at)"},
		},
		{
			"what is said of all tables", ends + "tables: {'*': {sort: id}, orders: }\npartition: 'bucket(4,id)'\n", nil,
			[]string{"snapshot", "fake://h/shop", "folder:lake", "--tables=*,orders", "--sort=id", "--partition=bucket(4,id)"},
		},
		{
			"what is said of tables as flags do", ends + "where: ['orders: a > 5', 'b < 3']\npartition: {orders: day(at), '*': [a, b]}\n", nil,
			[]string{"snapshot", "fake://h/shop", "folder:lake", "--where=orders: a > 5", "--where=b < 3", "--partition=orders: day(at)", "--partition=a, b"},
		},
		{
			"assignments", ends + "tables:\n  orders: {set: [a = b + 1, 'c=concat(d, e)']}\n  x: {set: a=1}\n", nil,
			[]string{"snapshot", "fake://h/shop", "folder:lake", "--tables=orders,x", "--set=orders: a=b + 1", "--set=orders: c=concat(d, e)", "--set=x: a=1"},
		},
		{"a condition over lines", ends + "tables:\n  orders:\n    where: |\n      a > 5\n      AND b < 3\n", nil, []string{"snapshot", "fake://h/shop", "folder:lake", "--tables=orders", "--where=orders: a > 5\nAND b < 3"}},
		{
			"aliases and merges", ends + "x-of: &of {partition: day(at), sort: id}\ntables: {a: *of, b: {<<: *of, sort: at}}\n", nil,
			[]string{"snapshot", "fake://h/shop", "folder:lake", "--tables=a,b", "--partition=a: day(at)", "--partition=b: day(at)", "--sort=a: id", "--sort=b: at"},
		},
		{"sections", ends + "memory: 1GiB\nsnapshot: {mode: append, memory: 2GiB}\ntail: {commit-interval: 30s}\ndump:\n", nil, []string{"snapshot", "fake://h/shop", "folder:lake", "--memory=2GiB", "--mode=append"}},
		{"the section of another command", ends + "snapshot: {mode: append}\ntail: {commit-interval: 30s}\n", []string{"tail"}, []string{"tail", "fake://h/shop", "folder:lake", "--commit-interval=30s"}},
		{"topics", "source: kafka://h:9092/t\nsink: file:out\nformat: csv\nfile-format: tsv\ngroup: g", []string{"dump"}, []string{"dump", "kafka://h:9092/t", "file:out", "--format=csv", "--file-format=tsv", "--group=g"}},
		{"check", ends + "tables: {orders: {where: a > 5, columns: id}}\nsnapshot: {mode: append}\ntail: {keyless: append}\n", []string{"check", "--for=snapshot"}, []string{"check", "fake://h/shop", "folder:lake", "--for=snapshot", "--tables=orders", "--where=orders: a > 5", "--columns=orders: id", "--mode=append"}},
		{"check of a source alone", "source: fake://h/shop\ntail: {server-id: 7}", []string{"check"}, []string{"check", "fake://h/shop", "--server-id=7"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			writeJob(t, c.file)
			args := append(slices.Clone(c.args), "--config=job.yaml")
			if len(c.args) == 0 || !slices.Contains([]string{"tail", "dump", "check"}, c.args[0]) {
				args = append([]string{"snapshot"}, args...)
			}
			got, notes, err := runWith(t, args...)
			if err != nil {
				t.Fatalf("with the file: %v (%s)", err, hint.Of(err))
			}
			want, _, err := runWith(t, c.flags...)
			if err != nil {
				t.Fatalf("with flags: %v", err)
			}
			if got.String() != want.String() {
				t.Errorf("with the file:\n%s\nwith flags:\n%s", got, want)
			}
			if notes != "" {
				t.Errorf("printed %q", notes)
			}
		})
	}
}

// TestConfigMistakes has a file with each mistake, and what is said of it.
func TestConfigMistakes(t *testing.T) {
	const ends = "source: fake://h/shop\nsink: folder:lake\n"
	for _, c := range []struct{ file, want, hint string }{
		// What is no YAML, or another.
		{"", "job.yaml holds nothing", "config example"},
		{"# nothing\n", "job.yaml holds nothing", ""},
		{"---\n", "job.yaml holds nothing", ""},
		{"~\n", "job.yaml holds nothing", ""},
		{"- a\n", "job.yaml:1: wants keys and values, not a list", ""},
		{"snapshot\n", `job.yaml:1: wants keys and values, not "snapshot"`, ""},
		{ends + "---\nsource: b\n", "job.yaml:3: another document begins", ""},
		{ends + "tables:\n\torders:\n", "job.yaml:4: no YAML: found character that cannot start any token", "not with tabs"},
		{ends + "tables:\n  *:\n", "job.yaml:4: no YAML: ", "'single quotes'"},
		{ends + "where: orders: a > 5\n", "job.yaml:3: no YAML: mapping values are not allowed in this context", "'single quotes'"},
		{ends + "tables: *nobody\n", "job.yaml is no YAML: unknown anchor 'nobody' referenced", ""},
		{"source: \xff\xfe\n", "no YAML: ", ""},
		{ends + "sink: folder:b\n", "job.yaml:3: sink: stands here twice: line 2 has it too", ""},
		{ends + "[a]: b\n", "job.yaml:3: wants a name before the colon, not a list", ""},
		{ends + "memory: !!binary aGFsbG8=\n", "job.yaml:3: memory: wants one text or number, not ", ""},
		{ends + "memory: !size 1GiB\n", "job.yaml:3: memory: wants one text or number, not ", ""},

		// Keys.
		{ends + "paralllel: 3\n", `job.yaml:3: unknown key "paralllel"`, "did you mean parallel?"},
		{ends + "commit_interval: 3s\n", `job.yaml:3: unknown key "commit_interval"`, "did you mean commit-interval?"},
		{ends + "partition-by: day(at)\n", `job.yaml:3: unknown key "partition-by"`, "did you mean partition?"},
		{ends + "--memory: 1GiB\n", `job.yaml:3: unknown key "--memory"`, "did you mean memory?"},
		{"sources: fake://h/shop\n", `job.yaml:1: unknown key "sources"`, "did you mean source?"},
		{ends + "snapshots: {mode: append}\n", `job.yaml:3: unknown key "snapshots"`, "did you mean snapshot?"},
		{ends + "something: else\n", `job.yaml:3: unknown key "something"`, "called as the flags"},
		{ends + "config: job.yaml\n", `job.yaml:3: unknown key "config"`, ""},
		{ends + "help: true\n", `job.yaml:3: unknown key "help"`, ""},
		{ends + "codec: gzip\n", `job.yaml:3: unknown key "codec"`, ""},
		{ends + "commit-interval: 3s\n", "job.yaml:3: commit-interval: snapshot has no such flag", "tail and dump have it: write it in a section 'tail:'"},
		{ends + "tail: {mode: append}\n", "job.yaml:3: mode: tail has no such flag", "snapshot has it"},
		{ends + "tail:\n  mod: append\n", `job.yaml:4: unknown key "mod"`, ""},
		{ends + "tail: [a]\n", "job.yaml:3: tail: wants keys of its own, not a list", ""},
		{ends + "check: {tables: {orders: {partition: a}}}\n", "job.yaml:3: orders: check has no --partition", "snapshot, tail and dump have it"},

		// Values.
		{ends + "parallel: many\n", `job.yaml:3: parallel: wants a whole number, not "many"`, ""},
		{ends + "parallel: 2.5\n", `job.yaml:3: parallel: wants a whole number, not "2.5"`, ""},
		{ends + "parallel: [2]\n", "job.yaml:3: parallel: wants a whole number, not a list", ""},
		{ends + "parallel: {a: 2}\n", "job.yaml:3: parallel: wants a whole number, not keys and values", ""},
		{ends + "parallel:\n", "job.yaml:3: parallel: has no value", "without the line"},
		{ends + "parallel: 0\n", "job.yaml:3: parallel: --parallel must be at least 1", ""},
		{ends + "memory: lots\n", `job.yaml:3: memory: "lots": want a size such as 512MiB`, ""},
		{ends + "memory: 1MiB\n", "job.yaml:3: memory: --memory must be at least 64MiB", ""},
		{ends + "checkpoint-interval: 30\n", `job.yaml:3: checkpoint-interval: wants a duration such as 90s or 5m, not "30"`, ""},
		{ends + "header: yes\n", `job.yaml:3: header: wants true or false, not "yes"`, ""},
		{ends + "header: 1\n", `job.yaml:3: header: wants true or false, not "1"`, ""},
		{ends + "mode: overwrite\n", `job.yaml:3: mode: "overwrite": want create, append, evolve or replace`, ""},
		{ends + "property: [a=b, [c]]\n", "job.yaml:3: property: entry 2 of the list is a list", ""},
		{ends + "property:\n- a=b\n- c\n", `job.yaml:5: property: --property "c": want key=value`, ""},
		{ends + "exclude: []\n", "job.yaml:3: exclude: --exclude is empty", ""},

		// Ends.
		{"sink: folder:lake\n", "SOURCE is missing", "write 'source: URL'"},
		{"source: fake://h/shop\n", "SINK is missing", "write 'sink: URL'"},
		{"source:\nsink: folder:lake\n", "job.yaml:1: source: wants a URL, not nothing", ""},
		{"source: ''\nsink: folder:lake\n", `job.yaml:1: source: wants a URL, not ""`, ""},
		{"source: fake://h/shop\nsink: [folder:lake]\n", "job.yaml:2: sink: wants a URL, not a list", ""},
		{"source: mysql://u:${PW}@h/shop\nsink: folder:lake\n", "job.yaml:1: source: variables of the environment are not put in", "TABLEHAUL_PASSWORD"},
		{"source: mysq://h/shop\nsink: folder:lake\n", `job.yaml:1: source: SOURCE: unknown scheme "mysq"`, "did you mean mysql:?"},
		{"source: fake://h/shop\nsink: ./lake\n", "job.yaml:2: sink: SINK is not the URL of a known kind", "did you mean iceberg:./lake?"},

		// Tables.
		{ends + "tables: []\n", "job.yaml:3: tables: it is empty", ""},
		{ends + "tables: {}\n", "job.yaml:3: tables: it is empty", ""},
		{ends + "tables:\n", "job.yaml:3: tables: has no value", ""},
		{ends + "tables: [a, '']\n", "job.yaml:3: tables: --tables holds an empty pattern", ""},
		{ends + "tables:\n- a\n- b\n- a\n", "job.yaml:6: tables: a stands here twice: line 4 has it too", ""},
		{ends + "tables: a,b, a\n", "job.yaml:3: tables: a stands here twice", ""},
		{ends + "tables:\n  a:\n  b:\n  a: {sort: id}\n", "job.yaml:6: a: stands here twice: line 4 has it too", ""},
		{ends + "tables:\n- a: {sort: id}\n", "job.yaml:4: tables: wants a table or a pattern, not keys and values", "without a dash"},
		{ends + "tables:\n  a: day(at)\n", `job.yaml:4: a: wants keys and values, not "day(at)"`, ""},
		{ends + "tables:\n  a: {sorted: id}\n", `job.yaml:4: a: unknown key "sorted"`, "did you mean sort?"},
		{ends + "tables:\n  a: {mode: append}\n", "job.yaml:4: a: mode is not said of single tables", "columns, partition, set, sort, where"},
		{ends + "tables:\n  a:\n    sort:\n", "job.yaml:5: a: sort: has no value", ""},
		{ends + "tables:\n  a:\n    sort: ''\n", "job.yaml:5: a: sort: \"\": it is empty", ""},
		{ends + "tables:\n  a: {sort: {id: desc}}\n", "job.yaml:4: a: sort: wants a text or a list of them, not keys and values", ""},
		{ends + "tables:\n  a: {sort: id}\nsort: 'a: at'\n", "sort: two --sort are meant for a", ""},
		{ends + "sort: {a: id, b: at, a: at}\n", "job.yaml:3: a: stands here twice", ""},
		{"source: fake://h/shop\nsink: iceberg:lake\ntables:\n  a: {partition: day(at)}\n  b:\n    partition: week(at)\n", "job.yaml:6: b: partition: partition \"week(at)\": week is no transform", ""},
	} {
		writeJob(t, c.file)
		_, _, err := runWith(t, "snapshot", "--config=job.yaml")
		var usage *usageError
		switch {
		case err == nil:
			t.Errorf("%q: no error, want %q", c.file, c.want)
		case !strings.Contains(err.Error(), c.want) || !strings.Contains(hint.Of(err), c.hint):
			t.Errorf("%q:\n got %v (%s)\nwant %s (%s)", c.file, err, hint.Of(err), c.want, c.hint)
		case !errors.As(err, &usage):
			t.Errorf("%q: it is no wrong usage: %v", c.file, err)
		}
	}
}

// TestConfigChecked has check find what the commands find that a file is for.
func TestConfigChecked(t *testing.T) {
	const ends = "source: fake://h/shop\nsink: folder:lake\n"
	for _, c := range []struct {
		file  string
		args  []string
		want  []string // errors
		notes string
	}{
		{file: ends + "snapshot: {mode: append}\ntail: {commit-interval: 30s}\n"},
		{file: ends + "commit-interval: 30s\n", notes: "job.yaml:3: commit-interval: snapshot has no such flag"},
		{file: ends + "commit-interval: 30s\n", args: []string{"--for=tail"}},
		{file: ends + "commit-interval: 30s\n", args: []string{"--for=both"}, want: []string{"job.yaml:3: commit-interval: snapshot has no such flag"}},
		{file: ends + "commit-interval: 30s\nmode: append\n", want: []string{"job.yaml:3: commit-interval: snapshot has no", "job.yaml:4: mode: tail has no"}},
		{file: ends + "tail: {commit-interval: -3s}\nsnapshot: {parallel: 0}\nmemroy: 3\n", want: []string{"job.yaml:5: unknown key \"memroy\""}},
		{file: ends + "tail: {commit-interval: -3s}\nsnapshot: {parallel: -1}\n", want: []string{"job.yaml:3: commit-interval: --commit-interval must be at least 1ms", "job.yaml:4: parallel: --parallel must be at least 1"}},
		{file: "source: kafka://h/t\nsink: iceberg:lake\nuntil: now\n", want: []string{"job.yaml:3: until: --until now is not known"}},
	} {
		writeJob(t, c.file)
		_, notes, err := runWith(t, append([]string{"check", "--config=job.yaml"}, c.args...)...)
		got := ""
		if err != nil {
			got = err.Error()
		}
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("%q: got %q, want %q in it", c.file, got, want)
			}
		}
		if len(c.want) == 0 && err != nil || !strings.Contains(notes, c.notes) || c.notes == "" && notes != "" {
			t.Errorf("%q: got %v, %q", c.file, err, notes)
		}
	}
}

// TestConfigExample takes the example for the commands that it is of, and finds it in the docs.
func TestConfigExample(t *testing.T) {
	docs, err := os.ReadFile("../../docs/config.md")
	indented := strings.ReplaceAll(strings.ReplaceAll("\n"+configExample, "\n", "\n    "), "\n    \n", "\n\n")
	if err != nil || !bytes.Contains(docs, []byte(strings.TrimRight(indented, " "))) {
		t.Errorf("docs/config.md does not have the example (%v)", err)
	}
	writeJob(t, configExample)
	for _, args := range [][]string{{"snapshot"}, {"tail"}, {"check"}, {"check", "--for=both"}} {
		if _, notes, err := runWith(t, append(args, "--config=job.yaml")...); err != nil || notes != "" {
			t.Errorf("%q: %v %s", args, err, notes)
		}
	}
}

// TestConfigSecrets has a password of a file hidden in what is printed.
func TestConfigSecrets(t *testing.T) {
	writeJob(t, "source: mysql://app:ge%40heim@h/shop\nsink: iceberg+rest://h?token=verborgen\nreplicas: ['mysql://app:auchgeheim@h2']\n")
	hide := newSecrets(nil)
	before := hide // a copy, such as output has
	if _, err := readJob("job.yaml", nil, hide); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"mysql://app:ge%40heim@h/shop", "mysql://app:ge@heim@h/shop", "token=verborgen", "mysql://app:auchgeheim@h2"} {
		if got := before.redact(text); strings.Contains(got, "heim") || strings.Contains(got, "verborgen") {
			t.Errorf("%s is printed as %s", text, got)
		}
	}
}

// TestConfigBounds has files that are too large, or stand for too much.
func TestConfigBounds(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("x-0: &a0 {a: {sort: id}}\n")
	for i := 1; i < 40; i++ {
		fmt.Fprintf(&bomb, "x-%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i, i, i-1, i-1, i-1, i-1, i-1, i-1, i-1, i-1)
	}
	// 3,000 tables, each with 3,000 keys that an alias has, or with a list of as many columns.
	var wide, wrong strings.Builder
	wrong.WriteString("x-a: &a\n")
	wide.WriteString("x-a: &a\n")
	for i := range 3000 {
		fmt.Fprintf(&wrong, "  k%d: 1\n", i)
		fmt.Fprintf(&wide, "- k%d\n", i)
	}
	wrong.WriteString("tables:\n")
	wide.WriteString("tables:\n")
	for i := range 3000 {
		fmt.Fprintf(&wrong, "  t%d: {<<: *a}\n", i)
		fmt.Fprintf(&wide, "  t%d: {columns: *a}\n", i)
	}
	for _, c := range []struct{ name, file, want string }{
		{"10 MB", "source: a\n" + strings.Repeat("# 456789\n", 10<<20/9), "job.yaml holds more than 8MiB"},
		{"a bomb of aliases", bomb.String() + "tables: *a39\n", "wants a table or a pattern, not a list"},
		{"many mistakes", wrong.String(), "unknown key \"k99\""},
		{"wide aliases", wide.String(), "the file's aliases (*NAME) stand for too much"},
		{"an alias of itself", "tables: &a\n  b: *a\n", "b: unknown key \"b\""},
		{"a merge of itself", "tables: &a\n  <<: *a\n", "what is merged must not merge more itself"},
		{"a list of itself", "tables: &a [*a]\n", "wants a table or a pattern, not a list"},
		{"deep", "tables: " + strings.Repeat("[", 20000), "no YAML: exceeded max depth"},
	} {
		writeJob(t, c.file)
		if _, _, err := runWith(t, "snapshot", "--config=job.yaml"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %.300v, want %q", c.name, err, c.want)
		}
	}
	for _, path := range []string{"", "nothing.yaml", "."} {
		if _, _, err := runWith(t, "snapshot", "--config="+path); err == nil || !strings.Contains(err.Error(), "--config") {
			t.Errorf("--config=%s: got %v", path, err)
		}
	}
}

// manyTables is a job of so many tables, each with what is said of it.
func manyTables(n int) string {
	var b strings.Builder
	b.WriteString("source: fake://h/shop\nsink: iceberg:lake\ntables:\n")
	for i := range n {
		fmt.Fprintf(&b, "  shop_%d.orders_%d:\n    partition: day(created_at)\n    sort: id\n    where: total > %d\n    columns: [id, total, created_at]\n", i%8, i, i)
	}
	return b.String()
}

// BenchmarkConfig reads a file of so many tables and brings it to flags.
func BenchmarkConfig(b *testing.B) {
	for _, n := range []int{1000, 5000, 20000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "job.yaml")
			if err := os.WriteFile(path, []byte(manyTables(n)), 0o600); err != nil {
				b.Fatal(err)
			}
			p := &program{console: &console{stderr: io.Discard}, stores: all(), hide: newSecrets(nil)}
			p.stores.sources["fake"] = sourceKind{}
			for b.Loop() {
				root := p.onlyChecking()
				p.takeFiles(root)
				root.SetArgs([]string{"snapshot", "--config=" + path})
				if err := root.Execute(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// FuzzConfig has files of any kind end in an error or not, and be told by their name.
func FuzzConfig(f *testing.F) {
	for _, text := range []string{configExample, "", "a: &a [*a]\n", "tables: {<<: [{a: }, {b: }]}\nsort: {a: b}\n", "source: [a, b]\nsink: |\n  c\nmemory: 0x10\n", manyTables(2)} {
		f.Add(text)
	}
	path := filepath.Join(f.TempDir(), "job.yaml")
	f.Fuzz(func(t *testing.T, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		p := &program{console: &console{stderr: io.Discard}, stores: all(), hide: newSecrets(nil)}
		root := p.onlyChecking()
		commands := withFiles(root)
		file, err := readJob(path, namesOf(commands), p.hide)
		if err == nil {
			_, wrong := p.applyJob(file, commands[0], commands)
			err = errors.Join(wrong...)
		}
		if err != nil && !strings.Contains(err.Error(), path) {
			t.Errorf("%q: %v", text, err)
		}
	})
}
