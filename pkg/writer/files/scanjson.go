package files

import (
	"bytes"
	"encoding/json"

	"github.com/tablehaul/tablehaul/pkg/literal"
)

// splitJSON cuts an object into its values.
func (f form) splitJSON(line []byte, fields []field) ([]field, error) {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(line, &object); err != nil {
		return fields, err
	}
	for _, c := range f.columns {
		raw, ok := object[c.Name]
		f := field{text: raw, null: !ok || string(raw) == "null"}
		if len(raw) > 0 && raw[0] == '"' {
			text, err := unquoted(raw)
			if err != nil {
				return fields, err
			}
			f.text = text
		}
		fields = append(fields, f)
	}
	return fields, nil
}

// splitOwnJSON is splitJSON for an object that is as this program writes it, and several times as
// fast: with the columns in their order, without blanks, and fewer of them in older files.
func (f form) splitOwnJSON(line []byte, fields []field) (_ []field, ok bool) {
	rest := line
	for i, head := range f.heads {
		if i > 0 && string(rest) == "}" {
			return fields, true
		}
		if rest, ok = bytes.CutPrefix(rest, head); !ok {
			return fields, false
		}
		n := jsonLength(rest)
		if n == 0 {
			return fields, false
		}
		raw := rest[:n]
		v := field{text: raw, null: string(raw) == "null"}
		if raw[0] == '"' {
			var err error
			if v.text, err = unquoted(raw); err != nil {
				return fields, false
			}
		}
		fields, rest = append(fields, v), rest[n:]
	}
	return fields, len(f.heads) > 0 && string(rest) == "}"
}

// jsonLength is how long the value is that a text begins with, be it a string, a list of numbers or a
// word; 0 if it does not end.
func jsonLength(text []byte) int {
	if len(text) == 0 {
		return 0
	}
	switch text[0] {
	case '"':
		for i := 1; ; i++ {
			if i = literal.Special(text, i); i >= len(text) {
				return 0
			}
			switch text[i] {
			case '"':
				return i + 1
			case '\\':
				i++
			}
		}
	case '[':
		return bytes.IndexByte(text, ']') + 1
	}
	n := bytes.IndexAny(text, ",} ")
	if n < 0 || text[n] == ' ' {
		return 0
	}
	return n
}

// unquoted is a string of JSON as it is meant.
func unquoted(raw []byte) ([]byte, error) {
	if len(raw) > 1 && literal.Special(raw, 1) == len(raw)-1 {
		return raw[1 : len(raw)-1], nil
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return []byte(s), err
}
