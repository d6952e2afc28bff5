package mysql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/binlog"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// Changes reads the log from the earliest of the positions on. It does not mend
// a connection that breaks: whoever reads calls Changes again, with the positions
// that have been committed by then.
func (s *Stock) Changes(ctx context.Context, from map[*schema.Table]batch.Position, until batch.Position) (reader.Reader, error) {
	st, err := s.logState(ctx)
	if err != nil {
		return nil, err
	}
	r := &stream{
		s: s, server: st.server, maria: st.maria, byGTID: st.byGTID, clock: st.clock,
		tables: map[binlog.Name]*followed{}, ids: map[uint64]*tableID{}, prepared: map[string]*prepared{}, ghosts: map[binlog.Name]*ghost{}, tools: map[*followed]bool{}, keepers: map[*schema.Table]*keeper{}, told: time.Now(),
	}
	if err := s.follow(ctx, st, r, from); err != nil {
		return nil, err
	}
	start, err := r.start(st)
	if err != nil {
		return nil, err
	}
	if until != "" {
		m, err := s.mark(ctx, st, until, "")
		if err != nil {
			return nil, fmt.Errorf("the end: %w", err)
		}
		r.until = newGoal(m, r.done)
	}
	if err := s.askRowEnds(ctx, r); err != nil {
		return nil, err
	}
	if r.charsets, err = s.askCharsets(ctx); err != nil {
		return nil, err
	}
	if r.d, err = s.dump(ctx, start); err != nil {
		return nil, s.grantError(err)
	}
	if r.until.reached(r) {
		r.finish()
	}
	return r, nil
}

// follow adds the tables with their positions.
func (s *Stock) follow(ctx context.Context, st *logState, r *stream, from map[*schema.Table]batch.Position) error {
	folds, err := s.control.queryOne(ctx, "SELECT @@GLOBAL.lower_case_table_names")
	if err != nil {
		return err
	}
	s.folds.Store(folds != "0")
	marks := map[batch.Position]mark{}
	for t, pos := range from {
		m, ok := marks[pos]
		if !ok || len(m.Ahead) > 0 { // then it is another one for each table
			if m, err = s.mark(ctx, st, pos, t.String()); err != nil {
				return fmt.Errorf("position of %s: %w", t, err)
			}
			if err := st.reachable(m); err != nil {
				return fmt.Errorf("position of %s: %w", t, err)
			}
			marks[pos] = m
		}
		f := &followed{t: t, from: m, gone: slices.Contains(m.Gone, t.String())}
		switch {
		case m.Early && len(t.Key) == 0 && !m.Log && !t.IsChangelog():
			err := errors.New("it has no key, and was read at a point that is not known exactly: changes cannot be told from what was read")
			return &schema.TableError{Table: t.String(), Err: hint.Wrap(err, "GRANT LOCK TABLES, or RELOAD, to the user, and copy the table anew with snapshot --mode replace --tables %s", t)}
		case m.Early && len(t.Key)+len(t.RowKey) > 0:
			f.upsert, r.early = true, true
		}
		if t.Now != nil {
			f.t, f.kept = t.Now, t
			r.keepers[f.t] = newKeeper(f.t, t, s.opts.Narrow)
		}
		if f.b, err = batch.NewBuilder(f.t, s.opts.alloc); err != nil {
			return err
		}
		r.tables[binlog.Name{DB: s.fold(t.DB), Table: s.fold(t.Name)}] = f
	}
	return nil
}

// start returns where the log must begin for all tables.
func (r *stream) start(st *logState) (start dumpStart, err error) {
	var first *followed
	for _, f := range r.tables {
		again, err := f.from.again(st.maria)
		if err != nil {
			return start, err
		}
		if first == nil {
			first, start = f, again
		}
		r.uneven = r.uneven || f.from.GTID != first.from.GTID || f.from.spot != first.from.spot || f.from.Prepared != nil || f.from.After != first.from.After
		r.time = max(r.time, f.from.Time)
		switch {
		case !st.byGTID:
			if again.spot.compare(start.spot) < 0 {
				start.spot = again.spot
			}
		case st.maria:
			start.list = start.list.Earlier(again.list)
		default:
			start.set = start.set.Intersect(again.set)
		}
	}
	if first == nil {
		return start, errors.New("no table is to be followed")
	}
	if !r.uneven {
		r.after = first.from.After
	}
	r.at = r.least(start.spot)
	switch {
	case !st.byGTID:
		start.set, start.list = nil, nil
	case st.maria:
		r.done.list = start.list.Clone()
	default:
		r.done.set = start.set.Clone()
		for _, f := range r.tables {
			f.extra = f.from.set.Minus(start.set)
		}
	}
	if r.early {
		r.loosen(st)
	}
	return start, nil
}

