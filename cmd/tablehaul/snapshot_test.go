package main

import (
	"context"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// parse runs the command with a run function that only keeps what it is given.
func parse(args ...string) (snapshotOptions, error) {
	var got snapshotOptions
	cmd := newSnapshot(func(_ context.Context, o snapshotOptions) error {
		got = o
		return nil
	})
	cmd.SetArgs(append([]string{"mysql://h/shop", "iceberg:./lake"}, args...))
	cmd.SetOut(io.Discard)
	cmd.SetErr(io.Discard)
	cmd.SilenceErrors, cmd.SilenceUsage = true, true
	return got, cmd.Execute()
}

func TestSnapshotDefaults(t *testing.T) {
	o, err := parse()
	if err != nil {
		t.Fatal(err)
	}
	want := snapshotOptions{moveOptions: moveOptions{
		source: "mysql://h/shop", sources: []string{"mysql://h/shop"}, sink: "iceberg:./lake",
		parallel: defaultParallel(), memory: 512 << 20, layout: newLayoutOptions(), keepEvery: 30 * time.Second,
		gentle: gentleOptions{maxParallel: defaultParallel(), lockWait: 2 * time.Second},
	}}
	mode, zero := o.mode.value, o.zeroDate.value
	o.mode, o.zeroDate, o.watch = nil, nil, watchOptions{}
	o.layout.given, want.layout.given, o.layout.formatFlag = nil, nil, ""
	o.layout.files.format, want.layout.files.format = nil, nil
	if !reflect.DeepEqual(o, want) || mode != "create" || zero != "null" {
		t.Errorf("got %+v %s %s, want %+v", o, mode, zero, want)
	}
}

func TestSnapshotFlags(t *testing.T) {
	o, err := parse("--tables", "a, b.*", "--tables", `"c,d"`, "--exclude", "x_*", "--parallel", "7", "--memory", "1GB",
		"--mode", "append", "--zero-date", "fail", "--compression", "none", "--target-file-size", "64m", "--dry-run", "-q", "--json")
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"a", "b.*", "c,d"}; !reflect.DeepEqual(o.tables, want) {
		t.Errorf("tables %q, want %q", o.tables, want)
	}
	if want := []string{"x_*"}; !reflect.DeepEqual(o.exclude, want) {
		t.Errorf("exclude %q, want %q", o.exclude, want)
	}
	if o.parallel != 7 || o.memory != 1e9 || o.layout.targetFileSize != 64<<20 || !o.dryRun || !o.quiet || !o.json {
		t.Errorf("got %+v", o)
	}
	if o.mode.value != "append" || o.zeroDate.value != "fail" || o.layout.compression != "none" {
		t.Errorf("got %s %s %s", o.mode.value, o.zeroDate.value, o.layout.compression)
	}
}

func TestByteSize(t *testing.T) {
	for in, want := range map[string]int64{
		"1073741824": 1 << 30, "512MiB": 512 << 20, "1GB": 1e9, "1 GiB": 1 << 30, "64m": 64 << 20, "1.5k": 1536, "0": 0, "3b": 3,
	} {
		var b byteSize
		if err := b.Set(in); err != nil || int64(b) != want {
			t.Errorf("%q: %d %v, want %d", in, b, err, want)
		}
	}
	for _, in := range []string{"", "MiB", "12XB", "-1", "1e3", "99999999TiB", "1.2.3"} {
		var b byteSize
		if err := b.Set(in); err == nil {
			t.Errorf("%q was taken, as %d", in, b)
		}
	}
	for in, want := range map[byteSize]string{512 << 20: "512MiB", 1e9: "1000000000", 1 << 40: "1TiB", 1536: "1536", 0: "0"} {
		if got := in.String(); got != want {
			t.Errorf("%d is printed as %q, want %q", int64(in), got, want)
		}
	}
}

