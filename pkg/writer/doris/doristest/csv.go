package doristest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// separator reads one as a header has it: \x01 and the like stand for a byte.
func separator(s, otherwise string) string {
	if s == "" {
		return otherwise
	}
	if hex, ok := strings.CutPrefix(s, `\x`); ok && len(hex)%2 == 0 {
		var out []byte
		for i := 0; i < len(hex); i += 2 {
			n, err := strconv.ParseUint(hex[i:i+2], 16, 8)
			if err != nil {
				return s
			}
			out = append(out, byte(n))
		}
		return string(out)
	}
	return strings.NewReplacer(`\t`, "\t", `\n`, "\n", `\r`, "\r").Replace(s)
}

// csv reads lines of values. With enclose, a value in quotes may have separators and ends of
// lines in it, and with escape a quote.
func (l *loader) csv(in io.Reader, h http.Header) error {
	sep, end := separator(h.Get("column_separator"), "\t"), separator(h.Get("line_delimiter"), "\n")
	enclose, escape := h.Get("enclose"), h.Get("escape")
	if len(enclose) > 1 || len(escape) > 1 {
		return errors.New("[INVALID_ARGUMENT]enclose and escape must be single characters")
	}
	if l.discarding() && end == "\n" {
		return l.countLines(in, enclose, escape)
	}
	emptyNull := h.Get("empty_field_as_null") == "true"
	skip, _ := strconv.Atoi(h.Get("skip_lines"))
	records := &csvReader{in: bufio.NewReaderSize(in, 1<<20), sep: []byte(sep), end: []byte(end)}
	if enclose != "" {
		records.enclose = enclose[0]
	}
	if escape != "" {
		records.escape = escape[0]
	}
	for {
		fields, line, err := records.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if skip > 0 {
			skip--
			continue
		}
		if len(line) == 0 { // as the real one does, without a word
			continue
		}
		if len(fields) != len(l.names) {
			l.p.total++
			l.filter(fmt.Sprintf("actual column number in csv file is %d schema column number(%d); line delimiter: [%q], column separator: [%q], ",
				len(fields), len(l.names), end, sep), string(line))
			continue
		}
		values := make([]cell, len(fields))
		for i, f := range fields {
			if f.quoted || f.text != `\N` && (f.text != "" || !emptyNull) {
				values[i] = &f.text
			}
		}
		l.load(l.names, values, func() string { return string(line) })
	}
}

type csvReader struct {
	in              *bufio.Reader
	sep, end        []byte
	enclose, escape byte
	line            []byte
}

type csvField struct {
	text   string
	quoted bool
}

// next returns a record's values. One that is not quoted is taken as it stands.
func (r *csvReader) next() (fields []csvField, line []byte, err error) {
	r.line = r.line[:0]
	var field []byte
	quoted, inside, started := false, false, false
	flush := func() {
		fields = append(fields, csvField{string(field), quoted})
		field, quoted, inside, started = nil, false, false, false
	}
	for {
		b, err := r.in.ReadByte()
		if err != nil {
			if errors.Is(err, io.EOF) && len(r.line) > 0 {
				if inside {
					return nil, nil, errors.New("[DATA_QUALITY_ERROR]a quote is not closed")
				}
				flush()
				return fields, bytes.Clone(r.line), nil
			}
			return nil, nil, err
		}
		r.line = append(r.line, b)
		if inside {
			if field, inside, err = r.within(field, b); err != nil {
				return nil, nil, err
			}
			continue
		}
		if r.enclose != 0 && b == r.enclose && !started {
			quoted, inside, started = true, true, true
			continue
		}
		field, started = append(field, b), true
		switch {
		case bytes.HasSuffix(field, r.sep):
			field = field[:len(field)-len(r.sep)]
			flush()
		case bytes.HasSuffix(field, r.end):
			field = field[:len(field)-len(r.end)]
			flush()
			return fields, bytes.Clone(bytes.TrimSuffix(r.line, r.end)), nil
		}
	}
}

// within takes a byte of a value in quotes, and says whether these go on.
func (r *csvReader) within(field []byte, b byte) ([]byte, bool, error) {
	switch {
	case r.escape != 0 && b == r.escape && r.escape != r.enclose:
		n, err := r.in.ReadByte()
		if err != nil {
			return nil, false, err
		}
		r.line = append(r.line, n)
		if n != r.enclose && n != r.escape {
			field = append(field, b)
		}
		return append(field, n), true, nil
	case b != r.enclose:
		return append(field, b), true, nil
	}
	if next, err := r.in.Peek(1); err != nil || next[0] != r.enclose {
		return field, false, nil //nolint:nilerr // the next read tells of it
	}
	_, _ = r.in.ReadByte()
	r.line = append(r.line, b)
	return append(field, b), true, nil
}
