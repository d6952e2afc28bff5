package files

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/tablehaul/tablehaul/pkg/literal"
)

// So many rows, or bytes of text, are handed on at once.
const (
	scanRows  = 4096
	scanBytes = 8 << 20
)

// A field is a value as it is read back from text.
type field struct {
	text []byte
	null bool
}

// scanText reads a file of text.
func (f form) scanText(ctx context.Context, in input, each func(columns []arrow.Array, rows int) error) error {
	rd, end, err := f.plainText(in)
	if err != nil {
		return err
	}
	defer end()
	lines := bufio.NewReaderSize(rd, textBlock)
	if f.header {
		if _, err := readRecord(lines, f.format); err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	builders := make([]array.Builder, len(f.columns))
	for i, t := range f.types {
		builders[i] = array.NewBuilder(memory.DefaultAllocator, t)
		defer builders[i].Release()
	}
	rows, held := 0, 0
	flush := func() error {
		columns := make([]arrow.Array, len(builders))
		for i, b := range builders {
			columns[i] = b.NewArray()
		}
		defer releaseAll(columns)
		n := rows
		rows = 0
		return each(columns, n)
	}
	var fields []field
	for {
		line, err := readRecord(lines, f.format)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if fields, err = f.split(line, fields[:0]); err != nil {
			return fmt.Errorf("line %.40q: %w", line, err)
		}
		for i, b := range builders {
			if i >= len(fields) || fields[i].null { // an older file has fewer columns
				b.AppendNull()
				continue
			}
			if err := appendField(b, fields[i].text); err != nil {
				return fmt.Errorf("column %s: %w", f.columns[i].Name, err)
			}
		}
		rows++
		if held += len(line); rows == scanRows || held >= scanBytes {
			held = 0
			if err := errors.Join(flush(), ctx.Err()); err != nil {
				return err
			}
		}
	}
	if rows == 0 {
		return nil
	}
	return flush()
}

// plainText returns the text of a file that may be compressed.
func (f form) plainText(in input) (io.Reader, func(), error) {
	rd := io.NewSectionReader(in, 0, in.length())
	switch f.compression {
	case "gzip":
		z, err := gzip.NewReader(rd)
		return z, func() {}, err
	case "zstd":
		z, err := zstd.NewReader(rd, zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}
	return rd, func() {}, nil
}

// readRecord returns the next row, which in CSV may have ends of lines in it.
func readRecord(rd *bufio.Reader, f Format) ([]byte, error) {
	var record []byte
	open := false
	for {
		line, err := rd.ReadBytes('\n')
		if err != nil {
			if errors.Is(err, io.EOF) && len(record)+len(line) > 0 {
				return nil, io.ErrUnexpectedEOF
			}
			return nil, err
		}
		if f == CSV {
			open = endsQuoted(line, open)
		}
		if record == nil {
			record = line
		} else {
			record = append(record, line...)
		}
		if !open {
			return record[:len(record)-1], nil
		}
	}
}

// endsQuoted reports whether text, that begins within a quoted value or not, ends within
// one. Its last byte, the end of a line, never follows a backslash: that is before another,
// or a quote.
func endsQuoted(text []byte, open bool) bool {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			open = !open
		case '\\':
			i++
		}
	}
	return open
}

// split cuts a row into its values.
func (f form) split(line []byte, fields []field) ([]field, error) {
	switch f.format {
	case TSV:
		return splitTSV(line, fields), nil
	case CSV:
		return splitCSV(line, fields), nil
	}
	if own, ok := f.splitOwnJSON(line, fields); ok {
		return own, nil
	}
	return f.splitJSON(line, fields)
}

func splitTSV(line []byte, fields []field) []field {
	for from := 0; from <= len(line); {
		to := from
		for ; to < len(line) && line[to] != '\t'; to++ {
			if line[to] == '\\' {
				to++
			}
		}
		text := line[from:min(to, len(line))]
		fields = append(fields, field{unescape(text, true), string(text) == `\N`})
		from = to + 1
	}
	return fields
}

func splitCSV(line []byte, fields []field) []field {
	for from := 0; from <= len(line); {
		to, quoted := from, false
		for ; to < len(line) && (quoted || line[to] != ','); to++ {
			switch line[to] {
			case '"':
				quoted = !quoted
			case '\\':
				to++
			}
		}
		text := line[from:min(to, len(line))]
		f := field{text, len(text) == 0}
		if len(text) > 1 && text[0] == '"' {
			f.text = unescape(text[1:len(text)-1], false)
		}
		fields = append(fields, f)
		from = to + 1
	}
	return fields
}

// unescape takes the backslashes out. With letters, some stand for what cannot be seen.
func unescape(text []byte, letters bool) []byte {
	if bytes.IndexByte(text, '\\') < 0 {
		return text
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		c := text[i]
		if c == '\\' && i+1 < len(text) {
			i++
			c = text[i]
			if at := strings.IndexByte("nr", c); letters && at >= 0 {
				c = "\n\r"[at]
			}
		}
		out = append(out, c)
	}
	return out
}

// appendField appends a value that textValue has written.
func appendField(b array.Builder, text []byte) error {
	switch b := b.(type) {
	case *array.BooleanBuilder:
		b.Append(string(text) == "true")
	case *array.Int32Builder:
		v, err := literal.ParseInt(text)
		return put(b.Append, int32(v), err) //nolint:gosec // it was one
	case *array.Int64Builder:
		v, err := literal.ParseInt(text)
		return put(b.Append, v, err)
	case *array.Float32Builder:
		v, err := strconv.ParseFloat(string(text), 32)
		return put(b.Append, float32(v), err)
	case *array.Float64Builder:
		v, err := strconv.ParseFloat(string(text), 64)
		return put(b.Append, v, err)
	case *array.Decimal128Builder:
		t := b.Type().(*arrow.Decimal128Type)
		v, err := literal.ParseDecimal(text, int(t.Precision), int(t.Scale))
		return put(b.Append, v, err)
	case *array.Date32Builder:
		v, err := literal.ParseDate(text)
		return put(b.Append, arrow.Date32(v), err) //nolint:gosec // days
	case *array.TimestampBuilder:
		v, err := literal.ParseDateTime(text)
		return put(b.Append, arrow.Timestamp(v), err)
	case *array.StringBuilder:
		b.Append(string(text))
	case *array.BinaryBuilder:
		v, err := base64.StdEncoding.DecodeString(string(text))
		return put(b.Append, v, err)
	case *array.ListBuilder:
		return appendVector(b, text)
	default:
		return fmt.Errorf("type %s cannot be read back", b.Type())
	}
	return nil
}

func put[T any](appendTo func(T), v T, err error) error {
	if err == nil {
		appendTo(v)
	}
	return err
}

// appendVector appends what bindList has written.
func appendVector(b *array.ListBuilder, text []byte) error {
	var items []float32
	if err := json.Unmarshal(text, &items); err != nil {
		return err
	}
	b.Append(true)
	b.ValueBuilder().(*array.Float32Builder).AppendValues(items, nil)
	return nil
}
