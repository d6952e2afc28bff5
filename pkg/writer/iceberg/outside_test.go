package iceberg

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"os"
	"os/exec"
	"sync"
	"testing"
)

// An outside is a Python process with DuckDB, PyIceberg and Spark at hand, which runs
// scripts. Its imports and Spark's Java take longer than most of what tests ask, so that
// all share one.
type outside struct {
	sync.Mutex
	cmd *exec.Cmd
	in  io.WriteCloser
	out *json.Decoder
}

var outsideReader outside

// A question is a script with what it finds in sys.argv and in its environment.
type question struct {
	Script string            `json:"script"`
	Args   []string          `json:"args"`
	Env    map[string]string `json:"env"`
}

// An answer is what the script has given to out, or the error that it ended with.
type answer struct {
	Out   *string `json:"out"`
	Error string  `json:"error"`
}

// answering is the Python that reads questions, a line each, and answers them so. Whatever
// else prints prints to standard error. A script's function done, if it has one, is called
// in the end.
const answering = `
import sys, os, json, traceback
answers = os.fdopen(os.dup(1), 'w')
os.dup2(2, 1)
prelude = sys.argv[1]
for line in sys.stdin:
    q, a = json.loads(line), {}
    sys.argv = ['-c'] + (q['args'] or [])
    os.environ.update(q['env'])
    def out(x): a['out'] = json.dumps(x, default=lambda v: v.hex() if isinstance(v, bytes) else str(v))
    names = {'__name__': '__main__', 'out': out, 'done': lambda: None}
    try:
        try: exec(prelude + q['script'], names)
        finally: names['done']()
    except BaseException: a = {'error': traceback.format_exc()}
    print(json.dumps(a), file=answers, flush=True)
`

// outsidePrelude begins every script.
const outsidePrelude = `
import sys, json, os, datetime, decimal
def duck():
    import duckdb
    c = duckdb.connect(config={'allow_unsigned_extensions': 'true'})
    for x in ('avro', 'httpfs', 'iceberg'):
        c.execute("LOAD '%s/%s.duckdb_extension'" % (os.environ['TABLEHAUL_TEST_DUCKDB_EXTENSIONS'], x))
    c.execute("SET TimeZone='UTC'")
    c.execute('SET enable_progress_bar = false')
    return c
`

// python runs a script with DuckDB and PyIceberg at hand and returns what it gives to
// out, by way of JSON.
func python(t *testing.T, script string, args ...string) any {
	t.Helper()
	interpreter := service(t, "readers", "TABLEHAUL_TEST_PYTHON")
	q := question{script, args, map[string]string{
		"TABLEHAUL_TEST_DUCKDB_EXTENSIONS": service(t, "readers", "TABLEHAUL_TEST_DUCKDB_EXTENSIONS"),
		"TABLEHAUL_TEST_SPARK_JARS":        os.Getenv("TABLEHAUL_TEST_SPARK_JARS"),
	}}
	a, err := outsideReader.ask(t.Context(), interpreter, q)
	must(t, err)
	var v any
	if a.Out == nil {
		t.Fatalf("the script gave nothing out: %s", a.Error)
	}
	must(t, json.Unmarshal([]byte(*a.Out), &v))
	return v
}

// ask waits for the answer to a question. A process that dies, or is told to by the
// context, is started anew for the next one.
func (o *outside) ask(ctx context.Context, interpreter string, q question) (a answer, err error) {
	o.Lock()
	defer o.Unlock()
	if o.cmd == nil {
		if err := o.start(interpreter); err != nil {
			return a, err
		}
	}
	process := o.cmd.Process
	defer context.AfterFunc(ctx, func() { _ = process.Kill() })()
	if err = json.NewEncoder(o.in).Encode(q); err == nil {
		err = o.out.Decode(&a)
	}
	if err != nil {
		err = errors.Join(err, o.stop())
	}
	return a, err
}

func (o *outside) start(interpreter string) (err error) {
	cmd := exec.Command(interpreter, "-c", answering, outsidePrelude)
	cmd.Stderr = os.Stderr
	if o.in, err = cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	o.out = json.NewDecoder(bufio.NewReader(out))
	if err := cmd.Start(); err != nil {
		return err
	}
	o.cmd = cmd
	return nil
}

// stop lets the process end, if there is one, and Spark with it.
func (o *outside) stop() error {
	if o.cmd == nil {
		return nil
	}
	cmd := o.cmd
	o.cmd = nil
	return errors.Join(o.in.Close(), cmd.Wait())
}
