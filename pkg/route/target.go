package route

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A target is a table that rules make, as one Sink has it.
type target struct {
	sink *Sink
	name string

	// The stream of all that are followed: a log's changes of several tables come one after the
	// other, and are committed together. Stock has a stream of its own for each table, that is
	// committed once that table is whole.
	log stream

	mu       sync.Mutex
	table    *schema.Table // takes the rows of all that were opened
	members  map[*member]bool
	replaced *replacing // the last one that was begun in Replace mode; nil if none was
}

// mode is how the target is opened for the streams: in Amend mode others may have had changes of the
// same rows meanwhile. It is for who holds the lock.
func (g *target) mode() writer.Mode {
	for m := range g.members {
		if m.mode == writer.Amend {
			return writer.Amend
		}
	}
	return writer.Extend
}

// open adds a table to those that go to the target.
func (g *target) open(ctx context.Context, t, form *schema.Table, mode writer.Mode) (*member, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	u, was := form, g.table
	if was != nil {
		var err error
		if u, err = g.sink.routes.union(was, form, t); err != nil {
			return nil, err
		}
	}
	g.table = u
	m := &member{target: g, table: t, mode: mode}
	if mode == writer.Replace {
		if g.replaced == nil || g.replaced.waiting == 0 {
			g.replaced = &replacing{target: g, at: places{}}
		}
		m.replacing = g.replaced
		m.replacing.waiting++
		m.replacing.open++
		g.members[m] = true
		return m, nil
	}
	err := g.goesOn(ctx, m, form)
	if err == nil {
		g.members[m] = true
		return m, nil
	}
	if g.table = was; was == nil && len(g.log.staged) == 0 { // a table that is refused leaves nothing to the others
		err = errors.Join(err, g.log.close())
	}
	return nil, err
}

// goesOn looks whether the table goes together with what the target holds, and from where.
func (g *target) goesOn(ctx context.Context, m *member, form *schema.Table) error {
	t := m.table
	if err := g.log.fresh(ctx); err != nil {
		return g.of(t, err)
	}
	held, err := g.log.held(ctx)
	if err != nil {
		return g.of(t, err)
	}
	for other := range held {
		if other != g.sink.routes.Named(t.String()) {
			if err := g.sink.routes.tells(form, t.String(), other); err != nil {
				return err
			}
		}
	}
	at := held[g.sink.routes.Named(t.String())]
	if m.mode == writer.Follow {
		// Were the target of this table alone, the sink would compare the shapes.
		if diff := t.Since(at.shape); diff != "" {
			err := hint.Wrap(fmt.Errorf("%s holds its rows in another shape: %s", g.name, diff), "tail with --schema-change evolve takes the rows of the new shape in beside them")
			return &schema.TableError{Table: t.String(), Err: writer.Unlike(err)}
		}
	}
	if diff := t.ShapedSince(at.shape); diff != "" && at.shape != "" {
		err := hint.Wrap(fmt.Errorf("%s %s", g.name, diff), "give the --set, --meta and --soft-delete that it was made with")
		return &schema.TableError{Table: t.String(), Err: err}
	}
	if diff := t.KeySince(at.shape); diff != "" {
		return &schema.TableError{Table: t.String(), Err: g.remedy(fmt.Errorf("%s holds its rows by another key: %s", g.name, diff))}
	}
	if at.shape == "" || t.Since(at.shape) != "" {
		if err := g.fits(t, form, held); err != nil {
			return err
		}
	}
	m.known = at.pos
	return nil
}

