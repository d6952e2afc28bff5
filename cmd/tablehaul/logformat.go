package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/message"
)

// logOptions say what topics hold whose messages are no changes of tables.
type logOptions struct {
	schema, table   string
	delimiter, null string
	header, origin  bool

	columns []message.LogColumn // of the schema; nil without one
}

// logFlags are those of logOptions.
var logFlags = []string{"schema", "table", "csv-delimiter", "csv-header", "csv-null", "origin-columns"}

func (o *logOptions) register(f *pflag.FlagSet) {
	f.StringVar(&o.schema, "schema", "", "columns of json and csv: a `file` of lines NAME TYPE [PATH]\n(default inferred from the first messages)")
	f.StringVar(&o.table, "table", "", "`name` of the table that json and csv go to: table or database.table\n(default the topic's)")
	f.StringVar(&o.delimiter, "csv-delimiter", ",", "`character` between the fields of csv; tab is one too")
	f.BoolVar(&o.header, "csv-header", false, "the first line of each csv message names the fields")
	f.StringVar(&o.null, "csv-null", "", "`text` without quotes that stands for NULL in csv")
	f.Lookup("csv-null").DefValue = ""
	f.BoolVar(&o.origin, "origin-columns", false, "add _topic, _partition, _offset and _time to lines of json and csv")
}

// A messageFormat is the value of a dump's --format.
type messageFormat struct{ *oneOf }

// Set has the formats of plain files told from those of messages.
func (m messageFormat) Set(s string) error {
	err := m.oneOf.Set(s)
	if err != nil && newFileFormat().Set(s) == nil {
		return hint.Wrap(err, "--format is that of messages: --%s %s is that of plain files", fileFormatFlag, s)
	}
	return err
}

// isLog reports whether a format is one of lines.
func isLog(format string) bool { return slices.Contains(message.LogFormats, format) }

// check finds what is wrong with the options, and reads the schema.
func (o *logOptions) check(given func(flag string) bool, format string) error {
	for _, flag := range logFlags {
		wants := "json or csv"
		ok := isLog(format)
		if strings.HasPrefix(flag, "csv-") {
			wants, ok = "csv", format == "csv"
		}
		if given(flag) && !ok {
			return hint.Wrap(fmt.Errorf("--%s is for lines that are no changes of tables", flag), "it goes with --format %s", wants)
		}
	}
	if d := o.separator(); len(o.delimiter) != 1 && d == 0 || strings.ContainsRune("\"\r\n\x00", rune(d)) || d >= 0x80 {
		return hint.Wrap(fmt.Errorf("--csv-delimiter %q cannot stand between fields", o.delimiter), "want one character of ASCII, such as ';', or tab")
	}
	if given("table") {
		if db, name, ok := strings.Cut(o.table, "."); db == "" || ok && (name == "" || strings.Contains(name, ".")) {
			return hint.Wrap(fmt.Errorf("--table %q is no name of a table", o.table), "want table or database.table")
		}
	}
	if !given("schema") {
		return nil
	}
	text, err := os.ReadFile(o.schema)
	if err != nil {
		return fmt.Errorf("--schema: %w", err)
	}
	if o.columns, err = message.ParseLogSchema(string(text)); err != nil {
		return fmt.Errorf("--schema %s: %w", o.schema, err)
	}
	for _, c := range o.columns {
		if format == "csv" && len(c.Path) != 1 {
			return errors.New("--schema " + o.schema + ": fields of csv have no members: column " + c.Name + " has a path with dots")
		}
	}
	return nil
}

// separator is the byte between fields, 0 if there is none.
func (o *logOptions) separator() byte {
	switch {
	case o.delimiter == "tab" || o.delimiter == `\t`:
		return '\t'
	case len(o.delimiter) == 1:
		return o.delimiter[0]
	}
	return 0
}

// logDB is the database of topics whose names tell none.
const logDB = "logs"

// names returns the table that a topic's lines go to: that which was asked for, or that of
// the topic's name, which has its database before the first dot.
func (o *logOptions) names(topic string) (db, table string) {
	db, table, ok := strings.Cut(topic, ".")
	if !ok || db == "" || table == "" {
		db, table = logDB, topic
	}
	if o.table == "" {
		return db, table
	}
	if d, t, ok := strings.Cut(o.table, "."); ok {
		return d, t
	}
	return db, o.table
}

// decoder returns what reads the messages of a topic.
func (o *logOptions) decoder(format, topic string, to message.Target) (message.Decoder, error) {
	db, table := o.names(topic)
	r, err := message.NewLogReader(message.LogOptions{
		Format: format, DB: db, Table: table, Columns: o.columns, Origin: o.origin,
		Delimiter: o.separator(), Header: o.header, Null: o.null,
	}, to)
	if err != nil {
		return nil, err // not a *message.LogReader that is nil
	}
	return r, nil
}
