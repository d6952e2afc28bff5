package mysql

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// The server sends rows in pieces of net_buffer_length, 16 KiB by default, and
// a reader that wakes for each of them spends half its time waking. While rows
// flow, the kernel is therefore told to wake it for lowWater bytes only. What is
// less than that, the tail of a result or the trickle of a slow query, is
// fetched by looking for it now and then.
const (
	lowWater = 128 << 10
	// tailWait is how long the last piece of a result may lie there unseen.
	tailWait = 2 * time.Millisecond
	// maxWait bounds the delay of a trickle.
	maxWait = 64 * time.Millisecond
)

// A bulkReader reads a connection. In bulk mode it must be the only reader:
// others would wait for lowWater bytes too.
type bulkReader struct {
	conn net.Conn
	bulk bool
	// stopped is set before the connection's deadline is, when the work is
	// cancelled: a deadline set here later would else undo that one.
	stopped *atomic.Bool
}

// setBulk enters or leaves bulk mode. Connections that do not know it, such as
// those with TLS, whose records are waited for one by one, stay as they are.
func (r *bulkReader) setBulk(on bool) {
	tcp, ok := r.conn.(*net.TCPConn)
	if !ok || on == r.bulk {
		return
	}
	mark := 1
	if on {
		mark = lowWater
	}
	if setLowWater(tcp, mark) == nil {
		r.bulk = on
	}
	if !on {
		_ = tcp.SetReadDeadline(time.Time{}) // fails only on a closed connection, as does the next read
	}
}

func (r *bulkReader) Read(p []byte) (int, error) {
	if !r.bulk {
		return r.conn.Read(p)
	}
	for wait := tailWait; ; wait = min(2*wait, maxWait) {
		if err := r.conn.SetReadDeadline(time.Now().Add(wait)); err != nil {
			return 0, err
		}
		if r.stopped.Load() {
			return 0, os.ErrDeadlineExceeded
		}
		// A read takes what is there before it waits, so the one after a
		// timeout finds what lay below the mark.
		n, err := r.conn.Read(p)
		if n > 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return n, err
		}
	}
}
