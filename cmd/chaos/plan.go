package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// A form is what becomes of changes at the sink.
type form string

const (
	keyed     form = "keyed"     // tables equal to the source's
	appended  form = "append"    // the same, and --keyless append
	changelog form = "changelog" // --changelog
)

// A fault is what an event does to the run.
type fault string

// The faults that a timeline may hold. Those from replyLost on are for runs
// with a REST catalog, and but for the last two they strike the next commit.
const (
	kill         fault = "kill"
	interrupt    fault = "interrupt"    // SIGINT or SIGTERM: a normal end
	cut          fault = "cut"          // connections to MySQL
	freeze       fault = "freeze"       // those, for a while
	refuse       fault = "refuse"       // no connection to MySQL for a while
	mysqlKill    fault = "mysql-kill"   // kill -9 and a start
	mysqlStop    fault = "mysql-stop"   // shutdown and a start
	rotate       fault = "rotate"       // the binlog
	twin         fault = "twin"         // a second process
	sleeper      fault = "sleeper"      // the process is stopped, a second one started, and the first goes on
	replyLost    fault = "reply-lost"   // the commit is made and the answer dropped
	error500Late fault = "500-after"    // made and answered with 500
	error503Late fault = "503-after"    // made and answered with 503
	error500     fault = "500-before"   // not made
	error503     fault = "503-before"   // not made
	unsent       fault = "unsent"       // not made, the connection closed
	slow         fault = "slow"         // made, the answer delayed
	late         fault = "late"         // made with a delay, even if the client has gone
	foreign      fault = "foreign"      // another engine's compaction
	catalogDown  fault = "catalog-down" // nothing is answered for a while
)

// ofCatalogs are the faults that take a REST catalog.
var ofCatalogs = []fault{replyLost, error500Late, error503Late, error500, error503, unsent, slow, late, foreign, catalogDown}

// steps are those at which a process can be told to kill itself.
var steps = []string{"rows written", "files durable", "manifests written", "commit sent", "commit landed", "tidied"}

// A plan is all that a seed decides. What the machine's timing makes of it
// differs from run to run.
type plan struct {
	seed     uint64
	rest     bool
	form     form
	loose    bool          // as a user who may not LOCK TABLES
	small    bool          // --memory 64MiB
	copied   bool          // `tablehaul snapshot` comes first
	flags    []string      // more of the command line
	start    time.Duration // of the first process, after the bank opened; 0: before it
	length   time.Duration // of the workload
	bank     bankPlan
	kills    []string // what each process is told of steps, in turn; "" nothing
	timeline []event
	files    *filesPlan // nil: the changes go to a lake
	polite   bool       // the last process but one is interrupted, not killed
	twice    bool       // the last run is done twice: the second must change no row
}

// A bankPlan is the workload's part of the plan.
type bankPlan struct {
	accounts int
	tellers  int
	pause    time.Duration // between two transactions of a teller, at most
	big      []time.Duration
	bigRows  int
	xa       bool
}

// An event is a fault at its time since the bank opened.
type event struct {
	at    time.Duration
	fault fault
	who   int           // which member, of topics
	last  time.Duration // how long, where that is asked for
}

func newPlan(seed uint64, xa bool) plan {
	r := rand.New(rand.NewPCG(seed, 0x7461626c656861))
	chance := func(percent int) bool { return r.IntN(100) < percent }
	between := func(low, high time.Duration) time.Duration { return low + rand64(r, high-low) }

	p := plan{seed: seed, form: keyed, rest: chance(30), loose: chance(20), small: chance(25)}
	if n := r.IntN(100); n < 12 {
		p.form = changelog
	} else if n < 25 {
		p.form = appended
	}
	// Without a pinned point the stock of a table without a key is not exact.
	p.loose = p.loose && p.form == keyed
	p.length = between(3200*time.Millisecond, 4*time.Second)
	if chance(75) {
		p.start = between(50*time.Millisecond, 600*time.Millisecond)
	}
	p.bank = bankPlan{
		accounts: 100 + r.IntN(1500), tellers: 2 + r.IntN(4), pause: between(time.Millisecond, 25*time.Millisecond),
		xa: xa && chance(25),
	}
	if chance(35) || p.small {
		p.bank.bigRows = 5_000 + r.IntN(20_000)
		if chance(25) {
			p.bank.bigRows = 25_000 + r.IntN(25_001)
		}
		for range 1 + r.IntN(2) {
			p.bank.big = append(p.bank.big, between(300*time.Millisecond, p.length-300*time.Millisecond))
		}
		slices.Sort(p.bank.big)
	}
	p.copied = p.form == keyed && !p.loose && chance(15)
	p.addKills(r)
	p.addTimeline(r)
	p.polite, p.twice = chance(50), chance(15)
	p.addFlags(r)
	return p
}

