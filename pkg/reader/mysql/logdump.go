package mysql

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/binlog"
)

// A dump is a connection over which a server sends its log, event by event.
type dump struct {
	c         *conn
	gauge     *gauge
	feed      *feed
	ended     atomic.Bool // the context of the call under way has ended
	checksum  bool        // events end with a CRC32
	described bool        // a format description has been seen
	quiet     time.Duration
	begun     bool // something from behind the start has come
	file      string
	pos       uint64 // where the last event ended
}

// A dumpStart is from where on a server shall send its log: behind a set of
// GTIDs (MySQL), behind a list (MariaDB), or from a spot.
type dumpStart struct {
	set  binlog.Set
	list binlog.List
	spot spot
	// aside has the log sent beside that which is followed: under another server id,
	// as a server ends the elder of two connections that have the same.
	aside bool
}

// dump asks the server for its log.
func (s *Stock) dump(ctx context.Context, start dumpStart) (*dump, error) {
	c, err := dial(ctx, s.cfg)
	if err != nil {
		return nil, err
	}
	d := &dump{c: c, gauge: &s.gauge, quiet: 3 * s.opts.Heartbeat, file: start.spot.file, pos: start.spot.pos}
	if err := s.ask(ctx, d, start); err != nil {
		c.Close()
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		return nil, fmt.Errorf("ask for the log: %w", logError(err))
	}
	d.feed = &feed{conn: c.Conn.Conn.Conn, ended: &d.ended, heard: time.Now()}
	d.c.packets.src = d.feed
	s.gauge.owns(true, c)
	return d, nil
}

func (s *Stock) ask(ctx context.Context, d *dump, start dumpStart) error {
	c := d.c
	ns := strconv.FormatInt(s.opts.Heartbeat.Nanoseconds(), 10)
	// Servers know one name of each or both; others are variables of no meaning.
	set := []string{
		"SET @master_binlog_checksum='CRC32', @source_binlog_checksum='CRC32'",
		"SET @master_heartbeat_period=" + ns + ", @source_heartbeat_period=" + ns,
	}
	if c.maria {
		set = append(set, "SET @mariadb_slave_capability=4, @slave_gtid_strict_mode=0, @slave_gtid_ignore_duplicates=0")
		if start.list != nil {
			set = append(set, "SET @slave_connect_state="+literal(start.list.String()))
		}
	}
	for _, q := range set {
		if err := c.exec(ctx, q); err != nil {
			return err
		}
	}
	want := s.opts.ServerID
	if start.aside {
		want = 0
	}
	id, err := s.takeServerID(ctx, c, want)
	if err != nil {
		return err
	}
	defer c.guard(ctx)()
	if err := c.command(registerCommand(id)); err != nil {
		return err
	}
	p, err := c.packets.next()
	if err != nil {
		return err
	}
	if err := asError(p); err != nil {
		return err
	}
	return c.command(dumpCommand(id, start))
}

// command sends a command whose answer is read by packets.
func (c *conn) command(body []byte) error {
	c.ResetSequence()
	c.packets.begin()
	return c.WritePacket(body)
}

// registerCommand is COM_REGISTER_SLAVE: what makes the reader appear among the
// replicas.
func registerCommand(id uint32) []byte {
	b := append(make([]byte, headerLen), mysql.COM_REGISTER_SLAVE)
	b = binary.LittleEndian.AppendUint32(b, id)
	b = append(b, byte(len(replicaName)))
	b = append(b, replicaName...)
	b = append(b, 0, 0)       // no user, no password
	b = append(b, 0, 0)       // port
	b = append(b, 0, 0, 0, 0) // rank
	return append(b, 0, 0, 0, 0)
}

func dumpCommand(id uint32, start dumpStart) []byte {
	var b []byte
	if start.set == nil {
		// COM_BINLOG_DUMP: MariaDB looks at its list instead of the spot if it has one.
		b = append(b, 0, 0, 0, 0, mysql.COM_BINLOG_DUMP)
		b = binary.LittleEndian.AppendUint32(b, uint32(max(start.spot.pos, 4)))
		b = append(b, 0, 0) // flags: wait at the end
		b = binary.LittleEndian.AppendUint32(b, id)
		return append(b, start.spot.file...)
	}
	const throughGTID = 4
	b = append(b, 0, 0, 0, 0, mysql.COM_BINLOG_DUMP_GTID)
	b = binary.LittleEndian.AppendUint16(b, throughGTID)
	b = binary.LittleEndian.AppendUint32(b, id)
	b = binary.LittleEndian.AppendUint32(b, 0) // no file name
	b = binary.LittleEndian.AppendUint64(b, 4)
	set := start.set.Encode()
	b = binary.LittleEndian.AppendUint32(b, uint32(len(set)))
	return append(b, set...)
}

// replicaName tells this process's connections from others' in the list of
// replicas.
var replicaName = replicaPrefix + fmt.Sprintf("%08x", rand.Uint32())

const replicaPrefix = "tablehaul-"

// takeServerID returns an id that neither the server nor another replica has: the
// one that is wanted, or any if that is 0. One that was chosen by the operator may
// still be listed for a connection that broke off; the server notices that by its
// heartbeat.
func (s *Stock) takeServerID(ctx context.Context, c *conn, want uint32) (uint32, error) {
	own, err := c.queryOne(ctx, "SELECT @@GLOBAL.server_id")
	if err != nil {
		return 0, err
	}
	id, deadline := want, time.Now().Add(2*s.opts.Heartbeat+time.Second)
	for {
		if want == 0 {
			id = 1<<31 | rand.Uint32() // people count from 1
		}
		host, taken, err := c.replica(ctx, id)
		if err != nil {
			return 0, err
		}
		switch {
		case itoa(uint64(id)) == own:
			taken, host = true, "the server itself"
		case host == replicaName && want != 0:
			return id, nil // this process's last connection: the server ends it now
		}
		if !taken {
			return id, nil
		}
		if want != 0 && (time.Now().After(deadline) || itoa(uint64(id)) == own) {
			return 0, hint.Wrap(fmt.Errorf("server id %d is taken by %s", id, host), "choose another --server-id, or none: a free one is then found")
		}
		if want != 0 {
			if err := pause(ctx, 500*time.Millisecond); err != nil {
				return 0, err
			}
		}
	}
}

