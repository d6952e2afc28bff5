package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// A store is where a copy goes.
type store string

const (
	folder store = "folder"
	rest   store = "rest"
	s3     store = "s3" // a catalog in SQLite, files in an object store
)

// A copyPlan is all that a seed decides of a run of the job snapshot.
type copyPlan struct {
	seed     uint64
	service  string // mysql or mariadb
	store    store
	files    *filesPlan // nil: a lake
	mode     string
	loose    bool // as a user who may not lock
	keyless  bool // slips is copied
	still    bool // and does not change
	quiet    bool // nobody writes any more when the last process is started
	flags    []string
	rows     int
	rate     int // rows a second; 0: as fast as it goes
	clerks   int
	bank     bankPlan
	attempts []attempt
}

// An attempt is a process that is to die, or to be interrupted.
type attempt struct {
	step  string        // it kills itself there; "": it is struck
	last  time.Duration // how long, where connections are cut
	at    float64       // when, as a part of the time that a run takes
	fault fault         // kill, interrupt, or what befalls connections to the store of files
}

// modes that add rows each time they are run, so that the source must stand still.
func (p *copyPlan) adds() bool { return p.mode == "append" || p.mode == "evolve" }

// newCopyPlan has the first process die at steps that first ones pass, and the others
// at any.
func newCopyPlan(seed uint64, first, steps []string) copyPlan {
	r := rand.New(rand.NewPCG(seed, 0x736e617073686f74))
	chance := func(percent int) bool { return r.IntN(100) < percent }
	p := copyPlan{
		seed: seed, service: mysql, store: folder, mode: "create", keyless: true, loose: chance(15),
		still: chance(40), quiet: chance(40), rows: 1500 + r.IntN(4500), clerks: 1 + r.IntN(3),
		bank: bankPlan{accounts: 200 + r.IntN(2000), tellers: 1 + r.IntN(3), pause: time.Millisecond + rand64(r, 20*time.Millisecond)},
	}
	if chance(20) {
		p.service = mariadb
	}
	switch n := r.IntN(100); {
	case n < 15:
		p.store = rest
	case n < 25:
		p.store = s3
	}
	switch n := r.IntN(100); {
	case n < 20:
		p.mode = "replace"
	case n < 28:
		p.mode = []string{"append", "evolve"}[n%2]
		p.loose, p.quiet, p.still = false, true, true
	}
	if p.loose { // without a key a table cannot be read at several points
		p.keyless = chance(30)
	}
	p.addAttempts(r, first, steps)
	p.addFlags(r)
	return p
}

// addAttempts has most runs killed, half of the times at steps.
func (p *copyPlan) addAttempts(r *rand.Rand, first, steps []string) {
	n := 4 - r.IntN(1+r.IntN(4)) // few where a process is done before it can be killed
	if r.IntN(20) == 0 {
		n = 0
	}
	later := slices.DeleteFunc(slices.Clone(steps), func(s string) bool { return slices.Contains(first, s) })
	for i := range n {
		names := steps
		if i == 0 {
			names = first
		}
		a := attempt{fault: kill, at: 0.05 + 0.75*r.Float64()}
		switch {
		case i > 0 && len(later) > 0 && r.IntN(5) == 0:
			// Passed at the beginning alone, and only if the run before got far enough.
			a.step = later[r.IntN(len(later))] + ":1"
		case r.IntN(2) == 0:
			a.step = fmt.Sprintf("%s:%d", names[r.IntN(len(names))], 1+r.IntN(1+r.IntN(5)))
		case r.IntN(8) == 0:
			a.fault = interrupt
		}
		p.attempts = append(p.attempts, a)
	}
}

func (p *copyPlan) addFlags(r *rand.Rand) {
	one := func(of ...string) string { return of[r.IntN(len(of))] }
	p.flags = []string{
		"--mode", p.mode, "--parallel", fmt.Sprint(1 + r.IntN(6)),
		"--split-rows", one("200", "500", "500", "1000", "2000"),
		"--checkpoint-interval", one("1ns", "20ms", "50ms", "50ms", "200ms", "1s"),
	}
	add := func(percent int, flags ...string) {
		if r.IntN(100) < percent {
			p.flags = append(p.flags, flags...)
		}
	}
	if r.IntN(100) < 60 {
		p.rate = p.rows * (2 + r.IntN(5))
		add(100, "--rate-limit", fmt.Sprintf("%drows", p.rate))
	}
	add(20, "--memory", "64MiB")
	add(25, "--target-file-size", "1MiB")
	add(20, "--format-version", "3")
	if p.mode != "replace" { // the table that is there has been made without
		add(25, "--partition", one("orders: bucket(4,id)", "lines: truncate(10000,order_id)", "orders: month(placed)", "names: truncate(2,code)"))
		add(20, "--sort", one("orders: customer", "lines: order_id, line", "names: v desc"))
	}
	if !p.keyless {
		p.flags = append(p.flags, "--exclude", "slips")
	}
}

// name is what the seed chose, in short.
func (p *copyPlan) name() string {
	words := []string{p.service, string(p.store), p.mode}
	if p.files != nil {
		words[1] = p.files.name()
	}
	for _, w := range []struct {
		is   bool
		word string
	}{{p.loose, "loose"}, {p.quiet, "quiet"}, {p.still, "still"}, {p.rate > 0, "slow"}, {p.laidOut(), "layout"}} {
		if w.is {
			words = append(words, w.word)
		}
	}
	return strings.Join(words, ",")
}

// laidOut reports whether a table has partitions or an order.
func (p *copyPlan) laidOut() bool {
	text := strings.Join(p.flags, " ")
	return strings.Contains(text, "--partition") || strings.Contains(text, "--sort")
}
