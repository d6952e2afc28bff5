package route

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A Sink opens tables under the names that routes give them. To whom it opens them each looks
// like a table of its own: it has a position, and is committed, evolved and left behind apart
// from those that go to the same target. What the target holds as its position are those of all
// of them, so that one that turns up late is copied into it while the others flow on.
type Sink struct {
	inner  writer.Sink
	routes *Routes
	owns   bool // inner is closed with it
	done   *commits

	mu      sync.Mutex
	targets map[string]*target
}

var (
	_ writer.Committer = (*Sink)(nil)
	_ writer.Grouper   = (*Sink)(nil)
	_ writer.Lister    = (*Sink)(nil)
	_ writer.Forker    = (*Sink)(nil)
	_ writer.Checker   = (*Sink)(nil)
	_ writer.Describer = (*Sink)(nil)
	_ writer.Compactor = (*Sink)(nil)
)

// NewSink decorates a sink, which is closed with it. Its tables have to be those of a
// writer.Sharer.
func NewSink(inner writer.Sink, routes *Routes) *Sink {
	done := routes.done
	if done == nil {
		done = newCommits()
	}
	return &Sink{inner: inner, routes: routes, owns: true, done: done, targets: map[string]*target{}}
}

// Fork returns a Sink whose tables are committed apart from those of this one.
func (s *Sink) Fork() writer.Sink {
	return &Sink{inner: s.inner, routes: s.routes, done: s.done, targets: map[string]*target{}}
}

// Commits count those to each target, of all streams of this process: what a stream has not seen
// it does not know of.
type commits struct {
	making sync.Mutex // held while a target is made
	mu     sync.Mutex
	n      map[string]int64
}

func newCommits() *commits { return &commits{n: map[string]int64{}} }

func (c *commits) add(target string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n[target]++
	return c.n[target]
}

func (c *commits) of(target string) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.n[target]
}

// Close closes what is open still.
func (s *Sink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, t := range s.targets {
		errs = append(errs, t.close())
	}
	if s.owns {
		errs = append(errs, s.inner.Close())
	}
	return errors.Join(errs...)
}

// Open readies the target of a table.
func (s *Sink) Open(ctx context.Context, t *schema.Table, mode writer.Mode) (writer.Writer, error) {
	db, name, ok := s.routes.Target(t.DB, t.Name)
	if !ok {
		return s.inner.Open(ctx, t, mode)
	}
	form, err := s.routes.form(t, db, name)
	if err != nil {
		return nil, err
	}
	switch mode {
	case writer.Create, writer.Replace, writer.Follow, writer.Extend, writer.Amend:
	case writer.Append, writer.Evolve:
		err := hint.Wrap(fmt.Errorf("--mode %s is not for tables of a route", mode), "--mode create copies what is not there yet")
		return nil, &schema.TableError{Table: t.String(), Err: err}
	}
	s.mu.Lock()
	g := s.targets[form.String()]
	if g == nil {
		g = &target{sink: s, name: form.String(), members: map[*member]bool{}}
		g.log.target = g
		s.targets[g.name] = g
	}
	s.mu.Unlock()
	m, err := g.open(ctx, t, form, mode)
	if err != nil {
		return nil, err
	}
	return m, nil
}

