package message

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// define notes what a statement has made of a table. Maxwell's def has the columns with
// their type's name, and of its sizes the fraction of times alone.
func (r *MaxwellReader) define(m *maxwellMessage) error {
	var t maxwellTable
	s := scanner{text: m.def}
	more, err := s.open('{', '}')
	for err == nil && more {
		var name []byte
		if name, err = s.key(); err != nil {
			break
		}
		switch string(name) {
		case "database":
			t.db, err = s.text0()
		case "table":
			t.name, err = s.text0()
		case "columns":
			t.columns, err = defColumns(&s)
		case "primary-key":
			t.keys, err = s.skip()
		default:
			_, err = s.skip()
		}
		if err == nil {
			more, err = s.more('}')
		}
	}
	if err != nil {
		return fmt.Errorf("read def: %w", err)
	}
	t.keys = bytes.Clone(t.keys)
	key := string(t.db) + "\x00" + string(t.name)
	if was := r.tables[key]; was != nil {
		for i := range t.columns { // what values have told of sizes stands
			c := &t.columns[i]
			k := slices.IndexFunc(was.columns, func(o objectColumn) bool { return bytes.Equal(o.name, c.name) })
			if k >= 0 && c.open && !was.columns[k].open && was.columns[k].Type.Kind == c.Type.Kind {
				*c = was.columns[k]
			}
		}
	}
	r.drop(key)
	r.defs[key] = &t
	return nil
}

// forget drops what is known of a table.
func (r *MaxwellReader) forget(m *maxwellMessage) error {
	key := string(m.db) + "\x00" + string(m.table)
	r.drop(key)
	delete(r.defs, key)
	return nil
}

// drop has the table be described anew by its next message.
func (r *MaxwellReader) drop(key string) {
	if r.last == r.tables[key] {
		r.last = nil
	}
	delete(r.tables, key)
}

// defColumns reads an array of columns.
func defColumns(s *scanner) (columns []objectColumn, err error) {
	more, err := s.open('[', ']')
	for err == nil && more {
		var c objectColumn
		if c, err = defColumn(s); err == nil {
			columns = append(columns, c)
			more, err = s.more(']')
		}
	}
	return columns, err
}

// defColumn reads one column: {"type":"bigint","name":"id","signed":false}.
func defColumn(s *scanner) (c objectColumn, err error) {
	var raw, typ, length []byte
	var labels []string
	unsigned := false
	more, err := s.open('{', '}')
	for err == nil && more {
		var name, v []byte
		if name, err = s.key(); err != nil {
			break
		}
		switch string(name) {
		case "name":
			raw, err = s.text0()
		case "type":
			typ, err = s.text0()
		case "signed":
			v, err = s.skip()
			unsigned = string(v) == "false"
		case "column-length":
			length, err = s.skip()
		case "enum-values":
			labels, err = texts(s)
		default:
			_, err = s.skip()
		}
		if err == nil {
			more, err = s.more('}')
		}
	}
	if err != nil {
		return c, err
	}
	name, err := unescape(nil, raw)
	if err != nil {
		return c, err
	}
	c.name = bytes.Clone(raw)
	c.Column, c.open, err = foreignColumn(string(name), defNative(string(typ), string(length), unsigned, labels))
	c.Guessed, c.told = true, true
	return c, err
}

// defNative writes a column's type as MySQL does. A geometry is text, for Maxwell writes it
// as WKT.
func defNative(typ, length string, unsigned bool, labels []string) string {
	switch t, _ := schema.ParseMySQL(typ); t.Kind {
	case schema.Geometry:
		return "longtext"
	case schema.Enum, schema.Set:
		if len(labels) == 0 {
			return "longtext"
		}
		quoted := make([]string, len(labels))
		for i, l := range labels {
			quoted[i] = "'" + strings.NewReplacer(`\`, `\\`, "'", "''", "\n", `\n`, "\r", `\r`, "\x00", `\0`).Replace(l) + "'"
		}
		return typ + "(" + strings.Join(quoted, ",") + ")"
	case schema.DateTime, schema.Timestamp, schema.Time:
		if _, err := strconv.Atoi(length); err == nil {
			return typ + "(" + length + ")"
		}
	}
	if unsigned {
		return typ + " unsigned"
	}
	return typ
}

// texts reads an array of strings.
func texts(s *scanner) (all []string, err error) {
	more, err := s.open('[', ']')
	for err == nil && more {
		var raw, text []byte
		if raw, _, err = s.str(); err != nil {
			break
		}
		if text, err = unescape(nil, raw); err == nil {
			all = append(all, string(text))
			more, err = s.more(']')
		}
	}
	return all, err
}
