package mysql

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/binlog"
)

// A position is a point in a server's binary log, as batch.Position carries it.
// The zero value but for Server and Version is a server without a log.
type position struct {
	Server string `json:"server,omitempty"` // server_uuid, or MariaDB's server_id
	GTID   string `json:"gtid,omitempty"`   // executed set, or MariaDB's list of domain-server-sequence
	File   string `json:"file,omitempty"`
	Pos    uint64 `json:"pos,omitempty"`
	// Early says that the point lies before the one that the rows show: a log
	// read from it repeats changes that are in the rows already.
	Early bool `json:"early,omitempty"`
	// Log says of an early point that it was met in the log: tables without a key
	// are not behind it.
	Log bool `json:"log,omitempty"`
	// Time is when the last transaction before the point was committed, in
	// microseconds since 1970; 0 if not known.
	Time int64 `json:"time,omitempty"`
	// After, likewise, moves the point on to before the first transaction that
	// was committed then or later.
	After int64 `json:"after,omitempty"`
	// Prepared is an earlier point from which the log must be read again, because
	// behind it lie rows of XA transactions that were prepared and are not decided
	// yet. MySQL's GTIDs do without: those of such transactions are left out.
	Prepared *place `json:"prepared,omitempty"`
	// Gone are followed tables that are dropped at this point.
	Gone []string `json:"gone,omitempty"`
	// Doomed are those of them whose copies are to go.
	Doomed []string `json:"doomed,omitempty"`
	// Ahead are the points of tables that had come further than the others before
	// the log was read for all of them together.
	Ahead map[string]place `json:"ahead,omitempty"`
}

// A place is a point in a log without what surrounds it.
type place struct {
	GTID string `json:"gtid,omitempty"`
	File string `json:"file,omitempty"`
	Pos  uint64 `json:"pos,omitempty"`
	// After is as in position.
	After int64 `json:"after,omitempty"`
}

func parsePosition(pos batch.Position) (position, error) {
	var p position
	if err := json.Unmarshal([]byte(pos), &p); err != nil || p.File == "" && p.GTID == "" && p.Server == "" {
		return p, fmt.Errorf("position %q is not one of MySQL's", pos.Excerpt())
	}
	return p, nil
}

func (p position) encode() batch.Position {
	b, err := json.Marshal(p)
	if err != nil {
		// Strings and numbers always marshal.
		return ""
	}
	return batch.Position(b)
}

// Loosen returns pos as the early position that it is to rows of later points.
func (s *Stock) Loosen(pos batch.Position) (batch.Position, error) {
	p, err := parsePosition(pos)
	if err != nil {
		return "", err
	}
	p.Early = true
	return p.encode(), nil
}

// Owns compares the server that a position was made by with this one. Another
// server passes if it has executed all that the position covers, as a replica of
// that one has: its GTIDs say so.
func (s *Stock) Owns(pos batch.Position) error {
	var p position
	if err := json.Unmarshal([]byte(pos), &p); err != nil || p.Server == "" {
		return fmt.Errorf("its position %q is %w", pos.Excerpt(), reader.ErrForeign)
	}
	if p.Server == s.server {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), handshakeTime)
	defer cancel()
	all := []string{p.GTID}
	for _, own := range p.Ahead {
		all = append(all, own.GTID)
	}
	for _, gtid := range all {
		executed, err := false, error(nil)
		if gtid != "" {
			executed, err = s.hasExecuted(ctx, gtid)
		}
		if err != nil {
			return fmt.Errorf("ask the server what it has executed: %w", err)
		}
		if !executed {
			return fmt.Errorf("it was copied from server %s, this one is %s, and has not executed all of it", p.Server, s.server)
		}
	}
	return nil
}

func (s *Stock) hasExecuted(ctx context.Context, gtid string) (bool, error) {
	vars, err := s.control.globals(ctx, "gtid_executed", "gtid_binlog_state")
	if err != nil {
		return false, err
	}
	if s.control.maria {
		have, err1 := binlog.ParseMarks(vars["gtid_binlog_state"])
		want, err2 := binlog.ParseList(gtid)
		return err1 == nil && err2 == nil && len(want) > 0 && have.Cover(want), nil
	}
	have, err1 := binlog.ParseSet(vars["gtid_executed"])
	want, err2 := binlog.ParseSet(gtid)
	return err1 == nil && err2 == nil && len(want) > 0 && have.Covers(want), nil
}

