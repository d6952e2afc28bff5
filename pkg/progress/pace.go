package progress

import (
	"fmt"
	"slices"
	"strings"
)

// A Pace says how hard a run may work its source. Limits are written as their flags
// take them; "" is none. docs/json.md is its contract.
type Pace struct {
	Parallel    int    `json:"parallel"`     // parts of tables that may be read at once
	MaxParallel int    `json:"max_parallel"` // what that can be raised to
	RateLimit   string `json:"rate_limit,omitempty"`
	MaxLoad     string `json:"max_load,omitempty"`
	MaxLag      string `json:"max_lag,omitempty"`
}

// Pace notes how hard the run may work its source from now on.
func (r *Run) Pace(p Pace) {
	if r == nil {
		return
	}
	if r.of != nil {
		r.of.Pace(p) // it is the same for all of them
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.pace = p
}

// Paused says why nothing is read at the moment; without a reason reading goes on.
func (r *Run) Paused(why ...string) {
	if r != nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.paused = slices.Clone(why)
	}
}

// plain reports whether nothing holds the run back.
func (p Pace) plain() bool {
	return p == Pace{Parallel: p.MaxParallel, MaxParallel: p.MaxParallel}
}

// limits tells what holds the run back, pauses aside, or "" if nothing does.
func (p Pace) limits() string {
	var parts []string
	if p.Parallel != p.MaxParallel {
		parts = append(parts, fmt.Sprintf("parallel %d of %d", p.Parallel, p.MaxParallel))
	}
	for _, l := range []struct{ name, value string }{{"rate limit", p.RateLimit}, {"max load", p.MaxLoad}, {"max lag", p.MaxLag}} {
		if l.value != "" {
			parts = append(parts, l.name+" "+l.value)
		}
	}
	return Printable(strings.Join(parts, ", "))
}

// pause tells why nothing is read, "" while something is.
func (v View) pause() string {
	if len(v.Paused) == 0 {
		return ""
	}
	return "paused: " + Printable(strings.Join(v.Paused, "; "))
}

// held are lines for a frame: why nothing is read, and what holds the run back.
func (v View) held() []string {
	var lines []string
	for _, text := range []string{v.pause(), v.Pace.limits()} {
		if text != "" {
			lines = append(lines, "  "+text)
		}
	}
	return lines
}

// paceNews tells a pace when it is new. What holds nothing back from the start is
// no news.
type paceNews struct {
	last Pace
	told bool
}

func (n *paceNews) news(p Pace) bool {
	if p == n.last {
		return false
	}
	n.last = p
	tell := n.told || !p.plain()
	n.told = n.told || tell
	return tell
}
