package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	wire "github.com/go-mysql-org/go-mysql/mysql"
)

// A checker is check.py, which is asked about run after run: DuckDB and its
// extensions are slow to load.
type checker struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers chan []byte
}

// A question is what check.py reads.
type question struct {
	Folder    string      `json:"folder,omitempty"`
	REST      string      `json:"rest,omitempty"`
	Namespace string      `json:"namespace"`
	Source    string      `json:"source"` // folder of the dumps
	Tables    []tableSpec `json:"tables"`
	Changelog []string    `json:"changelog"` // tables in which each change is a row
	Total     int64       `json:"total"`
	// Late says that a commit may land after its sender has died: the files of a
	// run that has sent one and not heard of it are kept then.
	Late bool `json:"late,omitempty"`
	// Together says that tables of one commit are published in one step. A REST
	// catalog is asked for it.
	Together bool `json:"together,omitempty"`
	// S3 is the endpoint of the store that holds the files of a lake whose catalog is in
	// Folder, and Root is where they begin.
	S3   string `json:"s3,omitempty"`
	Root string `json:"root,omitempty"`
	// Adds says that each snapshot has added all rows of the source.
	Adds bool `json:"adds,omitempty"`
	// Alone says that no table waits for another: what the commits of two of them have in
	// common is up to chance.
	Alone bool `json:"alone,omitempty"`
	// Apart says that the changes of a transaction appear one by one: a snapshot tells
	// nothing but its own rows and how far it is.
	Apart bool `json:"apart,omitempty"`
	// Since, in milliseconds, says that only tables committed later need hold what the
	// source does.
	Since int64 `json:"since,omitempty"`
	// Still are tables that need not, whenever they were committed.
	Still []string `json:"still,omitempty"`
	// All has metadata looked for among the files that nothing names.
	All bool `json:"all,omitempty"`
	// Plain says where files are that are no lake's.
	Plain *plain `json:"plain,omitempty"`
	// Look is a table: nothing is asked but what it shows at this moment.
	Look string `json:"look,omitempty"`
	// Confirmed are the snapshots of transactions that the catalog says were made.
	Confirmed []confirmed `json:"confirmed,omitempty"`
}

// A verdict is what check.py answers.
type verdict struct {
	Lost      int             `json:"lost"`
	Doubled   int             `json:"doubled"`
	Torn      int             `json:"torn"`
	Snapshots int             `json:"snapshots"` // looked at
	Commits   int             `json:"commits"`   // of accounts
	Pairs     int             `json:"pairs"`     // positions at which there are snapshots of two tables
	Orphans   int             `json:"orphans"`   // files that nothing names, and that should be gone
	Held      int             `json:"held"`      // those that a commit may still name, see question.Late
	Dropped   int             `json:"dropped"`   // snapshots that the catalog confirmed and has not made
	Findings  []string        `json:"findings"`
	Error     string          `json:"error"`
	Look      json.RawMessage `json:"look"` // what question.Look shows
	Seconds   float64         `json:"seconds"`
}

func (e *env) newChecker(ctx context.Context) (*checker, error) {
	python := os.Getenv("TABLEHAUL_TEST_PYTHON")
	if python == "" {
		if _, err := e.service(ctx, "readers", "start"); err != nil {
			return nil, err
		}
		out, err := e.service(ctx, "readers", "env")
		if err != nil {
			return nil, err
		}
		python = settings(out)["TABLEHAUL_TEST_PYTHON"]
	}
	return startChecker(python, e.root)
}

func startChecker(python, root string) (*checker, error) {
	c := &checker{cmd: exec.Command(python, filepath.Join(root, "cmd", "chaos", "check.py")), answers: make(chan []byte)}
	c.cmd.Stderr = os.Stderr
	var err error
	if c.in, err = c.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := c.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(c.answers)
		r := bufio.NewReader(out)
		for {
			line, err := r.ReadBytes('\n')
			if err != nil {
				return
			}
			c.answers <- line
		}
	}()
	return c, nil
}

func (c *checker) ask(q question) (v verdict, err error) {
	text, err := json.Marshal(q)
	if err != nil {
		return v, err
	}
	if _, err := c.in.Write(append(text, '\n')); err != nil {
		return v, fmt.Errorf("ask check.py: %w", err)
	}
	select {
	case line, ok := <-c.answers:
		if !ok {
			return v, errors.New("check.py has ended")
		}
		err = json.Unmarshal(line, &v)
	case <-time.After(2 * time.Minute):
		err = errors.New("check.py has not answered for two minutes")
	}
	if err == nil && v.Error != "" {
		err = errors.New("check.py: " + v.Error)
	}
	return v, err
}

func (c *checker) close() error {
	_ = c.in.Close()
	time.AfterFunc(5*time.Second, func() { _ = c.cmd.Process.Kill() })
	for range c.answers { // until it has ended
	}
	return c.cmd.Wait()
}

// null is how a dump writes NULL; quoted it would be a text.
const null = `\N`

// dump writes tables of the source into files of their own.
func (b *bank) dump(ctx context.Context, folder string, tables []tableSpec) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	conn, err := b.connect(ctx, b.db)
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := b.settle(conn); err != nil {
		return err
	}
	for _, t := range tables {
		if err := b.dumpTable(conn, t, filepath.Join(folder, t.Name+".csv")); err != nil {
			return fmt.Errorf("dump %s: %w", t.Name, err)
		}
	}
	return b.audit(conn)
}

// dumpTable writes rows as CSV in which every value but NULL is quoted.
func (b *bank) dumpTable(conn *client.Conn, t tableSpec, path string) (err error) {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	defer func() { err = errors.Join(err, w.Flush(), f.Close()) }()
	var line []byte
	row := func(values []wire.FieldValue) error {
		line = line[:0]
		for i := range values {
			if i > 0 {
				line = append(line, ',')
			}
			switch v := &values[i]; v.Type {
			case wire.FieldValueTypeNull:
				line = append(line, null...)
			case wire.FieldValueTypeUnsigned, wire.FieldValueTypeSigned:
				line = fmt.Appendf(line, `"%d"`, v.Value())
			default:
				line = append(line, '"')
				line = append(line, bytes.ReplaceAll(v.AsString(), []byte(`"`), []byte(`""`))...)
				line = append(line, '"')
			}
		}
		_, err := w.Write(append(line, '\n'))
		return err
	}
	query := "SELECT " + strings.Join(t.Columns, ", ") + " FROM `" + t.Name + "`"
	return conn.ExecuteSelectStreaming(query, &wire.Result{}, row, nil)
}

// audit checks the source itself: a workload that breaks its own rules would
// find faults that are none.
func (b *bank) audit(conn *client.Conn) error {
	if odd := b.odd.Load(); odd != nil {
		return fmt.Errorf("the workload is wrong: %w", *odd)
	}
	res, err := conn.Execute("SELECT (SELECT SUM(balance) FROM accounts), (SELECT SUM(version) FROM accounts)," +
		" (SELECT COALESCE(SUM(delta),0) FROM ledger), (SELECT COALESCE(SUM(amount),0) FROM ledger)")
	if err != nil {
		return err
	}
	var got [4]int64
	for i := range got {
		if got[i], err = res.GetInt(0, i); err != nil {
			return err
		}
	}
	if got[0] != b.total() || got[1] != got[2] || got[3] != 0 {
		return fmt.Errorf("the workload is wrong: total %d, want %d; versions %d, ledger %d; amounts %d", got[0], b.total(), got[1], got[2], got[3])
	}
	return nil
}
