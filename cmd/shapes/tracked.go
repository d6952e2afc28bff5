package main

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/reader/mysql/binlog"
	"github.com/tablehaul/tablehaul/pkg/schema/ddl"
)

type name = binlog.Name

// A tracker has the shapes of tables as statements make them.
type tracker struct {
	s      *server
	tables map[name]*ddl.Table
	// asked are tables of which the server has told what they are since statements were last looked for:
	// what comes of these statements is in it already.
	asked map[name]bool
}

// of is the server as a statement was read by it.
func (s *server) of(q logged) ddl.Server {
	d := s.Server
	d.ImplicitTimestamps = q.ImplicitTimestamps(s.Maria)
	return d
}

// fold is a name as the server compares it.
func (t *tracker) fold(n name) name {
	if t.s.folds {
		return name{DB: strings.ToLower(n.DB), Table: strings.ToLower(n.Table)}
	}
	return n
}

// apply applies a statement, and returns the tables that it is about.
func (t *tracker) apply(q logged, r *report) ([]name, error) {
	st, text := binlog.ParseStatement(q.DB, string(q.Query)), string(q.Query)
	for i, n := range st.Tables {
		st.Tables[i] = t.fold(n)
	}
	switch st.Kind {
	case binlog.ChangeRows:
		r.fail("tail would end here: it takes the statement for a change of rows", text)
		return nil, nil
	case binlog.DropTable:
		for _, n := range st.Tables {
			delete(t.tables, n)
		}
	case binlog.DropDatabase:
		db := st.Tables[0].DB
		for n := range t.tables {
			if n.DB == db {
				delete(t.tables, n)
			}
		}
		return nil, nil
	case binlog.CreateTable:
		return st.Tables, t.create(st, q, r)
	case binlog.AlterTable, binlog.ReplaceRows, binlog.RenameTable:
		if st.Kind != binlog.RenameTable || alters.MatchString(text[skipSpace(text):]) {
			if err := t.alter(st.Tables[0], q, r); err != nil {
				return nil, err
			}
		}
		if st.Kind == binlog.RenameTable {
			t.rename(st.Tables)
		}
		for _, n := range st.Tables[1:] { // CONVERT PARTITION and TABLE
			if st.Kind == binlog.ReplaceRows {
				if err := t.look(n); err != nil {
					return nil, err
				}
			}
		}
	}
	return st.Tables, nil
}

// alters tells ALTER TABLE … RENAME from RENAME TABLE.
var alters = regexp.MustCompile(`(?is)^(?:set\s+statement\s.*\sfor\s+)?(?:/\*.*?\*/\s*)?alter\b`)

func (t *tracker) create(st binlog.Statement, q logged, r *report) error {
	n := st.Tables[0]
	if t.tables[n] != nil && st.IfNotExists || t.asked[n] {
		return nil
	}
	charset, err := t.s.charset(n.DB)
	if err != nil {
		return err
	}
	made, err := t.s.of(q).Create(string(q.Query), charset, func(db, table string) *ddl.Table {
		if db == "" {
			db = q.DB
		}
		return t.tables[t.fold(name{DB: db, Table: table})]
	})
	return t.took(n, made, err, string(q.Query), r)
}

func (t *tracker) alter(n name, q logged, r *report) error {
	text := string(q.Query)
	was := t.tables[n]
	if was == nil || t.asked[n] { // a view perhaps, which shows where it is not
		return nil
	}
	after, err := t.s.of(q).Alter(was, text)
	if err != nil {
		return t.took(n, nil, err, text, r)
	}
	return t.took(n, after.Table, nil, text, r)
}

// took notes what a statement has made of a table, or asks the server.
func (t *tracker) took(n name, made *ddl.Table, err error, text string, r *report) error {
	if err == nil {
		r.applied++
		t.tables[n] = made
		return nil
	}
	if !errors.Is(err, ddl.ErrUnknown) {
		r.fail(err.Error(), text)
	} else {
		r.cannot(err, text)
	}
	return t.look(n)
}

// look takes a table as the server has it.
func (t *tracker) look(n name) error {
	is, err := t.s.table(n)
	if err != nil {
		return err
	}
	t.asked[n] = true
	if t.tables[n] = is; is == nil {
		delete(t.tables, n)
	}
	return nil
}

func (t *tracker) rename(pairs []name) {
	for i := 0; i+1 < len(pairs); i += 2 {
		is := t.tables[pairs[i]]
		delete(t.tables, pairs[i])
		if t.tables[pairs[i+1]] = is; is == nil {
			delete(t.tables, pairs[i+1])
		}
		t.asked[pairs[i+1]] = t.asked[pairs[i]]
	}
}

// compare holds tables against the server's.
func (t *tracker) compare(names []name, text string, r *report) error {
	for _, n := range names {
		is, err := t.s.table(n)
		if err != nil {
			return err
		}
		if got, want := lines(t.tables[n]), lines(is); got != want {
			r.differs(n, text, got, want)
			if err := t.look(n); err != nil {
				return err
			}
		}
	}
	return nil
}

// all are the tables that the server has in databases, and those that are tracked.
func (t *tracker) all(dbs []string) ([]name, error) {
	var out []name
	for _, db := range dbs {
		rows, err := t.s.rows("SELECT table_name FROM information_schema.tables WHERE table_type IN ('BASE TABLE', 'SYSTEM VERSIONED') AND table_schema = " + quoteText(db))
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			out = append(out, name{DB: db, Table: row[0]})
		}
	}
	for n := range t.tables {
		if !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	return out, nil
}

// lines are what matters of a table's shape, a line a column.
func lines(t *ddl.Table) string {
	if t == nil {
		return "no table"
	}
	var b strings.Builder
	for _, c := range t.Columns {
		fmt.Fprintf(&b, "%s %s null=%v %s %q %v\n", c.Name, c.Native, c.Nullable, c.Charset, c.Comment, c.Arrow)
	}
	fmt.Fprintf(&b, "key %s", strings.Join(t.Key, ","))
	return b.String()
}
