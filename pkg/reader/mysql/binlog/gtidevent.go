package binlog

import (
	"errors"
	"math/bits"
)

// A GTID is what an event says of the transaction that it begins.
type GTID struct {
	Anonymous bool
	Source    Source // MySQL
	N         uint64
	Domain    uint32 // MariaDB
	Mark      Mark
	// Time is when the server that sends the log committed the transaction, in
	// microseconds since 1970; 0 if the server does not say.
	Time int64
	// Standalone says that one statement follows, and no end behind it; else
	// the transaction has begun with this event. MariaDB only.
	Standalone bool
	// Prepared says that the transaction ends with XA PREPARE. MariaDB only.
	Prepared bool
}

// String prints the GTID as the server does; it is "" if there is none.
func (g *GTID) String() string {
	switch {
	case g.Mark.Seq > 0:
		return List{g.Domain: g.Mark}.String()
	case g.N > 0:
		text := Set{g.Source: {{g.N, g.N}}}.String()
		return text
	}
	return ""
}

// timeBit of a commit time says that another one follows, that of the server
// where the transaction comes from.
const timeBit = 1 << 55

// ParseGTID reads the body of GTIDEvent and AnonymousGTID. Its source is the
// comment of Gtid_event in MySQL's control_events.h.
func ParseGTID(h Header, body []byte) (GTID, error) {
	r := cursor{p: body}
	r.uint8() // flags
	var g GTID
	copy(g.Source.UUID[:], r.bytes(16))
	g.N = r.uint64()
	if r.bad {
		return g, errShort
	}
	if g.Anonymous = h.Type == AnonymousGTID; g.Anonymous {
		g.Source, g.N = Source{}, 0
	}
	// Older servers end before this.
	if r.uint8() == 2 {
		r.bytes(16) // logical clock
		if t := r.uint(7); !r.bad {
			g.Time = int64(t &^ timeBit)
		}
	}
	return g, nil
}

// Numbers of the fields of a tagged GTID event.
const (
	fieldFlags = iota
	fieldUUID
	fieldNumber
	fieldTag
	fieldLastCommitted
	fieldSequence
	fieldTime
)

// ParseTaggedGTID reads the body of TaggedGTID, which is in the format of
// MySQL's library of serialization: numbered fields in order, their numbers and
// all integers of variable length.
func ParseTaggedGTID(body []byte) (GTID, error) {
	r := cursor{p: body}
	if version := r.uint8() >> 1; version != 1 {
		return GTID{}, errors.New("GTID event in an unknown format")
	}
	r.varint() // size of the fields
	r.varint() // last field that may not be skipped
	var g GTID
	for len(r.p) > 0 && !r.bad {
		switch id := r.varint(); id {
		case fieldFlags:
			r.varint()
		case fieldUUID:
			for i := range g.Source.UUID {
				g.Source.UUID[i] = byte(r.varint())
			}
		case fieldNumber:
			g.N = r.varint() >> 1 // the lowest bit is the sign
		case fieldTag:
			g.Source.Tag = string(r.bytes(int(min(r.varint(), maxTag+1))))
		case fieldLastCommitted, fieldSequence:
			r.varint()
		case fieldTime:
			g.Time = int64(r.varint())
			r.p = nil // what follows is of no interest, and may be unknown
		default:
			return g, errors.New("GTID event without a time")
		}
	}
	if r.bad || g.N == 0 || g.Time == 0 {
		return g, errShort
	}
	return g, nil
}

// varint reads an integer of one to nine bytes: as many ones as the first byte
// ends with, so many bytes follow it.
func (r *cursor) varint() uint64 {
	first := r.uint8()
	n := bits.TrailingZeros8(^first)
	if n == 8 {
		return r.uint64()
	}
	return r.uint(n)<<(7-n) | uint64(first)>>(n+1)
}

// Flags of MariaDB's GTID event.
const (
	mariaStandalone = 1
	mariaPrepared   = 64
)

// ParseMariaGTID reads the body of MariaGTID.
func ParseMariaGTID(h Header, body []byte) (GTID, error) {
	r := cursor{p: body}
	g := GTID{Mark: Mark{Server: h.Server, Seq: r.uint64()}, Time: int64(h.Time) * 1e6}
	g.Domain = r.uint32()
	flags := r.uint8()
	if r.bad {
		return g, errShort
	}
	g.Standalone, g.Prepared = flags&mariaStandalone != 0, flags&mariaPrepared != 0
	return g, nil
}

// ParseGTIDList reads the body of MariaGTIDList: the place of the file's start.
func ParseGTIDList(body []byte) (List, error) {
	r := cursor{p: body}
	l := List{}
	for n := r.uint32() & (1<<28 - 1); n > 0 && !r.bad; n-- {
		domain, server, seq := r.uint32(), r.uint32(), r.uint64()
		if old, ok := l[domain]; !ok || old.Seq < seq {
			l[domain] = Mark{server, seq}
		}
	}
	if r.bad {
		return nil, errShort
	}
	return l, nil
}

// MapName reads the name of the table from the body of a table map.
func MapName(body []byte) (Name, error) {
	c := cursor{p: body}
	c.take(8)
	n := Name{DB: string(c.take(c.lenenc()))}
	c.take(1)
	n.Table = string(c.take(c.lenenc()))
	if c.bad {
		return n, errShort
	}
	return n, nil
}
