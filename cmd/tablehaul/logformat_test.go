package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"

	"github.com/tablehaul/tablehaul/pkg/message"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

func parseLog(t *testing.T, format string, args ...string) (logOptions, error) {
	t.Helper()
	var o logOptions
	f := pflag.NewFlagSet("", pflag.ContinueOnError)
	o.register(f)
	if err := f.Parse(args); err != nil {
		t.Fatal(err)
	}
	return o, o.check(f.Changed, format)
}

func TestLogFlagsRefused(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, c := range []struct {
		format, flag, value, want string
	}{
		{"canal-json", "schema", "x", "--schema is for lines"},
		{"auto", "table", "x", "--table is for lines"},
		{"auto", "origin-columns", "true", "--origin-columns is for lines"},
		{"json", "csv-header", "true", "--csv-header is for lines"},
		{"json", "csv-delimiter", ";", "--csv-delimiter is for lines"},
		{"csv", "csv-delimiter", "", "cannot stand between fields"},
		{"csv", "csv-delimiter", ";;", "cannot stand between fields"},
		{"csv", "csv-delimiter", "\"", "cannot stand between fields"},
		{"csv", "csv-delimiter", "\n", "cannot stand between fields"},
		{"csv", "csv-delimiter", "é", "cannot stand between fields"},
		{"csv", "csv-delimiter", "\xe9", "cannot stand between fields"},
		{"csv", "table", "", "is no name of a table"},
		{"csv", "table", ".x", "is no name of a table"},
		{"csv", "table", "a.b.c", "is no name of a table"},
		{"json", "schema", filepath.Join(dir, "none"), "no such file"},
		{"json", "schema", file("bad", "id long\nat time"), `line 2: type "time" is not known`},
		{"json", "schema", file("empty", ""), "it has no columns"},
		{"csv", "schema", file("path", "id long a.b"), "a path with dots"},
	} {
		if _, err := parseLog(t, c.format, "--"+c.flag+"="+c.value); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("--format %s --%s %q: got %v, want %s", c.format, c.flag, c.value, err, c.want)
		}
	}
	for _, format := range []string{"auto", "json", "csv"} {
		if _, err := parseLog(t, format); err != nil {
			t.Errorf("%s: %v", format, err)
		}
	}
}

// A lineTarget notes the tables that it is asked for, and wants none.
type lineTarget struct{ tables []string }

func (c *lineTarget) Rows(t *schema.Table) (*message.Rows, error) {
	names := t.String()
	for _, f := range t.Columns {
		names += " " + f.Name
	}
	c.tables = append(c.tables, names)
	return nil, nil //nolint:nilnil // what Target says
}

func (c *lineTarget) Emptied(string, string, message.Change) error { return nil }

func TestLogDecoder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "columns")
	if err := os.WriteFile(file, []byte("at timestamptz\nuser string user.id\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		format string
		args   []string
		topic  string
		value  string
		want   string
	}{
		{"json", nil, "clicks", `{"a":1}`, "logs.clicks a"},
		{"json", []string{"--schema", file}, "web.eu.clicks", `{"a":1}`, "web.eu.clicks at user"},
		{"json", []string{"--table", "events"}, "web.clicks", `{"a":1}`, "web.events a"},
		{"json", []string{"--table", "lake.events", "--origin-columns"}, "web.clicks", `{"a":1}`, "lake.events a _topic _partition _offset _time"},
		{"csv", []string{"--csv-delimiter", "tab", "--csv-header"}, "clicks.", "a\tb,c\n1\t2", "logs.clicks. a b,c"},
		{"csv", []string{"--csv-delimiter", ";", "--csv-null", `\N`}, "clicks", `1;\N;`, "logs.clicks c1 c3"},
	} {
		o, err := parseLog(t, c.format, c.args...)
		if err != nil {
			t.Fatal(err)
		}
		var to lineTarget
		d, err := o.decoder(c.format, c.topic, &to)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Decode(nil, []byte(c.value)); err != nil {
			t.Error(err)
		}
		if got := strings.Join(to.tables, "; "); got != c.want {
			t.Errorf("%s %q: got %s, want %s", c.topic, c.args, got, c.want)
		}
	}
}
