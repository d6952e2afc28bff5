package route

import (
	"context"
	"fmt"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// An adapter gives rows of a table the columns of the one they go to. Values are looked at only
// where a column is wider there.
type adapter struct {
	to      *schema.Table
	columns []source

	mu    sync.Mutex // stock is written concurrently
	names [2]string
	fixed [2]arrow.Array // that hold them again and again
}

// A source says where a column of the target comes from.
type source struct {
	from  int // index into the table's columns, or one of those below
	shard int // for fromShard: which
	cast  arrow.DataType
}

const (
	fromNowhere = -1
	fromShard   = -2
)

// newAdapter returns one from a table to the target.
func newAdapter(from, to *schema.Table, r *Routes) (*adapter, error) {
	shard := r.Shard
	a := &adapter{to: to, columns: make([]source, len(to.Columns))}
	for i, c := range to.Columns {
		at := from.Index(c.Name)
		switch {
		case shard[0] != "" && i < len(shard):
			a.columns[i] = source{from: fromShard, shard: i}
			at = fromShard
		case at < 0:
			a.columns[i] = source{from: fromNowhere}
		case arrow.TypeEqual(from.Columns[at].Arrow, c.Arrow):
			a.columns[i] = source{from: at}
		default:
			a.columns[i] = source{from: at, cast: c.Arrow}
		}
		if at == fromNowhere && !c.Nullable {
			return nil, fmt.Errorf("%s has no column %s, which may not be null", from, c.Name)
		}
	}
	if shard[0] != "" {
		a.names = [2]string{r.Named(from.DB), from.Name}
		a.fixed = [2]arrow.Array{repeated(a.names[0], 0), repeated(a.names[1], 0)}
	}
	return a, nil
}

// batch returns a batch as the target has it, which is to be released apart from b.
func (a *adapter) batch(ctx context.Context, b *batch.Batch, from *schema.Table) (*batch.Batch, error) {
	out := *b
	out.Table = a.to
	if b.Rows == nil {
		return &out, nil
	}
	n := int(b.Rows.NumRows())
	columns := make([]arrow.Array, 0, len(a.columns))
	release := func() {
		for _, c := range columns {
			c.Release()
		}
	}
	defer release() // the record has its own
	for i, s := range a.columns {
		switch {
		case s.from == fromShard:
			columns = append(columns, a.shard(s.shard, n))
		case s.from == fromNowhere:
			columns = append(columns, array.MakeArrayOfNull(memory.DefaultAllocator, a.to.Columns[i].Arrow, n))
		case s.cast == nil:
			c := b.Rows.Column(s.from)
			c.Retain()
			columns = append(columns, c)
		default:
			c, err := compute.CastArray(ctx, b.Rows.Column(s.from), compute.SafeCastOptions(s.cast))
			if err != nil {
				return nil, fmt.Errorf("column %s of %s: %w", a.to.Columns[i].Name, from, err)
			}
			columns = append(columns, c)
		}
	}
	out.Rows = array.NewRecordBatch(a.to.Arrow, columns, int64(n))
	return &out, nil
}

// shard returns n times where a row comes from: a part of what was needed before.
func (a *adapter) shard(which, n int) arrow.Array {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.fixed[which].Len() < n {
		a.fixed[which].Release()
		a.fixed[which] = repeated(a.names[which], n+n/2)
	}
	return array.NewSlice(a.fixed[which], 0, int64(n))
}

func repeated(text string, n int) arrow.Array {
	b := array.NewStringBuilder(memory.DefaultAllocator)
	defer b.Release()
	b.Reserve(n)
	b.ReserveData(n * len(text))
	for range n {
		b.Append(text)
	}
	return b.NewArray()
}
