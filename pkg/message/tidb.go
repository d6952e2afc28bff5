package message

import (
	"fmt"
	"strconv"

	"github.com/tablehaul/tablehaul/pkg/literal"
)

// A tidbChange is the object _tidb of a message of TiCDC, if its extension is enabled.
type tidbChange struct {
	commit, watermark uint64 // TSO: milliseconds since 1970, and a counter in the lowest 18 bits
	partial           bool   // the message has the row's key only, or is kept elsewhere, for it was too large
}

// tidbOf reads it.
func tidbOf(text []byte) (c tidbChange, err error) {
	s := scanner{text: text}
	more, err := s.open('{', '}')
	for err == nil && more {
		var name, v []byte
		if name, err = s.key(); err != nil {
			break
		}
		if v, err = s.skip(); err != nil {
			break
		}
		switch string(name) {
		case "commitTs":
			c.commit, err = tso(v)
		case "watermarkTs":
			c.watermark, err = tso(v)
		case "onlyHandleKey":
			c.partial = string(v) == "true"
		case "claimCheckLocation":
			c.partial = true
		}
		if err == nil {
			more, err = s.more('}')
		}
	}
	if err != nil {
		return c, fmt.Errorf("read _tidb: %w", err)
	}
	return c, nil
}

func tso(text []byte) (uint64, error) {
	v, err := strconv.ParseUint(string(text), 10, 64)
	if err != nil {
		return 0, literal.Bad(text, "TSO")
	}
	return v, nil
}

// A Partitioned is a Decoder that knows more if it is told where its messages come from.
type Partitioned interface {
	// Partition says of which partition, however the caller numbers those of all topics,
	// the messages are that follow.
	Partition(n int)
}

// resends tells which rows TiCDC sends again. It sends at least once: when a part of it
// starts anew, it repeats what came behind its last checkpoint, in order, and one that is
// thought to be dead may still send what another has sent since. Repeated in order, rows
// lead to where they led before, so that nothing has to be kept of them from run to run;
// but until then they show what was long ago, and late ones of a dead sender would stay.
//
// A row is left out if its commitTs is below the highest watermark of its partition, which
// says that all before it has been sent there, and also below the highest of its own table
// in this partition. One of the two is not enough: a table that a changefeed is given later
// begins below the watermark, and rows of a partitioned table, or of one that several nodes
// send, come in no order of commitTs. Both hold within one partition of one topic, as long
// as one changefeed writes there; so nothing is left out before Partition is called.
type resends struct {
	told       bool
	at         int
	watermarks []uint64 // highest of each partition
}

// Partition implements Partitioned.
func (r *resends) Partition(n int) {
	for len(r.watermarks) <= n {
		r.watermarks = append(r.watermarks, 0)
	}
	r.told, r.at = true, n
}

// watermark notes one. They may step back, where a changefeed starts anew.
func (r *resends) watermark(ts uint64) {
	if r.told {
		r.watermarks[r.at] = max(r.watermarks[r.at], ts)
	}
}

// again reports whether a row was sent before. Highest are those of its table, by partition.
func (r *resends) again(highest *[]uint64, ts uint64) bool {
	if !r.told || ts == 0 {
		return false
	}
	for len(*highest) <= r.at {
		*highest = append(*highest, 0)
	}
	high := &(*highest)[r.at]
	if ts < *high && ts < r.watermarks[r.at] {
		return true
	}
	*high = max(*high, ts)
	return false
}
