package ddl

import (
	"slices"
	"strings"
)

// loosen writes a statement in what of the grammar the parser knows: without what makes no column,
// and with the types that it lacks under another name. It is for statements that the parser refuses.
// table, which may be nil, is the one that is altered. ok is false for what is not understood.
func (s Server) loosen(list []token, table *Table) (out []token, ok bool) {
	r := &reading{list: list}
	switch {
	case r.accept("ALTER"):
		return s.loosenAlter(r, table)
	case r.accept("CREATE"):
		return s.loosenCreate(r)
	}
	return nil, false
}

// words are tokens that are written into a statement.
func words(text string) []token {
	var out []token
	for _, w := range strings.Fields(text) {
		out = append(out, token{text: w})
	}
	return out
}

// name takes a table's name.
func (r *reading) name() []token {
	start := r.i
	r.i++
	for r.look().is(".") {
		r.i += 2
	}
	return r.list[start:min(r.i, len(r.list))]
}

func (s Server) loosenCreate(r *reading) ([]token, bool) {
	r.accept("OR", "REPLACE")
	if !r.accept("TABLE") {
		return nil, false
	}
	out := words("CREATE TABLE")
	r.accept("IF", "NOT", "EXISTS")
	out = append(out, r.name()...)
	if r.look().is("LIKE") {
		return append(out, r.rest()...), true
	}
	body := r.group()
	if len(body) < 3 || body[1].is("LIKE", "SELECT", "WITH", "(") {
		return nil, false
	}
	var defs [][]token
	for _, element := range split(body[1 : len(body)-1]) {
		def, ok := s.element(&reading{list: element})
		if !ok {
			return nil, false
		}
		if def != nil {
			defs = append(defs, def)
		}
	}
	options, ok := s.tableOptions(r)
	out = append(out, token{text: "("})
	out = append(out, joined(defs)...)
	out = append(out, token{text: ")"})
	return append(out, options...), ok
}

// joined puts commas between lists.
func joined(lists [][]token) (out []token) {
	for i, l := range lists {
		if i > 0 {
			out = append(out, token{text: ","})
		}
		out = append(out, l...)
	}
	return out
}

// element is a column's or the primary key's declaration; nil is anything else.
func (s Server) element(r *reading) ([]token, bool) {
	if other, key := r.constraint(); key != nil {
		return key, true
	} else if other {
		return nil, true
	}
	return s.loosenColumn(r)
}

// constraint reads what begins a list's element that is no column, and the primary key if it is that.
func (r *reading) constraint() (is bool, key []token) {
	start := r.i
	if r.accept("CONSTRAINT") && !r.look().is("PRIMARY", "UNIQUE", "FOREIGN", "CHECK") {
		r.accept("IF", "NOT", "EXISTS")
		r.i++
	}
	switch t := r.look(); {
	case t.is("INDEX", "KEY", "FULLTEXT", "UNIQUE", "SPATIAL", "FOREIGN", "CHECK"), r.accept("PERIOD", "FOR", "SYSTEM_TIME"), r.accept("VECTOR", "INDEX"), r.accept("VECTOR", "KEY"):
		return true, nil
	case r.accept("PRIMARY", "KEY"):
		for !r.end() && !r.look().is("(") {
			r.i++
		}
		return true, append(words("PRIMARY KEY"), r.group()...)
	}
	r.i = start
	return false, nil
}

// tableOptions leaves the character set alone of what comes behind a table's columns.
func (s Server) tableOptions(r *reading) (out []token, ok bool) {
	for !r.end() {
		switch t := r.look(); {
		case t.is("PARTITION"):
			return out, true
		case t.is("SELECT", "AS", "VALUES", "TABLE", "IGNORE", "REPLACE"), t.is("WITH") && !r.accept("WITH", "SYSTEM"):
			return nil, false
		case t.is("("):
			r.group()
		case r.accept("CHARSET"), r.accept("CHARACTER", "SET"), r.accept("CHAR", "SET"):
			r.accept("=")
			out = append(out, token{text: "CHARSET"}, r.next())
		case r.accept("COLLATE"):
			r.accept("=")
			if c := s.charsetOf(unquoted(r.next().text)); known(c) {
				out = append(out, token{text: "CHARSET"}, token{text: c})
			}
		default:
			r.i++
		}
	}
	return out, true
}

// unquoted is a name or text without quotes.
func unquoted(s string) string {
	if len(s) > 1 && strings.ContainsRune("`'\"", rune(s[0])) {
		return strings.ReplaceAll(s[1:len(s)-1], s[:1]+s[:1], s[:1])
	}
	return s
}

