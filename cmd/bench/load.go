package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/sync/errgroup"

	"github.com/go-mysql-org/go-mysql/client"
)

// chunkRows is how many rows a LOAD DATA gets: some 20 MB of text.
const chunkRows = 100_000

// dataVersion is part of the table's comment: raise it when rows change, so
// that tables loaded before are loaded again.
const dataVersion = 1

// loadMain fills the case's table, unless it is there with that many rows.
func loadMain(ctx context.Context, args []string, _ io.Writer) error {
	p, c, conn, err := openPart(ctx, args)
	if err != nil {
		return err
	}
	defer conn.Close()
	db := database(p.rows)
	if ok, err := loaded(conn, db, c.table, p.rows); ok || err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "bench: loading %s.%s (once)\n", db, c.table)
	if err := execute(
		conn, "SET sql_log_bin=0", "CREATE DATABASE IF NOT EXISTS "+db, "USE "+db, "DROP TABLE IF EXISTS "+c.table,
		"CREATE TABLE "+c.table+" ("+c.ddl+") ENGINE=InnoDB DEFAULT CHARSET=utf8mb4",
	); err != nil {
		return err
	}
	// Two halves at once: each one's rows come in key order, which is what
	// InnoDB fills its pages best with.
	chunks := (p.rows + chunkRows - 1) / chunkRows
	group, gctx := errgroup.WithContext(ctx)
	for _, half := range [][2]int64{{0, chunks / 2}, {chunks / 2, chunks}} {
		group.Go(func() error { return loadChunks(gctx, p, c, half[0], half[1]) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	if c.after != "" {
		if err := execute(conn, "ALTER TABLE "+c.table+" "+c.after); err != nil {
			return err
		}
	}
	// The comment comes last: a table without it was not loaded to the end.
	if err := execute(conn, fmt.Sprintf("ALTER TABLE %s COMMENT '%s'", c.table, comment(p.rows)), "ANALYZE TABLE "+c.table); err != nil {
		return err
	}
	ok, err := loaded(conn, db, c.table, p.rows)
	if err == nil && !ok {
		err = fmt.Errorf("%s.%s does not hold %d rows after loading", db, c.table, p.rows)
	}
	return err
}

func comment(rows int64) string { return fmt.Sprintf("bench v%d, %d rows", dataVersion, rows) }

// loaded reports whether the table is there, loaded to its end.
func loaded(conn *client.Conn, db, table string, rows int64) (bool, error) {
	res, err := conn.Execute("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema=? AND table_name=? AND table_comment=?",
		db, table, comment(rows))
	if err != nil {
		return false, fmt.Errorf("look for %s.%s: %w", db, table, err)
	}
	if n, err := res.GetInt(0, 0); n == 0 || err != nil {
		return false, err
	}
	if res, err = conn.Execute("SELECT COUNT(*) FROM " + db + "." + table); err != nil {
		return false, fmt.Errorf("count %s.%s: %w", db, table, err)
	}
	n, err := res.GetInt(0, 0)
	return n == rows, err
}

// loadChunks loads chunks from up to but not including to, making the next one
// while the server takes the last.
func loadChunks(ctx context.Context, p *part, c *benchCase, from, to int64) error {
	conn, err := connect(ctx, p.addr, database(p.rows))
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := execute(conn, "SET sql_log_bin=0, unique_checks=0, foreign_key_checks=0, time_zone='+00:00'"); err != nil {
		return err
	}
	full, free := make(chan []byte), make(chan []byte, 2)
	free <- nil
	free <- nil
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(full)
		for chunk := from; chunk < to; chunk++ {
			select {
			case buf := <-free:
				select {
				case full <- appendChunk(buf[:0], c, p.rows, chunk):
				case <-ctx.Done():
					return ctx.Err()
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	group.Go(func() error {
		for buf := range full {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			_, err := conn.ExecQueryRelayLocalInfile("LOAD DATA LOCAL INFILE 'chunk' INTO TABLE "+c.table+" CHARACTER SET utf8mb4",
				func([]byte) (io.Reader, error) { return bytes.NewReader(buf), nil })
			if err != nil {
				return fmt.Errorf("load %s: %w", c.table, err)
			}
			// LOCAL turns bad values into warnings.
			if res, err := conn.Execute("SHOW WARNINGS LIMIT 1"); err != nil {
				return err
			} else if res.RowNumber() > 0 {
				text, _ := res.GetString(0, 2)
				return fmt.Errorf("load %s: %s", c.table, text)
			}
			free <- buf
		}
		return nil
	})
	err = group.Wait()
	if errors.Is(err, context.Canceled) {
		return context.Cause(ctx)
	}
	return err
}

// appendChunk appends the rows of a chunk as LOAD DATA reads them.
func appendChunk(dst []byte, c *benchCase, rows, chunk int64) []byte {
	rnd := newRandom(chunk)
	for id := chunk*chunkRows + 1; id <= min((chunk+1)*chunkRows, rows); id++ {
		dst = c.row(dst, id, rows, rnd)
	}
	return dst
}
