package binlog

import (
	"fmt"
	"strings"
)

// A Name is the name of a table.
type Name struct{ DB, Table string }

// A StatementKind is what a statement in a log does, as far as tables and
// transactions go.
type StatementKind uint8

// The kinds of statement.
const (
	Harmless     StatementKind = iota // touches no table's rows
	Begin                             // BEGIN
	Commit                            // COMMIT
	Rollback                          // ROLLBACK, of all
	Savepoint                         // SAVEPOINT
	RollbackTo                        // ROLLBACK TO a savepoint
	XAStart                           // XA START
	XAEnd                             // XA END
	XACommit                          // XA COMMIT of what was prepared
	XARollback                        // XA ROLLBACK of what was prepared
	EmptyTable                        // TRUNCATE, or DELETE without a condition
	DropTable                         // Tables are gone
	DropDatabase                      // all tables of Tables[0].DB are gone
	CreateTable                       // Tables[0] was made
	AlterTable                        // Tables[0] may have another shape
	RenameTable                       // Tables are pairs of old and new names
	ReplaceRows                       // Tables have other rows now, as by EXCHANGE PARTITION
	ChangeRows                        // changes rows, or is not known: rows are not in the log
)

// A Statement is what a query event holds.
type Statement struct {
	Kind   StatementKind
	Tables []Name
	// IfNotExists says that Tables[0] of a CreateTable may have been there before.
	IfNotExists bool
	Text        string // name of a savepoint, id of an XA transaction
	// Rewritten are, of an AlterTable, the columns whose values it may have changed
	// even if the table's shape is the same afterwards.
	Rewritten []Rewrite
}

// harmless are the first words of statements that change no table's rows.
var harmless = func() map[string]bool {
	words := map[string]bool{}
	for _, w := range strings.Fields(`GRANT REVOKE FLUSH ANALYZE OPTIMIZE REPAIR CHECK CHECKSUM INSTALL UNINSTALL LOCK UNLOCK
		PURGE RESET CHANGE STOP SHOW USE KILL CACHE RELEASE BACKUP RESTART SHUTDOWN CLONE SIGNAL BINLOG`) {
		words[w] = true
	}
	return words
}()

// ParseStatement tells what a statement does whose default database is db.
func ParseStatement(db, query string) Statement {
	return (&lexer{s: query}).statement(db)
}

func (l *lexer) statement(db string) Statement {
	for l.look().symbol("(") {
		l.next()
	}
	first := l.next()
	if first.kind != tokenWord {
		if first.kind == tokenEnd {
			return Statement{}
		}
		return Statement{Kind: ChangeRows}
	}
	switch word := strings.ToUpper(first.text); word {
	case "BEGIN", "START", "COMMIT", "SAVEPOINT", "ROLLBACK", "XA":
		return l.transaction(word)
	case "TRUNCATE":
		l.accept("TABLE")
		return l.about(EmptyTable, db)
	case "DROP":
		return l.drop(db)
	case "CREATE":
		return l.create(db)
	case "ALTER":
		return l.alter(db)
	case "RENAME":
		return l.rename(db)
	case "DELETE":
		return l.delete(db)
	case "SET":
		return l.set(db)
	default:
		if harmless[word] {
			return Statement{}
		}
		return Statement{Kind: ChangeRows}
	}
}

// transaction reads the statements of which transactions are made, behind their
// first word.
func (l *lexer) transaction(word string) Statement {
	switch word {
	case "BEGIN":
		return Statement{Kind: Begin}
	case "START":
		if l.accept("TRANSACTION") {
			return Statement{Kind: Begin}
		}
		return Statement{} // REPLICA and the like
	case "COMMIT":
		return Statement{Kind: Commit}
	case "SAVEPOINT":
		return Statement{Kind: Savepoint, Text: l.next().text}
	case "XA":
		return l.xa()
	}
	l.accept("WORK")
	if !l.accept("TO") {
		return Statement{Kind: Rollback}
	}
	l.accept("SAVEPOINT")
	return Statement{Kind: RollbackTo, Text: l.next().text}
}

// about reads the one table that the statement is about.
func (l *lexer) about(kind StatementKind, db string) Statement {
	n, ok := l.name(db)
	if !ok {
		return Statement{Kind: ChangeRows}
	}
	return Statement{Kind: kind, Tables: []Name{n}}
}

func (l *lexer) drop(db string) Statement {
	if l.accept("TEMPORARY") {
		return Statement{}
	}
	switch {
	case l.accept("TABLE"), l.accept("TABLES"):
		l.acceptAll("IF", "EXISTS")
		return Statement{Kind: DropTable, Tables: l.names(db)}
	case l.accept("DATABASE"), l.accept("SCHEMA"):
		l.acceptAll("IF", "EXISTS")
		return Statement{Kind: DropDatabase, Tables: []Name{{DB: l.next().text}}}
	case l.accept("INDEX"):
		return l.dropIndex(db)
	}
	return Statement{}
}

