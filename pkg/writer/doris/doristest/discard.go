package doristest

import (
	"bytes"
	"errors"
	"io"
	"strings"
)

// Discarded is what loads have brought that were counted and not kept.
type Discarded struct {
	Loads, Rows, Bytes int64
	Largest            int64 // bytes of a load
}

// Discarded tells it of the loads of all tables so far.
func (c *Cluster) Discarded() Discarded {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.discarded
}

func (d *Discarded) add(p parsed) {
	d.Loads++
	d.Rows += p.total
	d.Bytes += p.bytes
	d.Largest = max(d.Largest, p.bytes)
}

// discarding reports whether the rows of a load are not kept.
func (l *loader) discarding() bool { return l.c.opts.Discard && !l.x.table.seq }

// countLines counts the rows of a CSV, without a look at their values. A line that is empty is
// none.
func (l *loader) countLines(in io.Reader, enclose, escape string) error {
	quote, special := byte('"'), "\n"
	if enclose != "" {
		quote = enclose[0]
		special += enclose + escape
	}
	block := make([]byte, 256<<10)
	inside, escaped, empty := false, false, true
	for {
		n, err := in.Read(block)
		for at := 0; at < n; {
			if escaped {
				escaped = false
				at++
				continue
			}
			i := bytes.IndexAny(block[at:n], special)
			if i < 0 {
				empty = false
				break
			}
			empty = empty && i == 0
			switch b := block[at+i]; {
			case b == '\n' && !inside:
				if !empty {
					l.p.total++
				}
				empty = true
			case b == '\n':
			case b == quote:
				inside, empty = !inside, false
			case inside && strings.IndexByte(escape, b) == 0:
				escaped = true
			default:
				empty = false
			}
			at += i + 1
		}
		if errors.Is(err, io.EOF) {
			if !empty {
				l.p.total++
			}
			return nil
		}
		if err != nil {
			return err
		}
	}
}