// fits refuses a table whose shape is new to the target and does not go together with that of
// another one there, whichever of the two is opened first.
func (g *target) fits(t, form *schema.Table, held places) error {
	if t.Base != nil { // the shape of what it is made of says too little
		return nil
	}
	seen := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(held)) {
		shape := held[name].shape
		if name == g.sink.routes.Named(t.String()) || seen[shape] {
			continue
		}
		seen[shape] = true
		db, table, _ := strings.Cut(name, ".")
		other, err := schema.FromShape(db, table, shape)
		if err == nil && t.IsChangelog() {
			other, err = schema.ChangelogLike(other, t)
		}
		if err != nil {
			continue // nothing is known of it
		}
		if other, err = g.sink.routes.form(other, form.DB, form.Name); err != nil {
			continue
		}
		other.Filter = form.Filter
		if _, err := g.sink.routes.union(other, form, t); err != nil {
			return err
		}
	}
	return nil
}

// of has an error of the target's be one of the table that goes there.
func (g *target) of(t *schema.Table, err error) error {
	var te *schema.TableError
	if errors.As(err, &te) && te.Table == g.name {
		return &schema.TableError{Table: t.String(), Err: fmt.Errorf("%s: %w", g.name, te.Err), Anew: te.Anew}
	}
	return err
}

// remedy is the one of a target that has to be made again as a whole.
func (g *target) remedy(err error) error {
	return hint.Wrap(err, "snapshot with --mode replace and the same routes copies all that goes to %s anew", g.name)
}

// left forgets a table, and gives the log's stream up with the last one.
func (g *target) left(m *member) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.members[m] {
		return nil
	}
	delete(g.members, m)
	if len(g.members) == 0 {
		return g.close()
	}
	return nil
}

// close gives everything up. It is for who holds the lock, or is alone.
func (g *target) close() error {
	g.table = nil
	var errs []error
	if g.replaced != nil {
		errs = append(errs, g.replaced.close())
		g.replaced = nil
	}
	return errors.Join(append(errs, g.log.close())...)
}

// A stream is a Writer of the target's, which several tables' rows go to.
type stream struct {
	target  *target
	w       writer.Writer
	table   *schema.Table    // as w has it
	staged  map[*member]bool // those with rows that wait for a commit
	pending []*member        // those whose position the commit under way moves
	seen    int64            // of Sink.done
	clear   *member          // whose rows go with the first commit; nil for none
	told    tally            // by w
	forgets bool             // the pending ones have no place any more
}

// A tally is what commits have written.
type tally struct{ files, bytes int64 }

// counts adds to a table what a Writer has written since it was told last.
func (t *tally) counts(w writer.Writer, m *member) {
	if c, ok := w.(writer.Counter); ok {
		files, bytes := c.Written()
		m.written.files += files - t.files
		m.written.bytes += bytes - t.bytes
		*t = tally{files, bytes}
	}
}

// ready opens the stream, anew if the target has got another shape since. It is for who holds the
// target's lock.
func (s *stream) ready(ctx context.Context) error {
	if s.w != nil && s.table == s.target.table {
		return nil
	}
	if len(s.staged) > 0 {
		return fmt.Errorf("%s gets another shape while rows wait to be committed", s.target.name)
	}
	if err := s.close(); err != nil {
		return err
	}
	t := s.target.table
	seen := s.target.sink.done.of(s.target.name)
	w, err := s.target.sink.inner.Open(ctx, t, s.target.mode())
	if err != nil {
		return err
	}
	s.w, s.table, s.staged, s.seen, s.told = w, t, map[*member]bool{}, seen, tally{}
	sharer, ok := w.(writer.Sharer)
	if !ok {
		return errors.New("the sink lets one table only be written to another: it takes no routes")
	}
	sharer.Share(s.merge)
	if err := s.clears(ctx); err != nil {
		return errors.Join(err, s.close()) // what it would stage would come beside the rows that are there
	}
	return nil
}