// CommitAll commits a target in one step, and several of them where what is behind the Sink can
// do so.
func (s *Sink) CommitAll(ctx context.Context, ws []writer.Writer, pos batch.Position) error {
	inner := []writer.Writer{}
	members := map[*stream][]*member{}
	var streams []*stream
	for _, w := range ws {
		m, ok := w.(*member)
		if !ok {
			inner = append(inner, w)
			continue
		}
		st, err := m.stream(ctx)
		if err != nil {
			return err
		}
		if members[st] == nil {
			streams = append(streams, st)
		}
		members[st] = append(members[st], m)
	}
	for _, st := range streams {
		if err := st.begin(ctx, members[st]); err != nil {
			return err
		}
		inner = append(inner, st.w)
	}
	if err := s.commitAll(ctx, inner, pos); err != nil {
		return err
	}
	for _, st := range streams {
		if err := st.committed(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (s *Sink) commitAll(ctx context.Context, inner []writer.Writer, pos batch.Position) error {
	if len(inner) == 1 {
		return inner[0].Commit(ctx, pos)
	}
	all, ok := s.inner.(writer.Committer)
	if !ok {
		return errors.ErrUnsupported
	}
	return all.CommitAll(ctx, inner, pos)
}

// Groups has the tables of one target committed together: their rows are in one stream.
func (s *Sink) Groups(ws []writer.Writer) [][]int {
	var groups [][]int
	at := map[*target]int{}
	for i, w := range ws {
		m, ok := w.(*member)
		if !ok {
			groups = append(groups, []int{i})
			continue
		}
		n, ok := at[m.target]
		if !ok {
			n = len(groups)
			at[m.target] = n
			groups = append(groups, nil)
		}
		groups[n] = append(groups[n], i)
	}
	return groups
}

// List returns the tables that are in a target one by one.
func (s *Sink) List(ctx context.Context) ([]writer.Held, error) {
	l, ok := s.inner.(writer.Lister)
	if !ok {
		return nil, errors.New("the sink does not tell which tables hold positions")
	}
	held, err := l.List(ctx)
	if err != nil {
		return nil, err
	}
	// A table may be at the sink more than once: as it was before there were routes, or by others.
	out := expand(held, func(source, at string) bool {
		name, ours := s.routes.plain(source)
		if at == "" {
			name, ours = source, true // of a table that no rule is about the name is as it was
		}
		db, table, _ := strings.Cut(name, ".")
		toDB, to, routed := s.routes.Target(db, table)
		if !ours || !routed {
			return ours && at == ""
		}
		return at == toDB+"."+to
	})
	for i := range out {
		if name, ours := s.routes.plain(out[i].Source); ours {
			out[i].Source = name
		}
	}
	return out, nil
}

// Expand puts the tables that routes have sent to one in place of that one.
func Expand(held []writer.Held) []writer.Held {
	return expand(held, func(string, string) bool { return true })
}

// expand leaves out what is not wanted, which is told the target that holds a table, "" for one that
// no route has made.
func expand(held []writer.Held, want func(source, target string) bool) []writer.Held {
	var out []writer.Held
	for _, h := range held {
		p, ok := parsePlaces(h.Position)
		if !ok || h.Position == "" {
			if want(h.Source, "") {
				out = append(out, h)
			}
			continue
		}
		for name, at := range p {
			if !want(name, h.Source) {
				continue
			}
			one := h
			one.Source, one.Position, one.Shape = name, at.pos, at.shape
			one.Merged = len(p) > 1
			out = append(out, one)
		}
	}
	slices.SortStableFunc(out, func(a, b writer.Held) int {
		if n := strings.Compare(a.Name, b.Name); n != 0 {
			return n
		}
		return strings.Compare(a.Source, b.Source)
	})
	return out
}

// Compact has the sink tend its tables.
func (s *Sink) Compact(ctx context.Context, pick func(writer.Held) bool, o writer.Upkeep, done func(writer.Compacted)) error {
	c, ok := s.inner.(writer.Compactor)
	if !ok {
		return errors.ErrUnsupported
	}
	return c.Compact(ctx, pick, o, done)
}

// Check has the sink look at the targets.
func (s *Sink) Check(ctx context.Context, tables []*schema.Table, mode writer.Mode, p finding.Purpose) ([]finding.Finding, error) {
	targets, err := s.routes.Targets(tables)
	if err != nil {
		// A run that goes on what others have begun leaves tables behind that have come not to fit.
		begun, e := s.begun(ctx, tables)
		if e != nil || !begun {
			return nil, errors.Join(err, e)
		}
		if targets, err = s.routes.Fitting(tables); err != nil {
			return nil, err
		}
	}
	c, ok := s.inner.(writer.Checker)
	if !ok {
		return nil, nil
	}
	return c.Check(ctx, targets, s.innerMode(mode), p)
}

// begun reports whether the sink holds any of the tables where their routes lead.
func (s *Sink) begun(ctx context.Context, tables []*schema.Table) (bool, error) {
	held, err := s.List(ctx)
	return slices.ContainsFunc(held, func(h writer.Held) bool {
		return slices.ContainsFunc(tables, func(t *schema.Table) bool { return t.String() == h.Source })
	}), err
}

// Describe tells what would become of a table's target.
func (s *Sink) Describe(ctx context.Context, t *schema.Table, mode writer.Mode) (writer.Description, error) {
	d, ok := s.inner.(writer.Describer)
	if !ok {
		return writer.Description{}, errors.ErrUnsupported
	}
	db, name, ok := s.routes.Target(t.DB, t.Name)
	if !ok {
		return d.Describe(ctx, t, mode)
	}
	form, err := s.routes.form(t, db, name)
	if err != nil {
		return writer.Description{}, err
	}
	return d.Describe(ctx, form, s.innerMode(mode))
}

// innerMode is how a target is opened: others may have made it, and in another shape.
func (s *Sink) innerMode(mode writer.Mode) writer.Mode {
	if mode == writer.Replace || s.routes.Alone {
		return mode
	}
	return writer.Extend
}
