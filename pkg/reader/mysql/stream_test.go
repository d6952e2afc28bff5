package mysql

import (
	"encoding/binary"
	"errors"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/binlog"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A play is a stream that is fed event by event, without a server.
type play struct {
	*stream
	t     *testing.T
	table *followed
}

// newPlay follows d.t (id INT PRIMARY KEY, v VARCHAR(10)).
func newPlay(t *testing.T, changelog bool) *play {
	t.Helper()
	columns := []schema.Column{{Name: "id", Native: "int"}, {Name: "v", Native: "varchar(10)", Nullable: true}}
	for i := range columns {
		var err error
		if columns[i].Type, err = schema.ParseMySQL(columns[i].Native); err != nil {
			t.Fatal(err)
		}
		columns[i].Arrow = columns[i].Type.Arrow()
	}
	table := schema.New("d", "t", columns, []int{0})
	if changelog {
		var err error
		if table, err = schema.Changelog(table); err != nil {
			t.Fatal(err)
		}
	}
	b, err := batch.NewBuilder(table, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	f := &followed{t: table, b: b}
	return &play{t: t, table: f, stream: &stream{
		s: &Stock{opts: Options{batchBytes: 1 << 20, Memory: 64 << 20}}, byGTID: true, done: gtids{set: binlog.Set{}}, charsets: &binlog.Charsets{},
		tables: map[binlog.Name]*followed{{DB: "d", Table: "t"}: f}, ids: map[uint64]*tableID{}, prepared: map[string]*prepared{}, told: time.Now(),
		d: &dump{c: &conn{packets: newPacketReader(nil)}, file: "b.000001", pos: 100},
	}}
}

func (p *play) feed(typ binlog.EventType, body []byte) {
	p.t.Helper()
	p.d.pos += 50
	if err := p.event(p.t.Context(), binlog.Header{Type: typ}, body); err != nil {
		p.t.Fatal(err)
	}
	if !p.tx.open {
		p.at = spot{p.d.file, p.d.pos}
	}
}

// begin opens transaction n and announces the table by a map with those flags.
func (p *play) begin(n uint64, flags byte) {
	p.t.Helper()
	gtid := make([]byte, 25)
	gtid[1] = 7 // of the server's UUID
	binary.LittleEndian.PutUint64(gtid[17:], n)
	p.feed(binlog.GTIDEvent, gtid)
	p.feed(binlog.Query, append(make([]byte, 8+1+2+2+1), "BEGIN"...))
	p.announce(flags)
}

func (p *play) announce(flags byte) {
	p.t.Helper()
	p.feed(binlog.TableMapEvent, []byte{1, 0, 0, 0, 0, 0, flags, 0, 1, 'd', 0, 1, 't', 0, 2, 3, 15, 2, 10, 0, 2})
}

func (p *play) insert(id byte) {
	p.t.Helper()
	p.feed(binlog.WriteRowsV2, []byte{1, 0, 0, 0, 0, 0, 1, 0, 2, 0, 2, 3, 0, id, 0, 0, 0, 1, 'x'})
}

func (p *play) commit() {
	p.t.Helper()
	p.feed(binlog.Xid, make([]byte, 8))
}

// oneAndAHalf is a transaction, and a second one that has not ended.
func (p *play) oneAndAHalf() {
	p.t.Helper()
	p.begin(1, 1)
	p.insert(1)
	p.commit()
	p.begin(2, 1)
	p.insert(2)
}

// published is what a sink would make visible of what was handed out: rows up to
// the last position, and the GTIDs of that.
func (p *play) published() (rows int, emptied bool, gtid string) {
	waiting, clear := 0, false
	for _, b := range p.out {
		if b.Rows != nil {
			waiting += int(b.Rows.NumRows())
		}
		clear = clear || b.Emptied
		if b.Pos != "" {
			pos, err := parsePosition(b.Pos)
			if err != nil {
				p.t.Fatal(err)
			}
			rows, emptied, gtid = rows+waiting, emptied || clear, pos.GTID
			waiting, clear = 0, false
		}
	}
	return rows, emptied, gtid
}

const playUUID = "07000000-0000-0000-0000-000000000000"

// TestBrokenTransactionLeavesNothing breaks a connection within a transaction:
// nothing of it may come with the position before it, from which it is read again.
func TestBrokenTransactionLeavesNothing(t *testing.T) {
	cut := errors.New("cut")
	t.Run("plain", func(t *testing.T) {
		p := newPlay(t, false)
		p.oneAndAHalf()
		p.fail(cut)
		if rows, _, gtid := p.published(); rows != 1 || gtid != playUUID+":1" {
			t.Errorf("got %d rows at %s, want 1", rows, gtid)
		}
	})
	// As after SET GLOBAL binlog_row_metadata while the transaction was written.
	t.Run("another table map", func(t *testing.T) {
		p := newPlay(t, false)
		p.oneAndAHalf()
		p.announce(3)
		p.fail(cut)
		if rows, _, gtid := p.published(); rows != 0 || gtid != "" {
			t.Errorf("got %d rows at %q, want none", rows, gtid)
		}
	})
	for _, changelog := range []bool{false, true} {
		p := newPlay(t, changelog) // CREATE TABLE … SELECT
		p.begin(1, 1)
		if err := p.empty(p.table); err != nil {
			t.Fatal(err)
		}
		p.fail(cut)
		if rows, emptied, _ := p.published(); rows != 0 || emptied {
			t.Errorf("made and filled, changelog %v: got %d rows, emptied %v", changelog, rows, emptied)
		}
	}
}

// TestServerDiedInTransaction goes on behind a transaction whose end was never
// written: MariaDB leaves it in the log.
func TestServerDiedInTransaction(t *testing.T) {
	p := newPlay(t, false)
	p.oneAndAHalf()
	p.feed(binlog.FormatDescription, nil)
	p.begin(3, 1)
	p.insert(3)
	p.insert(4)
	p.commit()
	p.flush(time.Now())
	if rows, _, gtid := p.published(); rows != 3 || gtid != playUUID+":1:3" {
		t.Errorf("got %d rows at %s, want 3 and no transaction 2", rows, gtid)
	}
}
