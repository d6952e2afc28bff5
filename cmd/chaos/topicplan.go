package main

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/tablehaul/tablehaul/pkg/message"
)

// The faults that timelines of topics have beside those of tail. Those of processes are
// about the collector, unless they are a member's.
const (
	memberKill   fault = "member-kill"
	leave        fault = "leave"  // a member, by SIGTERM; it comes back after a while
	zombie       fault = "zombie" // a member is stopped, its group goes on without it, and it goes on too
	nap          fault = "nap"    // a member is stopped for less than the group would notice
	brokerKill   fault = "broker-kill"
	brokerStop   fault = "broker-stop"
	brokerCut    fault = "broker-cut" // the connections of all processes
	brokerFreeze fault = "broker-freeze"
	brokerRefuse fault = "broker-refuse"
)

// sinkSteps are those of topics at which a collector can be told to kill itself.
var sinkSteps = []string{"messages there", "transaction ended"}

// A topicPlan is all that a seed decides of a run by way of topics.
type topicPlan struct {
	plan        // of what both ends have in common; its kills are the collector's
	format      string
	more        string // parameters of the collector's URL
	partitions  int
	each        bool   // a topic for each table
	from        string // where the collector starts: snapshot, earliest, or a place that is noted before tables have rows
	group       bool
	lasting     bool // no table is ever emptied
	members     []memberPlan
	memberFlags []string
}

// A memberPlan is what a seed decides of a member.
type memberPlan struct {
	start time.Duration // after the bank opened
	kills []string
}

func newTopicPlan(seed uint64, xa bool) topicPlan {
	r := rand.New(rand.NewPCG(seed, 0x746f70696373))
	chance := func(percent int) bool { return r.IntN(100) < percent }
	between := func(low, high time.Duration) time.Duration { return low + rand64(r, high-low) }

	p := topicPlan{plan: plan{seed: seed, form: keyed, rest: chance(25)}}
	p.format = message.Formats[r.IntN(len(message.Formats))]
	p.partitions = 1 + r.IntN(5)
	p.each = chance(20)
	if n := r.IntN(100); n < 10 {
		p.form = changelog
	} else if n < 25 {
		p.form = appended
	}
	members := 1 + r.IntN(3)
	p.group = members > 1 || chance(70)
	p.length = between(4*time.Second, 7*time.Second)
	for i := range members {
		m := memberPlan{}
		if i > 0 || chance(50) {
			m.start = rand64(r, p.length*2/3)
		}
		m.kills = topicKills(r, steps)
		p.members = append(p.members, m)
	}
	p.kills = topicKills(r, sinkSteps)
	p.from = []string{"snapshot", "earliest", "place"}[r.IntN(3)]
	// That a table is emptied takes one member that has all of the topic, and the others' time.
	p.lasting = members > 1 && chance(60)
	if p.lasting {
		p.from = "place" // behind where tables are made, which empties them
	}
	p.bank = bankPlan{
		accounts: 100 + r.IntN(1000), tellers: 2 + r.IntN(3), pause: between(2*time.Millisecond, 30*time.Millisecond), xa: xa && chance(20),
	}
	if p.small = chance(20); p.small || chance(20) {
		p.bank.bigRows = 5_000 + r.IntN(20_000)
		p.bank.big = []time.Duration{between(300*time.Millisecond, p.length-300*time.Millisecond)}
	}
	p.addTimeline(r)
	p.polite, p.twice = chance(50), chance(15)
	p.addFlags(r)
	return p
}

// topicKills lets every second process have successors that die at steps.
func topicKills(r *rand.Rand, steps []string) (kills []string) {
	if r.IntN(2) == 0 {
		return nil
	}
	for range 1 + r.IntN(3) {
		step := ""
		if r.IntN(4) > 0 {
			step = fmt.Sprintf("%s:%d", steps[r.IntN(len(steps))], 1+r.IntN(1+r.IntN(24)))
		}
		kills = append(kills, step)
	}
	return kills
}

