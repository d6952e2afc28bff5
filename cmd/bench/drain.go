package main

import (
	"context"
	"io"
)

// drainMain is the limit of all readers: it receives the table's packets as
// fast as it can, counts them and looks at nothing else.
func drainMain(ctx context.Context, args []string, stdout io.Writer) error {
	return scan(ctx, args, stdout, func(ctx context.Context, p *part, c *benchCase, _ int, query string) (report, error) {
		conn, err := connect(ctx, p.addr, database(p.rows))
		if err != nil {
			return report{}, err
		}
		defer conn.Close()
		defer context.AfterFunc(ctx, func() { conn.Close() })()
		if err := send(conn, query, c.binary); err != nil {
			return report{}, err
		}
		s, err := newStream(conn)
		if err != nil {
			return report{}, err
		}
		if err := skipHeader(s.next); err != nil {
			return report{}, err
		}
		rows, err := s.count()
		return report{Rows: rows, Bytes: s.wire}, err
	})
}

// count passes over the rest of a result and returns its rows.
func (s *stream) count() (int64, error) {
	rows := int64(0)
	for {
		// A row that lies whole in the buffer costs two loads and a compare.
		// Rows are longer than an EOF packet may be, or begin otherwise.
		buf, at := s.buf[:s.w], s.r
		for at+5 <= len(buf) {
			end := at + 4 + int(uint32(buf[at])|uint32(buf[at+1])<<8|uint32(buf[at+2])<<16)
			if end > len(buf) || buf[at+4] >= 0xfe {
				break
			}
			at = end
			rows++
		}
		s.r = at
		p, err := s.next()
		if err != nil {
			return rows, err
		}
		if end, err := isEnd(p); end || err != nil {
			return rows, err
		}
		rows++
	}
}
