package doristest

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/server"
)

// serveSQL listens at a port that speaks MySQL's protocol.
func (c *Cluster) serveSQL() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	c.sql = l
	conf := server.NewServer("5.7.99", mysql.DEFAULT_COLLATION_ID, mysql.AUTH_NATIVE_PASSWORD, nil, c.tls)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			c.sqlConns.Go(func() { c.serveConn(conf, conn) })
		}
	}()
	return nil
}

func (c *Cluster) serveConn(conf *server.Server, conn net.Conn) {
	defer conn.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		select {
		case <-c.closed:
			_ = conn.Close()
		case <-ctx.Done():
		}
	}()
	s := &session{c: c, conn: conn, ctx: ctx}
	auth := server.NewInMemoryAuthenticationHandler(mysql.AUTH_NATIVE_PASSWORD)
	if err := auth.AddUser(c.opts.User, c.opts.Password); err != nil {
		return
	}
	defer func() { // the library panics over a password for a user that has none
		if recover() != nil {
			deny(conn, c.opts.User)
		}
	}()
	mc, err := conf.NewCustomizedConn(conn, auth, s)
	for err == nil {
		err = mc.HandleCommand()
	}
}

// deny answers a client's greeting as a server does that knows no such password.
func deny(conn net.Conn, user string) {
	text := []byte("Access denied for user '" + user + "' (using password: YES)")
	packet := []byte{byte(3 + 6 + len(text)), 0, 0, 2, 0xff}
	packet = binary.LittleEndian.AppendUint16(packet, mysql.ER_ACCESS_DENIED_ERROR)
	packet = append(append(packet, "#28000"...), text...)
	_, _ = conn.Write(packet)
}

// A session is a connection to the MySQL port.
type session struct {
	c       *Cluster
	db      string
	unicode bool     // names may have letters of any script
	conn    net.Conn // nil for statements that come by HTTP
	ctx     context.Context
	server.EmptyHandler
}

// A result is what a query returns: texts, nil for NULL.
type result struct {
	names []string
	rows  [][]any
}

// UseDB is COM_INIT_DB.
func (s *session) UseDB(name string) error {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	if _, err := s.c.database(name); err != nil {
		return answered(err)
	}
	s.db = name
	return nil
}

// HandleQuery is COM_QUERY.
func (s *session) HandleQuery(query string) (*mysql.Result, error) {
	res, err := s.run(s.ctx, query)
	if err != nil {
		return nil, answered(err)
	}
	if res == nil {
		return mysql.NewResult(nil), nil
	}
	return mysql.NewResult(res.set()), nil
}

// set is the result as the library sends it. The library makes one of memory that may still
// hold fields of another.
func (r *result) set() *mysql.Resultset {
	set := &mysql.Resultset{}
	for _, name := range r.names {
		set.Fields = append(set.Fields, &mysql.Field{Name: []byte(name), Charset: uint16(mysql.DEFAULT_COLLATION_ID), Type: mysql.MYSQL_TYPE_VAR_STRING})
	}
	for _, values := range r.rows {
		var row []byte
		for _, v := range values {
			if v == nil {
				row = append(row, 0xfb)
			} else {
				row = append(row, mysql.PutLengthEncodedString(fmt.Append(nil, v))...)
			}
		}
		set.RowDatas = append(set.RowDatas, row)
	}
	return set
}

func answered(err error) error {
	var e *sqlError
	if errors.As(err, &e) {
		return mysql.NewError(e.code, e.text)
	}
	return mysql.NewError(1105, "errCode = 2, detailMessage = "+err.Error())
}

// run executes a statement. No result means that it has none.
func (s *session) run(ctx context.Context, query string) (*result, error) {
	f := s.c.fault(ctx, Call{What: "sql", DB: s.db, SQL: query})
	switch {
	case f.Before && s.conn != nil:
		_ = s.conn.Close()
		return nil, errClosed
	case f.Message != "":
		return nil, refuse("%s", f.Message)
	}
	s.c.mu.Lock()
	res, err := s.statement(query)
	s.c.mu.Unlock()
	if f.After && s.conn != nil {
		_ = s.conn.Close()
		return nil, errClosed
	}
	return res, err
}