func (s Server) loosenAlter(r *reading, table *Table) ([]token, bool) {
	for r.look().is("ONLINE", "OFFLINE", "IGNORE") {
		r.i++
	}
	if !r.accept("TABLE") {
		return nil, false
	}
	r.accept("IF", "EXISTS")
	head := append(words("ALTER TABLE"), r.name()...)
	if r.accept("WAIT") {
		r.i++
	}
	r.accept("NOWAIT")
	var clauses [][]token
	for _, c := range split(r.rest()) {
		some, ok := s.clause(&reading{list: c}, table)
		if !ok {
			return nil, false
		}
		clauses = append(clauses, some...)
	}
	if len(clauses) == 0 {
		clauses = [][]token{words("FORCE")}
	}
	return slices.Concat(head, joined(clauses)), true
}

// clause is a clause of ALTER TABLE as one or more that the parser knows, or as none.
func (s Server) clause(r *reading, table *Table) ([][]token, bool) {
	one := func(list ...[]token) ([][]token, bool) { return [][]token{slices.Concat(list...)}, true }
	switch {
	case r.accept("ADD"):
		return s.addClause(r, table)
	case r.accept("DROP"):
		return r.dropClause()
	case r.look().is("MODIFY", "CHANGE"):
		verb := r.next()
		head := []token{verb, {text: "COLUMN"}}
		r.accept("COLUMN")
		if r.accept("IF", "EXISTS") {
			head = append(head, words("IF EXISTS")...)
		}
		if verb.is("CHANGE") {
			head = append(head, r.next())
		}
		def, ok := s.loosenColumn(r)
		return [][]token{slices.Concat(head, def)}, ok
	case r.accept("RENAME", "COLUMN"):
		ifExists := r.accept("IF", "EXISTS")
		if ifExists && (table == nil || table.Index(unquoted(r.look().text)) < 0) {
			return nil, true
		}
		return one(words("RENAME COLUMN"), r.rest())
	case r.accept("CONVERT", "TO"):
		options, ok := s.tableOptions(r)
		if len(options) == 0 {
			return nil, false
		}
		return [][]token{slices.Concat(words("CONVERT TO"), options[:2])}, ok
	case r.look().is("RENAME", "ALTER", "CONVERT", "ORDER", "ALGORITHM", "LOCK", "FORCE", "ENABLE", "DISABLE", "DISCARD", "IMPORT", "WITH", "WITHOUT", "EXCHANGE", "REORGANIZE",
		"COALESCE", "TRUNCATE", "ANALYZE", "CHECK", "OPTIMIZE", "REPAIR", "REBUILD", "REMOVE", "PARTITION", "SECONDARY_LOAD", "SECONDARY_UNLOAD"):
		return nil, true
	}
	options, ok := s.tableOptions(r)
	if len(options) == 0 {
		return nil, ok
	}
	return one(options)
}

func (s Server) addClause(r *reading, table *Table) ([][]token, bool) {
	if r.accept("PARTITION") || r.accept("SYSTEM", "VERSIONING") {
		return nil, true
	}
	if r.accept("PRIMARY", "KEY", "IF", "NOT", "EXISTS") {
		if table != nil && len(table.Key) > 0 {
			return nil, true
		}
		return [][]token{append(words("ADD PRIMARY KEY"), r.rest()...)}, true
	}
	if other, key := r.constraint(); key != nil {
		return [][]token{append(words("ADD"), key...)}, true
	} else if other {
		return nil, true
	}
	head := words("ADD COLUMN")
	r.accept("COLUMN")
	if r.accept("IF", "NOT", "EXISTS") {
		head = append(head, words("IF NOT EXISTS")...)
	}
	defs := [][]token{r.list[r.i:]}
	if list := r.group(); len(list) > 2 {
		defs = split(list[1 : len(list)-1])
	}
	var out [][]token
	for _, d := range defs {
		def, ok := s.element(&reading{list: d})
		switch {
		case !ok:
			return nil, false
		case len(def) > 0 && def[0].is("PRIMARY"):
			out = append(out, append(words("ADD"), def...))
		case def != nil:
			out = append(out, slices.Concat(head, def))
		}
	}
	return out, true
}

// dropClause is what follows DROP.
func (r *reading) dropClause() ([][]token, bool) {
	key := [][]token{words("DROP PRIMARY KEY")}
	switch {
	case r.accept("PRIMARY"):
		return key, true
	case r.look().is("INDEX", "KEY", "CONSTRAINT"):
		r.i++
		r.accept("IF", "EXISTS")
		if strings.EqualFold(unquoted(r.look().text), "PRIMARY") {
			return key, true
		}
		return nil, true
	case r.look().is("FOREIGN", "CHECK", "PARTITION"), r.accept("PERIOD", "FOR"), r.accept("SYSTEM", "VERSIONING"):
		return nil, true
	}
	head := words("DROP COLUMN")
	r.accept("COLUMN")
	if r.accept("IF", "EXISTS") {
		head = append(head, words("IF EXISTS")...)
	}
	return [][]token{append(head, r.next())}, true
}