// serverID returns what tells servers apart: server_uuid, or MariaDB's server_id.
func (c *conn) serverID(ctx context.Context) (string, error) {
	if c.maria {
		return c.queryOne(ctx, "SELECT @@GLOBAL.server_id")
	}
	return c.queryOne(ctx, "SELECT @@GLOBAL.server_uuid")
}

// logPosition asks where the server's binary log ends now. What the user may
// not see is left out: the GTID set needs no privilege, file and offset need
// REPLICATION CLIENT.
func (c *conn) logPosition(ctx context.Context) (position, error) {
	if c.maria {
		return c.mariaPosition(ctx)
	}
	rows, err := c.query(ctx, "SELECT @@GLOBAL.server_uuid, @@GLOBAL.gtid_executed, @@GLOBAL.log_bin")
	if err != nil {
		return position{}, err
	}
	p := position{Server: rows[0][0], GTID: compact(rows[0][1])}
	if rows[0][2] != "1" {
		p.Early = p.GTID != "" // of a replica: its source's log goes on from there
		return p, nil
	}
	// 8.2 brought the new name, 8.4 removed the old one.
	for _, q := range []string{"SHOW BINARY LOG STATUS", "SHOW MASTER STATUS"} {
		if rows, err = c.query(ctx, q); err == nil {
			break
		}
	}
	if err == nil && len(rows) > 0 {
		p.File, p.Pos = rows[0][0], number(rows[0][1])
	}
	return p, ctx.Err()
}

// mariaPosition is logPosition for MariaDB.
func (c *conn) mariaPosition(ctx context.Context) (position, error) {
	rows, err := c.query(ctx, "SELECT @@GLOBAL.server_id, @@GLOBAL.gtid_binlog_pos, @@GLOBAL.log_bin, @@GLOBAL.log_slave_updates, @@GLOBAL.gtid_slave_pos, @@GLOBAL.gtid_current_pos")
	if err != nil {
		return position{}, err
	}
	p := position{Server: rows[0][0]}
	logs := rows[0][2] == "1"
	switch {
	case rows[0][4] != "" && (!logs || rows[0][3] != "1"):
		// A replica whose own log has nothing of what it replicates: the log of its
		// source goes on from there. The server notes a transaction a moment after
		// others can see it, so the point may be too early.
		p.GTID, p.Early = rows[0][5], true
		return p, nil
	case !logs:
		return p, nil
	}
	p.GTID = rows[0][1]
	if rows, err = c.query(ctx, "SHOW MASTER STATUS"); err == nil && len(rows) > 0 {
		p.File, p.Pos = rows[0][0], number(rows[0][1])
	}
	return p, ctx.Err()
}

// A spot is a place in the files of a binary log.
type spot struct {
	file string
	pos  uint64
}

// snapshotSpot returns the spot that belongs to the snapshot that this MariaDB
// connection has open: the server takes both in one step. It is zero if the
// server keeps no log.
func (c *conn) snapshotSpot(ctx context.Context) (s spot, err error) {
	rows, err := c.query(ctx, "SHOW STATUS LIKE 'binlog_snapshot_%'")
	if err != nil {
		return s, err
	}
	for _, r := range rows {
		switch r[0] {
		case "Binlog_snapshot_file":
			s.file = r[1]
		case "Binlog_snapshot_position":
			s.pos = number(r[1])
		}
	}
	return s, nil
}

// positionAt returns the position of a spot. The server reads its log from the
// start of the file to find the GTIDs, which may take seconds: never under a lock.
func (c *conn) positionAt(ctx context.Context, s spot) (position, error) {
	server, err := c.serverID(ctx)
	if err != nil || s.file == "" {
		return position{Server: server}, err
	}
	p := position{Server: server, File: s.file, Pos: s.pos}
	// Not every user may ask this; file and offset then have to do.
	p.GTID, _ = c.queryOne(ctx, "SELECT BINLOG_GTID_POS("+literal(s.file)+", "+itoa(s.pos)+")")
	return p, ctx.Err()
}
