package progress

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A SourceView is one of several sources of a run at one moment.
type SourceView struct {
	Source    string        // as its Part was named
	Position  string        // how far its log has been read, or the point that a snapshot reads; "" until that is known
	Committed string        // up to where all of it is visible; "" if nothing is
	Following bool          // its log is being read
	Lag       time.Duration // as StreamView.Lag
}

// Part returns what counts one of several sources of the run. What it counts is the run's, which shows
// the source's tables with prefix in front of their names.
func (r *Run) Part(source, prefix string) *Run {
	part := &Run{start: r.start, of: r, source: source, prefix: prefix}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.parts = append(r.parts, part)
	return part
}

// sources adds what only the parts know. It is for who has the run's own View.
func (r *Run) addParts(v *View, parts []*Run) {
	for _, p := range parts {
		p.mu.Lock()
		v.Sources = append(v.Sources, SourceView{Source: p.source, Position: p.position, Committed: p.position})
		for _, why := range p.paused {
			v.Paused = append(v.Paused[:len(v.Paused):len(v.Paused)], p.source+": "+why)
		}
		p.mu.Unlock()
	}
}

// Part returns what counts one of several sources that are followed at once, as Run.Part does.
func (s *Stream) Part(source, prefix string) *Stream {
	part := &Stream{start: s.start, stock: s.stock.Part(source, prefix), byName: map[string]*StreamTable{}, source: source, prefix: prefix}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.parts = append(s.parts, part)
	return part
}

// sum is a stream of several sources: as far behind as the one that is furthest, and as much in need
// of being tried again.
func (s *Stream) sum(parts []*Stream) StreamView {
	v := s.own()
	v.Following, v.Lag = true, 0
	stock := v.Stock.Sources
	v.Stock.Sources = nil
	for i, p := range parts {
		pv := p.own()
		one := SourceView{Source: p.source, Position: pv.Position, Following: pv.Following, Lag: pv.Lag, Committed: pv.Started}
		switch {
		case pv.Last.Seq > 0:
			one.Committed = pv.Last.Position
		case i < len(stock) && stock[i].Position != "":
			one.Committed = stock[i].Position
		}
		v.Sources = append(v.Sources, one)
		if pv.Lag > v.Lag || v.Position == "" {
			v.Lag, v.Position = pv.Lag, pv.Position
		}
		v.Following, v.Waiting = v.Following && pv.Following, v.Waiting || pv.Waiting
		v.Staged, v.Bytes, v.Rows = v.Staged+pv.Staged, v.Bytes+pv.Bytes, v.Rows+pv.Rows
		v.Queued, v.Refused, v.Errors = v.Queued+pv.Queued, v.Refused+pv.Refused, v.Errors+pv.Errors
		v.Last, v.Retry = v.Last.later(pv.Last), v.Retry.worse(pv.Retry.of(p.source))
		v.Times.plus(pv.Times)
	}
	return v
}

// later is the later one of two commits, as the last of those of both.
func (c Commit) later(o Commit) Commit {
	n := c.Seq + o.Seq
	if o.Time.After(c.Time) {
		c = o
	}
	c.Seq = n
	return c
}

// of names the source in what has failed.
func (r Retry) of(source string) Retry {
	if r.Err != nil {
		r.Err = fmt.Errorf("%s: %w", source, r.Err)
	}
	return r
}

// worse is what fails still, of two, and for longer, or else what has failed last.
func (r Retry) worse(o Retry) Retry {
	n := r.Seq + o.Seq
	if o.Now() && (!r.Now() || o.Since.Before(r.Since)) || !r.Now() && o.Until.After(r.Until) {
		r = o
	}
	r.Seq = n
	return r
}

func (d *Durations) plus(o Durations) {
	d.Count += o.Count
	d.Sum += o.Sum
	for i := range d.Up {
		d.Up[i] += o.Up[i]
	}
}

// A sourceReport is one of several sources. docs/json.md is its contract.
type sourceReport struct {
	Source    string  `json:"source"`
	Position  string  `json:"position"`
	Lag       float64 `json:"lag_seconds"`
	Following bool    `json:"following"`
}

func sourceReports(sources []SourceView) []sourceReport {
	var out []sourceReport
	for _, s := range sources {
		out = append(out, sourceReport{s.Source, s.Position, seconds(s.Lag), s.Following})
	}
	return out
}

// endReports are sources with what of them is visible at the end.
func endReports(sources []SourceView) []sourceReport {
	sources = slices.Clone(sources)
	for i := range sources {
		sources[i].Position = sources[i].Committed
	}
	return sourceReports(sources)
}

// writePositions prints up to where all is visible: one line for each of several sources.
func writePositions(b *strings.Builder, one string, sources []SourceView) {
	if len(sources) == 0 && one != "" {
		fmt.Fprintf(b, "position: %s\n", Printable(one))
	}
	for _, s := range sources {
		if s.Committed != "" {
			fmt.Fprintf(b, "position of %s: %s\n", Printable(s.Source), Printable(s.Committed))
		}
	}
}
