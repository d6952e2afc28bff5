package doristest

import (
	"fmt"
	"net"
	"slices"
	"strings"
)

func (s *session) show(p *parser) (*result, error) {
	switch {
	case p.is("DATABASES"):
		r := &result{names: []string{"Database"}}
		for name := range s.c.dbs {
			r.rows = append(r.rows, []any{name})
		}
		slices.SortFunc(r.rows, func(a, b []any) int { return strings.Compare(a[0].(string), b[0].(string)) })
		return r, nil
	case p.is("ALTER", "TABLE", "COLUMN"):
		return s.showJobs(p)
	case p.is("CREATE", "TABLE"):
		_, name, t, err := s.table(p)
		if err != nil {
			return nil, err
		}
		return &result{names: []string{"Table", "Create Table"}, rows: [][]any{{name, t.ddl()}}}, nil
	case p.is("FULL", "COLUMNS", "FROM"), p.is("COLUMNS", "FROM"):
		db, name, err := p.tableName(s.db)
		if err != nil {
			return nil, err
		}
		return s.columns(db, name)
	case p.is("VARIABLES"), p.is("SESSION", "VARIABLES"):
		return &result{names: []string{"Variable_name", "Value"}, rows: [][]any{{"version_comment", "Doris version doris-2.1.7-stand-in"}}}, nil
	case p.is("FRONTENDS"):
		r := &result{names: []string{"Host", "HttpPort", "IsMaster", "Alive"}}
		for i, fe := range s.c.fe {
			host, port, _ := net.SplitHostPort(fe)
			r.rows = append(r.rows, []any{host, port, fmt.Sprint(i == 0), "true"})
		}
		return r, nil
	case p.is("BACKENDS"):
		r := &result{names: []string{"Host", "HttpPort", "Alive"}}
		for _, be := range s.c.be {
			host, port, _ := net.SplitHostPort(be)
			r.rows = append(r.rows, []any{host, port, "true"})
		}
		return r, nil
	}
	return nil, p.syntax()
}

func (s *session) columns(db, name string) (*result, error) {
	t, err := s.c.table(db, name)
	if err != nil {
		return nil, err
	}
	r := &result{names: []string{"Field", "Type", "Null", "Key", "Default", "Extra", "Comment"}}
	for _, c := range t.visible() {
		r.rows = append(r.rows, []any{c.name, c.typ.String(), yes(c.nullable, "Yes", "No"), yes(c.key, "true", "false"), orNil(c.def), yes(!c.key && t.unique, "NONE", ""), c.comment})
	}
	return r, nil
}

func yes(b bool, then, otherwise string) string {
	if b {
		return then
	}
	return otherwise
}

func orNil(v cell) any {
	if v == nil {
		return nil
	}
	return *v
}

func backquoted(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }

// ddl is what SHOW CREATE TABLE prints.
func (t *table) ddl() string {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE %s (", backquoted(t.name))
	for i, c := range t.visible() {
		fmt.Fprintf(&b, "%s\n  %s %s %s", yes(i > 0, ",", ""), backquoted(c.name), c.typ, yes(c.nullable, "NULL", "NOT NULL"))
		if c.def != nil {
			fmt.Fprintf(&b, " DEFAULT %q", *c.def)
		}
		if c.comment != "" {
			fmt.Fprintf(&b, " COMMENT %q", c.comment)
		}
	}
	return b.String() + "\n) ENGINE=OLAP\n" + t.tail + ";"
}
