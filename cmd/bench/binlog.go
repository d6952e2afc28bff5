package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"strconv"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"
)

// measuredRange is where the last stage of the child's case lies.
func measuredRange(ctx context.Context, p *part, c *benchCase) (logRange, error) {
	conn, err := connect(ctx, p.addr, "")
	if err != nil {
		return logRange{}, err
	}
	defer conn.Close()
	ranges, err := findRanges(conn, c, p.rows)
	if err != nil {
		return logRange{}, err
	}
	return ranges[len(ranges)-1], nil
}

// rowsMain reads the case's changes with go-mysql, its own way: a slice of any
// for each row.
func rowsMain(ctx context.Context, args []string, stdout io.Writer) error {
	return syncLog(ctx, args, stdout, false)
}

// framesMain reads the case's changes with go-mysql, but looks at no row: what
// is left is the cost of receiving events and telling them apart.
func framesMain(ctx context.Context, args []string, stdout io.Writer) error {
	return syncLog(ctx, args, stdout, true)
}

// errLogEnd ends a syncer at the end of its range.
var errLogEnd = errors.New("end of the range")

func syncLog(ctx context.Context, args []string, stdout io.Writer, framesOnly bool) error {
	p, c, err := parsePart(args)
	if err != nil {
		return err
	}
	span, err := measuredRange(ctx, p, c)
	if err != nil {
		return err
	}
	host, hostPort, err := net.SplitHostPort(p.addr)
	if err != nil {
		return err
	}
	number, err := strconv.ParseUint(hostPort, 10, 16)
	if err != nil {
		return err
	}
	counter := &eventCounter{span: span, file: span.from.file}
	cfg := replication.BinlogSyncerConfig{
		ServerID: 1<<31 + rand.Uint32N(1<<30), Host: host, Port: uint16(number), User: "root",
		DisableRetrySync: true, DiscardGTIDSet: true, Logger: slog.New(slog.DiscardHandler),
		SynchronousEventHandler: counter, // up to a third less CPU than its channel
	}
	if framesOnly {
		cfg.RowsEventDecodeFunc = func(e *replication.RowsEvent, data []byte) error {
			n, err := e.DecodeHeader(data)
			counter.sum.Bytes += int64(len(data) - n)
			return err
		}
	}
	syncer := replication.NewBinlogSyncer(cfg)
	defer syncer.Close()
	stream, err := syncer.StartSync(mysql.Position{Name: span.from.file, Pos: uint32(span.from.pos)})
	if err != nil {
		return fmt.Errorf("read the log at %s:%d: %w", span.from.file, span.from.pos, err)
	}
	// Events go to the counter alone, which ends the stream.
	if _, err := stream.GetEvent(ctx); !counter.done {
		return fmt.Errorf("read the log: %w", err)
	}
	counter.sum.Rows /= c.log.changesPerRow()
	if framesOnly && counter.sum.Bytes > 0 {
		counter.sum.Rows = p.rows // it cannot know
	}
	return json.NewEncoder(stdout).Encode(counter.sum)
}

// An eventCounter counts the rows up to a range's end.
type eventCounter struct {
	span logRange
	file string
	sum  report
	done bool
}

// HandleEvent returns errLogEnd at the end of the range.
func (c *eventCounter) HandleEvent(e *replication.BinlogEvent) error {
	switch event := e.Event.(type) {
	case *replication.RotateEvent:
		c.file = string(event.NextLogName)
		return nil
	case *replication.RowsEvent:
		rows := int64(len(event.Rows))
		if event.Type() == replication.EnumRowsEventTypeUpdate {
			rows /= 2
		}
		c.sum.Rows += rows
	}
	if c.file > c.span.to.file {
		return fmt.Errorf("the log went on to %s, past the range's end", c.file)
	}
	if c.file == c.span.to.file && int64(e.Header.LogPos) >= c.span.to.pos {
		c.done = true
		return errLogEnd
	}
	return nil
}
