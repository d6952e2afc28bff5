package mysql

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/binlog"
)

// compare orders spots of one server: log files are numbered, and the numbers
// grow a digit when they must.
func (s spot) compare(o spot) int {
	return cmp.Or(cmp.Compare(fileNumber(s.file), fileNumber(o.file)), cmp.Compare(s.pos, o.pos))
}

func fileNumber(name string) uint64 { return number(name[strings.LastIndexByte(name, '.')+1:]) }

// A mark is a position that has been understood.
type mark struct {
	position
	set  binlog.Set  // MySQL with GTIDs
	list binlog.List // MariaDB
	spot spot
}

// mark reads a position for a server whose log is in state st.
func (s *Stock) mark(ctx context.Context, st *logState, pos batch.Position, table string) (mark, error) {
	p, err := parsePosition(pos)
	if err != nil {
		return mark{}, err
	}
	if own, ok := p.Ahead[table]; ok {
		p.GTID, p.File, p.Pos, p.After = own.GTID, own.File, own.Pos, own.After
	}
	m := mark{position: p, spot: spot{p.File, p.Pos}}
	own := p.Server == st.server
	if !st.byGTID || p.GTID == "" {
		if !own {
			return m, hint.Wrap(fmt.Errorf("the position is one of server %s and has no GTIDs, this is %s", p.Server, st.server), "name the server that it was made by, or copy the tables anew")
		}
		if p.File == "" {
			return m, errors.New("the position names neither GTIDs nor a file")
		}
		if err := st.holds(m.spot); err != nil || !st.byGTID {
			return m, err
		}
		// Its GTIDs were not known, or there were none yet.
		g, err := s.gtidsAt(ctx, m.spot)
		m.set, m.list = g.set, g.list
		return m, err
	}
	if st.maria {
		m.list, err = binlog.ParseList(p.GTID)
	} else {
		m.set, err = binlog.ParseSet(p.GTID)
	}
	return m, err
}

// holds checks that a spot lies in the log.
func (l *logState) holds(at spot) error {
	i := l.file(at.file)
	switch {
	case i < 0 && at.compare(spot{l.files[0].name, 0}) < 0:
		return purged(fmt.Errorf("the oldest log file is %s, the position is in %s", l.files[0].name, at.file))
	case i < 0 || at.compare(l.end()) > 0 || int64(at.pos) > l.files[i].size:
		end := l.end()
		return hint.Wrap(fmt.Errorf("the position %s:%d lies beyond the log's end, %s:%d: the server's log was reset", at.file, at.pos, end.file, end.pos), "copy the tables anew")
	}
	return nil
}

// reachable checks that a server has all that the position's GTIDs say is there
// already, and still has all that follows.
func (l *logState) reachable(m mark) error {
	switch {
	case !l.byGTID:
		if m.spot.pos >= 1<<32 {
			return hint.Wrap(fmt.Errorf("the position %s:%d lies beyond 4 GiB, where a server can be asked to start by GTID only", m.spot.file, m.spot.pos),
				"switch gtid_mode ON, or keep max_binlog_size at 1 GiB and transactions below 4 GiB; copy the tables anew")
		}
	case l.maria:
		if !l.state.Cover(m.list) {
			return hint.Wrap(fmt.Errorf("the server's log ends at %s and has never come to %s: it was reset, or the position is of another server", l.list, m.list), "copy the tables anew")
		}
		if !m.list.Covers(l.oldest) {
			return purged(fmt.Errorf("the oldest log file %s begins at %s, the position is %s", l.files[0].name, l.oldest, m.list))
		}
	default:
		if lost := m.set.Minus(l.executed); len(lost) > 0 {
			return hint.Wrap(fmt.Errorf("the server %s has never executed %s, which the position holds: it was reset, or is not the one that was followed", l.server, shorten(lost.String())),
				"name the right server, or copy the tables anew")
		}
		if lost := l.purged.Minus(m.set); len(lost) > 0 {
			return purged(fmt.Errorf("purged are %s", shorten(lost.String())))
		}
	}
	return nil
}

func shorten(text string) string {
	if len(text) > 200 {
		return text[:200] + "…"
	}
	return text
}

