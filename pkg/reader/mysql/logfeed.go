package mysql

import (
	"errors"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// A feed reads a connection on which a log comes in, now as a flood and now as
// a trickle. In a flood the kernel is told to wake the reader for lowWater bytes
// only, as for stock; in a trickle each byte is waited for as usual.
type feed struct {
	conn  net.Conn
	heard time.Time    // when something last came, or waiting began
	until time.Time    // when to give up for now; zero is never
	ended *atomic.Bool // the caller's context has ended, and the deadline is set to the past
	flood bool
	idle  int // reads in a row that came to little
}

const (
	// floodSize is what a read must come to for the log to count as a flood.
	floodSize = 8 << 10
	// floodIdle is how many smaller ones end it.
	floodIdle = 4
)

// Read gives up with os.ErrDeadlineExceeded at the time that is set; what has
// come by then is not lost.
func (f *feed) Read(p []byte) (int, error) {
	for {
		limit := f.until
		if f.flood {
			limit = time.Now().Add(tailWait)
		}
		if err := f.conn.SetReadDeadline(limit); err != nil {
			return 0, err
		}
		if f.ended.Load() {
			return 0, os.ErrDeadlineExceeded
		}
		// A read takes what is there before it waits.
		n, err := f.conn.Read(p)
		f.adapt(n)
		if n > 0 {
			f.heard = time.Now()
			return n, nil
		}
		late := errors.Is(err, os.ErrDeadlineExceeded)
		if !late || f.ended.Load() || !f.until.IsZero() && !time.Now().Before(f.until) {
			return 0, err
		}
	}
}

func (f *feed) adapt(n int) {
	if n >= floodSize {
		f.idle = 0
		f.setFlood(true)
	} else if f.idle++; f.idle >= floodIdle {
		f.setFlood(false)
	}
}

func (f *feed) setFlood(on bool) {
	tcp, ok := f.conn.(*net.TCPConn)
	if !ok || on == f.flood {
		return
	}
	mark := 1
	if on {
		mark = lowWater
	}
	if setLowWater(tcp, mark) == nil {
		f.flood = on
	}
}