// replica looks an id up among the server's replicas.
func (c *conn) replica(ctx context.Context, id uint32) (host string, found bool, err error) {
	var rows [][]string
	for _, q := range []string{"SHOW REPLICAS", "SHOW SLAVE HOSTS"} {
		if rows, err = c.query(ctx, q); err == nil || code(err) != mysql.ER_PARSE_ERROR {
			break
		}
	}
	for _, r := range rows {
		if r[0] == itoa(uint64(id)) {
			return r[1], true, nil
		}
	}
	return "", false, err
}

// Close ends the connection.
func (d *dump) Close() error {
	d.gauge.owns(false, d.c)
	return d.c.Close()
}

// errWait says that no event has come by the time that the caller set.
var errWait = errors.New("no event yet")

// next returns the next event, header included, and its body. It is valid until
// the next call. errWait comes at until, if that is not zero.
func (d *dump) next(until time.Time) (h binlog.Header, body []byte, err error) {
	lost := d.feed.heard.Add(d.patience())
	if d.feed.until = lost; !until.IsZero() && until.Before(lost) {
		d.feed.until = until
	}
	p, err := d.c.packets.next()
	if errors.Is(err, os.ErrDeadlineExceeded) {
		if d.ended.Load() || time.Now().Before(d.feed.heard.Add(d.patience())) {
			d.c.packets.rest()
			return h, nil, errWait
		}
		return h, nil, hint.Transient(hint.Wrap(fmt.Errorf("the server has been silent for %s, in spite of heartbeats", d.patience()), "see whether the server and the way to it are well"))
	}
	if err != nil {
		return h, nil, logError(err)
	}
	if len(p) == 0 {
		return h, nil, errors.New("empty packet in the log")
	}
	if p[0] != mysql.OK_HEADER {
		if err := asError(p); err != nil {
			return h, nil, logError(err)
		}
		return h, nil, hint.Transient(errGone) // the server ends the log only when it shuts down
	}
	return d.parse(p[1:])
}

// patience is how long the server may say nothing. MariaDB sends no heartbeats
// while it looks for the place to begin at.
func (d *dump) patience() time.Duration {
	if d.c.maria && !d.begun {
		return max(d.quiet, 2*time.Minute)
	}
	return d.quiet
}

// parse takes an event apart and follows where in the log it stands.
func (d *dump) parse(p []byte) (h binlog.Header, body []byte, err error) {
	if h, err = binlog.ParseHeader(p); err != nil {
		return h, nil, err
	}
	if h.Type == binlog.FormatDescription {
		if d.checksum, err = binlog.HasChecksums(p); err != nil {
			return h, nil, err
		}
		d.described = true
	}
	body = p[binlog.HeaderLen:]
	switch {
	case d.checksum:
		if body, err = binlog.Verify(p); err != nil {
			return h, nil, fmt.Errorf("log file %s, before offset %d: %w", d.file, h.LogPos, err)
		}
	case h.Type == binlog.FormatDescription: // which has room for one anyway
		body = body[:len(body)-binlog.ChecksumLen]
	case !d.described:
		// Where the server begins: with a checksum if it cares for them.
		if verified, err := binlog.Verify(p); err == nil {
			body = verified
		}
	}
	d.begun = d.begun || h.Flags&binlog.FlagArtificial == 0 && h.Type != binlog.FormatDescription && h.Type != binlog.MariaGTIDList
	return h, body, d.locate(h, body)
}

// locate keeps file and offset.
func (d *dump) locate(h binlog.Header, body []byte) error {
	switch {
	case h.Type == binlog.Rotate:
		file, pos, err := binlog.ParseRotate(body)
		if err != nil {
			return err
		}
		if file != d.file || h.Flags&binlog.FlagArtificial == 0 || pos < 1<<32 && d.pos < 1<<32 {
			d.file, d.pos = file, pos
		}
	case h.LogPos == 0, h.Flags&binlog.FlagArtificial != 0:
	case h.Type == binlog.Heartbeat:
		// It may lag behind what was sent, and must not pass for a lap.
		if string(body) == d.file && h.LogPos-uint32(d.pos) < 1<<31 {
			d.pos = binlog.Advance(d.pos, h.LogPos)
		}
	default:
		d.pos = binlog.Advance(d.pos, h.LogPos)
	}
	return nil
}

// logError explains what a server answers to whoever wants its log.
func logError(err error) error {
	err = serverError(err)
	var me *mysql.MyError
	if !errors.As(err, &me) {
		return err
	}
	text := strings.ToLower(me.Message)
	contains := func(parts ...string) bool {
		return slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(text, p) })
	}
	switch {
	case contains("same server_uuid", "same server_id"):
		return hint.Wrap(err, "another reader of the log has taken this server id: choose another --server-id for one of them, or none")
	case me.Code != mysql.ER_MASTER_FATAL_ERROR_READING_BINLOG:
	case contains("purged", "could not find first log file", "not in the master's binlog", "missing"):
		return purged(err)
	case contains("more than the master", "has more gtids", "impossible position", "log is corrupted", "position > file size"):
		return hint.Wrap(err, "the server's log was reset, or the position is of another server; copy the tables anew")
	}
	return err
}
