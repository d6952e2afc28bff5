package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/schema/ddl"
)

// A server is where statements are run, and is asked what tables are after them.
type server struct {
	ddl.Server
	at      *url.URL
	ask     *client.Conn // apart from the files' own connections: their settings and temporary tables
	log     *feed
	folds   bool            // names of tables know no case
	created map[string]bool // databases of files
}

func dial(ctx context.Context, at *url.URL, db string) (*client.Conn, error) {
	password, _ := at.User.Password()
	conn, err := client.ConnectWithContext(ctx, at.Host, at.User.Username(), password, db, 10*time.Second, func(c *client.Conn) error {
		return c.SetCharset("utf8mb4")
	})
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", at.Host, err)
	}
	return conn, nil
}

func newServer(ctx context.Context, name, address string) (*server, error) {
	at, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	s := &server{Server: ddl.Server{Maria: name == "mariadb"}, at: at, created: map[string]bool{}}
	if s.ask, err = dial(ctx, at, ""); err != nil {
		return nil, err
	}
	rows, err := s.rows("SELECT @@GLOBAL.lower_case_table_names, @@GLOBAL.binlog_format")
	if err != nil {
		return nil, err
	}
	s.folds = rows[0][0] != "0"
	if rows[0][1] != "ROW" {
		return nil, fmt.Errorf("binlog_format is %s: statements are followed in logs of rows", rows[0][1])
	}
	if _, err := s.ask.Execute("SET foreign_key_checks = 0, lock_wait_timeout = 60"); err != nil { // databases are dropped in any order
		return nil, err
	}
	charsets := map[string]string{}
	if rows, err = s.rows("SELECT character_set_name FROM information_schema.character_sets"); err != nil {
		return nil, err
	}
	for _, r := range rows {
		charsets[r[0]] = r[0]
	}
	s.CharsetOf = func(collation string) string { // as tail has it
		head, _, _ := strings.Cut(strings.ToLower(collation), "_")
		return charsets[head]
	}
	s.log, err = s.follow()
	return s, err
}

func (s *server) close() error {
	var errs []error
	for db := range s.created {
		_, err := s.ask.Execute("DROP DATABASE IF EXISTS " + quoteName(db))
		errs = append(errs, err)
	}
	s.log.close()
	return errors.Join(append(errs, s.ask.Close())...)
}

// rows asks for rows of text; NULL is "".
func (s *server) rows(query string) ([][]string, error) {
	res, err := s.ask.Execute(query)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", query, err)
	}
	defer res.Close()
	out := make([][]string, res.RowNumber())
	for i := range out {
		for j := range res.ColumnNumber() {
			v, err := res.GetString(i, j)
			if err != nil {
				return nil, err
			}
			out[i] = append(out[i], strings.Clone(v))
		}
	}
	return out, nil
}

// table is what the server says of one, as the reader lists it; nil is that there is none.
func (s *server) table(n name) (*ddl.Table, error) {
	where := " WHERE table_schema = " + quoteText(n.DB) + " AND table_name = " + quoteText(n.Table)
	rows, err := s.rows("SELECT COALESCE(table_collation,'') FROM information_schema.tables" + where + " AND table_type IN ('BASE TABLE', 'SYSTEM VERSIONED')")
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	out := &ddl.Table{}
	out.Charset, _, _ = strings.Cut(rows[0][0], "_")
	rows, err = s.rows("SELECT column_name, column_type, is_nullable, COALESCE(character_set_name,''), column_comment FROM information_schema.columns" + where + " ORDER BY ordinal_position")
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		c := schema.Column{Name: r[0], Native: r[1], Nullable: r[2] == "YES", Charset: r[3], Comment: r[4]}
		if c.Type, err = schema.ParseMySQL(c.Native); err == nil {
			c.Arrow = c.Type.Arrow()
		}
		out.Columns = append(out.Columns, c)
	}
	rows, err = s.rows("SELECT column_name FROM information_schema.statistics" + where + " AND index_name = 'PRIMARY' ORDER BY seq_in_index")
	for _, r := range rows {
		out.Key = append(out.Key, r[0])
	}
	return out, err
}

// charset is that of a database.
func (s *server) charset(db string) (string, error) {
	rows, err := s.rows("SELECT default_character_set_name FROM information_schema.schemata WHERE schema_name = " + quoteText(db))
	if err != nil || len(rows) == 0 {
		return "utf8mb4", err
	}
	return rows[0][0], nil
}

// refused tells what a server says of a statement from the end of its connection.
func refused(err error) bool {
	var said *mysql.MyError
	return errors.As(err, &said)
}

func quoteName(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }

func quoteText(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