func TestRedact(t *testing.T) {
	for arg, want := range map[string]string{
		"mysql://app:pw@db:3306/shop":                  "mysql://app:***@db:3306/shop",
		"mysql://app:p@w@db/shop?x=a@b":                "mysql://app:***@db/shop?x=a@b",
		"mysql://:pw@db/shop":                          "mysql://:***@db/shop",
		"mysql://app@db/shop":                          "mysql://app@db/shop",
		"mysql://app:1/2@db/shop":                      "mysql://app:***@db/shop",
		"mysql://db:3306/shop":                         "mysql://db:3306/shop",
		"iceberg+rest://h:8181/ns?warehouse=s3://a@b":  "iceberg+rest://h:8181/ns?warehouse=s3://a@b",
		"iceberg+rest://h?token=abc&x=y":               "iceberg+rest://h?token=***&x=y",
		"iceberg+sql:postgres://u:pw@h/cat?sslmode=no": "iceberg+sql:postgres://u:***@h/cat?sslmode=no",
		"iceberg:x?sas=sv=1&sig=abc&signing=x":         "iceberg:x?sas=sv=1&sig=***&signing=x",
		"iceberg:./lake":                               "iceberg:./lake",
	} {
		if got := newSecrets([]string{arg}).redact(arg); got != want {
			t.Errorf("%s: printed as %s, want %s", arg, got, want)
		}
	}
	// As a library prints it, unescaped.
	s := newSecrets([]string{"mysql://app:a%2Fb%20c@db"})
	if got := s.redact(`dial app:a/b c@db, parse "mysql://app:a%2Fb%20c@db"`); got != `dial app:***@db, parse "mysql://app:***@db"` {
		t.Error(got)
	}
}

func TestUnfold(t *testing.T) {
	a, b := errors.New("a.b: broken"), errors.New("a.c: broken")
	for _, c := range []struct {
		err   error
		head  string
		parts int
	}{
		{a, "a.b: broken", 0},
		{errors.Join(a, b), "2 errors", 2},
		{wrap("half done: ", errors.Join(a, b)), "half done", 2},
		{wrap("half done: ", errors.Join(nil, a)), "half done: a.b: broken", 0},
	} {
		head, parts := unfold(c.err)
		if head != c.head || len(parts) != c.parts {
			t.Errorf("%q: %q and %d parts, want %q and %d", c.err, head, len(parts), c.head, c.parts)
		}
	}
}

func TestOneLine(t *testing.T) {
	table := &schema.TableError{Table: "a.b", Err: errors.New("broken")}
	for want, err := range map[string]error{
		"half done":             wrap("half done: ", errors.Join(table, table)),
		"open: no such; denied": wrap("open: ", errors.Join(errors.New("no such"), errors.New("denied"))),
		"a.b: broken":           table,
	} {
		if got := oneLine(err); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

type wrapped struct {
	text string
	error
}

func wrap(text string, err error) error { return wrapped{text, err} }

func (w wrapped) Error() string { return w.text + w.error.Error() }
func (w wrapped) Unwrap() error { return w.error }

// TestPrintError prints one hint for tables that share it.
func TestPrintError(t *testing.T) {
	var out strings.Builder
	var many []error
	for range 12 {
		many = append(many, errors.New("a.b: bro\x1bken"))
	}
	printError(&console{stderr: &out}, wrap("incomplete: ", errors.Join(many...)))
	got := out.String()
	if n := strings.Count(got, "\n"); n != 12 || !strings.HasPrefix(got, "tablehaul: incomplete\n  a.b: bro\\x1bken\n") || !strings.HasSuffix(got, "\n  … and 2 more\n") {
		t.Errorf("%d lines:\n%s", n, got)
	}
}

// TestWarn tells each warning once.
func TestWarn(t *testing.T) {
	var out strings.Builder
	c := &console{stderr: &out}
	for range 3 {
		c.warn("a\nb")
		c.warn("c")
	}
	if want := "tablehaul: warning: a b\ntablehaul: warning: c\n"; out.String() != want {
		t.Errorf("got %s", &out)
	}
}
