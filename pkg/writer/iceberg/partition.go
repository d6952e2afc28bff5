package iceberg

import (
	"fmt"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A partition is the files' part of a table that have the same values of the
// spec's fields. They are numbered as they come, from 0.
type partition struct {
	spec   *iceberg.PartitionSpec
	values map[int]any // by field id, as manifests have them; nil for null
}

// A partitioner tells the partitions of rows. It is safe for concurrent use.
type partitioner struct {
	spec   iceberg.PartitionSpec
	fields []*partitionField

	mu     sync.Mutex
	tuples []map[uint64]uint32 // by field: the number of what is before it and of its value → a number
	parts  []partition
}

// maxPartitions bounds what is kept of partitions in memory; each of them has a
// file at least.
const maxPartitions = 100_000

// newPartitioner returns nil if the table has no partitions.
func newPartitioner(spec iceberg.PartitionSpec, sc *iceberg.Schema, src *schema.Table) (*partitioner, error) {
	p := &partitioner{spec: spec}
	for _, f := range spec.Fields() {
		if _, ok := f.Transform.(iceberg.VoidTransform); ok {
			continue // null for all rows
		}
		if f.Name != avroName(f.Name) {
			return nil, fmt.Errorf("partition field %q: manifests with such a name cannot be written", f.Name)
		}
		source, ok := sc.FindFieldByID(f.SourceID())
		if !ok || len(f.SourceIDs) != 1 {
			return nil, fmt.Errorf("partition field %s: its column is gone", f.Name)
		}
		if err := transformable(f.Transform, source); err != nil {
			return nil, err
		}
		// -1: the source has no such column (any more), and the rows have null there.
		index := slices.IndexFunc(src.Columns, func(c schema.Column) bool { return c.Name == source.Name })
		pf, err := newPartitionField(f, source.Type, index)
		if err != nil {
			return nil, err
		}
		p.fields = append(p.fields, pf)
	}
	if len(p.fields) == 0 {
		return nil, nil
	}
	p.reset()
	return p, nil
}

// within reports whether all of the spec's columns are among these.
func (p *partitioner) within(columns []int) bool {
	return !slices.ContainsFunc(p.fields, func(f *partitionField) bool { return !slices.Contains(columns, f.column) })
}

// reset forgets the partitions. Their numbers must not be used any more.
func (p *partitioner) reset() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.parts, p.tuples = nil, make([]map[uint64]uint32, len(p.fields))
	for i, f := range p.fields {
		p.tuples[i] = make(map[uint64]uint32)
		f.reset()
	}
}

// assign returns the partition's number of each row, in out if that is large enough.
func (p *partitioner) assign(columns []arrow.Array, rows int, out []uint32) ([]uint32, error) {
	if cap(out) < rows {
		out = make([]uint32, rows)
	}
	out = out[:rows]
	p.mu.Lock()
	defer p.mu.Unlock()
	clear(out)
	for i, f := range p.fields {
		ids, err := f.assign(columns, rows)
		if err != nil {
			return nil, err
		}
		combine(p.tuples[i], out, ids)
	}
	// Numbers are given out as tuples come, so that a new one is the next.
	for row, n := range out {
		if int(n) < len(p.parts) {
			continue
		}
		if len(p.parts) >= maxPartitions {
			return nil, hint.Wrap(fmt.Errorf("the table has more than %d partitions", maxPartitions), "partition it by less, such as month() or bucket()")
		}
		p.parts = append(p.parts, p.describe(row))
	}
	return out, nil
}

// combine numbers the pairs of what is before and of a field's values.
func combine(pairs map[uint64]uint32, out, ids []uint32) {
	var last uint64
	var number uint32
	for i, id := range ids {
		pair := uint64(out[i])<<32 | uint64(id)
		if i == 0 || pair != last {
			n, ok := pairs[pair]
			if !ok {
				n = uint32(len(pairs))
				pairs[pair] = n
			}
			last, number = pair, n
		}
		out[i] = number
	}
}

// describe returns the partition of a row of the batch that is being assigned.
func (p *partitioner) describe(row int) partition {
	values := make(map[int]any)
	for _, f := range p.spec.Fields() {
		values[f.FieldID] = nil
	}
	for _, f := range p.fields {
		values[f.id] = f.values[f.ids[row]]
	}
	return partition{&p.spec, values}
}

// part returns a partition by its number.
func (p *partitioner) part(n uint32) *partition {
	p.mu.Lock()
	defer p.mu.Unlock()
	return &p.parts[n]
}

// count is how many partitions are known.
func (p *partitioner) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.parts)
}
