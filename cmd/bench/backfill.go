package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
)

// What is written to the other table while the large one is redone, and how soon it is committed.
const (
	besideSteps    = 20 // transactions a second
	besideRows     = 50 // each adds
	besideInterval = time.Second
	besidePhase    = 20 * time.Second // before the first round, and after the last
	besideTable    = "beside"
)

// A besideLag is how long the other table's rows took from the source's commit until they were in
// the lake, by what went on when they were committed.
type besideLag struct {
	Before   *lag `json:"before"`
	Snapshot *lag `json:"snapshot"` // into a lake of its own
	Backfill *lag `json:"backfill"` // and for as long after it as the dump takes to notice
	After    *lag `json:"after"`
}

func backfillCases() []*benchCase {
	return []*benchCase{{
		name: "backfill/beside-dump", table: "sbtest", rows: 5_000_000, backfill: true,
		ddl: sbtestDDL, after: "ADD INDEX k_1 (k)", row: sbtestRow, columns: sbtestColumns,
		goals: []goal{{name: "snapshot", limit: 1.3}, {name: "snapshot_cpu", limit: 1.3}, {name: "lag_p50", limit: 1.5}, {name: "peak_mib", limit: 600}},
	}}
}

// A besides is a run of such a case: tail brings both tables' changes into a topic, dump the topic
// into a lake.
type besides struct {
	e      *env
	c      *benchCase
	rows   int64
	source string
	log    string // the topic's URL
	lake   string

	mu     sync.Mutex
	marks  []marker // Number is of rows in the other table
	phase  string   // what goes on
	phases []string // of marks
}

// runBackfill redoes a table that a dump brings to a lake, in turns with snapshots of it into lakes
// of their own, while another table is written to at a steady rate.
func (e *env) runBackfill(ctx context.Context, c *benchCase, rows int64) (_ *result, err error) {
	if !e.wants("product") {
		return newResult(e, c, rows, nil), nil
	}
	if err := e.child(ctx, part{caseName: c.name, addr: e.addr, rows: rows, connections: 1}.args("load")); err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	topic := fmt.Sprintf("bench-run-%d", time.Now().UnixNano())
	out := filepath.Join(e.tmp, "out")
	if err := errors.Join(os.RemoveAll(out), os.MkdirAll(out, 0o755)); err != nil {
		return nil, err
	}
	defer os.RemoveAll(out)
	b := &besides{
		e: e, c: c, rows: rows, lake: filepath.Join(out, "lake"), phase: "before",
		source: "mysql://root@" + e.addr + "/" + database(rows), log: "kafka://" + e.kafka.addr + "/" + topic,
	}
	conn, err := connect(ctx, e.addr, database(rows))
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if err := execute(conn, "SET sql_log_bin=1", "DROP TABLE IF EXISTS "+besideTable, "CREATE TABLE "+besideTable+" (id bigint AUTO_INCREMENT PRIMARY KEY, at datetime(6), note varchar(60))"); err != nil {
		return nil, err
	}
	// One partition: rows come into sight in the order in which they were committed.
	tables := c.table + "," + besideTable
	if _, _, err := runChild(ctx, b.tail(tables, "--start", "now", "--until", "now"), nil); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, e.kafka.removeTopic(context.WithoutCancel(ctx), topic)) }()
	running, stop := context.WithCancel(ctx)
	defer stop()
	var ended sync.WaitGroup
	failed := make(chan error, 3)
	beside := func(what string, run func() error) {
		ended.Go(func() {
			if err := run(); running.Err() == nil {
				failed <- errors.Join(errEarly, fmt.Errorf("%s: %w", what, err))
				stop()
			}
		})
	}
	beside("tail", func() error { _, _, err := runChild(running, b.tail(tables), nil); return err })
	beside("dump", func() error {
		_, _, err := runChild(running, []string{e.product, "dump", b.log, "iceberg:" + b.lake, "--commit-interval", besideInterval.String(), "--quiet"}, nil)
		return err
	})
	beside("write", func() error { return b.write(running, conn) })
	watch := watchLake(filepath.Join(b.lake, database(rows), besideTable), recordCount)
	samples, err := b.rounds(running)
	b.enter("")
	if last := b.last(); err == nil && last != nil {
		err = watch.waitFor(running, last.Number, time.Minute, failed)
	}
	seen := watch.end()
	stop()
	ended.Wait()
	select {
	case cause := <-failed:
		return nil, errors.Join(err, cause)
	default:
	}
	if err != nil {
		return nil, err
	}
	res := newResult(e, c, rows, samples)
	res.Ratios["snapshot"] = round(res.Figures["product"].WallS / res.Figures["snapshot"].WallS)
	res.Ratios["snapshot_cpu"] = round(res.Figures["product"].CPUPerRow / res.Figures["snapshot"].CPUPerRow)
	res.Beside, err = b.lags(seen)
	if err == nil {
		res.Ratios["lag_p50"] = round(res.Beside.Backfill.P50 / res.Beside.Before.P50)
		res.Ratios["lag_max"] = round(res.Beside.Backfill.Max / res.Beside.Before.Max)
	}
	return res, err
}

