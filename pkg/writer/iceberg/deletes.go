package iceberg

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table/dv"
)

// maxGone bounds the rows of a position-delete file, and with it the memory that
// sorting them takes.
const maxGone = 1 << 20

// writeGone takes the rows of f.gone out of the commit's files.
func (f *fold) writeGone(ctx context.Context) error {
	if len(f.gone) == 0 {
		return nil
	}
	slices.Sort(f.gone)
	var err error
	if f.w.layout.version >= 3 {
		err = f.addVectors()
	} else {
		err = f.writePositionDeletes(ctx)
	}
	f.gone = f.gone[:0]
	return err
}

// goneOf returns the places in a file that are in f.gone, which is sorted.
func (f *fold) goneOf(file int) []rowAt {
	from, _ := slices.BinarySearch(f.gone, rowAt(file)<<32)
	to, _ := slices.BinarySearch(f.gone, rowAt(file+1)<<32)
	return slices.Compact(f.gone[from:to:to])
}

// goneFiles lists the files that have places in f.gone.
func (f *fold) goneFiles() []int {
	var files []int
	for _, g := range f.gone {
		if n := len(files); n == 0 || files[n-1] != g.file() {
			files = append(files, g.file())
		}
	}
	return files
}

// writePositionDeletes writes files of position deletes, one for each partition,
// in the order that the format wants: by path, then by position.
func (f *fold) writePositionDeletes(ctx context.Context) error {
	files := f.goneFiles()
	slices.SortFunc(files, func(a, b int) int {
		return cmp.Or(cmp.Compare(f.files[a].number, f.files[b].number), strings.Compare(f.files[a].location, f.files[b].location))
	})
	var out *dataFile
	for i, file := range files {
		at := f.files[file]
		if i == 0 || at.number != f.files[files[i-1]].number {
			if err := stageFile(ctx, out); err != nil {
				return err
			}
			var err error
			if out, err = f.w.open(ctx, positionContent); err != nil {
				return err
			}
			out.part = at.part
		}
		for rows := range slices.Chunk(f.goneOf(file), 1<<16) {
			if err := writePositions(out, at.location, rows); err != nil {
				out.abort()
				return err
			}
		}
	}
	return stageFile(ctx, out)
}

// stageFile ends a file, if it is one.
func stageFile(ctx context.Context, f *dataFile) error {
	if f == nil {
		return nil
	}
	err := f.w.finish(ctx, f)
	if err != nil {
		f.abort()
	}
	return err
}

// addVectors notes deleted positions for the deletion vectors, of which a data
// file can have one alone.
func (f *fold) addVectors() error {
	if f.vectors == nil {
		spec := f.w.layout.spec
		f.vectors = dv.NewDVWriter(f.w.st.files(), func(int32) *iceberg.PartitionSpec { return &spec })
	}
	for _, file := range f.goneFiles() {
		at := f.files[file]
		var values map[int]any
		if at.part != nil {
			values = at.part.values
		}
		for _, g := range f.goneOf(file) {
			if err := f.vectors.AddPosition(at.location, g.row(), int32(f.w.layout.spec.ID()), values); err != nil { //nolint:gosec // small
				return err
			}
		}
	}
	return nil
}

// writeVectors writes the deletion vectors, if there are any.
func (f *fold) writeVectors(ctx context.Context) error {
	v := f.vectors
	f.vectors = nil
	if v == nil {
		return nil
	}
	w := f.w
	w.mu.Lock()
	location, err := w.vectorLocation(w.prefix, w.files)
	w.files++
	w.mu.Unlock()
	if err != nil {
		return err
	}
	files, err := v.Flush(ctx, location)
	if err != nil {
		w.abandon(location)
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, df := range files {
		w.staged = append(w.staged, stagedData{df: df, location: location, content: positionContent})
	}
	return nil
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