// least returns the earliest spot of all tables, and none where one is of another
// server, whose files are others.
func (r *stream) least(at spot) spot {
	for _, f := range r.tables {
		if f.from.Server != r.server {
			return spot{}
		}
		if f.from.spot.compare(at) < 0 {
			at = f.from.spot
		}
	}
	return at
}

// again returns where to read on from a position: before the rows that were
// prepared and are not decided.
func (m *mark) again(maria bool) (start dumpStart, err error) {
	start = dumpStart{set: m.set, list: m.list, spot: m.spot}
	if p := m.Prepared; p != nil {
		start.spot = spot{p.File, p.Pos}
		if maria {
			start.list, err = binlog.ParseList(p.GTID)
		}
	}
	return start, err
}

// loosen notes up to where rows may be there already that the log inserts: all
// stock had been read when the log was asked for.
func (r *stream) loosen(st *logState) {
	end := st.end()
	if st.byGTID {
		r.loose = newGoal(mark{set: st.executed, list: st.list}, r.done)
	} else {
		r.loose = goal{spot: &end}
	}
	r.early = !r.loose.reached(r)
}

// askRowEnds finds the columns by which the decoder tells a system-versioned
// table's history from its rows. Implicit ones are known by their names.
func (s *Stock) askRowEnds(ctx context.Context, r *stream) error {
	if !r.maria {
		return nil
	}
	rows, err := s.control.query(ctx, "SELECT table_schema, table_name, column_name FROM information_schema.columns WHERE generation_expression = 'ROW END'")
	if err != nil {
		return fmt.Errorf("list system-versioned tables: %w", err)
	}
	for _, row := range rows {
		if f := r.tables[binlog.Name{DB: s.fold(row[0]), Table: s.fold(row[1])}]; f != nil {
			f.rowEnd = row[2]
		}
	}
	return nil
}

// askCharsets readies the conversion of text.
func (s *Stock) askCharsets(ctx context.Context) (*binlog.Charsets, error) {
	rows, err := s.control.query(ctx, "SELECT id, character_set_name FROM information_schema.collations WHERE id IS NOT NULL")
	if err != nil {
		return nil, fmt.Errorf("list collations: %w", err)
	}
	c := &binlog.Charsets{Collations: map[uint64]string{}}
	for _, r := range rows {
		c.Collations[number(r[0])] = r[1]
	}
	c.Ask = func(charset string, texts [][]byte) ([][]byte, error) {
		ctx, cancel := context.WithTimeout(context.Background(), abandonTime)
		defer cancel()
		rows, err := s.control.query(ctx, binlog.ConvertSQL(charset, texts))
		if err != nil {
			return nil, err
		}
		out := make([][]byte, len(texts))
		for i := range out {
			if len(rows) == 0 || i >= len(rows[0]) {
				return nil, errors.New("the server answers too little")
			}
			out[i] = []byte(rows[0][i])
		}
		return out, nil
	}
	return c, nil
}

func (s *Stock) sameName(a, b string) bool { return strings.EqualFold(a, b) }

// Headroom tells how a position stands to the log's ends.
func (s *Stock) Headroom(ctx context.Context, pos batch.Position) (reader.Headroom, error) {
	h := reader.Headroom{Ahead: -1, Before: -1}
	st, err := s.logState(ctx)
	if err != nil {
		return h, err
	}
	h.Keep = st.keep
	p, err := parsePosition(pos)
	if err != nil {
		return h, err
	}
	p.Ahead = nil
	m, err := s.mark(ctx, st, p.encode(), "")
	if err == nil {
		err = st.reachable(m)
	}
	if err != nil {
		h.Gone = errors.Is(err, reader.ErrPurged)
		if h.Gone {
			err = nil
		}
		return h, err
	}
	if i := st.file(m.spot.file); i >= 0 && p.Server == st.server {
		h.Ahead, h.Before = st.files[i].size-int64(m.spot.pos), int64(m.spot.pos)
		for j, f := range st.files {
			if j < i {
				h.Before += f.size
			} else if j > i {
				h.Ahead += f.size
			}
		}
		h.Ahead = max(h.Ahead, 0)
	}
	switch {
	case st.maria && m.list != nil:
		h.AtEnd = m.list.Covers(st.list)
	case m.set != nil:
		h.AtEnd = m.set.Covers(st.executed)
	default:
		h.AtEnd = h.Ahead == 0
	}
	if !h.AtEnd && m.Time > 0 {
		h.Behind = max(time.Until(time.UnixMicro(m.Time).Add(-st.clock))*-1, 0)
	}
	return h, nil
}
