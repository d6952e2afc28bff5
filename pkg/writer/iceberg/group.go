package iceberg

import (
	"context"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// A run is a number of rows of one partition.
type run struct {
	part uint32
	span
}

// A grouping is the rows of a batch, put together by partition if they do not
// come so. The zero grouping is ready for use, again and again.
type grouping struct {
	columns []arrow.Array
	runs    []run
	order   []int32 // the rows of the batch in the order of columns; nil: as they came
	counts  []int32 // by partition
	parts   []uint32
}

// longRun is how many rows a run has on average at least for which they are not
// put together.
const longRun = 64

// group takes the rows of a batch, of whose partitions there are some known. The
// columns are to be released.
func (g *grouping) group(ctx context.Context, columns []arrow.Array, parts []uint32, known int) error {
	g.runs, g.order = g.runs[:0], nil
	for i, p := range parts {
		if n := len(g.runs); n > 0 && g.runs[n-1].part == p {
			g.runs[n-1].to++
			continue
		}
		g.runs = append(g.runs, run{p, span{i, i + 1}})
	}
	if len(g.runs)*longRun <= len(parts)+longRun {
		g.columns = slices.Clone(columns)
		for _, c := range columns {
			c.Retain()
		}
		return nil
	}
	g.sort(parts, known)
	var err error
	g.columns, err = gather(ctx, columns, g.order)
	return err
}

// sort orders the rows by partition, and as they came within one.
func (g *grouping) sort(parts []uint32, known int) {
	if len(g.counts) < known {
		g.counts = make([]int32, known+known/4)
	}
	g.parts = g.parts[:0]
	for _, p := range parts {
		if g.counts[p] == 0 {
			g.parts = append(g.parts, p)
		}
		g.counts[p]++
	}
	slices.Sort(g.parts)
	g.runs = g.runs[:0]
	at := int32(0)
	for _, p := range g.parts {
		n := g.counts[p]
		g.runs = append(g.runs, run{p, span{int(at), int(at + n)}})
		g.counts[p] = at
		at += n
	}
	g.order = make([]int32, len(parts))
	for i, p := range parts {
		g.order[g.counts[p]] = int32(i) //nolint:gosec // rows of a batch
		g.counts[p]++
	}
	for _, p := range g.parts {
		g.counts[p] = 0
	}
}

// positions returns where each row of the batch has gone, or nil.
func (g *grouping) positions() []int32 {
	if g.order == nil {
		return nil
	}
	at := make([]int32, len(g.order))
	for i, row := range g.order {
		at[row] = int32(i) //nolint:gosec // rows of a batch
	}
	return at
}

func (g *grouping) release() {
	for _, c := range g.columns {
		c.Release()
	}
	g.columns = nil
}

// gather returns the rows of the columns that are named, in that order.
func gather(ctx context.Context, columns []arrow.Array, rows []int32) ([]arrow.Array, error) {
	data := array.NewData(arrow.PrimitiveTypes.Int32, len(rows), []*memory.Buffer{nil, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(rows))}, nil, 0, 0)
	defer data.Release()
	index := array.NewInt32Data(data)
	defer index.Release()
	out := make([]arrow.Array, 0, len(columns))
	for _, c := range columns {
		a, err := compute.TakeArrayOpts(ctx, c, index, compute.TakeOptions{BoundsCheck: false})
		if err != nil {
			for _, o := range out {
				o.Release()
			}
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}
