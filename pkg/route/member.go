package route

import (
	"context"
	"fmt"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A member is one table of those that go to a target, as who opened it sees it.
type member struct {
	target *target
	table  *schema.Table
	mode   writer.Mode
	known  batch.Position // of the table, when it was last looked at
	merge  func(held, known, next batch.Position) (batch.Position, error)
	own    *stream // of stock, and of what is committed alone; nil if there is none
	lost   bool    // what was staged has gone with the stream: nothing can be committed any more

	adapt   *adapter
	written tally

	replacing *replacing // of Replace mode
	whole     bool
}

var (
	_ writer.Sharer  = (*member)(nil)
	_ writer.Counter = (*member)(nil)
)

// place is the name by which the target's position has the table.
func (m *member) place() string { return m.target.sink.routes.Named(m.table.String()) }

// Position returns that of the table alone.
func (m *member) Position(context.Context) (batch.Position, error) { return m.known, nil }

// Share is as the sink's own.
func (m *member) Share(merge func(held, known, next batch.Position) (batch.Position, error)) {
	m.merge = merge
}

// stream returns the stream by which the table is committed.
func (m *member) stream(ctx context.Context) (*stream, error) {
	g := m.target
	g.mu.Lock()
	defer g.mu.Unlock()
	if m.lost {
		return nil, hint.Transient(fmt.Errorf("rows of %s that were staged for %s are gone with those of another table", m.table, g.name))
	}
	st := &g.log
	if m.mode == writer.Create || m.mode == writer.Replace {
		if m.own == nil {
			if err := g.log.born(ctx); err != nil {
				return nil, err
			}
			m.own = &stream{target: g}
			if m.mode == writer.Replace {
				m.own.clear = m
			}
		}
		st = m.own
	}
	return st, nil
}

// Write stages rows.
func (m *member) Write(ctx context.Context, b *batch.Batch) error {
	w, adapt, err := m.open(ctx)
	if err != nil {
		return m.target.of(m.table, err)
	}
	if b.Emptied {
		if err := m.emptied(ctx); err != nil {
			return err
		}
	}
	out, err := adapt.batch(ctx, b, m.table)
	if err != nil {
		return &schema.TableError{Table: m.table.String(), Err: err}
	}
	if out.Rows != nil {
		defer out.Rows.Release()
	}
	return m.target.of(m.table, w.Write(ctx, out))
}

// open returns what rows go to.
func (m *member) open(ctx context.Context) (writer.Writer, *adapter, error) {
	g := m.target
	if whole, err := m.replaces(ctx); whole || err != nil {
		return m.replacing.w, m.adapt, err
	}
	st, err := m.stream(ctx)
	if err != nil {
		return nil, nil, err
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := st.ready(ctx); err != nil {
		return nil, nil, err
	}
	if err := m.adaptTo(st.table); err != nil {
		return nil, nil, err
	}
	st.staged[m] = true
	return st.w, m.adapt, nil
}

// replaces reports whether the table's rows come in the place of all that the target holds.
func (m *member) replaces(ctx context.Context) (bool, error) {
	if m.mode != writer.Replace {
		return false, nil
	}
	m.target.mu.Lock()
	defer m.target.mu.Unlock()
	if err := m.replacing.ready(ctx); err != nil || m.replacing.apart {
		return false, err
	}
	return true, m.adaptTo(m.target.table)
}

func (m *member) adaptTo(t *schema.Table) (err error) {
	if m.adapt == nil || m.adapt.to != t {
		m.adapt, err = newAdapter(m.table, t, m.target.sink.routes)
	}
	return err
}

// emptied refuses to take the rows of one table out of several tables' ones: exchanged they can be.
func (m *member) emptied(ctx context.Context) error {
	g := m.target
	g.mu.Lock()
	defer g.mu.Unlock()
	if err := g.log.ready(ctx); err != nil {
		return err
	}
	held, err := g.log.held(ctx)
	if err != nil {
		return err
	}
	delete(held, m.place())
	if len(held) == 0 {
		return nil
	}
	err = g.remedy(fmt.Errorf("it was emptied, and %s holds the rows of others beside its own", g.name))
	return &schema.TableError{Table: m.table.String(), Err: err, Anew: true}
}

// Commit publishes what is staged of the table together with its position.
func (m *member) Commit(ctx context.Context, pos batch.Position) error {
	if whole, err := m.replaces(ctx); whole || err != nil {
		if err == nil {
			err = m.replacing.done(ctx, m, pos)
		}
		m.whole = err == nil
		if err == nil {
			m.known = pos
		}
		return m.target.of(m.table, err)
	}
	st, err := m.stream(ctx)
	if err != nil {
		return m.target.of(m.table, err)
	}
	if st == &m.target.log && !st.staged[m] && len(st.staged) > 0 {
		// The others' rows are for a commit of their own: this position goes alone.
		st = &stream{target: m.target}
		defer st.close()
	}
	return m.target.of(m.table, st.commit(ctx, []*member{m}, pos))
}

// Written returns what commits have written of the table. What several tables have written together
// counts for the first of them.
func (m *member) Written() (files, bytes int64) {
	m.target.mu.Lock()
	defer m.target.mu.Unlock()
	return m.written.files, m.written.bytes
}

// Close abandons what is staged of the table, and with it what is of others in the same stream.
func (m *member) Close() error {
	g := m.target
	if m.own != nil {
		if err := m.own.close(); err != nil {
			return err
		}
		m.own = nil
	}
	g.mu.Lock()
	var err error
	switch {
	case !g.members[m]: // it was closed before
	case m.replacing != nil:
		err = m.replacing.left(m)
	case g.log.staged[m]:
		err = g.log.close()
	}
	g.mu.Unlock()
	if err != nil {
		return err
	}
	return g.left(m)
}
