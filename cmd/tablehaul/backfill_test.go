package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/testdata/services"
)

// TestBackfillAtRandom redoes a table while clients write, tail brings their changes to a topic, and
// dump the topic's to the sink: backfill is killed at steps of its own, or at any moment, and dump
// too, until backfill comes to its end. The sink has in the end what the source has.
// TABLEHAUL_TEST_ALTERED is as in TestAlteredAtRandom.
func TestBackfillAtRandom(t *testing.T) {
	t.Parallel()
	atRandom(t, 2, func(t *testing.T, sink string, seed uint64) {
		b := &backfilled{altered: newSeeded(t, sink, seed, 12)}
		b.run()
	})
}

// backfillSteps are those that a backfill passes, of its own and of the sinks.
var backfillSteps = []string{
	"end of topics noted", "point pinned", "stock read", "caught up", "rows written", "commit sent", "commit landed", "published", "tidied",
}

// A backfilled is a database that tail and dump bring to a sink.
type backfilled struct {
	*altered
	mu sync.Mutex // of what clients and the test do at a time
	// The lines that bring changes to a topic, nil if there is none, and to the sink; the latter
	// ends with end.
	to, from, end []string
	redo          []string // the line of the backfill
	part          int      // redoneWhole and so on
}

// What of the table is redone.
const (
	redoneWhole = iota
	redoneRows
	redoneColumn
)

// plan makes the lines, with a topic or without one.
func (b *backfilled) plan() {
	b.t.Helper()
	source := b.args[1]
	b.redo = []string{"backfill", source, b.args[2], "--tables", "t0", "--split-rows", "10"}
	if b.sink == "file" {
		b.redo = append(b.redo, "--latest")
	}
	if b.rnd.IntN(3) == 0 { // tables that are shards, of one each
		routes := []string{"--route", b.db + `\.(t[0-9]+) -> ` + b.db + ".$1", "--shard-columns"}
		b.args, b.redo = append(b.args, routes...), append(b.redo, routes...)
	}
	if b.part = b.rnd.IntN(3); b.part == redoneRows {
		b.redo = append(b.redo, "--where", "id BETWEEN 20 AND 45")
	} else if b.part == redoneColumn {
		b.redo = append(b.redo, "--columns", "c1")
	}
	if b.rnd.IntN(4) == 0 {
		b.from, b.end = b.args, []string{"--until", "now"}
		b.redo = append(b.redo, "--log", "binlog")
		return
	}
	script := &script{t: b.t}
	script.kafka(strings.Split(services.Env(b.t, "TABLEHAUL_TEST_KAFKA"), ",")[0])
	name := script.getenv("TOPIC")
	script.topic(name, []string{"1", "3"}[b.rnd.IntN(2)])
	topic := "kafka://" + script.getenv("HOST") + "/" + name
	format := []string{"canal-json", "arrow", "debezium-json"}[b.rnd.IntN(3)]
	b.to = []string{"tail", source, topic + "?format=" + format, "--commit-interval", "20ms"}
	b.from, b.end = append([]string{"dump", topic}, b.args[2:]...), []string{"--until", "end"}
	b.redo = append(b.redo, "--log", topic)
}

