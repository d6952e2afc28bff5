package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
)

// The tables of scale/5000-tables: nearly all are empty, a few are large.
const (
	scaleTables = 5000
	scaleEvery  = 250 // each so many tables one has rows
)

// A scale is how a run with very many tables goes.
type scale struct {
	Tables    int     `json:"tables"`
	FirstRowS float64 `json:"first_row_s"` // from the start until the sink has taken rows
}

func scaleCases() []*benchCase {
	return []*benchCase{{
		name: "scale/5000-tables", table: "t00000", rows: 2_000_000, ddl: sbtestDDL, scale: true,
		goals: []goal{{name: "first_row_s", limit: 10}, {name: "peak_mib", limit: 600}},
	}}
}

func scaleDatabase(rows int64) string { return fmt.Sprintf("bench_scale_%d", rows) }

// scaleMain makes the tables, unless they are there.
func scaleMain(ctx context.Context, args []string, _ io.Writer) error {
	p, c, conn, err := openPart(ctx, args)
	if err != nil {
		return err
	}
	defer conn.Close()
	db := scaleDatabase(p.rows)
	if ok, err := scaleMade(conn, db); ok || err != nil {
		return err
	}
	fmt.Fprintf(os.Stderr, "bench: making %s of %d tables (once)\n", db, scaleTables)
	if err := execute(conn, "SET sql_log_bin=0, SESSION cte_max_recursion_depth=1000000000", "DROP DATABASE IF EXISTS "+db, "CREATE DATABASE "+db, "USE "+db); err != nil {
		return err
	}
	each := p.rows / (scaleTables / scaleEvery)
	for i := range scaleTables {
		table := fmt.Sprintf("t%05d", i)
		steps := []string{"CREATE TABLE " + table + " (" + c.ddl + ")"}
		if i%scaleEvery == 0 {
			steps = append(steps, fmt.Sprintf("INSERT INTO %s WITH RECURSIVE s AS (SELECT 1 n UNION ALL SELECT n+1 FROM s WHERE n < %d) SELECT n, n*7919%%%d, LEFT(REPEAT(SHA2(n,256),2),120), LEFT(SHA2(-n,256),60) FROM s", table, each, each))
		}
		if err := execute(conn, steps...); err != nil {
			return err
		}
	}
	return execute(conn, "CREATE TABLE made (id INT PRIMARY KEY)")
}

// scaleMade reports whether the last table is there.
func scaleMade(conn *client.Conn, db string) (bool, error) {
	res, err := conn.Execute("SELECT COUNT(*) FROM information_schema.tables WHERE table_schema=? AND table_name='made'", db)
	if err != nil {
		return false, err
	}
	n, err := res.GetInt(0, 0)
	return n == 1, err
}

// runScale copies all the tables, once.
func (e *env) runScale(ctx context.Context, c *benchCase, rows int64) (*result, error) {
	if !e.wants("product") {
		return newResult(e, c, rows, nil), nil
	}
	p := part{caseName: c.name, addr: e.addr, rows: rows, connections: 1}
	if err := e.child(ctx, p.args("scale")); err != nil {
		return nil, fmt.Errorf("make tables: %w", err)
	}
	out := filepath.Join(e.tmp, "out")
	if err := errors.Join(os.RemoveAll(out), os.MkdirAll(out, 0o755)); err != nil {
		return nil, err
	}
	defer os.RemoveAll(out)
	settle(ctx, e.opts.quiet)
	start := time.Now()
	s, stdout, err := runChild(ctx, []string{
		e.product, "snapshot", "mysql://root@" + e.addr + "/" + scaleDatabase(rows), "iceberg:" + filepath.Join(out, "lake"), "--exclude", "made", "--json",
	}, nil, e.serverPID)
	if err != nil {
		return nil, err
	}
	got, sc, err := readScale(stdout, start)
	if err != nil {
		return nil, err
	}
	if got != rows {
		return nil, fmt.Errorf("%d rows arrived of %d", got, rows)
	}
	r := newResult(e, c, rows, map[string][]sample{"product": {s}})
	r.Repeat, r.Scale = 1, sc
	return r, nil
}

// readScale reads what the product has printed as JSON.
func readScale(stdout []byte, start time.Time) (rows int64, sc *scale, err error) {
	sc = &scale{}
	for line := range bytes.Lines(stdout) {
		var e struct {
			Event  string          `json:"event"`
			Time   time.Time       `json:"time"`
			Rows   int64           `json:"rows"`
			Tables json.RawMessage `json:"tables"`
		}
		if err := json.Unmarshal(line, &e); err != nil {
			return 0, nil, err
		}
		// Progress is printed once a second, and tables when they end.
		if sc.FirstRowS == 0 && e.Rows > 0 && (e.Event == "progress" || e.Event == "table") {
			sc.FirstRowS = round(e.Time.Sub(start).Seconds())
		}
		if e.Event == "summary" {
			rows = e.Rows
			sc.Tables = strings.Count(string(e.Tables), `"state":"whole"`)
		}
	}
	if sc.Tables != scaleTables {
		err = fmt.Errorf("%d tables are whole of %d", sc.Tables, scaleTables)
	}
	return rows, sc, err
}