func (s *session) statement(query string) (*result, error) {
	tokens, err := lex(query)
	if err != nil {
		return nil, err
	}
	p := &parser{sql: query, tokens: tokens}
	for _, d := range s.c.dbs {
		for _, t := range d.tables {
			s.c.finishJobs(t)
		}
	}
	switch {
	case p.is("USE"):
		name, err := p.name()
		if err == nil {
			_, err = s.c.database(name)
		}
		if err == nil {
			s.db = name
		}
		return nil, err
	case p.is("SET"):
		s.set(p)
		return nil, nil
	case p.is("SHOW"):
		return s.show(p)
	case p.is("DESC"), p.is("DESCRIBE"):
		db, name, err := p.tableName(s.db)
		if err != nil {
			return nil, err
		}
		return s.columns(db, name)
	case p.is("SELECT"):
		return s.selects(query, tokens)
	}
	return nil, s.change(p)
}

// change runs a statement that has no result.
func (s *session) change(p *parser) error {
	switch {
	case p.is("CREATE", "DATABASE"):
		return s.createDatabase(p)
	case p.is("CREATE", "TABLE"):
		return s.createTable(p)
	case p.is("ALTER", "TABLE"):
		return s.alterTable(p)
	case p.is("DROP", "TABLE"):
		return s.dropTable(p)
	case p.is("DROP", "DATABASE"):
		exists := p.is("IF", "EXISTS")
		name, err := p.name()
		if err == nil && s.c.dbs[name] == nil && !exists {
			_, err = s.c.database(name)
		}
		if err == nil {
			delete(s.c.dbs, name)
		}
		return err
	case p.is("TRUNCATE", "TABLE"):
		db, name, err := p.tableName(s.db)
		if err != nil {
			return err
		}
		t, err := s.c.table(db, name)
		if err == nil {
			t.empty()
		}
		return err
	case p.is("INSERT", "INTO"):
		return s.insert(p)
	case p.is("SYNC") && p.done():
		return nil
	}
	return p.syntax()
}

func (s *session) createDatabase(p *parser) error {
	exists := p.is("IF", "NOT", "EXISTS")
	name, err := p.name()
	switch {
	case err != nil:
		return err
	case s.checkDatabase(name) != nil:
		return s.checkDatabase(name)
	case s.c.dbs[name] != nil && exists:
	case s.c.dbs[name] != nil:
		return &sqlError{1007, "errCode = 2, detailMessage = Can't create database '" + name + "'; database exists"}
	default:
		s.c.dbs[name] = &database{tables: map[string]*table{}}
	}
	return nil
}

// table is the one that a statement names next.
func (s *session) table(p *parser) (db, name string, t *table, err error) {
	if db, name, err = p.tableName(s.db); err == nil {
		t, err = s.c.table(db, name)
	}
	return db, name, t, err
}

// insert is INSERT INTO … VALUES: a load of its own, of a label that nobody has.
func (s *session) insert(p *parser) error {
	db, _, t, err := s.table(p)
	if err != nil {
		return err
	}
	var names []string
	if p.peek().text == "(" {
		if names, err = p.names(); err != nil {
			return err
		}
	} else {
		for _, c := range t.visible() {
			names = append(names, c.name)
		}
	}
	if err := p.want("VALUES"); err != nil {
		return err
	}
	if err := t.checkSequence(names, has(names, sequence)); err != nil {
		return err
	}
	s.c.lastTxn++
	x, _ := s.c.begin(s.c.dbs[db], t, fmt.Sprintf("label_%d", s.c.lastTxn))
	l := &loader{c: s.c, x: x, strict: true, signed: has(names, deleteSign), p: &parsed{}, all: t.visible(), columns: map[string]*column{}}
	for _, c := range l.all {
		l.columns[strings.ToLower(c.name)] = c
	}
	for {
		values, err := p.values()
		if err != nil {
			return err
		}
		if len(values) != len(names) {
			return refuse("Column count doesn't match value count")
		}
		l.take(names, values, func() string { return "" })
		if !p.is(",") {
			break
		}
	}
	if l.p.filtered > 0 {
		x.become(aborted)
		return refuse("Insert has filtered data in strict mode. %s", strings.Join(l.p.why, ""))
	}
	x.publish()
	return nil
}

// values reads literals in parentheses.
func (p *parser) values() (list []cell, err error) {
	if err := p.want("("); err != nil {
		return nil, err
	}
	for {
		sign := ""
		if p.is("-") {
			sign = "-"
		}
		t := p.next()
		switch {
		case t.kind == 'w' && strings.EqualFold(t.text, "NULL"):
			list = append(list, nil)
		case t.kind == 'w' && p.is("."):
			v := sign + t.text + "." + p.next().text
			list = append(list, &v)
		case t.kind == 'w' || t.kind == 's':
			v := sign + t.text
			list = append(list, &v)
		default:
			return nil, p.syntax()
		}
		if p.is(")") {
			return list, nil
		}
		if err := p.want(","); err != nil {
			return nil, err
		}
	}
}