func (p *topicPlan) addFlags(r *rand.Rand) {
	intervals := []string{"200ms", "200ms", "100ms", "50ms", "400ms"}
	p.flags = []string{"--commit-interval", intervals[r.IntN(len(intervals))]}
	p.memberFlags = []string{"--commit-interval", intervals[r.IntN(len(intervals))]}
	if p.small {
		p.flags = append(p.flags, "--memory", "64MiB")
		p.memberFlags = append(p.memberFlags, "--memory", "64MiB")
	}
	if r.IntN(3) == 0 {
		p.flags = append(p.flags, "--heartbeat", "200ms")
	}
	if r.IntN(2) == 0 {
		p.memberFlags = append(p.memberFlags, "--format", p.format)
	}
	switch p.form {
	case appended:
		p.memberFlags = append(p.memberFlags, "--keyless", "append")
	case changelog:
		p.memberFlags = append(p.memberFlags, "--changelog")
	}
	if p.format == "debezium-json" {
		p.more = []string{"", "&schemas=true", "&tombstones=false"}[r.IntN(3)]
	}
}

func (p *topicPlan) addTimeline(r *rand.Rand) {
	last := func(low, more time.Duration) time.Duration { return low + rand64(r, more) }
	add := func(f fault, last time.Duration) {
		at := 300*time.Millisecond + rand64(r, p.length-500*time.Millisecond)
		p.timeline = append(p.timeline, event{at: at, fault: f, who: r.IntN(len(p.members)), last: last})
	}
	any := func(odds int, times int, do func()) {
		if r.IntN(odds) == 0 {
			for range 1 + r.IntN(times) {
				do()
			}
		}
	}
	any(2, 2, func() { add(kill, 0) })
	any(2, 3, func() { add(memberKill, 0) })
	any(2, 3, func() { add(leave, rand64(r, 1500*time.Millisecond)) })
	any(6, 1, func() { add(interrupt, 0) })
	any(8, 1, func() { add(sleeper, last(300*time.Millisecond, time.Second)) })
	any(6, 1, func() { add(nap, last(300*time.Millisecond, 2*time.Second)) })
	if p.group {
		any(3, 2, func() { add(zombie, last(500*time.Millisecond, 2*time.Second)) })
	}
	switch n := r.IntN(100); { // dear ones, one a run at most
	case n < 14:
		add(brokerKill, 0)
	case n < 22:
		add(brokerStop, 0)
	case n < 28:
		add(mysqlKill, 0)
	case n < 32:
		add(mysqlStop, 0)
	}
	any(3, 2, func() {
		add([]fault{brokerCut, brokerCut, brokerFreeze, brokerRefuse}[r.IntN(4)], last(200*time.Millisecond, 2*time.Second))
	})
	any(5, 1, func() {
		add([]fault{cut, freeze, refuse}[r.IntN(3)], last(200*time.Millisecond, 1200*time.Millisecond))
	})
	any(5, 1, func() { add(rotate, 0) })
	if p.rest {
		kinds := []fault{replyLost, replyLost, error500Late, error503Late, error500, error503, unsent, slow, late, catalogDown}
		for range 1 + r.IntN(4) {
			add(kinds[r.IntN(len(kinds))], last(200*time.Millisecond, 1300*time.Millisecond))
		}
	}
	if len(p.timeline) == 0 {
		add(memberKill, 0)
	}
	slices.SortStableFunc(p.timeline, func(a, b event) int { return int(a.at - b.at) })
}

// sink names the way, for the line of the run.
func (p *topicPlan) sink() string {
	words := []string{p.format, fmt.Sprintf("%dp", p.partitions), fmt.Sprintf("%dm", len(p.members)), p.from, p.plan.sink()}
	for word, is := range map[string]bool{"alone": !p.group, "topics": p.each, "lasting": p.lasting} {
		if is {
			words = append(words, word)
		}
	}
	slices.Sort(words[5:])
	return strings.Join(words, ",")
}
