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
	"slices"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"
)

const (
	lagRate     = 20_000 // rows a second
	lagInterval = 10 * time.Second
	lagSteps    = 20 // transactions a second
)

// A lag is how long transactions take from the source's commit until they are
// in the lake. One is looked at a second.
type lag struct {
	P50       float64 `json:"p50_s"`
	Max       float64 `json:"max_s"`
	Markers   int     `json:"markers"`
	IntervalS float64 `json:"commit_interval_s"`
	RowsPerS  float64 `json:"rows_per_s"` // as they were written
}

// A marker is a transaction that is looked for in the lake.
type marker struct {
	Number int64     `json:"number"` // in the server's set of GTIDs
	At     time.Time `json:"at"`     // when its commit returned
}

// runLag follows a log while it is written at a steady rate.
func (e *env) runLag(ctx context.Context, c *benchCase, rows int64) (*result, error) {
	if !e.wants("product") {
		return newResult(e, c, rows, nil), nil
	}
	conn, err := connect(ctx, e.addr, "")
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := setUpRanges(conn); err != nil {
		return nil, err
	}
	if err := makeLogTable(conn, c, rows); err != nil {
		return nil, err
	}
	start, err := logEnd(conn)
	if err != nil {
		return nil, err
	}
	out := filepath.Join(e.tmp, "out")
	if err := errors.Join(os.RemoveAll(out), os.MkdirAll(out, 0o755)); err != nil {
		return nil, err
	}
	defer os.RemoveAll(out)
	settle(ctx, e.opts.quiet)

	// The product runs until it is told to end, when the last marker is seen.
	argv := append(e.tailCommand(c, rows, out), "--start", "gtid:"+start.gtid, "--commit-interval", lagInterval.String())
	tailing, stop := context.WithCancel(ctx)
	defer stop()
	var s sample
	ended := make(chan error, 1)
	go func() {
		var err error
		s, _, err = runChild(tailing, argv, nil, e.serverPID)
		ended <- err
	}()
	watch := watchLake(filepath.Join(out, "lake", logDatabase(rows), c.table), committed)
	markers, err := e.feed(tailing, c, rows, ended)
	if err == nil {
		err = watch.waitFor(ctx, markers[len(markers)-1].Number, 4*lagInterval, ended)
	}
	seen := watch.end()
	// How it ends when it is told to is no matter, unless something else is wrong:
	// what it has committed is compared.
	stop()
	end := <-ended
	if err != nil {
		return nil, errors.Join(err, end)
	}
	r, err := e.compareLake(ctx, c, rows, out)
	if err != nil {
		return nil, errors.Join(err, end)
	}
	s.OutBytes = r.Bytes
	res := newResult(e, c, rows, map[string][]sample{"product": {s}})
	res.Repeat = 1
	res.Lag, err = newLag(markers, seen)
	return res, err
}

var errEarly = errors.New("the product ended before it was told to")

// feed runs the writer and returns its markers.
func (e *env) feed(ctx context.Context, c *benchCase, rows int64, ended chan error) ([]marker, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := part{caseName: c.name, addr: e.addr, rows: rows, connections: 1}
	cmd := exec.CommandContext(ctx, e.self, p.args("feed")...)
	var stdout bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	fed := make(chan error, 1)
	go func() { fed <- cmd.Wait() }()
	select {
	case err := <-ended:
		cancel()
		ended <- err
		return nil, errors.Join(errEarly, <-fed)
	case err := <-fed:
		if err != nil {
			return nil, fmt.Errorf("write the log: %w", err)
		}
	}
	var markers []marker
	lines := bufio.NewScanner(&stdout)
	for lines.Scan() {
		var m marker
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			return nil, err
		}
		markers = append(markers, m)
	}
	if len(markers) == 0 {
		return nil, errors.New("too few rows for a marker")
	}
	return markers, nil
}

// feedMain writes the case's rows at the steady rate and prints a marker for
// each second.
func feedMain(ctx context.Context, args []string, stdout io.Writer) error {
	p, c, err := parsePart(args)
	if err != nil {
		return err
	}
	conn, err := connect(ctx, p.addr, logDatabase(p.rows))
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := execute(conn, "SET time_zone='+00:00'"); err != nil {
		return err
	}
	w := &logWriter{conn: conn, c: c, rows: p.rows}
	w.fill() // making rows takes a while
	tick := time.NewTicker(time.Second / lagSteps)
	defer tick.Stop()
	start, rows, seconds := time.Now(), int64(0), int64(0)
	for rows < p.rows {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
		// By the clock: what a slow step has held up comes with the next one.
		rows = min(int64(time.Since(start).Seconds()*lagRate), p.rows)
		if err := execute(conn, "BEGIN"); err != nil {
			return err
		}
		if err := w.insertTo(ctx, rows); err != nil {
			return err
		}
		if err := execute(conn, "COMMIT"); err != nil {
			return err
		}
		if rows/lagRate == seconds && rows < p.rows {
			continue
		}
		seconds = rows / lagRate
		m := marker{At: time.Now()}
		if m.Number, err = lastTransaction(conn); err != nil {
			return err
		}
		if err := json.NewEncoder(stdout).Encode(m); err != nil {
			return err
		}
	}
	if rate := float64(rows) / time.Since(start).Seconds(); rate < 0.95*lagRate {
		return fmt.Errorf("the server took only %.0f rows/s", rate)
	}
	return nil
}

// lastTransaction is the number of the newest transaction: nobody else writes.
func lastTransaction(conn *client.Conn) (int64, error) {
	res, err := conn.Execute("SELECT @@GLOBAL.gtid_executed")
	if err != nil {
		return 0, err
	}
	set, err := res.GetString(0, 0)
	if err != nil {
		return 0, err
	}
	return lastNumber(set)
}

// lastNumber is the highest number of a set of GTIDs of one server.
func lastNumber(set string) (int64, error) {
	parsed, err := mysql.ParseMysqlGTIDSet(strings.ReplaceAll(set, "\n", ""))
	if err != nil {
		return 0, err
	}
	last := int64(0)
	for _, tags := range *parsed.(*mysql.MysqlGTIDSet) {
		for _, intervals := range tags {
			last = max(last, intervals[len(intervals)-1].Stop-1)
		}
	}
	return last, nil
}

// newLag looks up when each marker came into sight.
func newLag(markers []marker, seen []marker) (*lag, error) {
	var took []float64
	for _, m := range markers {
		i := slices.IndexFunc(seen, func(s marker) bool { return s.Number >= m.Number })
		if i < 0 {
			return nil, fmt.Errorf("transaction %d is not in the lake", m.Number)
		}
		took = append(took, seen[i].At.Sub(m.At).Seconds())
	}
	l := &lag{P50: round(median(took)), Max: round(slices.Max(took)), Markers: len(markers), IntervalS: lagInterval.Seconds()}
	if n := len(markers); n > 1 {
		// The last second may be cut short.
		l.RowsPerS = round(lagRate * float64(max(n-2, 1)) / markers[max(n-2, 1)].At.Sub(markers[0].At).Seconds())
	}
	return l, nil
}

func median(v []float64) float64 {
	v = slices.Sorted(slices.Values(v))
	return (v[(len(v)-1)/2] + v[len(v)/2]) / 2
}
