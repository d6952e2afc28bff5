package main

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"net"
	"os"
	"strconv"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/tablehaul/tablehaul/pkg/reader/mysql/binlog"
)

// A feed is the server's log from the start of this program on.
type feed struct {
	sync     *replication.BinlogSyncer
	events   *replication.BinlogStreamer
	at       mysql.Position
	checksum int
}

// A logged is a statement as the server has written it down.
type logged struct {
	binlog.QueryEvent
	thread uint32
}

func (s *server) follow() (*feed, error) {
	at, err := s.position()
	if err != nil {
		return nil, err
	}
	rows, err := s.rows("SELECT @@GLOBAL.binlog_checksum")
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(s.at.Host)
	if err != nil {
		return nil, err
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, err
	}
	flavor := "mysql"
	if s.Maria {
		flavor = "mariadb"
	}
	password, _ := s.at.User.Password()
	f := &feed{at: at, sync: replication.NewBinlogSyncer(replication.BinlogSyncerConfig{
		ServerID: 1<<31 + uint32(os.Getpid()), Flavor: flavor, Host: host, Port: uint16(n), User: s.at.User.Username(), Password: password,
		RawModeEnabled: true, Logger: slog.New(slog.DiscardHandler),
	})}
	if rows[0][0] != "NONE" {
		f.checksum = binlog.ChecksumLen
	}
	f.events, err = f.sync.StartSync(at)
	return f, err
}

func (f *feed) close() { f.sync.Close() }

// position is where the server's log ends.
func (s *server) position() (mysql.Position, error) {
	rows, err := s.rows("SHOW BINARY LOG STATUS")
	if err != nil {
		rows, err = s.rows("SHOW MASTER STATUS") // its name before 8.2, and in MariaDB
	}
	if err != nil {
		return mysql.Position{}, err
	}
	if len(rows) == 0 {
		return mysql.Position{}, fmt.Errorf("the server writes no log")
	}
	pos, err := strconv.ParseUint(rows[0][1], 10, 32)
	return mysql.Position{Name: rows[0][0], Pos: uint32(pos)}, err
}

// until returns the statements of one connection up to where the log ends now.
func (s *server) until(ctx context.Context, thread uint32) ([]logged, error) {
	end, err := s.position()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var out []logged
	for s.log.at.Compare(end) < 0 {
		e, err := s.log.events.GetEvent(ctx)
		if err != nil {
			return nil, fmt.Errorf("read the log at %s up to %s: %w", s.log.at, end, err)
		}
		q, err := s.log.take(e)
		if err != nil {
			return nil, err
		}
		if q != nil && q.thread == thread {
			out = append(out, *q)
		}
	}
	return out, nil
}

// take moves on by an event, which it returns if it is a statement.
func (f *feed) take(e *replication.BinlogEvent) (*logged, error) {
	h := e.Header
	if rotate, ok := e.Event.(*replication.RotateEvent); ok {
		f.at = mysql.Position{Name: string(rotate.NextLogName), Pos: uint32(rotate.Position)}
		return nil, nil
	}
	if h.LogPos > 0 && h.Flags&binlog.FlagArtificial == 0 {
		f.at.Pos = h.LogPos
	}
	typ := binlog.EventType(h.EventType)
	if typ != binlog.Query && typ != binlog.MariaQueryCompressed {
		return nil, nil
	}
	body := e.RawData[binlog.HeaderLen : len(e.RawData)-f.checksum]
	q, err := binlog.ParseQuery(typ, body)
	if err != nil {
		return nil, fmt.Errorf("read a statement at %s: %w", f.at, err)
	}
	return &logged{q, binary.LittleEndian.Uint32(body)}, nil
}
