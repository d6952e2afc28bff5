package files

import (
	"fmt"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/tablehaul/tablehaul/pkg/literal"
	"github.com/tablehaul/tablehaul/pkg/writer/textvalue"
)

// maxFolderName keeps a folder's name below what file systems allow.
const maxFolderName = 200

// An assigner tells into which folder rows go. One goroutine at a time uses it.
type assigner struct {
	levels []folderLevel
	values []textvalue.Func // of the columns, as text
	micros []func(row int) int64
	key    []byte
	paths  map[string]string // by key
}

// A span is rows of a batch that lie side by side.
type span struct{ from, n int }

// A share is the rows of a batch that go into one folder.
type share struct {
	folder string
	spans  []span
}

// assign puts the rows of columns together by folder. at is the time of writing.
func (a *assigner) assign(columns []arrow.Array, rows int, at time.Time) ([]share, error) {
	if err := a.bind(columns); err != nil {
		return nil, err
	}
	now := localMicros(at)
	var shares []share
	index := map[string]int{}
	last := -1
	var lastKey []byte
	for row := range rows {
		a.key = a.appendKey(a.key[:0], columns, row, now)
		if last >= 0 && string(a.key) == string(lastKey) {
			spans := shares[last].spans
			spans[len(spans)-1].n++
			continue
		}
		i, ok := index[string(a.key)]
		if !ok {
			folder, err := a.path(a.key)
			if err != nil {
				return nil, err
			}
			i = len(shares)
			index[string(a.key)] = i
			shares = append(shares, share{folder: folder})
		}
		shares[i].spans = append(shares[i].spans, span{row, 1})
		last, lastKey = i, append(lastKey[:0], a.key...)
	}
	return shares, nil
}

// appendKey appends the values of the levels, escaped, one behind the other with slashes.
func (a *assigner) appendKey(dst []byte, columns []arrow.Array, row int, now int64) []byte {
	var text [64]byte
	for i, l := range a.levels {
		if i > 0 {
			dst = append(dst, '/')
		}
		switch {
		case l.index < 0:
			dst = l.appendUnit(dst, now)
		case columns[l.index].IsNull(row):
			dst = append(dst, hiveNull...)
		case l.unit != "":
			dst = l.appendUnit(dst, a.micros[i](row))
		default:
			dst = appendFolderText(dst, a.values[i](text[:0], row))
		}
	}
	return dst
}

// path returns the folder that a key stands for.
func (a *assigner) path(key []byte) (string, error) {
	if p, ok := a.paths[string(key)]; ok {
		return p, nil
	}
	var path []byte
	from := 0
	for i, l := range a.levels {
		to := from
		for to < len(key) && key[to] != '/' {
			to++
		}
		if to-from > maxFolderName {
			return "", fmt.Errorf("column %s: a value of %d bytes is too long for the name of a folder", l.column, to-from)
		}
		if i > 0 {
			path = append(path, '/')
		}
		path = append(append(append(path, l.name...), '='), key[from:to]...)
		from = to + 1
	}
	if a.paths == nil || len(a.paths) > 1<<16 {
		a.paths = map[string]string{}
	}
	a.paths[string(key)] = string(path)
	return string(path), nil
}

func (a *assigner) bind(columns []arrow.Array) error {
	a.values, a.micros = make([]textvalue.Func, len(a.levels)), make([]func(int) int64, len(a.levels))
	for i, l := range a.levels {
		if l.index < 0 {
			continue
		}
		switch c := columns[l.index].(type) {
		case *array.Timestamp:
			a.micros[i] = func(row int) int64 { return int64(c.Value(row)) }
		case *array.Date32:
			a.micros[i] = func(row int) int64 { return int64(c.Value(row)) * literal.DayMicros }
		}
		if l.unit != "" {
			continue
		}
		if c, ok := columns[l.index].(*array.String); ok {
			a.values[i] = func(dst []byte, row int) []byte { return append(dst, c.Value(row)...) }
			continue
		}
		bind, err := textValue(TSV, columns[l.index].DataType())
		if err != nil {
			return err
		}
		a.values[i] = bind(columns[l.index])
	}
	return nil
}

// localMicros is a moment as clocks of this machine's time zone show it.
func localMicros(at time.Time) int64 {
	_, offset := at.Local().Zone()
	return at.UnixMicro() + int64(offset)*literal.SecondMicros
}

// timeFolder is the folder of the time of writing, where that alone makes folders.
func timeFolder(levels []folderLevel, at time.Time) string {
	if !byTime(levels) {
		return ""
	}
	a := assigner{levels: levels}
	folder, _ := a.path(a.appendKey(nil, nil, 0, localMicros(at))) // too short to be too long
	return folder
}
