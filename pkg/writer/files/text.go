package files

import (
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/tablehaul/tablehaul/pkg/literal"
	"github.com/tablehaul/tablehaul/pkg/writer/kept"
	"github.com/tablehaul/tablehaul/pkg/writer/textvalue"
)

// textBlock is about how much text goes to a file at once.
const textBlock = 256 << 10

// A textFile is an encoder of text: a line a row, and in it value after value. What the
// format has around values is made ready once; a function a column appends the value, bound
// to the column of each batch.
type textFile struct {
	out     *counted // what goes to the file
	to      io.Writer
	zip     io.WriteCloser // nil if the text is not compressed
	columns []textColumn
	last    string // behind the last value, with the end of the line
	buf     []byte
}

// A textColumn is how the values of a column are written.
type textColumn struct {
	before, null string
	bind         textvalue.Bind
	value        textvalue.Func // of the batch at hand
	col          arrow.Array
}

// A counted writer counts.
type counted struct {
	io.Writer
	n int64
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.Writer.Write(b)
	c.n += int64(n)
	return n, err
}

func newTextFile(out io.Writer, f Format, columns []kept.Column, types []arrow.DataType, compression string, header bool) (encoder, error) {
	t := &textFile{out: &counted{Writer: out}, last: "\n"}
	t.to = t.out
	switch compression {
	case "gzip":
		t.zip = gzip.NewWriter(t.out)
	case "zstd":
		z, err := zstd.NewWriter(t.out, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(1<<20))
		if err != nil {
			return nil, err
		}
		t.zip = z
	}
	if t.zip != nil {
		t.to = t.zip
	}
	separator := map[Format]string{CSV: ",", TSV: "\t", JSONL: ","}[f]
	for i, c := range columns {
		bind, err := textValue(f, types[i])
		if err != nil {
			return nil, fmt.Errorf("column %s: %w", c.Name, err)
		}
		tc := textColumn{bind: bind, null: map[Format]string{TSV: `\N`, JSONL: "null"}[f]}
		if i > 0 {
			tc.before = separator
		}
		if f == JSONL {
			if i == 0 {
				tc.before = "{"
			}
			tc.before += string(literal.AppendJSON(nil, c.Name)) + ":"
			t.last = "}\n"
		}
		t.columns = append(t.columns, tc)
		if header && f != JSONL {
			t.buf = append(t.buf, tc.before...)
			t.buf = appendText(t.buf, f, c.Name)
		}
	}
	if header && f != JSONL {
		t.buf = append(t.buf, '\n')
	}
	return t, nil
}

func (t *textFile) rows(columns []arrow.Array, from, n int) error {
	if t.buf == nil {
		t.buf = make([]byte, 0, textBlock+16<<10)
	}
	for i := range t.columns {
		c := &t.columns[i]
		c.col, c.value = nil, c.bind(columns[i])
		if columns[i].NullN() > 0 {
			c.col = columns[i] // has to be asked
		}
	}
	b := t.buf
	for row := from; row < from+n; row++ {
		for i := range t.columns {
			c := &t.columns[i]
			b = append(b, c.before...)
			if c.col != nil && c.col.IsNull(row) {
				b = append(b, c.null...)
			} else {
				b = c.value(b, row)
			}
		}
		b = append(b, t.last...)
		if len(b) >= textBlock {
			if _, err := t.to.Write(b); err != nil {
				return err
			}
			b = b[:0]
		}
	}
	t.buf = b
	return nil
}

func (t *textFile) size() int64 { return t.out.n + int64(len(t.buf)) }
func (t *textFile) held() int64 { return int64(cap(t.buf)) }

func (t *textFile) relieve() error {
	_, err := t.to.Write(t.buf)
	t.buf = nil
	return err
}

func (t *textFile) end() error {
	err := t.relieve()
	if t.zip != nil && err == nil {
		err = t.zip.Close()
	}
	return err
}

func (t *textFile) drop() {
	t.buf = nil
	if z, ok := t.zip.(*zstd.Encoder); ok {
		z.Reset(nil)
	}
}
