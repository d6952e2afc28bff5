// Package mysql reads the stock and the binary logs of MySQL and MariaDB servers.
//
// To change how a table is found, read tables.go; how all tables are read at
// one point, pin.go; how a table is cut, split.go; how bytes become columns,
// packet.go and decode.go. Of the log: what a server must offer, logcheck.go;
// how a place in it is found, logplace.go; how it is asked for, logdump.go; what
// becomes of its events, stream.go; how these become batches, streambatch.go. Where
// host, user and password come from, login.go; how a connection is opened,
// handshake.go and auth.go.
package mysql

import (
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// Options tell a Stock how to read.
type Options struct {
	// Login says where credentials come from if not from the URL.
	Login Login
	// ZeroDate says what becomes of dates that no calendar holds, such as
	// 0000-00-00 and 2021-02-31: "null" (the default), "epoch", or "fail".
	ZeroDate string
	// Memory is the budget of all readers together, in bytes; 0 is 64 MiB.
	Memory int64
	// Parallel is how many readers share Memory; 0 is 1.
	Parallel int
	// SplitBytes is how much of a table a split should hold, in bytes as the
	// server stores it; 0 is 64 MiB.
	SplitBytes int64
	// SplitRows, if set, is how many rows a split should hold instead.
	SplitRows int64
	// ServerID is the id under which the log is read; 0 takes a random one that
	// nobody has. Two readers of one id drive each other out.
	ServerID uint32
	// Evolve has tables of the log be followed through statements that alter them, where no
	// rows that were there have other values by that; else they end at the first one.
	Evolve bool
	// Extent is how far columns follow with Evolve.
	Extent schema.Extent
	// Narrow is, with schema.Nothing, that columns hold the values alone of the types that they
	// have had at the source, and not all of the Arrow type.
	Narrow bool
	// Drops has the log tell of tables that are dropped, and follow them no longer: one that is
	// made under the name later is another one.
	Drops bool
	// Heartbeat is how often the server says that it has nothing new in its log;
	// 0 is 2 s. A connection that is silent for three of them counts as lost.
	Heartbeat time.Duration
	// LockWait is how long a lock that is asked for may be pending, as long as which
	// it keeps writers waiting, in whole seconds; 0 is 2 s. Less than 0 takes no lock
	// at all.
	LockWait time.Duration
	// Replicas are the URLs of the servers that Load asks how far they are behind;
	// nil are those that the server lists.
	Replicas []string
	// Warn is told what the operator should know of but need not act on now. It
	// may be nil.
	Warn func(msg string)

	// For tests: the ways of pinning to try (nil means all), where batches come
	// from, what one may weigh, and whether a log tells its position at the end of
	// every transaction.
	ways       []way
	alloc      memory.Allocator
	batchBytes int
	eager      bool
}
