package files

import (
	"context"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/literal"
	"github.com/tablehaul/tablehaul/pkg/writer/kept"
)

// A form is how the rows of a table lie in its files.
type form struct {
	format      Format
	compression string
	header      bool
	columns     []kept.Column
	types       []arrow.DataType // of the columns
	heads       [][]byte         // of JSON lines, what is before each value
}

// formOf is that of columns whose types have the names of manifests.
func formOf(format Format, compression string, header bool, columns []kept.Column) (f form, err error) {
	f = form{format: format, compression: compression, header: header, columns: columns, types: make([]arrow.DataType, len(columns))}
	for i, c := range columns {
		if f.types[i], err = parseType(c.Type); err != nil {
			return f, fmt.Errorf("column %s: %w", c.Name, err)
		}
		if format == JSONL {
			f.heads = append(f.heads, append(literal.AppendJSON([]byte(map[bool]string{true: "{", false: ","}[i == 0]), c.Name), ':'))
		}
	}
	return f, nil
}

// scan reads a file that this program has written, as batches of the form's columns: what
// an older file lacks is null, and what it has in a narrower type is widened. If there are
// places of columns in only, these alone are sure to be read; others may be nil.
func (f form) scan(ctx context.Context, in input, only []int, each func(columns []arrow.Array, rows int) error) error {
	if !f.format.columnar() {
		return f.scanText(ctx, in, each)
	}
	return f.scanParquet(ctx, in, only, each)
}