// gtids are those of either server.
type gtids struct {
	set  binlog.Set
	list binlog.List
}

// gtidsAt finds the GTIDs of all that comes before a spot. MySQL is made to send
// the spot's file from the start, as its answer to nothing else holds them.
func (s *Stock) gtidsAt(ctx context.Context, at spot) (g gtids, err error) {
	if s.control.maria {
		text, err := s.control.queryOne(ctx, "SELECT BINLOG_GTID_POS("+literal(at.file)+", "+itoa(at.pos)+")")
		if err != nil {
			return g, s.grantError(err)
		}
		g.list, err = binlog.ParseList(text)
		return g, err
	}
	d, err := s.dump(ctx, dumpStart{spot: spot{at.file, 4}, aside: true})
	if err != nil {
		return g, err
	}
	defer d.Close()
	defer d.c.guard(ctx)()
	for {
		h, body, err := d.next(time.Time{})
		if err != nil {
			return g, cmp.Or(ctx.Err(), err)
		}
		if d.file != at.file {
			return g, nil
		}
		switch h.Type {
		case binlog.PreviousGTIDs:
			if g.set, err = binlog.DecodeSet(body); err != nil {
				return g, err
			}
		case binlog.GTIDEvent, binlog.TaggedGTID:
			id, err := parseGTID(h, body)
			if err != nil {
				return g, err
			}
			if d.pos > at.pos {
				return g, nil
			}
			g.set.Add(id.Source, id.N)
		}
		if d.pos >= at.pos && g.set != nil {
			return g, nil
		}
	}
}

func parseGTID(h binlog.Header, body []byte) (g binlog.GTID, err error) {
	switch h.Type {
	case binlog.TaggedGTID:
		g, err = binlog.ParseTaggedGTID(body)
	case binlog.MariaGTID:
		g, err = binlog.ParseMariaGTID(h, body)
	default:
		g, err = binlog.ParseGTID(h, body)
	}
	if g.Time == 0 {
		g.Time = int64(h.Time) * 1e6
	}
	return g, err
}

// Locate returns the position that where names: "now", "earliest", "gtid:" and a
// set (MariaDB: a list), "file:" with a log file's name and an offset, "time:"
// and a time.
func (s *Stock) Locate(ctx context.Context, where string) (batch.Position, error) {
	st, err := s.logState(ctx)
	if err != nil {
		return "", err
	}
	kind, rest, _ := strings.Cut(where, ":")
	var p position
	switch kind {
	case "now":
		p, err = s.control.logPosition(ctx)
		p.Time = time.Now().Add(st.clock).UnixMicro()
	case "earliest":
		p, err = s.positionOf(ctx, st, spot{st.files[0].name, 4})
	case "gtid":
		p, err = s.locateGTID(st, rest)
	case "file":
		p, err = s.locateFile(ctx, st, rest)
	case "time":
		p, err = s.locateTime(ctx, st, rest)
	default:
		err = hint.Wrap(fmt.Errorf("%q is no place in a log", where), "known are now, earliest, gtid:SET, file:NAME:OFFSET and time:2026-01-31T12:00:00Z")
	}
	if err != nil {
		return "", err
	}
	return p.encode(), nil
}

// positionOf returns the position of a spot.
func (s *Stock) positionOf(ctx context.Context, st *logState, at spot) (position, error) {
	p := position{Server: st.server, File: at.file, Pos: at.pos}
	if !st.byGTID {
		return p, nil
	}
	g, err := s.gtidsAt(ctx, at)
	if p.GTID = g.set.String(); st.maria {
		p.GTID = g.list.String()
	}
	return p, err
}

func (s *Stock) locateGTID(st *logState, text string) (p position, err error) {
	if !st.byGTID {
		return p, hint.Wrap(errors.New("the server's transactions have no GTIDs: gtid_mode is not ON"), "use file:NAME:OFFSET or time:")
	}
	p.Server = st.server
	if st.maria {
		l, err := binlog.ParseList(text)
		p.GTID = l.String()
		return p, err
	}
	set, err := binlog.ParseSet(text)
	for src := range set {
		if _, known := st.executed[src]; !known {
			s.warn(fmt.Sprintf("gtid:%s names a server of which this one has no transactions: an end there may never come", shorten(text)))
		}
	}
	p.GTID = set.String()
	return p, err
}

