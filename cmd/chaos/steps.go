package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A copyJob kills what copies tables.
type copyJob struct {
	env   *env
	steps stepTable
}

// A stepTable has the steps at which a process can be told to kill itself, as it tells itself,
// and how many have died there.
type stepTable struct {
	names []string       // in the order in which they were first seen
	first []string       // those that a copy passes that nothing was before
	at    map[string]int // died there, as they were told
	after map[string]int // killed at a random moment, this being the last that they had passed
	kills int
	whole time.Duration // a copy takes about so long
}

// enough kills should have hit every step.
const enough = 200

func beginCopy(ctx context.Context, e *env) (job, error) {
	j := newCopyJob(e)
	return j, j.walk(ctx, nil, "--partition", "lines: bucket(2,order_id)", "--sort", "lines: sku")
}

func newCopyJob(e *env) *copyJob {
	return &copyJob{env: e, steps: stepTable{at: map[string]int{}, after: map[string]int{}}}
}

// walk finds the steps: it has a copy die at each one that is known, in turn, which
// leads to those that only copies have that go on with another's.
func (j *copyJob) walk(ctx context.Context, to *filesPlan, layout ...string) error {
	p := copyPlan{seed: 0, service: mysql, store: folder, files: to, rows: 1500, bank: bankPlan{accounts: 10}}
	p.flags = append([]string{"--tables", "orders,lines,vacant", "--parallel", "2", "--split-rows", "300", "--checkpoint-interval", "1ns"}, layout...)
	w, err := j.newWorld(ctx, p)
	if w != nil {
		defer w.close()
		defer os.RemoveAll(w.dir)
	}
	if err != nil {
		return err
	}
	died, fresh := map[string]bool{}, true
	for lake := 0; ; {
		step := j.steps.firstBut(died)
		switch {
		case lake > 3*len(j.steps.names)+3:
			return fmt.Errorf("look for steps: %s was passed once and never again", step)
		case step == "" && lake > 0:
			fmt.Printf("steps: %s; a copy takes %v\n", strings.Join(j.steps.names, ", "), j.steps.whole.Round(time.Millisecond))
			return nil
		case fresh && lake > 0: // what it is that leads there is not known
			step = j.steps.names[lake%len(j.steps.names)]
		}
		w.product.argv[3] = fmt.Sprintf("%s-%d", w.sink, lake)
		if step != "" {
			step += ":1"
		}
		s, err := w.product.follow(copies, step)
		if err != nil {
			return err
		}
		if !w.await(ctx, s) {
			return errors.Join(ctx.Err(), errors.Join(w.errs...))
		}
		x := s.exit
		j.steps.see(x)
		if fresh && lake == 0 {
			j.steps.first = slices.Clone(j.steps.names)
		}
		switch fresh = false; {
		case x.killed() && step != "":
			died[stepOf(x)] = true
		case x.code != 0:
			return fmt.Errorf("look for steps: %v", x)
		default:
			if took := x.ended.Sub(x.began); j.steps.whole == 0 || took < j.steps.whole {
				j.steps.whole = took
			}
			lake, fresh = lake+1, true
		}
	}
}

// firstBut returns the first step that is not among these.
func (s *stepTable) firstBut(these map[string]bool) string {
	for _, name := range s.names {
		if !these[name] {
			return name
		}
	}
	return ""
}

// see takes in the steps that a process has passed.
func (s *stepTable) see(x exit) {
	for _, name := range x.steps {
		if !slices.Contains(s.names, name) {
			s.names = append(s.names, name)
		}
	}
}

// count notes where processes have died.
func (s *stepTable) count(exits []exit) {
	for _, x := range exits {
		s.see(x)
		switch {
		case !x.killed():
			continue
		case x.struck != syscall.SIGKILL:
			s.at[stepOf(x)]++
		case len(x.steps) == 0:
			s.after[""]++
		default:
			s.after[x.steps[len(x.steps)-1]]++
		}
		s.kills++
	}
}

// sum writes the table of kills. After enough of them every step must have been hit.
func (j *copyJob) sum(w io.Writer) error {
	s := &j.steps
	var missed []string
	fmt.Fprintf(w, "%d kills\n%-26s %9s %9s\n", s.kills, "step", "killed at", "and after")
	fmt.Fprintf(w, "%-26s %9s %9d\n", "(none yet)", "", s.after[""])
	for _, name := range s.names {
		fmt.Fprintf(w, "%-26s %9d %9d\n", name, s.at[name], s.after[name])
		if s.at[name] == 0 {
			missed = append(missed, name)
		}
	}
	if s.kills >= enough && len(missed) > 0 {
		return fmt.Errorf("nothing was killed at: %s", strings.Join(missed, ", "))
	}
	return nil
}
