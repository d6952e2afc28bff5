package binlog

import "strings"

// A Rewrite is a column whose values a clause of ALTER TABLE may have changed.
type Rewrite struct {
	Column string // "": all of them, or the key
	// Native is the type that the clause gives the column, as written but for case
	// and spaces. It is "" where the column was dropped, or where more than its type
	// decides what becomes of its values.
	Native  string
	NotNull bool
	// Dropped is that the clause takes the column out.
	Dropped bool
	// Computed is that the clause has the column computed from others.
	Computed bool
}

func (l *lexer) alter(db string) Statement {
	ignore := false
	for l.accept("ONLINE") || l.accept("OFFLINE") || l.look().is("IGNORE") {
		ignore = l.accept("IGNORE") || ignore
	}
	if !l.accept("TABLE") {
		return Statement{}
	}
	l.acceptAll("IF", "EXISTS")
	s := l.about(AlterTable, db)
	if s.Kind != AlterTable {
		return s
	}
	if ignore { // rows that a new unique key has no room for are gone
		s.Kind = ReplaceRows
	}
	depth := 0
	// What renames the table or changes its rows stands at the beginning of a
	// clause, outside of parentheses.
	for start, t := true, l.next(); t.kind != tokenEnd; t = l.next() {
		switch {
		case t.symbol("("):
			depth++
		case t.symbol(")"):
			depth--
		case start && depth == 0 && l.clause(t, db, &s):
			return s
		}
		start = t.symbol(",") || t.is("NOWAIT") || t.is("WAIT") || t.kind == tokenWord && t.text[0] <= '9'
	}
	return s
}

// clause looks for what matters in a clause of ALTER TABLE that begins with t,
// and reports whether the statement's kind is settled by it.
func (l *lexer) clause(t token, db string, s *Statement) bool {
	switch {
	case t.is("RENAME"):
		if l.accept("COLUMN") || l.accept("INDEX") || l.accept("KEY") {
			return false
		}
		if !l.accept("TO") && !l.accept("AS") && l.look().symbol("=") {
			l.next()
		}
		if n, ok := l.name(db); ok {
			s.Kind, s.Tables = RenameTable, append(s.Tables, n)
		}
		return true
	case t.is("EXCHANGE"):
		l.otherTable(db, s)
		return true
	case t.is("TRUNCATE"), t.is("DISCARD"), t.is("IMPORT"):
		s.Kind = ReplaceRows
		return true
	case t.is("CONVERT") && (l.look().is("TABLE") || l.look().is("PARTITION")):
		// MariaDB: a partition becomes a table, or a table one.
		l.otherTable(db, s)
		return true
	case t.is("DROP"):
		return l.dropClause(s)
	case t.is("CONVERT"):
		s.Rewritten = append(s.Rewritten, Rewrite{})
	case t.is("MODIFY"), t.is("CHANGE"):
		s.Rewritten = append(s.Rewritten, l.modify(t.is("CHANGE")))
	}
	return false
}

// otherTable is the table that a clause names, and which has other rows as well.
func (l *lexer) otherTable(db string, s *Statement) {
	for w := l.next(); w.kind != tokenEnd; w = l.next() {
		if w.is("TABLE") {
			if n, ok := l.name(db); ok {
				s.Tables = append(s.Tables, n)
			}
			break
		}
	}
	s.Kind = ReplaceRows
}

// dropClause is what follows DROP in ALTER TABLE.
func (l *lexer) dropClause(s *Statement) bool {
	switch {
	case l.look().is("PARTITION"), l.look().is("SYSTEM"):
		s.Kind = ReplaceRows
		return true
	case l.accept("FOREIGN"), l.accept("CHECK"), l.accept("PERIOD"):
		return false
	case l.accept("PRIMARY"):
		s.Rewritten = append(s.Rewritten, Rewrite{})
		return false
	case l.accept("INDEX"), l.accept("KEY"), l.accept("CONSTRAINT"):
		l.acceptAll("IF", "EXISTS")
		if strings.EqualFold(l.look().text, "PRIMARY") {
			s.Rewritten = append(s.Rewritten, Rewrite{})
		}
		return false
	}
	l.accept("COLUMN")
	l.acceptAll("IF", "EXISTS")
	s.Rewritten = append(s.Rewritten, Rewrite{Column: l.next().text, Dropped: true})
	return false
}

// modify reads a clause that says anew what a column is, but for the comma at its
// end.
func (l *lexer) modify(change bool) Rewrite {
	l.accept("COLUMN")
	l.acceptAll("IF", "EXISTS")
	r := Rewrite{Column: l.next().text}
	if change && !strings.EqualFold(l.next().text, r.Column) {
		return r
	}
	plain, native := true, l.columnType()
	for depth := 0; ; l.next() {
		t := l.look()
		switch {
		case t.kind == tokenEnd, depth == 0 && t.symbol(","):
			if plain {
				r.Native = native
			}
			return r
		case t.symbol("("):
			depth++
		case t.symbol(")"):
			depth--
		case t.is("UNSIGNED"):
			native += " unsigned"
		case t.is("NOT"):
			r.NotNull = true
		case t.is("CHARACTER"), t.is("CHARSET"), t.is("COLLATE"), t.is("BINARY"), t.is("ASCII"), t.is("UNICODE"),
			t.is("FIRST"), t.is("AFTER"), t.is("COMPRESSED"):
			plain = false
		case t.is("AS"), t.is("GENERATED"):
			plain, r.Computed = false, true
		}
	}
}

// columnType reads a type with what it has in parentheses.
func (l *lexer) columnType() string {
	var b strings.Builder
	b.WriteString(strings.ToLower(l.next().text))
	if !l.look().symbol("(") {
		return b.String()
	}
	for t := l.next(); t.kind != tokenEnd; t = l.next() {
		if t.kind == tokenText {
			b.WriteString("'" + strings.ReplaceAll(t.text, "'", "''") + "'")
		} else {
			b.WriteString(t.text)
		}
		if t.symbol(")") {
			break
		}
	}
	return b.String()
}