// clears takes the rows out that are to be exchanged.
func (s *stream) clears(ctx context.Context) error {
	m := s.clear
	if m == nil {
		return nil
	}
	held, err := s.held(ctx)
	if err != nil {
		return err
	}
	if m.known = held[m.place()].pos; m.known == "" {
		return nil // there are none
	}
	c, ok := s.w.(writer.Clearer)
	if !ok || s.target.sink.routes.Shard[0] == "" {
		return &schema.TableError{Table: m.table.String(), Err: s.target.remedy(fmt.Errorf("its rows cannot be told from others in %s, to be exchanged", s.target.name))}
	}
	return c.Clear(ctx, s.target.sink.routes.Named(m.table.DB), m.table.Name)
}

// held returns what the target holds.
func (s *stream) held(ctx context.Context) (places, error) {
	pos, err := s.w.Position(ctx)
	if err != nil {
		return nil, fmt.Errorf("read position of %s: %w", s.target.name, err)
	}
	p, ok := parsePlaces(pos)
	if !ok {
		err := hint.Wrap(errors.New("it is at the sink, and was not made by a route"), "name another target, or leave it to the table of its name")
		return nil, &schema.TableError{Table: s.target.name, Err: err}
	}
	if was, now := shardOf(pos), s.target.sink.routes.Shard; len(p) > 0 && was != now {
		remedy := "leave --shard-columns out"
		if was[0] != "" {
			remedy = "give --shard-columns=" + was[0] + "," + was[1]
		}
		err := hint.Wrap(errors.New("the rows of its shards are told apart in another way"), "%s, as it was made", remedy)
		return nil, &schema.TableError{Table: s.target.name, Err: err}
	}
	return p, nil
}

// fresh readies the stream, anew if others of this process have committed since, unless rows wait in it.
func (s *stream) fresh(ctx context.Context) error {
	if s.w != nil && len(s.staged) == 0 && s.seen != s.target.sink.done.of(s.target.name) {
		if err := s.close(); err != nil {
			return err
		}
	}
	return s.ready(ctx)
}

// born commits the target without rows if it holds nothing, so that several streams can add to it.
func (s *stream) born(ctx context.Context) error {
	done := s.target.sink.done
	done.making.Lock() // another source's Sink may be about to make it too
	defer done.making.Unlock()
	if err := s.fresh(ctx); err != nil {
		return err
	}
	pos, err := s.w.Position(ctx)
	if err != nil || pos != "" {
		return err
	}
	s.pending = nil
	if err := s.w.Commit(ctx, "none"); err != nil {
		return err
	}
	s.seen = done.add(s.target.name)
	return nil
}

// begin readies the stream for a commit that moves these tables' positions.
func (s *stream) begin(ctx context.Context, members []*member) error {
	s.target.mu.Lock()
	defer s.target.mu.Unlock()
	if s.w == nil {
		if err := s.ready(ctx); err != nil {
			return err
		}
	}
	for m := range s.staged {
		if !slices.Contains(members, m) {
			return fmt.Errorf("%s is to be committed to %s without %s, whose rows are staged there too", members[0].table, s.target.name, m.table)
		}
	}
	s.pending = members
	return nil
}

// merge is for writer.Sharer: the places of the tables that are committed move, those of others stay
// as they are.
func (s *stream) merge(held, known, next batch.Position) (batch.Position, error) {
	at, ok := parsePlaces(held)
	was, ok2 := parsePlaces(known)
	if !ok || !ok2 {
		return "", fmt.Errorf("%w: %s was made anew, by no route", writer.ErrFenced, s.target.name)
	}
	for _, m := range s.pending {
		name := m.place()
		pos := next
		if s.forgets {
			delete(at, name)
			continue
		}
		switch here := at[name].pos; {
		case m.merge != nil:
			var err error
			if pos, err = m.merge(here, was[name].pos, next); err != nil {
				return "", err
			}
		case here != m.known:
			err := hint.Wrap(fmt.Errorf("%w: %s in %s", writer.ErrFenced, name, s.target.name), "let only one run bring a table there; run the same command again to go on from what is there now")
			if at[name].redone {
				err = hint.Transient(err)
			}
			return "", err
		}
		at[name] = place{pos, m.table.Shape(), m.mode == writer.Replace || m.mode == writer.Amend}
	}
	return at.text(s.target.sink.routes.Shard)
}

