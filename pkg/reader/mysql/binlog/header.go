package binlog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// The types of events that are no rows.
const (
	Query              EventType = 2
	Stop               EventType = 3
	Rotate             EventType = 4
	IntVar             EventType = 5
	AppendBlock        EventType = 9
	DeleteFile         EventType = 11
	Rand               EventType = 13
	UserVar            EventType = 14
	FormatDescription  EventType = 15
	Xid                EventType = 16
	BeginLoadQuery     EventType = 17
	ExecuteLoadQuery   EventType = 18
	TableMapEvent      EventType = 19
	Incident           EventType = 26
	Heartbeat          EventType = 27
	Ignorable          EventType = 28
	RowsQuery          EventType = 29
	GTIDEvent          EventType = 33
	AnonymousGTID      EventType = 34
	PreviousGTIDs      EventType = 35
	TransactionContext EventType = 36
	ViewChange         EventType = 37
	XAPrepare          EventType = 38
	TransactionPayload EventType = 40
	HeartbeatV2        EventType = 41
	TaggedGTID         EventType = 42

	MariaAnnotateRows    EventType = 160
	MariaCheckpoint      EventType = 161
	MariaGTID            EventType = 162
	MariaGTIDList        EventType = 163
	MariaStartEncryption EventType = 164
	MariaQueryCompressed EventType = 165
)

// Flags of an event's header.
const (
	FlagArtificial uint16 = 0x20 // made for this connection: its LogPos is none
	FlagIgnorable  uint16 = 0x80 // may be skipped by whoever does not know its type
)

// HeaderLen is the length of an event's header, ChecksumLen that of the CRC32
// behind its body.
const (
	HeaderLen   = 19
	ChecksumLen = 4
)

// A Header is what every event begins with.
type Header struct {
	Time   uint32 // seconds since 1970, of the statement's start
	Type   EventType
	Server uint32
	Size   uint32 // with header and checksum
	LogPos uint32 // where the event ends in its file, modulo 2^32
	Flags  uint16
}

// ParseHeader reads the header of an event.
func ParseHeader(p []byte) (Header, error) {
	if len(p) < HeaderLen {
		return Header{}, errShort
	}
	return Header{
		Time: binary.LittleEndian.Uint32(p), Type: EventType(p[4]), Server: binary.LittleEndian.Uint32(p[5:]),
		Size: binary.LittleEndian.Uint32(p[9:]), LogPos: binary.LittleEndian.Uint32(p[13:]), Flags: binary.LittleEndian.Uint16(p[17:]),
	}, nil
}

// Verify checks the CRC32 at the end of an event and returns the event's body.
func Verify(p []byte) ([]byte, error) {
	if len(p) < HeaderLen+ChecksumLen {
		return nil, errShort
	}
	end := len(p) - ChecksumLen
	if got, want := crc32.ChecksumIEEE(p[:end]), binary.LittleEndian.Uint32(p[end:]); got != want {
		return nil, fmt.Errorf("an event's checksum is %08x, its bytes have %08x", want, got)
	}
	return p[HeaderLen:end], nil
}

// Advance returns the offset in a file whose lower 32 bits are low, at or behind
// the offset from: headers hold no more than these bits.
func Advance(from uint64, low uint32) uint64 { return from + uint64(low-uint32(from)) }

// ParseRotate reads which file comes next and where in it.
func ParseRotate(body []byte) (file string, pos uint64, err error) {
	if len(body) < 9 {
		return "", 0, errShort
	}
	return string(body[8:]), binary.LittleEndian.Uint64(body), nil
}

// HasChecksums reads from a format description, checksum included, whether the
// events behind it have a CRC32. Servers that know of it have their say in the
// byte before the event's own checksum.
func HasChecksums(event []byte) (bool, error) {
	if len(event) < HeaderLen+2+50+4+1+ChecksumLen+1 {
		return false, errors.New("bad format description event")
	}
	switch alg := event[len(event)-ChecksumLen-1]; alg {
	case 0:
		return false, nil
	case 1:
		return true, nil
	default:
		return false, fmt.Errorf("the log has checksums of unknown kind %d", alg)
	}
}
