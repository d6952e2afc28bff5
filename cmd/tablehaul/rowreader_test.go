package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tablehaul/tablehaul/testdata/services"
)

// serveRows answers requests for a table's rows in order, a line each, with blanks between, one
// request after the other. Each has a connection of its own, to which the tables of those before
// are unknown. What DuckDB prints itself, as of a query that takes long, goes to standard error.
const serveRows = `
import duckdb, io, json, os, sys, traceback

def rows(folder, columns, reader):
    with duckdb.connect() as c:
        manifest = folder + "/_tablehaul/manifest.json"
        if os.path.exists(manifest):
            if reader not in sys.path:
                sys.path.insert(0, reader)
            import read
            t = read.table(manifest)
            return c.execute(f"SELECT {columns} FROM t ORDER BY ALL").fetchall()
        for x in ("avro", "iceberg"):
            c.execute("LOAD '%s/%s.duckdb_extension'" % (os.environ["TABLEHAUL_TEST_DUCKDB_EXTENSIONS"], x))
        c.execute("SET unsafe_enable_version_guessing = true")
        return c.execute(f"SELECT {columns} FROM iceberg_scan('{folder}') ORDER BY ALL").fetchall()

answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)
for line in sys.stdin:
    q, out, error = json.loads(line), io.StringIO(), ""
    try:
        os.chdir(q["dir"])
        for row in rows(q["folder"], q["columns"], q["reader"]):
            print(*row, file=out)
    except BaseException:
        error = traceback.format_exc()
    print(json.dumps({"out": out.getvalue(), "error": error}), file=answers, flush=True)
`

// A rowReader is a Python with DuckDB that reads tables for all tests: to start one takes ten
// times as long as to read.
type rowReader struct {
	mu  sync.Mutex
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

var theRowReader rowReader

// readTableRows returns the lines of a table, whose folder may be one of dir.
func readTableRows(t *testing.T, dir, folder, columns string) (string, error) {
	t.Helper()
	python := services.Env(t, "TABLEHAUL_TEST_PYTHON")
	reader, err := filepath.Abs("../../pkg/writer/files/testdata")
	if err != nil {
		return "", err
	}
	return theRowReader.ask(python, map[string]string{"dir": dir, "folder": folder, "columns": columns, "reader": reader})
}

func (r *rowReader) ask(python string, request map[string]string) (string, error) {
	line, err := json.Marshal(request)
	if err != nil {
		return "", err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.cmd == nil {
		if err := r.start(python); err != nil {
			return "", fmt.Errorf("start the reader: %w", err)
		}
	}
	var answer struct{ Out, Error string }
	_, err = r.in.Write(append(line, '\n'))
	if err == nil {
		line, err = r.out.ReadBytes('\n')
	}
	if err == nil {
		err = json.Unmarshal(line, &answer)
	}
	if err != nil { // the next one gets another
		_ = r.cmd.Process.Kill()
		_ = r.cmd.Wait()
		r.cmd = nil
		return "", fmt.Errorf("the reader has died: %w", err)
	}
	if answer.Error != "" {
		return answer.Out, errors.New(answer.Error)
	}
	return answer.Out, nil
}

// start starts it. It ends when this process does, with which its input does.
func (r *rowReader) start(python string) (err error) {
	cmd := exec.Command(python, "-c", serveRows)
	cmd.Stderr = os.Stderr
	if r.in, err = cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	r.out, r.cmd = bufio.NewReader(out), cmd
	if err := cmd.Start(); err != nil {
		r.cmd = nil
		return err
	}
	return nil
}