func (b *backfilled) run() {
	b.t.Helper()
	b.plan()
	b.t.Log(strings.Join(b.redo, " "))
	for _, table := range b.tables {
		b.sql("INSERT INTO DB." + table + " WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 40) SELECT i, i, i FROM n")
	}
	late := b.to != nil && b.part == redoneWhole && b.rnd.IntN(3) == 0
	if late { // the topic begins behind the first rows
		b.to = append(b.to, "--start", "now")
		b.ends(b.command(append(b.to, "--until", "now")...))
	}
	if b.part != redoneWhole {
		b.plant()
	}
	var tail *exec.Cmd
	if b.to != nil {
		tail = b.start(b.to...)
	}
	dump := b.start(b.from...)
	stop := b.clients(10*time.Millisecond, func(table string) { b.rows(table, b.rnd.IntN(55)) })
	b.pause(600)
	for try := 0; ; try++ {
		cmd := b.command(b.redo...)
		b.mu.Lock()
		how := b.rnd.IntN(3)
		step := fmt.Sprintf("%s:%d", backfillSteps[b.rnd.IntN(len(backfillSteps))], 1+b.rnd.IntN(2))
		b.mu.Unlock()
		if try < 3 && how < 2 {
			cmd.Env = append(os.Environ(), "TABLEHAUL_TEST_KILL="+step)
		}
		out := b.starts(cmd)
		if try < 3 && how == 2 {
			b.pause(300)
			_ = cmd.Process.Kill()
		}
		if b.roll(4) == 0 { // the dump is killed as well
			b.pause(200)
			_ = dump.Process.Kill()
			_ = dump.Wait()
			dump = b.start(b.from...)
		}
		err := cmd.Wait()
		b.note(fmt.Sprintf("-- %s, %s, %v: %s", strings.Join(b.redo, " "), step, err, out))
		if err == nil {
			break
		}
		if code := cmd.ProcessState.ExitCode(); code != -1 {
			b.t.Fatalf("backfill: exit code %d: %s", code, out)
		}
	}
	b.pause(600)
	stop()
	if b.to != nil {
		b.quit(tail)
		b.ends(b.command(append(b.to, "--until", "now")...))
	}
	b.quit(dump)
	b.ends(b.command(append(b.from, b.end...)...))
	if late { // the other one's first rows have never come
		b.tables = []string{"t0"}
	}
	b.equal()
}

// plant brings the table to the sink, and has it be another one in what is redone then.
func (b *backfilled) plant() {
	b.t.Helper()
	if b.to != nil {
		b.ends(b.command(append(b.to, "--until", "now")...))
	}
	b.ends(b.command(append(b.from, b.end...)...))
	switch b.part {
	case redoneRows:
		b.sql("SET sql_log_bin = 0; DELETE FROM DB.t0 WHERE id IN (20, 21, 30); UPDATE DB.t0 SET c0 = 'planted' WHERE id IN (22, 31, 40); INSERT INTO DB.t0 VALUES (41, 'new', 1), (45, NULL, NULL)")
	case redoneColumn:
		b.sql("SET sql_log_bin = 0; UPDATE DB.t0 SET c1 = id + 1000")
	}
}

// clients have both tables written to, with such a pause, until they are told to stop.
func (b *backfilled) clients(pause time.Duration, write func(table string)) (stop func()) {
	quit := make(chan struct{})
	var end sync.WaitGroup
	end.Go(func() {
		for {
			select {
			case <-quit:
				return
			case <-time.After(pause):
			}
			b.mu.Lock()
			write([]string{"t0", "t1"}[b.rnd.IntN(2)])
			b.mu.Unlock()
		}
	})
	return func() {
		close(quit)
		end.Wait()
	}
}

func (b *backfilled) roll(n int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.rnd.IntN(n)
}

func (b *backfilled) pause(most int) { time.Sleep(time.Duration(b.roll(most)) * time.Millisecond) }

func (b *backfilled) note(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.done = append(b.done, text)
}

func (b *backfilled) command(args ...string) *exec.Cmd { return exec.Command("tablehaul", args...) }

// starts begins a run, and returns what it will have said.
func (b *backfilled) starts(cmd *exec.Cmd) *bytes.Buffer {
	b.t.Helper()
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { _ = cmd.Process.Kill() })
	return &out
}

func (b *backfilled) start(args ...string) *exec.Cmd {
	b.t.Helper()
	cmd := b.command(args...)
	b.starts(cmd)
	return cmd
}

// quit has a run stop that goes on until it is told to.
func (b *backfilled) quit(cmd *exec.Cmd) {
	b.t.Helper()
	_ = cmd.Process.Signal(syscall.SIGTERM)
	err := cmd.Wait()
	if w, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && w.Signaled() && w.Signal() == syscall.SIGTERM {
		return // it had not come to where it would heed it
	}
	if err != nil {
		b.t.Fatalf("%s: %v: %s", cmd.Args[1], err, cmd.Stdout)
	}
}

// ends has a run come to its end.
func (b *backfilled) ends(cmd *exec.Cmd) {
	b.t.Helper()
	out := b.starts(cmd)
	if err := cmd.Wait(); err != nil {
		b.t.Fatalf("%s: %v: %s", cmd.Args[1], err, out)
	}
}
