package route

import (
	"context"
	"errors"
	"fmt"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

var _ writer.Dropper = (*Sink)(nil)

// Drop removes a table's target if no other table is in it, else the table's rows, where these can be
// told from the others.
func (s *Sink) Drop(ctx context.Context, db, table string, held batch.Position) error {
	d, ok := s.inner.(writer.Dropper)
	l, lists := s.inner.(writer.Lister)
	if !ok || !lists {
		return errors.ErrUnsupported
	}
	toDB, to, routed := s.routes.Target(db, table)
	if !routed {
		return d.Drop(ctx, db, table, held)
	}
	all, err := l.List(ctx)
	if err != nil {
		return err
	}
	name, source := toDB+"."+to, s.routes.Named(db+"."+table)
	for _, h := range all {
		at, ok := parsePlaces(h.Position)
		if h.Source != name || !ok {
			continue
		}
		switch pl, there := at[source]; {
		case !there:
			return nil
		case pl.pos != held:
			return fmt.Errorf("%w: %s in %s", writer.ErrFenced, source, name)
		case len(at) == 1:
			if err := s.give(name); err != nil {
				return err
			}
			return d.Drop(ctx, toDB, to, h.Position)
		default:
			return s.takeOut(ctx, db, table, toDB, to, pl)
		}
	}
	return nil
}

// give gives up what is open of a target that nobody has open any more.
func (s *Sink) give(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.targets[name]
	if g == nil {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.members) > 0 {
		return fmt.Errorf("tables that go to %s are open", name)
	}
	return g.close()
}

// takeOut takes a table's rows and its position out of a target that has those of others too, in a
// commit of its own.
func (s *Sink) takeOut(ctx context.Context, db, table, toDB, to string, pl place) error {
	if s.routes.Shard[0] == "" {
		return errors.ErrUnsupported
	}
	t, err := schema.FromShape(db, table, pl.shape)
	if err != nil {
		return err
	}
	form, err := s.routes.form(t, toDB, to)
	if err != nil {
		return err
	}
	g := &target{sink: s, name: form.String(), members: map[*member]bool{}, table: form}
	s.mu.Lock()
	if o := s.targets[g.name]; o != nil {
		o.mu.Lock()
		if o.table != nil {
			g.table = o.table
		}
		o.mu.Unlock()
	}
	s.mu.Unlock()
	m := &member{target: g, table: t, mode: writer.Replace, known: pl.pos}
	st := &stream{target: g, clear: m, forgets: true}
	defer st.close()
	err = st.commit(ctx, []*member{m}, pl.pos)
	var te *schema.TableError
	if errors.As(err, &te) && te.Table == t.String() { // its rows cannot be told
		return fmt.Errorf("%w: %w", errors.ErrUnsupported, err)
	}
	return err
}
