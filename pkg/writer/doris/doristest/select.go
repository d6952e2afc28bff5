package doristest

import (
	"database/sql"
	"fmt"
	"strings"

	_ "modernc.org/sqlite" // the driver
)

// selects answers a query by having SQLite do it, on copies of the tables that it names: it
// knows backquotes, databases before names, and enough of the rest.
func (s *session) selects(query string, tokens []token) (*result, error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	defer db.Close()
	db.SetMaxOpenConns(1) // or each connection has a memory of its own
	query = strings.NewReplacer("version()", "'5.7.99'", "VERSION()", "'5.7.99'", "@@version_comment", "'Doris version doris-2.1.7-stand-in'",
		"database()", "'"+s.db+"'", "DATABASE()", "'"+s.db+"'").Replace(query)
	named := map[string]bool{}
	for _, t := range tokens {
		named[t.text] = true
	}
	for name, d := range s.c.dbs {
		if name != s.db && !named[name] {
			continue
		}
		at := backquoted(name)
		if _, err := db.Exec("ATTACH ':memory:' AS " + at); err != nil {
			return nil, err
		}
		if name == "information_schema" {
			err = s.describeAll(db, tokens)
		}
		for _, t := range d.tables {
			if err == nil && named[t.name] {
				err = copyTable(db, at, t)
				if err == nil && name == s.db {
					err = copyTable(db, "main", t)
				}
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return answers(db, query)
}

// answers are the rows of a query, as texts.
func answers(db *sql.DB, query string) (*result, error) {
	rows, err := db.Query(query)
	if err != nil {
		if _, table, ok := strings.Cut(err.Error(), "no such table: "); ok {
			db, name, _ := strings.Cut(strings.TrimSuffix(table, " (1)"), ".")
			return nil, refuse("Table [%s] does not exist in database [%s].", name, db)
		}
		return nil, refuse("%s", err)
	}
	defer rows.Close()
	res := &result{}
	if res.names, err = rows.Columns(); err != nil {
		return nil, err
	}
	for rows.Next() {
		values := make([]any, len(res.names))
		to := make([]any, len(values))
		for i := range values {
			to[i] = &values[i]
		}
		if err := rows.Scan(to...); err != nil {
			return nil, err
		}
		for i, v := range values {
			if b, ok := v.([]byte); ok {
				values[i] = string(b)
			} else if v != nil {
				values[i] = fmt.Sprint(v)
			}
		}
		res.rows = append(res.rows, values)
	}
	return res, rows.Err()
}

// affinity is SQLite's type for a column: numbers that fit are numbers, all else is text.
func affinity(t colType) string {
	switch t.name {
	case "BOOLEAN", "TINYINT", "SMALLINT", "INT", "BIGINT":
		return "INTEGER"
	}
	return "TEXT"
}

func copyTable(db *sql.DB, at string, t *table) error {
	columns := t.visible()
	defs, marks := make([]string, len(columns)), make([]string, len(columns))
	for i, c := range columns {
		defs[i], marks[i] = backquoted(c.name)+" "+affinity(c.typ), "?"
	}
	name := at + "." + backquoted(t.name)
	if _, err := db.Exec("CREATE TABLE " + name + " (" + strings.Join(defs, ", ") + ")"); err != nil {
		return err
	}
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	insert, err := tx.Prepare("INSERT INTO " + name + " VALUES (" + strings.Join(marks, ", ") + ")")
	if err != nil {
		return err
	}
	defer insert.Close()
	for _, r := range t.rows() {
		values := make([]any, len(columns))
		for i, c := range columns {
			values[i] = orNil(t.at(r, c))
		}
		if _, err := insert.Exec(values...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

// describeAll makes information_schema, as far as it is asked for: of the tables of a name alone, if
// the query wants one.
func (s *session) describeAll(db *sql.DB, tokens []token) error {
	_, err := db.Exec("CREATE TABLE information_schema.tables (TABLE_SCHEMA TEXT, TABLE_NAME TEXT, TABLE_ROWS INTEGER, TABLE_COMMENT TEXT);" +
		"CREATE TABLE information_schema.columns (TABLE_SCHEMA TEXT, TABLE_NAME TEXT, COLUMN_NAME TEXT, ORDINAL_POSITION INTEGER, " +
		"COLUMN_DEFAULT TEXT, IS_NULLABLE TEXT, DATA_TYPE TEXT, COLUMN_TYPE TEXT, COLUMN_KEY TEXT, COLUMN_COMMENT TEXT);" +
		"CREATE TABLE information_schema.schemata (SCHEMA_NAME TEXT)")
	schema, table := equalTo(tokens, "TABLE_SCHEMA"), equalTo(tokens, "TABLE_NAME")
	for name, d := range s.c.dbs {
		if err == nil {
			_, err = db.Exec("INSERT INTO information_schema.schemata VALUES (?)", name)
		}
		if schema != "" && name != schema {
			continue
		}
		for _, t := range d.tables {
			if err == nil && (table == "" || t.name == table) {
				err = describeOne(db, name, t)
			}
		}
	}
	return err
}

func describeOne(db *sql.DB, schema string, t *table) error {
	_, err := db.Exec("INSERT INTO information_schema.tables VALUES (?, ?, ?, ?)", schema, t.name, t.count(), t.comment)
	for i, c := range t.visible() {
		key := ""
		if c.key {
			key = yes(t.unique, "UNI", "DUP")
		}
		if err == nil {
			_, err = db.Exec("INSERT INTO information_schema.columns VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
				schema, t.name, c.name, i+1, orNil(c.def), yes(c.nullable, "YES", "NO"), strings.ToLower(c.typ.name), c.typ.String(), key, c.comment)
		}
	}
	return err
}

// equalTo returns the text that a column has to be equal to; "" if the query does not say so of all rows.
func equalTo(tokens []token, column string) (text string) {
	for i, t := range tokens {
		switch {
		case t.kind == 'w' && (strings.EqualFold(t.text, "OR") || strings.EqualFold(t.text, "NOT") || strings.EqualFold(t.text, "UNION")):
			return ""
		case t.kind == 'w' && strings.EqualFold(t.text, column) && i+2 < len(tokens) && tokens[i+1].text == "=" && tokens[i+2].kind == 's':
			text = tokens[i+2].text
		}
	}
	return text
}