// committed takes note of a commit.
func (s *stream) committed(ctx context.Context) error {
	held, err := s.held(ctx)
	if err != nil {
		return err
	}
	s.target.mu.Lock()
	defer s.target.mu.Unlock()
	for i, m := range s.pending {
		m.known = held[m.place()].pos
		if i == 0 {
			s.told.counts(s.w, m)
		}
	}
	s.pending, s.clear = nil, nil
	clear(s.staged)
	s.seen = s.target.sink.done.add(s.target.name)
	return nil
}

func (s *stream) commit(ctx context.Context, members []*member, pos batch.Position) error {
	if err := s.begin(ctx, members); err != nil {
		return err
	}
	if err := s.w.Commit(ctx, pos); err != nil {
		return err
	}
	return s.committed(ctx)
}

func (s *stream) close() error {
	if s.w == nil {
		return nil
	}
	err := s.w.Close()
	s.w, s.table = nil, nil
	for m := range s.staged {
		m.lost = true
	}
	clear(s.staged)
	return err
}

// A replacing exchanges the content of a target, once all that go there are whole.
type replacing struct {
	target  *target
	w       writer.Writer
	at      places
	waiting int      // tables that are not whole
	open    int      // tables that are open
	broken  []string // tables that never will be
	apart   bool     // the target has rows of other tables, which stay: each exchanges its own
}

// ready opens the target for its new content. It is for who holds the target's lock.
func (r *replacing) ready(ctx context.Context) error {
	if r.w != nil || r.apart {
		return nil
	}
	if routes := r.target.sink.routes; routes.Several && routes.tells(r.target.table, "", "") == nil {
		r.apart = true // the others would take this one's rows for old content, and it theirs
		return nil
	}
	t := r.target.table
	w, err := r.target.sink.inner.Open(ctx, t, writer.Replace)
	if err != nil {
		return err
	}
	pos, err := w.Position(ctx)
	if err != nil {
		return errors.Join(err, w.Close())
	}
	if held, _ := parsePlaces(pos); !r.whole(held) {
		r.apart = true
		return w.Close()
	}
	r.w = w
	return nil
}

// left takes note of a table that is closed, whole or not. It is for who holds the target's lock.
func (r *replacing) left(m *member) error {
	if !m.whole {
		r.waiting--
		r.broken = append(r.broken, m.table.String())
	}
	if r.open--; r.open > 0 {
		return nil
	}
	return r.close()
}

func (r *replacing) close() error {
	if r.w == nil {
		return nil
	}
	err := r.w.Close()
	r.w = nil
	return err
}

// whole reports whether all tables whose rows would go are among those that come.
func (r *replacing) whole(held places) bool {
	come := map[string]bool{}
	for m := range r.target.members {
		come[m.place()] = m.mode == writer.Replace
	}
	for name := range held {
		if !come[name] {
			return false
		}
	}
	return true
}

// done notes that a table is whole, and exchanges the content behind the last one.
func (r *replacing) done(ctx context.Context, m *member, pos batch.Position) error {
	r.target.mu.Lock()
	defer r.target.mu.Unlock()
	r.at[m.place()] = place{pos, m.table.Shape(), true}
	r.waiting--
	if r.waiting > 0 {
		return nil
	}
	if len(r.broken) > 0 {
		return &schema.TableError{Table: r.target.name, Err: fmt.Errorf("it keeps its old content: %s could not be copied", strings.Join(r.broken, ", "))}
	}
	text, err := r.at.text(r.target.sink.routes.Shard)
	if err != nil {
		return err
	}
	if err := r.w.Commit(ctx, text); err != nil {
		return err
	}
	r.target.sink.done.add(r.target.name)
	new(tally).counts(r.w, m)
	return nil
}
