package mysql

import (
	"bytes"

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
