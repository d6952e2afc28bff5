package mysql

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"

	"github.com/tablehaul/tablehaul/pkg/reader/mysql/binlog"
)

// spoolMemory is how much of a spool stays in memory; the rest is in a file.
const spoolMemory = 4 << 20

// A spool keeps events of a transaction of which it is not known yet whether
// they count: they may be rolled back, or be decided about much later.
type spool struct {
	buf  []byte // what is not in the file
	file *os.File
	size int64 // of the file
}

// recordLen is the length of type, offset in the log and length before a body.
const recordLen = 1 + 8 + 4

func (s *spool) add(typ binlog.EventType, pos uint64, body []byte) error {
	s.buf = append(s.buf, byte(typ))
	s.buf = binary.LittleEndian.AppendUint64(s.buf, pos)
	s.buf = binary.LittleEndian.AppendUint32(s.buf, uint32(len(body)))
	s.buf = append(s.buf, body...)
	if len(s.buf) < spoolMemory {
		return nil
	}
	return s.flush()
}

// rest readies the spool for waiting: little of it stays in memory.
func (s *spool) rest() error {
	if len(s.buf) > spoolMemory/64 || s.file != nil {
		if err := s.flush(); err != nil {
			return err
		}
	}
	s.buf = bytes.Clone(s.buf) // no larger than it must be
	return nil
}

// flush writes what is in memory to the file.
func (s *spool) flush() error {
	if s.file == nil {
		f, err := os.CreateTemp("", "tablehaul-spool-")
		if err != nil {
			return fmt.Errorf("keep a transaction: %w", err)
		}
		// Nobody else needs its name, and so nothing is left behind. Where a file
		// cannot go while it is open, close removes it.
		_ = os.Remove(f.Name())
		s.file = f
	}
	if _, err := s.file.WriteAt(s.buf, s.size); err != nil {
		return fmt.Errorf("keep a transaction: %w", err)
	}
	s.size += int64(len(s.buf))
	s.buf = s.buf[:0]
	return nil
}

// end returns a mark that cut understands.
func (s *spool) end() int64 { return s.size + int64(len(s.buf)) }

// cut drops what was added behind a mark.
func (s *spool) cut(mark int64) {
	if mark >= s.size {
		s.buf = s.buf[:mark-s.size]
		return
	}
	s.size, s.buf = mark, s.buf[:0] // what lies behind it in the file is written over
}

func (s *spool) close() {
	if s.file != nil {
		s.file.Close()
		_ = os.Remove(s.file.Name()) // gone already, but on Windows
		s.file = nil
	}
	s.buf, s.size = nil, 0
}

// A replay reads a spool's events in order.
type replay struct {
	s   *spool
	src io.Reader
	buf []byte
}

func (s *spool) replay() *replay {
	var src io.Reader = bytes.NewReader(s.buf)
	if s.file != nil {
		src = bufio.NewReaderSize(io.MultiReader(io.NewSectionReader(s.file, 0, s.size), src), 1<<20)
	}
	return &replay{s: s, src: src}
}

// next returns an event, valid until the next call, and io.EOF after the last one.
func (r *replay) next() (typ binlog.EventType, pos uint64, body []byte, err error) {
	var head [recordLen]byte
	if _, err := io.ReadFull(r.src, head[:]); err != nil {
		return 0, 0, nil, err
	}
	n := int(binary.LittleEndian.Uint32(head[9:]))
	if cap(r.buf) < n {
		r.buf = make([]byte, n+n/4)
	}
	r.buf = r.buf[:n]
	if _, err := io.ReadFull(r.src, r.buf); err != nil {
		return 0, 0, nil, fmt.Errorf("read a kept transaction: %w", err)
	}
	return binlog.EventType(head[0]), binary.LittleEndian.Uint64(head[1:]), r.buf, nil
}
