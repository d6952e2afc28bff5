package main

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/move"
	"github.com/tablehaul/tablehaul/pkg/progress"
)

// noLimit lifts a limit that is in force.
const noLimit = "none"

// rateLimit is a flag's value: 20000rows or 50MiB, in a second.
type rateLimit struct{ move.Rate }

// Set parses a rate.
func (r *rateLimit) Set(s string) error {
	s = strings.TrimSuffix(strings.TrimSpace(s), "/s")
	if s == noLimit {
		r.Rate = move.Rate{}
		return nil
	}
	var err error
	rate := move.Rate{}
	if n, ok := strings.CutSuffix(strings.TrimSuffix(s, "s"), "row"); ok {
		rate.PerSecond, err = strconv.ParseInt(strings.TrimSpace(n), 10, 64)
	} else {
		var b byteSize
		// A number alone may be meant as either.
		if err = b.Set(s); err == nil && strings.Trim(s, "0123456789. ") == "" {
			err = errors.New("neither rows nor bytes")
		}
		rate = move.Rate{PerSecond: int64(b), Bytes: true}
	}
	if err != nil || rate.PerSecond < 1 {
		return fmt.Errorf("want rows or bytes a second, such as 20000rows or 50MiB, or %s", noLimit)
	}
	r.Rate = rate
	return nil
}

// String writes the rate as Set takes it.
func (r *rateLimit) String() string { return rateText(r.Rate) }

// Type names the value in help texts.
func (r *rateLimit) Type() string { return "rate" }

func rateText(r move.Rate) string {
	switch {
	case r.PerSecond == 0:
		return ""
	case !r.Bytes:
		return strconv.FormatInt(r.PerSecond, 10) + "rows"
	}
	text := byteSize(r.PerSecond).String()
	if !strings.HasSuffix(text, "B") {
		text += "B"
	}
	return text
}

// loadLimit is a flag's value: threads_running=25, or several with commas between.
// A number alone is that of threads_running.
type loadLimit struct{ bounds []move.Bound }

// Set parses bounds, which take the place of those that were set.
func (l *loadLimit) Set(s string) error {
	if strings.TrimSpace(s) == noLimit {
		l.bounds = nil
		return nil
	}
	var bounds []move.Bound
	for _, part := range strings.Split(s, ",") {
		name, value, ok := strings.Cut(part, "=")
		if !ok {
			name, value = "threads_running", part
		}
		name = strings.ToLower(strings.TrimSpace(name))
		n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
		if err != nil || n != n || n < 0 || name == "" {
			return fmt.Errorf("want a status variable and the most it may be, such as threads_running=25, or %s", noLimit)
		}
		bounds = append(bounds, move.Bound{Variable: name, Most: n})
	}
	l.bounds = bounds
	return nil
}

// String writes the bounds as Set takes them.
func (l *loadLimit) String() string { return loadText(l.bounds) }

// Type names the value in help texts.
func (l *loadLimit) Type() string { return "bounds" }

func loadText(bounds []move.Bound) string {
	parts := make([]string, len(bounds))
	for i, b := range bounds {
		parts[i] = b.Variable + "=" + strconv.FormatFloat(b.Most, 'f', -1, 64)
	}
	return strings.Join(parts, ",")
}

// lagLimit is a flag's value: a duration, 10s.
type lagLimit struct{ most time.Duration }

// Set parses a duration.
func (l *lagLimit) Set(s string) error {
	if s = strings.TrimSpace(s); s == noLimit {
		l.most = 0
		return nil
	}
	d, err := time.ParseDuration(s)
	// Servers tell seconds: what is less would be passed all the time.
	if err != nil || d < time.Second {
		return fmt.Errorf("want a duration of 1s or more, such as 10s, or %s", noLimit)
	}
	l.most = d
	return nil
}

// String writes the duration.
func (l *lagLimit) String() string {
	if l.most == 0 {
		return ""
	}
	return l.most.String()
}

// Type names the value in help texts.
func (l *lagLimit) Type() string { return "duration" }

// paceOf writes a run's limits as the flags' values are written.
func paceOf(s move.ThrottleState) progress.Pace {
	lag := lagLimit{s.MaxLag}
	return progress.Pace{
		Parallel: s.Parallel, MaxParallel: s.MaxParallel,
		RateLimit: rateText(s.Rate), MaxLoad: loadText(s.MaxLoad), MaxLag: lag.String(),
	}
}

// A held is what holds a run back at the moment. It is what the control socket
// answers.
type held struct {
	progress.Pace
	Reading int      `json:"reading"` // parts of tables that are being read
	Paused  []string `json:"paused,omitempty"`
}

func heldBy(s move.ThrottleState) held { return held{paceOf(s), s.Reading, s.Paused} }

// text writes it for people, a line each.
func (h held) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "parallel    %d of %d, reading %d\n", h.Parallel, h.MaxParallel, h.Reading)
	for _, l := range []struct{ name, value string }{{"rate limit", h.RateLimit}, {"max load", h.MaxLoad}, {"max lag", h.MaxLag}} {
		fmt.Fprintf(&b, "%-11s %s\n", l.name, cmp.Or(l.value, noLimit))
	}
	fmt.Fprintf(&b, "paused      %s\n", cmp.Or(progress.Printable(strings.Join(h.Paused, "; ")), "no"))
	return b.String()
}

// An adjustment is what is to be changed of a run's pace: texts as the flags take
// them. What is nil stays as it is. It is what `tablehaul adjust` sends, and what
// docs/gentle.md says of the socket.
type adjustment struct {
	Parallel  *int    `json:"parallel,omitempty"`
	RateLimit *string `json:"rate_limit,omitempty"`
	MaxLoad   *string `json:"max_load,omitempty"`
	MaxLag    *string `json:"max_lag,omitempty"`
	Paused    *bool   `json:"paused,omitempty"`
}

// change returns the adjustment as a change of limits.
func (a adjustment) change() (func(*move.Limits), error) {
	var rate rateLimit
	var load loadLimit
	var lag lagLimit
	for _, v := range []struct {
		flag string
		text *string
		set  func(string) error
	}{
		{"rate_limit", a.RateLimit, rate.Set},
		{"max_load", a.MaxLoad, load.Set},
		{"max_lag", a.MaxLag, lag.Set},
	} {
		if v.text == nil {
			continue
		}
		if err := v.set(*v.text); err != nil {
			return nil, hint.Wrap(fmt.Errorf("%s: %w", v.flag, err), "the values are those of the flags of tablehaul adjust")
		}
	}
	return func(l *move.Limits) {
		if a.Parallel != nil {
			l.Parallel = *a.Parallel
		}
		if a.RateLimit != nil {
			l.Rate = rate.Rate
		}
		if a.MaxLoad != nil {
			l.MaxLoad = load.bounds
		}
		if a.MaxLag != nil {
			l.MaxLag = lag.most
		}
	}, nil
}
