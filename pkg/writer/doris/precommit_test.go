package doris

import (
	"encoding/json"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/doris/doristest"
)

// Loads that a dead run has precommitted are given up by the next one, whatever has become of
// some of them; those of a run that lives are not.
func TestLingering(t *testing.T) {
	c, s := started(t, doristest.Options{})
	ctx := t.Context()
	j := keyedJob()
	first := job{j.table, j.steps[:2], j.after[:2]}
	must(t, first.run(t, s))

	s.loadSize.Store(1)
	w, err := s.Open(ctx, j.table, writer.Follow)
	must(t, err)
	for i := range 5 {
		b := batchtest.Build(memory.DefaultAllocator, j.table, []batchtest.Row{{i, "lingers"}})
		b.Ops = []batch.Op{batch.After}
		must(t, w.Write(ctx, b))
		b.Release()
	}
	staged := w.(*Writer).staged
	must(t, s.store.decide(ctx, "shop", "abort", staged[2].Txn)) // by an operator
	if n := c.Precommitted(); n != 4 {
		t.Fatalf("%d loads are precommitted", n)
	}

	must(t, first.run(t, testSink(t, c, Options{})))
	if n := c.Precommitted(); n != 4 {
		t.Fatalf("%d loads of a run that lives are left", n)
	}
	kill(t, s, "shop", "notes")
	var discarded int
	next := testSink(t, c, Options{Step: func(name string) {
		if name == "dead run discarded" {
			discarded++
		}
	}})
	must(t, j.run(t, next))
	if n := c.Precommitted(); n != 0 || discarded != 1 {
		t.Errorf("%d loads are left, of %d dead runs", n, discarded)
	}
	if got := j.among(t, c); got != len(j.steps) {
		t.Errorf("%d commits", got)
	}
	rows, err := s.store.sql.read(ctx, "SELECT `part` FROM `shop`.`"+positions+"` WHERE `part` <> ''")
	must(t, err)
	if len(rows) > 0 {
		t.Errorf("notes are left: %v", rows)
	}
}

// kill has the notes of a sink at a table be those of a process that is over.
func kill(t *testing.T, s *Sink, db, name string) {
	t.Helper()
	ctx := t.Context()
	over := exec.Command("true")
	must(t, over.Run())
	rows, err := s.store.sql.read(ctx, "SELECT `part`, `state` FROM "+quoted(db, positions)+" WHERE `part` <> ''")
	must(t, err)
	for _, r := range rows {
		var n note
		must(t, json.Unmarshal([]byte(r[1]), &n))
		machine, process, _ := strings.Cut(n.Owner, "\n")
		_, rest, _ := strings.Cut(process, " ")
		n.Owner = machine + "\n" + strconv.Itoa(over.Process.Pid) + " " + rest
		state, err := json.Marshal(n)
		must(t, err)
		must(t, s.store.put(ctx, db, s.label(db, name), name, r[0], time.Now().UnixNano(), string(state)))
	}
	s.mu.Lock()
	clear(s.held)
	s.mu.Unlock()
}
