package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/go-mysql-org/go-mysql/client"
)

const (
	statementRows   = 1_000
	transactionRows = 10_000
)

// A logWriter fills the binary log with the workload of a case.
type logWriter struct {
	conn *client.Conn
	c    *benchCase
	rows int64
	text []byte // rows that are still to go, as LOAD DATA reads them
	next int64  // the chunk after text
	sql  []byte
}

// logMain writes a case's stages into the log, unless they are there.
func logMain(ctx context.Context, args []string, _ io.Writer) error {
	p, c, conn, err := openPart(ctx, args)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := setUpRanges(conn); err != nil {
		return err
	}
	if _, err := findRanges(conn, c, p.rows); !errors.Is(err, errNotWritten) {
		return err
	}
	fmt.Fprintf(os.Stderr, "bench: writing %s of %s rows into the binary log (once)\n", c.table, thousands(p.rows))
	if err := makeLogTable(conn, c, p.rows); err != nil {
		return err
	}
	w := &logWriter{conn: conn, c: c, rows: p.rows}
	for _, s := range c.log.stages {
		if err := w.stage(ctx, s); err != nil {
			return fmt.Errorf("write %s of %s: %w", s.name, c.table, err)
		}
	}
	return nil
}

// makeLogTable makes the table anew and empty; only its database is in the log,
// so that the set of executed GTIDs is never empty.
func makeLogTable(conn *client.Conn, c *benchCase, rows int64) error {
	db := logDatabase(rows)
	return execute(
		conn, "SET sql_log_bin=1", "CREATE DATABASE IF NOT EXISTS "+db, "SET sql_log_bin=0", "USE "+db, "DROP TABLE IF EXISTS "+c.table,
		"CREATE TABLE "+c.table+" ("+c.ddl+") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4", "SET sql_log_bin=1, unique_checks=0",
	)
}

// stage writes one stage into log files of its own.
func (w *logWriter) stage(ctx context.Context, s stage) error {
	if err := execute(w.conn, "FLUSH BINARY LOGS", "SET sql_log_bin=1"); err != nil {
		return err
	}
	from, err := logEnd(w.conn)
	if err != nil {
		return err
	}
	if err := s.write(w, ctx); err != nil {
		return err
	}
	to, err := logEnd(w.conn)
	if err != nil {
		return err
	}
	if err := execute(w.conn, "FLUSH BINARY LOGS", "SET sql_log_bin=0"); err != nil {
		return err
	}
	return saveRange(w.conn, w.c.table, w.rows, s.name, from, to)
}

// insertAll adds all rows, in transactions of some size.
func (w *logWriter) insertAll(ctx context.Context) error {
	return w.eachTransaction(func(_, to int64) error { return w.insertTo(ctx, to) })
}

// updateAll changes all rows, in transactions of some size.
func (w *logWriter) updateAll(ctx context.Context) error {
	return w.eachTransaction(func(from, to int64) error { return w.update(ctx, from, to) })
}

// bothAtOnce adds all rows and changes them all in one transaction.
func (w *logWriter) bothAtOnce(ctx context.Context) error {
	if err := execute(w.conn, "BEGIN"); err != nil {
		return err
	}
	if err := w.insertTo(ctx, w.rows); err != nil {
		return err
	}
	if err := w.update(ctx, 1, w.rows); err != nil {
		return err
	}
	return execute(w.conn, "COMMIT")
}

// eachTransaction calls write with the first and last key of each transaction.
func (w *logWriter) eachTransaction(write func(from, to int64) error) error {
	for from := int64(1); from <= w.rows; from += transactionRows {
		if err := execute(w.conn, "BEGIN"); err != nil {
			return err
		}
		if err := write(from, min(from+transactionRows-1, w.rows)); err != nil {
			return err
		}
		if err := execute(w.conn, "COMMIT"); err != nil {
			return err
		}
	}
	return nil
}

// fill makes the rows of the next chunk.
func (w *logWriter) fill() {
	w.text = appendChunk(w.text[:0], w.c, w.rows, w.next)
	w.next++
}

// insertTo adds the rows up to a key that are not there yet.
func (w *logWriter) insertTo(ctx context.Context, last int64) error {
	for {
		n, err := w.insertSome(ctx, last)
		if n == 0 || err != nil {
			return err
		}
	}
}

// insertSome adds the rows of one statement and returns their number.
func (w *logWriter) insertSome(ctx context.Context, last int64) (int, error) {
	n := 0
	w.sql = append(append(append(w.sql[:0], "INSERT INTO "...), w.c.table...), " VALUES"...)
	for ; n < statementRows; n++ {
		if len(w.text) == 0 {
			w.fill()
		}
		line, rest, _ := bytes.Cut(w.text, []byte("\n"))
		if id, err := lineID(line); err != nil || id > last {
			break
		}
		w.text = rest
		if n > 0 {
			w.sql = append(w.sql, ',')
		}
		w.sql = appendValues(w.sql, line)
	}
	if n == 0 {
		return 0, ctx.Err()
	}
	if _, err := w.conn.Execute(string(w.sql)); err != nil {
		return 0, fmt.Errorf("insert into %s: %w", w.c.table, err)
	}
	return n, ctx.Err()
}

// update changes rows by their keys, some at a time.
func (w *logWriter) update(ctx context.Context, from, to int64) error {
	for ; from <= to; from += statementRows {
		if err := ctx.Err(); err != nil {
			return err
		}
		q := fmt.Sprintf("UPDATE %s SET %s WHERE id BETWEEN %d AND %d", w.c.table, wideUpdate, from, min(from+statementRows-1, to))
		if _, err := w.conn.Execute(q); err != nil {
			return fmt.Errorf("update %s: %w", w.c.table, err)
		}
	}
	return nil
}

// lineID reads the key that a row begins with; there is none after the last row.
func lineID(line []byte) (id int64, err error) {
	if len(line) == 0 {
		return 0, io.EOF
	}
	for _, c := range line {
		if c == '\t' {
			break
		}
		id = id*10 + int64(c-'0')
	}
	return id, nil
}

// appendValues turns a row as LOAD DATA reads it into one of an INSERT. No value
// of the workloads has anything to escape.
func appendValues(dst, line []byte) []byte {
	dst = append(dst, '(')
	for i := 0; ; i++ {
		value, rest, more := bytes.Cut(line, []byte("\t"))
		if i > 0 {
			dst = append(dst, ',')
		}
		if string(value) == `\N` {
			dst = append(dst, "NULL"...)
		} else {
			dst = append(append(append(dst, '\''), value...), '\'')
		}
		if !more {
			return append(dst, ')')
		}
		line = rest
	}
}
