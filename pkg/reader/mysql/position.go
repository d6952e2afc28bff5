package mysql

import (
	"context"
	"encoding/json"

	"github.com/tablehaul/tablehaul/pkg/batch"
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
}

func (p position) encode() batch.Position {
	b, err := json.Marshal(p)
	if err != nil {
		// Strings and numbers always marshal.
		return ""
	}
	return batch.Position(b)
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
		return position{Server: p.Server}, nil
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

// mariaPosition is logPosition for MariaDB. Within a transaction that was
// started WITH CONSISTENT SNAPSHOT the server tells the log position that
// belongs to that snapshot exactly, so no lock is needed to read it.
func (c *conn) mariaPosition(ctx context.Context) (position, error) {
	var p position
	server, err := c.queryOne(ctx, "SELECT @@GLOBAL.server_id")
	if err != nil {
		return p, err
	}
	p.Server = server
	rows, err := c.query(ctx, "SHOW STATUS LIKE 'binlog_snapshot_%'")
	if err != nil {
		return p, err
	}
	for _, r := range rows {
		switch r[0] {
		case "Binlog_snapshot_file":
			p.File = r[1]
		case "Binlog_snapshot_position":
			p.Pos = number(r[1])
		}
	}
	if p.File == "" {
		p.Pos = 0
		return p, nil
	}
	// Not every user may ask this; file and offset then have to do.
	p.GTID, _ = c.queryOne(ctx, "SELECT BINLOG_GTID_POS("+literal(p.File)+", "+itoa(p.Pos)+")")
	return p, ctx.Err()
}
