package mysql

import "github.com/tablehaul/tablehaul/pkg/reader/mysql/binlog"

// A goal is a point that a stream is on its way to. The zero goal is none, and
// never reached.
type goal struct {
	left  binlog.Set  // MySQL: what has still to come; nil if the goal is told otherwise
	list  binlog.List // MariaDB
	spot  *spot       // without GTIDs
	after int64       // before the first transaction committed then, in microseconds
}

func newGoal(m mark, done gtids) goal {
	switch {
	case m.After > 0:
		return goal{after: m.After}
	case m.list != nil:
		return goal{list: m.list}
	case m.set != nil:
		return goal{left: m.set.Minus(done.set)}
	}
	return goal{spot: &m.spot}
}

// pass notes a transaction that is through.
func (g *goal) pass(id *binlog.GTID) {
	if len(g.left) > 0 && id.N > 0 {
		g.left.Remove(id.Source, id.N)
	}
}

func (g *goal) reached(r *stream) bool {
	switch {
	case g.left != nil:
		return len(g.left) == 0
	case g.list != nil:
		return r.done.list.Covers(g.list)
	case g.spot != nil:
		return r.at.compare(*g.spot) >= 0
	}
	return false
}
