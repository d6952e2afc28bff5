package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// contenderNames are what -without understands; drain1 goes with drain.
var contenderNames = []string{"product", "drain", "throwaway", "mydumper", "duckdb", "mysqlbinlog", "frames", "go-mysql", "producer-perf", "consumer-perf", "franz-go", "hdfs", "hdfs-put"}

// A contender is one way to read the case's table, run as a child process.
type contender struct {
	name string
	// rival says that its failure is told and its ratios left out; the failure
	// of the product or of one of our own limits fails the case.
	rival bool
	env   []string
	argv  func(out string) []string
	// prepare, if set, are commands to run before, unmeasured.
	prepare func(out string) [][]string
	// check counts the rows and bytes that the run has brought to out, from
	// what lies there; the bench compares the rows.
	check func(out string, stdout []byte) (report, error)
}

// contenders are those of a case, the product first.
func (e *env) contenders(ctx context.Context, c *benchCase, rows int64) ([]*contender, error) {
	if c.topic != nil {
		return e.topicContenders(ctx, c, rows)
	}
	if c.log != nil {
		return e.tailContenders(ctx, c, rows)
	}
	return e.snapshotContenders(c, rows), nil
}

func (e *env) snapshotContenders(c *benchCase, rows int64) []*contender {
	db := database(rows)
	host, hostPort, _ := net.SplitHostPort(e.addr)
	connections := strconv.Itoa(e.opts.connections)
	own := func(name, command string, connections int) *contender {
		return &contender{
			name: name,
			argv: func(out string) []string {
				p := part{caseName: c.name, addr: e.addr, rows: rows, connections: connections, out: out}
				return append([]string{e.self}, p.args(command)...)
			},
			check: func(_ string, stdout []byte) (r report, err error) { return r, json.Unmarshal(stdout, &r) },
		}
	}
	var list []*contender
	if c.format != "" {
		list = e.fileContenders(c, rows)
	} else if c.sink == "doris" && e.product != "" {
		list = append(list, e.dorisStock(c, rows))
	} else if e.product != "" {
		list = append(list, &contender{
			name: "product",
			argv: func(out string) []string {
				return []string{
					e.product, "snapshot", "mysql://root@" + e.addr + "/" + db, "iceberg:" + filepath.Join(out, "lake"),
					"--tables", c.table, "--parallel", connections, "--quiet",
				}
			},
			check: func(out string, _ []byte) (report, error) { return lakeReport(filepath.Join(out, "lake")) },
		})
	}
	if e.wants("drain") {
		list = append(list, own("drain", "drain", e.opts.connections))
		if e.opts.connections > 1 {
			list = append(list, own("drain1", "drain", 1))
		}
	}
	lake := c.format == "" && c.sink == ""
	if e.wants("throwaway") && lake {
		list = append(list, own("throwaway", "throwaway", e.opts.connections))
	}
	if e.mydumper != nil {
		list = append(list, &contender{
			name: "mydumper", rival: true, env: e.mydumper.env,
			argv: func(out string) []string {
				// Pieces small enough that its two threads end together.
				return append(
					e.mydumper.argv,
					"-h", host, "-P", hostPort, "-u", "root", "-B", db, "-T", c.table, "-t", "2",
					"-r", strconv.FormatInt(max(rows/20, 10_000), 10), "--trx-consistency-only", "-o", filepath.Join(out, "sql"),
				)
			},
			check: func(out string, _ []byte) (report, error) { return sqlReport(filepath.Join(out, "sql")) },
		})
	}
	if e.duckdb != nil && lake {
		list = append(list, &contender{
			name: "duckdb", rival: true, env: e.duckdb.env,
			argv: func(out string) []string {
				return append(
					e.duckdb.argv,
					host, hostPort, db, c.table, filepath.Join(out, "t.parquet"),
				)
			},
			check: func(out string, _ []byte) (report, error) { return parquetReport(out) },
		})
	}
	return list
}

// sqlReport counts the rows of INSERT statements as mydumper writes them: each
// on a line of its own, where some versions put the comma first.
func sqlReport(dir string) (report, error) {
	var r report
	files, err := filepath.Glob(filepath.Join(dir, "*.sql"))
	if err != nil {
		return r, err
	}
	block := make([]byte, 1<<20)
	for _, path := range files {
		rows, size, err := countInserts(path, block)
		if err != nil {
			return r, err
		}
		r.Rows += rows
		r.Bytes += size
	}
	return r, nil
}

func countInserts(path string, block []byte) (rows, size int64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return 0, 0, err
	}
	// Values hold no raw line ends, so nothing but a row begins like this. What
	// a block's end cuts is looked at again.
	kept := 0
	for {
		n, err := f.Read(block[kept:])
		text := block[:kept+n]
		rows += int64(bytes.Count(text, []byte("\n(")) + bytes.Count(text, []byte("\n,(")))
		if errors.Is(err, io.EOF) {
			return rows, info.Size(), nil
		}
		if err != nil {
			return 0, 0, err
		}
		kept = 0
		for _, cut := range []string{"\n,", "\n"} {
			if bytes.HasSuffix(text, []byte(cut)) {
				kept = copy(block, cut)
				break
			}
		}
	}
}
