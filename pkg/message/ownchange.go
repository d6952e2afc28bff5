package message

import (
	"fmt"

	"github.com/tablehaul/tablehaul/pkg/literal"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// ownChange reads the object _tablehaul of a message that this program has written. The
// texts of the Change are good until the next call with the same scratch.
func ownChange(text []byte, scratch *[]byte) (Change, error) {
	c := Change{Once: true}
	*scratch = (*scratch)[:0]
	s := scanner{text: text}
	more, err := s.open('{', '}')
	for err == nil && more {
		var name []byte
		if name, err = s.key(); err == nil {
			err = c.member(&s, name, scratch)
		}
		if err == nil {
			more, err = s.more('}')
		}
	}
	if err != nil {
		return c, fmt.Errorf("read _tablehaul: %w", err)
	}
	return c, nil
}

// member takes one member of _tablehaul. What it tells may share memory with scratch.
func (c *Change) member(s *scanner, name []byte, scratch *[]byte) (err error) {
	var v []byte
	switch string(name) {
	case "op":
		v, err = s.text0()
		c.Stock = string(v) == schema.OpRead
	case "us":
		if v, err = s.skip(); err == nil {
			c.Micros, err = literal.ParseInt(v)
		}
	case "gtid", "pos":
		var escaped bool
		if v, escaped, err = s.str(); err == nil && escaped {
			n := len(*scratch)
			*scratch, err = unescape(*scratch, v)
			v = (*scratch)[n:]
		}
		if name[0] == 'g' {
			c.GTID = v
		} else {
			c.Pos = v
		}
	default:
		_, err = s.skip()
	}
	return err
}
