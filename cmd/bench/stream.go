package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"
)

// A stream reads the packets of a result from the socket itself in large
// blocks. It does not join payloads of 16 MiB and more: no case has them.
type stream struct {
	conn net.Conn
	buf  []byte
	r, w int // the unread part of buf
	wire int64
}

// The kernel wakes a stream's reader for lowWater bytes rather than for every
// 16 KiB that the server sends, which halves the CPU of reading. What is less
// at a result's end shows when the reader looks by itself, after tailWait. The
// buffer stays inside the second-level cache.
const (
	blockSize = 256 << 10
	lowWater  = 128 << 10
	tailWait  = 2 * time.Millisecond
)

// newStream takes over a connection on which nothing is unread.
func newStream(conn *client.Conn) (*stream, error) {
	s := &stream{conn: conn.Conn.Conn, buf: make([]byte, blockSize)}
	raw, err := s.conn.(*net.TCPConn).SyscallConn()
	if err == nil {
		var err2 error
		err = raw.Control(func(fd uintptr) {
			err2 = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVLOWAT, lowWater)
		})
		err = errors.Join(err, err2)
	}
	return s, err
}

// fill makes at least n bytes readable.
func (s *stream) fill(n int) error {
	copy(s.buf, s.buf[s.r:s.w])
	s.w -= s.r
	s.r = 0
	if n > len(s.buf) {
		s.buf = append(make([]byte, 0, 2*n), s.buf[:s.w]...)[:2*n]
	}
	for s.w < n {
		if err := s.conn.SetReadDeadline(time.Now().Add(tailWait)); err != nil {
			return err
		}
		got, err := s.conn.Read(s.buf[s.w:])
		s.w += got
		s.wire += int64(got)
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			return fmt.Errorf("read result: %w", err)
		}
	}
	return nil
}

// next returns the next packet's payload, valid until the next call.
func (s *stream) next() ([]byte, error) {
	if s.w-s.r < 4 {
		if err := s.fill(4); err != nil {
			return nil, err
		}
	}
	n := 4 + int(uint32(s.buf[s.r])|uint32(s.buf[s.r+1])<<8|uint32(s.buf[s.r+2])<<16)
	if s.w-s.r < n {
		if err := s.fill(n); err != nil {
			return nil, err
		}
	}
	p := s.buf[s.r+4 : s.r+n]
	s.r += n
	return p, nil
}

// isEnd tells the packet that ends a result (or its column definitions), and
// the server's error in place of one.
func isEnd(p []byte) (bool, error) {
	switch {
	case len(p) == 0:
		return false, errors.New("empty packet in a result")
	case p[0] == mysql.EOF_HEADER && len(p) < 9:
		return true, nil
	case p[0] == mysql.ERR_HEADER:
		return false, serverError(p)
	}
	return false, nil
}

func serverError(p []byte) error {
	if len(p) < 9 {
		return errors.New("malformed error packet")
	}
	return fmt.Errorf("MySQL error %d: %s", binary.LittleEndian.Uint16(p[1:]), p[9:])
}

// skipHeader passes over the column count and definitions of a result.
func skipHeader(next func() ([]byte, error)) error {
	p, err := next()
	if err != nil {
		return err
	}
	if len(p) > 0 && p[0] == mysql.ERR_HEADER {
		return serverError(p)
	}
	for {
		if p, err = next(); err != nil {
			return err
		}
		if end, err := isEnd(p); end || err != nil {
			return err
		}
	}
}
