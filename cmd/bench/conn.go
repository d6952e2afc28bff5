package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"
)

// connect opens a connection on which packets can be written by hand: without
// query attributes, which would change COM_QUERY, and with the classic EOF.
func connect(ctx context.Context, addr, db string) (*client.Conn, error) {
	conn, err := client.ConnectWithContext(ctx, addr, "root", "", db, 10*time.Second, func(c *client.Conn) error {
		c.UnsetCapability(mysql.CLIENT_QUERY_ATTRIBUTES)
		c.UnsetCapability(mysql.CLIENT_DEPRECATE_EOF)
		return c.SetCapability(mysql.CLIENT_LOCAL_FILES) // for the loader
	})
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", addr, err)
	}
	return conn, nil
}

// execute runs statements whose results do not matter.
func execute(conn *client.Conn, statements ...string) error {
	for _, s := range statements {
		if _, err := conn.Execute(s); err != nil {
			return fmt.Errorf("%.80s: %w", s, err)
		}
	}
	return nil
}

// send starts a SELECT whose packets the caller reads: COM_QUERY, or a prepared
// statement's execution for the binary protocol.
func send(conn *client.Conn, query string, binaryRows bool) error {
	payload := append([]byte{0, 0, 0, 0, mysql.COM_QUERY}, query...)
	if binaryRows {
		stmt, err := conn.Prepare(query)
		if err != nil {
			return fmt.Errorf("prepare %.80s: %w", query, err)
		}
		payload = append(payload[:4], mysql.COM_STMT_EXECUTE)
		payload = binary.LittleEndian.AppendUint32(payload, stmt.ID)
		payload = append(payload, 0, 1, 0, 0, 0) // no cursor, one iteration
	}
	conn.ResetSequence()
	if err := conn.WritePacket(payload); err != nil {
		return fmt.Errorf("send %.80s: %w", query, err)
	}
	return nil
}

// ranges cuts the table's keys into n WHERE clauses of equal width. The keys
// have no gaps, so that these hold equally many rows.
func ranges(conn *client.Conn, table string, n int) ([]string, error) {
	res, err := conn.Execute("SELECT MIN(id), MAX(id) FROM " + table)
	if err != nil {
		return nil, fmt.Errorf("key range of %s: %w", table, err)
	}
	low, err1 := res.GetInt(0, 0)
	high, err2 := res.GetInt(0, 1)
	if err := errors.Join(err1, err2); err != nil {
		return nil, err
	}
	return cut(low, high, n), nil
}

func cut(low, high int64, n int) []string {
	var where []string
	for i := range int64(n) {
		from := low + (high+1-low)*i/int64(n)
		to := low + (high+1-low)*(i+1)/int64(n)
		where = append(where, fmt.Sprintf("id >= %d AND id < %d", from, to))
	}
	return where
}
