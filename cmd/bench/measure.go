package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"time"
)

// run measures a case: it loads the table or writes the log where need be, warms
// the server with one drain and lets the contenders take turns.
func (e *env) run(ctx context.Context, c *benchCase) (*result, error) {
	rows := c.rows
	if e.opts.rows > 0 {
		rows = e.opts.rows
	}
	if c.log != nil && c.log.reads == readLive {
		return e.runLag(ctx, c, rows)
	}
	if c.scale {
		return e.runScale(ctx, c, rows)
	}
	if c.backfill {
		return e.runBackfill(ctx, c, rows)
	}
	load, warm := "load", "drain"
	if c.log != nil {
		load, warm = "log", "frames"
	}
	p := part{caseName: c.name, addr: e.addr, rows: rows, connections: 1}
	// Loading is a child too: its memory must not become ours (see peakMiB).
	if err := e.child(ctx, p.args(load)); err != nil {
		return nil, fmt.Errorf("%s: %w", load, err)
	}
	if _, _, err := runChild(ctx, append([]string{e.self}, p.args(warm)...), nil, e.serverPID); err != nil {
		return nil, fmt.Errorf("warm up: %w", err)
	}
	contenders, err := e.contenders(ctx, c, rows)
	if err != nil {
		return nil, err
	}
	if c.log != nil && c.log.reads == readDecode && e.wants("product") {
		if err := e.prove(ctx, c, rows); err != nil {
			return nil, fmt.Errorf("prove what is decoded: %w", err)
		}
	}
	samples, err := e.rounds(ctx, c, rows, contenders)
	if err != nil {
		return nil, err
	}
	if e.opts.profile {
		if err := e.profileProduct(ctx, c, rows, contenders); err != nil {
			fmt.Fprintf(os.Stderr, "bench: %s: no profile: %v\n", c.name, err)
		}
	}
	r := newResult(e, c, rows, samples)
	if c.topic != nil {
		r.Topic = c.topic.figures(r)
	}
	return r, nil
}

// child runs a part of the bench that is not measured.
func (e *env) child(ctx context.Context, args []string) error {
	cmd := exec.CommandContext(ctx, e.self, args...)
	cmd.Stderr = os.Stderr
	return cmd.Run()
}

// rounds runs every contender once a round, each round beginning with another:
// what disturbs the machine for a while then hits all of them alike.
func (e *env) rounds(ctx context.Context, c *benchCase, rows int64, all []*contender) (map[string][]sample, error) {
	samples, dead := map[string][]sample{}, map[string]bool{}
	for round := range e.opts.repeat {
		for i := range all {
			one := all[(i+round)%len(all)]
			if dead[one.name] {
				continue
			}
			s, err := e.once(ctx, one, rows)
			switch {
			case err == nil:
				fmt.Fprintf(os.Stderr, "bench: %s %d/%d %-11s %7.2f s %6.2f µs CPU a row, %2.0f%% of the machine with others\n",
					c.name, round+1, e.opts.repeat, one.name, s.WallS, s.CPUS/float64(rows)*1e6, s.Foreign*100)
				samples[one.name] = append(samples[one.name], s)
			case one.rival && ctx.Err() == nil:
				fmt.Fprintf(os.Stderr, "bench: %s is left out of %s: %v\n", one.name, c.name, err)
				dead[one.name] = true
				delete(samples, one.name)
			default:
				return nil, fmt.Errorf("%s: %w", one.name, err)
			}
		}
	}
	return samples, nil
}

// once runs a contender in a fresh folder and checks what it did.
func (e *env) once(ctx context.Context, one *contender, rows int64) (sample, error) {
	out := filepath.Join(e.tmp, "out")
	if err := os.RemoveAll(out); err != nil {
		return sample{}, err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return sample{}, err
	}
	// Removed at once: what has not reached the disk yet then never does, and
	// does not disturb who comes next.
	defer os.RemoveAll(out)
	if one.prepare != nil {
		for _, argv := range one.prepare(out) {
			if _, _, err := runChild(ctx, argv, nil, e.serverPID); err != nil {
				return sample{}, fmt.Errorf("prepare: %w", err)
			}
		}
	}
	settle(ctx, e.opts.quiet)
	s, stdout, err := runChild(ctx, one.argv(out), one.env, e.serverPID, e.kafka.pid)
	if err != nil {
		return s, err
	}
	r, err := one.check(out, stdout)
	if err != nil {
		return s, fmt.Errorf("check the outcome: %w", err)
	}
	if r.Rows != rows {
		return s, fmt.Errorf("%d rows arrived of %d", r.Rows, rows)
	}
	s.OutBytes = r.Bytes
	return s, nil
}

// settle gives the server a moment to clear up after the last run, and waits at
// most so long for others to leave nine tenths of the machine idle.
func settle(ctx context.Context, longest time.Duration) {
	const step = 300 * time.Millisecond
	for end := time.Now().Add(longest); ; {
		busy, start := busySeconds(), time.Now()
		select {
		case <-time.After(step):
		case <-ctx.Done():
			return
		}
		share := (busySeconds() - busy) / (time.Since(start).Seconds() * float64(runtime.NumCPU()))
		if share < 0.1 || time.Now().After(end) {
			return
		}
	}
}

// profileProduct runs the product once more under its own CPU profiler and
// prints where the time went.
func (e *env) profileProduct(ctx context.Context, c *benchCase, rows int64, contenders []*contender) error {
	if !e.wants("product") {
		return nil
	}
	path := filepath.Join(e.root, "bench-"+c.table+".prof")
	os.Remove(path)
	product := contenders[0]
	product.env = append(product.env, "TABLEHAUL_CPUPROFILE="+path)
	if _, err := e.once(ctx, product, rows); err != nil {
		return err
	}
	if _, err := os.Stat(path); err != nil {
		return errors.New("the product wrote none: it does not know TABLEHAUL_CPUPROFILE")
	}
	out, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", "-nodecount=45", path).CombinedOutput()
	if err != nil {
		return fmt.Errorf("pprof: %w\n%s", err, out)
	}
	fmt.Printf("%s: CPU profile %s\n%s\n", c.name, path, out)
	return nil
}
