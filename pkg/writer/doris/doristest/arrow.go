package doristest

import (
	"encoding/base64"
	"fmt"
	"io"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
)

// arrow reads a stream of record batches.
func (l *loader) arrow(in io.Reader) error {
	rd, err := ipc.NewReader(in)
	if err != nil {
		return fmt.Errorf("[INTERNAL_ERROR]open arrow stream failed: %w", err)
	}
	defer rd.Release()
	names := make([]string, rd.Schema().NumFields())
	for i, f := range rd.Schema().Fields() {
		names[i] = f.Name
	}
	for rd.Next() {
		rec := rd.RecordBatch()
		if l.discarding() {
			l.p.total += rec.NumRows()
			continue
		}
		for i := range int(rec.NumRows()) {
			values := make([]cell, len(names))
			for c, col := range rec.Columns() {
				values[c] = arrowCell(col, i)
			}
			l.load(names, values, func() string { return fmt.Sprint(values) })
		}
	}
	return rd.Err()
}

// arrowCell is a value's text.
func arrowCell(col arrow.Array, i int) cell {
	if col.IsNull(i) {
		return nil
	}
	s := col.ValueStr(i)
	switch c := col.(type) {
	case *array.Binary:
		s = string(c.Value(i))
	case *array.Timestamp:
		s = c.Value(i).ToTime(c.DataType().(*arrow.TimestampType).Unit).UTC().Format("2006-01-02 15:04:05.000000")
	case *array.List:
		s = strings.ReplaceAll(s, " ", "")
	case *array.FixedSizeBinary:
		s = base64.StdEncoding.EncodeToString(c.Value(i))
	}
	return &s
}