// dropIndex tells the primary key from other indexes.
func (l *lexer) dropIndex(db string) Statement {
	l.acceptAll("IF", "EXISTS")
	if !strings.EqualFold(l.next().text, "PRIMARY") || !l.accept("ON") {
		return Statement{}
	}
	s := l.about(AlterTable, db)
	s.Rewritten = []Rewrite{{}}
	return s
}

// set knows MariaDB's SET STATEMENT variables FOR another statement.
func (l *lexer) set(db string) Statement {
	if !l.accept("STATEMENT") {
		return Statement{}
	}
	depth := 0
	for t := l.next(); t.kind != tokenEnd; t = l.next() {
		switch {
		case t.symbol("("):
			depth++
		case t.symbol(")"):
			depth--
		case t.is("FOR") && depth == 0:
			return l.statement(db)
		}
	}
	return Statement{Kind: ChangeRows}
}

func (l *lexer) create(db string) Statement {
	l.acceptAll("OR", "REPLACE")
	if l.accept("TEMPORARY") || !l.accept("TABLE") {
		return Statement{}
	}
	exists := l.acceptAll("IF", "NOT", "EXISTS")
	s := l.about(CreateTable, db)
	s.IfNotExists = exists
	return s
}

func (l *lexer) rename(db string) Statement {
	if !l.accept("TABLE") && !l.accept("TABLES") {
		return Statement{}
	}
	l.acceptAll("IF", "EXISTS")
	s := Statement{Kind: RenameTable}
	for {
		from, ok1 := l.name(db)
		for t := l.look(); !t.is("TO") && t.kind != tokenEnd; t = l.look() {
			l.next() // WAIT n, NOWAIT
		}
		l.next()
		to, ok2 := l.name(db)
		if !ok1 || !ok2 {
			return Statement{Kind: ChangeRows}
		}
		s.Tables = append(s.Tables, from, to)
		if !l.look().symbol(",") {
			return s
		}
		l.next()
	}
}

// delete knows the DELETE that empties a table, which a server writes by itself
// for a MEMORY table that a restart emptied.
func (l *lexer) delete(db string) Statement {
	if l.accept("FROM") {
		if n, ok := l.name(db); ok && l.look().kind == tokenEnd {
			return Statement{Kind: EmptyTable, Tables: []Name{n}}
		}
	}
	return Statement{Kind: ChangeRows}
}

func (l *lexer) xa() Statement {
	verb := l.next()
	rest := strings.TrimSpace(l.s[l.i:])
	switch {
	case verb.is("START"), verb.is("BEGIN"):
		return Statement{Kind: XAStart, Text: rest}
	case verb.is("END"):
		return Statement{Kind: XAEnd, Text: rest}
	case verb.is("COMMIT"):
		return Statement{Kind: XACommit, Text: rest}
	case verb.is("ROLLBACK"):
		return Statement{Kind: XARollback, Text: rest}
	}
	return Statement{}
}

// ParseXAPrepare reads the body of XAPrepare: the transaction's id as XA COMMIT
// prints it, and whether it is committed with this event already.
func ParseXAPrepare(body []byte) (xid string, onePhase bool, err error) {
	r := cursor{p: body}
	onePhase = r.uint8() != 0
	format, trid, qual := r.uint32(), r.uint32(), r.uint32()
	xid = fmt.Sprintf("X'%x',X'%x',%d", r.bytes(int(trid)), r.bytes(int(qual)), format)
	if r.bad {
		return "", false, errShort
	}
	return xid, onePhase, nil
}

// Mentions reports whether a name occurs anywhere in a statement, as a name of
// its own.
func Mentions(query string, name func(string) bool) bool {
	l := &lexer{s: query}
	for t := l.next(); t.kind != tokenEnd; t = l.next() {
		if t.kind != tokenSymbol && name(t.text) {
			return true
		}
	}
	return false
}

// A QueryEvent is the body of a query event.
type QueryEvent struct {
	DB    string
	Error uint16 // the server's error that the statement ended with, after it had done a part
	// Query is in UTF-8 where that can be told, and as it would be written in the default sql_mode.
	Query   []byte
	session session
}

// ImplicitTimestamps reports whether a TIMESTAMP that is not declared NULL was not to be NULL: where
// explicit_defaults_for_timestamp was off, which MariaDB writes elsewhere.
func (q *QueryEvent) ImplicitTimestamps(maria bool) bool {
	if maria {
		return q.session.flags&mariaExplicit == 0
	}
	return q.session.explicit == 0
}

// ParseQuery reads the body of Query, MariaQueryCompressed and, as it begins
// alike, ExecuteLoadQuery.
func ParseQuery(typ EventType, body []byte) (q QueryEvent, err error) {
	r := cursor{p: body}
	r.bytes(8) // session and duration
	db := int(r.uint8())
	q.Error = uint16(r.uint(2))
	vars := int(r.uint(2))
	if typ == ExecuteLoadQuery {
		r.bytes(13)
	}
	q.session = readSession(r.bytes(vars))
	q.DB = string(r.bytes(db))
	r.uint8() // the 0 behind it
	if r.bad {
		return q, errShort
	}
	q.Query = r.p
	if typ == MariaQueryCompressed {
		q.Query, err = inflate(nil, r.p)
	}
	q.Query = q.session.standard(q.Query)
	return q, err
}