func (s *Stock) locateFile(ctx context.Context, st *logState, text string) (p position, err error) {
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		return p, fmt.Errorf("file:%s: want file:NAME:OFFSET", text)
	}
	at := spot{file: text[:i]}
	if at.pos, err = strconv.ParseUint(text[i+1:], 10, 63); err != nil || at.pos < 4 {
		return p, fmt.Errorf("file:%s: %q is no offset", text, text[i+1:])
	}
	if err := st.holds(at); errors.Is(err, reader.ErrPurged) {
		return p, err
	} else if err != nil { // not that the log was reset, which is said of positions
		return p, hint.Wrap(fmt.Errorf("file:%s: %v", text, err), "SHOW BINARY LOGS lists the log's files with their sizes")
	}
	if at.pos > 4 && at.pos < 1<<32 && at.compare(st.end()) < 0 {
		if err := s.checkStart(ctx, at); err != nil {
			return p, fmt.Errorf("file:%s: %w", text, err)
		}
	}
	return s.positionOf(ctx, st, at)
}

// checkStart refuses a spot in the middle of a transaction, the rest of which
// would be taken for read.
func (s *Stock) checkStart(ctx context.Context, at spot) error {
	remedy := "take an offset that SHOW BINARY LOG STATUS (MariaDB: SHOW MASTER STATUS) has given, or gtid: or time:"
	d, err := s.dump(ctx, dumpStart{spot: at, aside: true})
	if err != nil {
		return err
	}
	defer d.Close()
	defer d.c.guard(ctx)()
	for !d.begun {
		h, _, err := d.next(time.Time{})
		if err != nil {
			return hint.Wrap(cmp.Or(ctx.Err(), err), "%s", remedy)
		}
		switch h.Type {
		case binlog.GTIDEvent, binlog.TaggedGTID, binlog.AnonymousGTID, binlog.MariaGTID, binlog.Rotate, binlog.Stop, binlog.FormatDescription,
			binlog.PreviousGTIDs, binlog.MariaGTIDList, binlog.MariaCheckpoint, binlog.Heartbeat, binlog.HeartbeatV2:
		default:
			return hint.Wrap(errors.New("no transaction begins there"), "%s", remedy)
		}
	}
	return nil
}

// locateTime finds the newest file that begins before the time, and leaves the
// rest to the position.
func (s *Stock) locateTime(ctx context.Context, st *logState, text string) (p position, err error) {
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return p, fmt.Errorf("time:%s: want a time such as 2026-01-31T12:00:00Z", text)
	}
	lo, hi := 0, len(st.files) // files[:lo] begin before t, files[hi:] do not
	for lo < hi {
		mid := (lo + hi) / 2
		begin, err := s.fileTime(ctx, st.files[mid].name)
		if err != nil {
			return p, err
		}
		// The log has whole seconds.
		if begin.Add(time.Second).After(t) {
			hi = mid
		} else {
			lo = mid + 1
		}
	}
	if lo == 0 && fileNumber(st.files[0].name) > 1 {
		return p, purged(fmt.Errorf("the oldest log file %s was begun later than %s", st.files[0].name, text))
	}
	p, err = s.positionOf(ctx, st, spot{st.files[max(lo-1, 0)].name, 4})
	p.After = t.UnixMicro()
	return p, err
}

// fileTime returns when a log file was begun, to the second.
func (s *Stock) fileTime(ctx context.Context, name string) (time.Time, error) {
	d, err := s.dump(ctx, dumpStart{spot: spot{name, 4}, aside: true})
	if err != nil {
		return time.Time{}, err
	}
	defer d.Close()
	defer d.c.guard(ctx)()
	for {
		h, _, err := d.next(time.Time{})
		if err != nil {
			return time.Time{}, cmp.Or(ctx.Err(), err)
		}
		if h.Type == binlog.FormatDescription {
			return time.Unix(int64(h.Time), 0), nil
		}
	}
}