// tail is the command that brings the changes into the topic.
func (b *besides) tail(tables string, more ...string) []string {
	return append([]string{b.e.product, "tail", b.source, b.log + "?format=arrow&partitions=1", "--tables", tables, "--commit-interval", besideInterval.String(), "--quiet"}, more...)
}

// enter notes what goes on from now on.
func (b *besides) enter(phase string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.phase = phase
}

func (b *besides) last() *marker {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.marks) == 0 {
		return nil
	}
	return &b.marks[len(b.marks)-1]
}

// write adds rows to the other table until ctx ends, and changes one of the large table now and then:
// there and back, so that it stays as other cases know it.
func (b *besides) write(ctx context.Context, conn *client.Conn) error {
	tick := time.NewTicker(time.Second / besideSteps)
	defer tick.Stop()
	values := strings.TrimSuffix(strings.Repeat("(NOW(6), REPEAT('n', 60)),", besideRows), ",")
	rows, step := int64(0), 0
	for start := time.Now(); ; step++ {
		if ctx.Err() != nil && step%2 == 0 {
			return ctx.Err()
		}
		<-tick.C
		// By the clock: what a slow step has held up comes with the next ones.
		for due := int64(time.Since(start).Seconds() * besideSteps * besideRows); rows < due; rows += besideRows {
			if err := execute(conn, "INSERT INTO "+besideTable+" (at, note) VALUES "+values); err != nil {
				return err
			}
		}
		sign := []string{"+", "-"}[step%2]
		if err := execute(conn, fmt.Sprintf("UPDATE %s SET k = k %s 1 WHERE id = %d", b.c.table, sign, 1+int64(step/2*7919)%b.rows)); err != nil {
			return err
		}
		if step%besideSteps == 0 {
			b.mu.Lock()
			b.marks, b.phases = append(b.marks, marker{Number: rows, At: time.Now()}), append(b.phases, b.phase)
			b.mu.Unlock()
		}
	}
}

// rounds has snapshots and backfills take turns.
func (b *besides) rounds(ctx context.Context) (map[string][]sample, error) {
	samples := map[string][]sample{}
	if err := sleep(ctx, besidePhase); err != nil {
		return nil, err
	}
	for round := range b.e.opts.repeat {
		fresh := filepath.Join(b.e.tmp, "fresh")
		for _, one := range []struct {
			name, phase string
			argv        []string
		}{
			{"snapshot", "snapshot", []string{b.e.product, "snapshot", b.source, "iceberg:" + fresh}},
			{"product", "backfill", []string{b.e.product, "backfill", b.source, "iceberg:" + b.lake, "--log", b.log}},
		} {
			b.enter(one.phase)
			argv := append(one.argv, "--tables", b.c.table, "--parallel", fmt.Sprint(b.e.opts.connections), "--quiet")
			s, _, err := runChild(ctx, argv, nil, b.e.serverPID, b.e.kafka.pid)
			if err != nil {
				return nil, err
			}
			fmt.Fprintf(os.Stderr, "bench: %s %d/%d %-9s %7.2f s, %2.0f%% of the machine with others\n", b.c.name, round+1, b.e.opts.repeat, one.phase, s.WallS, s.Foreign*100)
			samples[one.name] = append(samples[one.name], s)
			// What the dump does about it belongs to it.
			if err := sleep(ctx, 5*besideInterval); err != nil {
				return nil, err
			}
			b.enter("between")
			folder := fresh
			if one.name == "product" {
				folder = filepath.Join(b.lake, database(b.rows), b.c.table)
			}
			// Both have all rows, and what the dump has changed since beside them.
			if rows, err := icebergRows(folder); err != nil || rows < b.rows {
				return nil, errors.Join(err, fmt.Errorf("%s: %d rows arrived of %d", one.phase, rows, b.rows))
			}
			if err := os.RemoveAll(fresh); err != nil {
				return nil, err
			}
		}
	}
	b.enter("after")
	return samples, sleep(ctx, besidePhase)
}

// lags sorts the markers by what went on when they were committed.
func (b *besides) lags(seen []marker) (*besideLag, error) {
	out := &besideLag{}
	for phase, to := range map[string]**lag{"before": &out.Before, "snapshot": &out.Snapshot, "backfill": &out.Backfill, "after": &out.After} {
		var markers []marker
		for i, m := range b.marks {
			// The first ones waited for the table to be made.
			if b.phases[i] == phase && (phase != "before" || i >= 10) {
				markers = append(markers, m)
			}
		}
		if len(markers) == 0 {
			return nil, fmt.Errorf("no rows were committed %s", phase)
		}
		l, err := newLag(markers, seen)
		if err != nil {
			return nil, err
		}
		l.IntervalS, l.RowsPerS = besideInterval.Seconds(), besideSteps*besideRows
		*to = l
	}
	return out, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
