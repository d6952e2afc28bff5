package mysql

import (
	"bytes"
	"errors"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/binlog"
)

// Covers returns what reports whether rows read at a position show a transaction, by its GTID as
// schema.MetaGTID has it; nil if the position does not tell. It is for one goroutine.
func Covers(pos batch.Position) (func(gtid []byte) bool, error) {
	p, err := parsePosition(pos)
	if err != nil || p.GTID == "" {
		return nil, err
	}
	contains, err := containing(p.GTID)
	if err != nil {
		return nil, err
	}
	var last []byte // changes of one transaction come one behind the other
	var is bool
	return func(gtid []byte) bool {
		if len(gtid) == 0 {
			return false
		}
		if !bytes.Equal(gtid, last) {
			last, is = append(last[:0], gtid...), contains(string(gtid))
		}
		return is
	}, nil
}

// containing returns whether a transaction's GTID, as text, is in a set of MySQL's or a list of
// MariaDB's. What is no GTID is in none.
func containing(text string) (func(gtid string) bool, error) {
	if list, err := binlog.ParseList(text); err == nil {
		return func(gtid string) bool {
			one, err := binlog.ParseList(gtid)
			return err == nil && len(one) > 0 && list.Covers(one)
		}, nil
	}
	set, err := binlog.ParseSet(text)
	if err != nil {
		return nil, err
	}
	return func(gtid string) bool {
		one, err := binlog.ParseSet(gtid)
		return err == nil && len(one) > 0 && set.Covers(one)
	}, nil
}

// Reached reports whether a table at a position has all that rows read at a point show.
func Reached(pos, point batch.Position) (bool, error) {
	p, q, err := positions(pos, point)
	if err != nil {
		return false, err
	}
	if p.GTID != "" && q.GTID != "" {
		if contains, err := containing(p.GTID); err == nil {
			return contains(q.GTID), nil
		}
	}
	if p.Server != q.Server || p.File == "" || q.File == "" {
		return false, errors.New("they are of different servers, and have no GTIDs")
	}
	return spot{p.File, p.Pos}.compare(spot{q.File, q.Pos}) >= 0, nil
}

// Passed implements reader.Ordered.
func (s *Stock) Passed(held, from batch.Position) (bool, error) { return Reached(held, from) }

// Same reports whether two points of a server are one.
func Same(a, b batch.Position) bool {
	p, q, err := positions(a, b)
	return err == nil && p.Server == q.Server && p.GTID == q.GTID && p.File == q.File && p.Pos == q.Pos
}

func positions(a, b batch.Position) (p, q position, err error) {
	if p, err = parsePosition(a); err == nil {
		q, err = parsePosition(b)
	}
	return p, q, err
}
