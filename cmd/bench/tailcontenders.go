package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
)

// tailContenders are those of a case of the log, the product first.
func (e *env) tailContenders(ctx context.Context, c *benchCase, rows int64) ([]*contender, error) {
	conn, err := connect(ctx, e.addr, "")
	if err != nil {
		return nil, err
	}
	ranges, err := findRanges(conn, c, rows)
	conn.Close()
	if err != nil {
		return nil, err
	}
	own := func(name, command string, rival bool) *contender {
		return &contender{
			name: name, rival: rival,
			argv: func(out string) []string {
				p := part{caseName: c.name, addr: e.addr, rows: rows, connections: 1, out: out}
				return append([]string{e.self}, p.args(command)...)
			},
			check: func(_ string, stdout []byte) (r report, err error) { return r, json.Unmarshal(stdout, &r) },
		}
	}
	var list []*contender
	switch {
	case !e.wants("product"):
	case c.log.reads == readDecode:
		list = append(list, own("product", "decode", false))
	case c.log.reads == readDoris:
		list = append(list, e.dorisChanges(c, rows, ranges[len(ranges)-1]))
	default:
		list = append(list, e.tailProduct(ctx, c, rows, ranges))
	}
	last := ranges[len(ranges)-1]
	if e.mysqlbinlog != nil {
		list = append(list, e.rawLog(last, rows))
	}
	if c.log.reads == readDecode && e.wants("frames") {
		list = append(list, own("frames", "frames", false))
	}
	if e.wants("go-mysql") {
		list = append(list, own("go-mysql", "rows", true))
	}
	return list, nil
}

// tailProduct follows the log's last stage into a lake that has what the stages
// before it hold.
func (e *env) tailProduct(ctx context.Context, c *benchCase, rows int64, ranges []logRange) *contender {
	follow := func(out string, r logRange) []string {
		return append(e.tailCommand(c, rows, out), "--start", "gtid:"+r.from.gtid, "--until", "gtid:"+r.to.gtid)
	}
	last := len(ranges) - 1
	return &contender{
		name: "product",
		prepare: func(out string) (list [][]string) {
			for _, r := range ranges[:last] {
				list = append(list, follow(out, r))
			}
			return list
		},
		argv: func(out string) []string { return follow(out, ranges[last]) },
		check: func(out string, _ []byte) (report, error) {
			return e.compareLake(ctx, c, rows, out)
		},
	}
}

// tailCommand is how the product is told to follow the case's table.
func (e *env) tailCommand(c *benchCase, rows int64, out string) []string {
	return append([]string{
		e.product, "tail", "mysql://root@" + e.addr + "/" + logDatabase(rows), "iceberg:" + filepath.Join(out, "lake"),
		"--tables", c.table, "--quiet",
	}, c.log.flags...)
}

// rawLog is the limit of all readers of logs: the server's own program, which
// writes the files down as they are.
func (e *env) rawLog(r logRange, rows int64) *contender {
	host, hostPort, _ := net.SplitHostPort(e.addr)
	return &contender{
		name: "mysqlbinlog", rival: true, env: e.mysqlbinlog.env,
		argv: func(out string) []string {
			return append(append(
				e.mysqlbinlog.argv,
				"--no-defaults", "--host", host, "--port", hostPort, "--user", "root", "--read-from-remote-server", "--raw",
				"--connection-server-id", strconv.Itoa(1<<30+os.Getpid()), "--result-file", out+"/",
			), r.files...)
		},
		check: func(out string, _ []byte) (report, error) {
			size, err := folderBytes(out, "")
			if err == nil && size != r.bytes {
				err = fmt.Errorf("%d bytes of log arrived of %d", size, r.bytes)
			}
			return report{Rows: rows, Bytes: size}, err
		},
	}
}

// compareLake asks DuckDB and the source for the same sums.
func (e *env) compareLake(ctx context.Context, c *benchCase, rows int64, out string) (report, error) {
	lake := filepath.Join(out, "lake")
	size, err := folderBytes(lake, ".parquet")
	if err != nil {
		return report{}, err
	}
	err = e.compare(ctx, c, rows, "iceberg_scan('"+filepath.Join(lake, logDatabase(rows), c.table)+"')")
	return report{Rows: rows, Bytes: size}, err
}

// prove looks into what the decoder makes of the log, unmeasured.
func (e *env) prove(ctx context.Context, c *benchCase, rows int64) error {
	p := part{caseName: c.name, addr: e.addr, rows: rows, connections: 1, out: filepath.Join(e.tmp, "prove")}
	if err := os.MkdirAll(p.out, 0o755); err != nil {
		return err
	}
	defer os.RemoveAll(p.out)
	if err := e.child(ctx, p.args("prove")); err != nil {
		return err
	}
	return e.compare(ctx, c, rows, "read_parquet('"+filepath.Join(p.out, provedFile)+"')")
}

// compare asks DuckDB about what was made of the case's table.
func (e *env) compare(ctx context.Context, c *benchCase, rows int64, from string) error {
	got, err := e.lakeSums(ctx, from, c.log.sums)
	if err != nil {
		return err
	}
	want, err := e.sourceSums(ctx, c, rows)
	if err == nil && got != want {
		err = fmt.Errorf("%s\n%s in %s\n%s in the source", c.log.sums, got, from, want)
	}
	return err
}

func (e *env) lakeSums(ctx context.Context, from, sums string) (string, error) {
	python, extensions, err := e.readers(ctx)
	if err != nil {
		return "", err
	}
	script := filepath.Join(e.tmp, "count.py")
	if err := os.WriteFile(script, countScript, 0o644); err != nil {
		return "", err
	}
	text, err := exec.CommandContext(ctx, python, script, extensions, from, sums).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("ask DuckDB: %w\n%s", err, tail(text, 2000))
	}
	return strings.TrimSpace(string(text)), nil
}

func (e *env) sourceSums(ctx context.Context, c *benchCase, rows int64) (string, error) {
	conn, err := connect(ctx, e.addr, logDatabase(rows))
	if err != nil {
		return "", err
	}
	defer conn.Close()
	res, err := conn.Execute("SELECT " + c.log.sums + " FROM " + c.table)
	if err != nil {
		return "", fmt.Errorf("ask the source: %w", err)
	}
	values := make([]string, res.ColumnNumber())
	for i := range values {
		if values[i], err = res.GetString(0, i); err != nil {
			return "", err
		}
	}
	return strings.Join(values, "\t"), nil
}

// folderBytes sums the sizes of the files below dir whose names end so.
func folderBytes(dir, suffix string) (size int64, err error) {
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, suffix) {
			return err
		}
		info, err := d.Info()
		if err == nil {
			size += info.Size()
		}
		return err
	})
	return size, err
}