func (p *plan) addFlags(r *rand.Rand) {
	intervals := []string{"200ms", "200ms", "100ms", "50ms", "400ms"}
	p.flags = []string{"--commit-interval", intervals[r.IntN(len(intervals))]}
	if p.small {
		p.flags = append(p.flags, "--memory", "64MiB")
	}
	if len(p.bank.big) > 0 && r.IntN(3) == 0 {
		p.flags = append(p.flags, "--commit-size", "1MiB")
	}
	// So that a freeze is long enough to be noticed.
	if r.IntN(3) == 0 {
		p.flags = append(p.flags, "--heartbeat", "200ms")
	}
	switch p.form {
	case appended:
		p.flags = append(p.flags, "--keyless", "append")
	case changelog:
		p.flags = append(p.flags, "--changelog")
	}
}

func rand64(r *rand.Rand, d time.Duration) time.Duration {
	return time.Duration(r.Int64N(int64(max(d, 1))))
}

// addKills lets two runs in three have processes that die at steps.
func (p *plan) addKills(r *rand.Rand) {
	if r.IntN(3) == 0 {
		return
	}
	for range 1 + r.IntN(4) {
		step := ""
		if r.IntN(4) > 0 {
			step = fmt.Sprintf("%s:%d", steps[r.IntN(len(steps))], 1+r.IntN(1+r.IntN(24)))
		}
		p.kills = append(p.kills, step)
	}
}

func (p *plan) addTimeline(r *rand.Rand) {
	add := func(f fault, last time.Duration) {
		at := 300*time.Millisecond + rand64(r, p.length-500*time.Millisecond)
		p.timeline = append(p.timeline, event{at: at, fault: f, last: last})
	}
	for range r.IntN(3) {
		add(kill, 0)
	}
	switch n := r.IntN(100); { // dear ones, one a run at most
	case n < 9:
		add(mysqlKill, 0)
	case n < 16:
		add(mysqlStop, 0)
	case n < 34:
		add(twin, 0)
	case n < 42:
		add(sleeper, 300*time.Millisecond+rand64(r, time.Second))
	}
	if r.IntN(6) == 0 {
		add(interrupt, 0)
	}
	if r.IntN(3) == 0 {
		for range 1 + r.IntN(2) {
			f := []fault{cut, cut, freeze, refuse}[r.IntN(4)]
			add(f, 200*time.Millisecond+rand64(r, 1200*time.Millisecond))
		}
	}
	if r.IntN(4) == 0 {
		add(rotate, 0)
	}
	if p.rest {
		kinds := []fault{replyLost, replyLost, error500Late, error503Late, error500, error503, unsent, slow, late, foreign, foreign, catalogDown}
		for range 1 + r.IntN(4) {
			add(kinds[r.IntN(len(kinds))], 200*time.Millisecond+rand64(r, 1300*time.Millisecond))
		}
	}
	if len(p.timeline) == 0 && len(p.kills) == 0 {
		add(kill, 0)
	}
	slices.SortStableFunc(p.timeline, func(a, b event) int { return int(a.at - b.at) })
}

// has reports whether the timeline holds one of the faults.
func (p *plan) has(faults ...fault) bool {
	return slices.ContainsFunc(p.timeline, func(e event) bool { return slices.Contains(faults, e.fault) })
}

// sink names what the changes go to, for the line of the run.
func (p *plan) sink() string {
	words := []string{"folder"}
	switch {
	case p.files != nil:
		words[0] = p.files.name()
	case p.rest:
		words[0] = "rest"
	}
	if p.form != keyed {
		words = append(words, string(p.form))
	}
	if p.loose {
		words = append(words, "loose")
	}
	if p.small {
		words = append(words, "small")
	}
	if p.copied {
		words = append(words, "copied")
	}
	if p.bank.xa {
		words = append(words, "xa")
	}
	return strings.Join(words, ",")
}
