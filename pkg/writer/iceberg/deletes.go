package iceberg

import (
	"context"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// maxGone bounds the rows of a position-delete file, and with it the memory that
// sorting them takes.
const maxGone = 1 << 20

// writeGone writes position deletes of f.gone, in the order that the format
// wants: by path, then by position.
func (f *fold) writeGone(ctx context.Context) error {
	if len(f.gone) == 0 {
		return nil
	}
	slices.Sort(f.gone)
	var files []int
	for _, g := range f.gone {
		if n := len(files); n == 0 || files[n-1] != g.file() {
			files = append(files, g.file())
		}
	}
	slices.SortFunc(files, func(a, b int) int { return strings.Compare(f.files[a], f.files[b]) })
	out, err := f.w.open(ctx, positionContent)
	if err != nil {
		return err
	}
	for _, file := range files {
		from, _ := slices.BinarySearch(f.gone, rowAt(file)<<32)
		to, _ := slices.BinarySearch(f.gone, rowAt(file+1)<<32)
		for rows := range slices.Chunk(slices.Compact(f.gone[from:to:to]), 1<<16) {
			if err := writePositions(out, f.files[file], rows); err != nil {
				out.abort()
				return err
			}
		}
	}
	f.gone = f.gone[:0]
	return f.stage(&out)
}

func writePositions(out *dataFile, path string, rows []rowAt) error {
	paths, positions := array.NewStringBuilder(memory.DefaultAllocator), array.NewInt64Builder(memory.DefaultAllocator)
	defer paths.Release()
	defer positions.Release()
	paths.Reserve(len(rows))
	paths.ReserveData(len(rows) * len(path))
	positions.Reserve(len(rows))
	for _, r := range rows {
		paths.Append(path)
		positions.Append(r.row())
	}
	columns := []arrow.Array{paths.NewArray(), positions.NewArray()}
	defer columns[0].Release()
	defer columns[1].Release()
	if err := out.rows(columns, span{0, len(rows)}); err != nil {
		return err
	}
	return out.relieve()
}
