package iceberg

import (
	"context"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/compute"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// Of a deleted key it is enough to know the highest sequence number under which it was
// deleted: all rows of it go that are older. That is one entry a key, where iceberg-go
// would have one for each key, file of deletes and file of rows; and it compares keys in
// the types that the two files have, and so misses those of columns that have become wider.

// deletedKeys are the keys that are deleted.
type deletedKeys struct {
	groups []*keyGroup
	held   int64
	most   int64 // of memory, in bytes
}

// A keyGroup is deleted keys of the same columns that reach the same rows.
type keyGroup struct {
	ids    []int
	where  string
	hasher *keyHasher // of rows of the table
	index  keyIndex   // whose ref is a sequence number
}

// readKeys reads the deleted keys that may reach one of the files.
func (c *compaction) readKeys(ctx context.Context, all *contents, files []*liveFile) (*deletedKeys, error) {
	keys := &deletedKeys{most: c.sink.opts.Memory / 2}
	for _, d := range all.keys {
		if !slices.ContainsFunc(files, d.reaches) {
			continue
		}
		g, err := c.groupOf(keys, d)
		if err != nil {
			return nil, err
		}
		if err := c.readFile(ctx, keys, g, d); err != nil {
			return nil, fmt.Errorf("read %s: %w", d.df.FilePath(), err)
		}
	}
	return keys, nil
}

// groupOf returns the group that a file of deleted keys belongs to.
func (c *compaction) groupOf(keys *deletedKeys, d *liveFile) (*keyGroup, error) {
	ids := d.df.EqualityFieldIDs()
	for _, g := range keys.groups {
		if slices.Equal(g.ids, ids) && g.where == d.where {
			return g, nil
		}
	}
	g := &keyGroup{ids: ids, where: d.where}
	t := *c.src
	t.Key = nil
	for _, id := range ids {
		i := slices.IndexFunc(c.tbl.Schema().Fields(), func(f iceberg.NestedField) bool { return f.ID == id })
		if i < 0 {
			return nil, fmt.Errorf("%s deletes rows by a column that the table no longer has", d.df.FilePath())
		}
		t.Key = append(t.Key, i)
	}
	g.hasher = newKeyHasher(&t)
	keys.groups = append(keys.groups, g)
	return g, nil
}

// readFile adds the keys of a file. It is read as a file of rows that has no more columns,
// so that they come in the types that the table has now.
func (c *compaction) readFile(ctx context.Context, keys *deletedKeys, g *keyGroup, d *liveFile) error {
	var names []string
	var columns []schema.Column
	var own []int
	for i, k := range g.hasher.columns {
		names, columns = append(names, c.src.Columns[k].Name), append(columns, c.src.Columns[k])
		own = append(own, i)
	}
	hasher := newKeyHasher(schema.New("", "", columns, own))
	scan := c.tbl.Scan(table.WithSelectedFields(names...), table.WithMaxConcurrency(1), table.WithArrowBatchSize(readRows))
	_, recs, err := scan.ReadTasks(ctx, []table.FileScanTask{{File: d.df, Length: d.df.FileSizeBytes()}})
	if err != nil {
		return err
	}
	for rec, err := range recs {
		if err != nil {
			return err
		}
		err = g.take(rec, names, hasher, d.seq)
		rec.Release()
		if err != nil {
			return err
		}
		if keys.grown(); keys.held > keys.most {
			return fmt.Errorf("the deleted keys take more than %d MiB of memory", keys.most>>20)
		}
	}
	return nil
}

func (k *deletedKeys) grown() {
	k.held = 0
	for _, g := range k.groups {
		k.held += g.index.bytes()
	}
}

// take notes the keys of a batch, whose columns may come in another order.
func (g *keyGroup) take(rec arrow.RecordBatch, names []string, hasher *keyHasher, seq int64) error {
	fields, columns := make([]arrow.Field, len(names)), make([]arrow.Array, len(names))
	for i, name := range names {
		at := rec.Schema().FieldIndices(name)
		if len(at) != 1 {
			return fmt.Errorf("column %q is not there once", name)
		}
		fields[i], columns[i] = rec.Schema().Field(at[0]), rec.Column(at[0])
	}
	part := array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, rec.NumRows())
	defer part.Release()
	hashes, err := hasher.hash(part)
	if err != nil {
		return err
	}
	for _, h := range hashes {
		if e := g.index.find(h); rowRef(seq) > e.ref { //nolint:gosec // from 1 up
			e.ref = rowRef(seq) //nolint:gosec // as above
		}
	}
	return nil
}

// get returns what is known of h, 0 if nothing.
func (x *keyIndex) get(h keyHash) rowRef {
	if x.slots == nil {
		return 0
	}
	for i := h[0] >> (64 - x.bits); i < uint64(len(x.slots)) && x.slots[i].ref != 0; i++ {
		if x.slots[i].hash == h {
			return x.slots[i].ref
		}
	}
	return 0
}

// without returns the rows of a file that are not deleted. The caller releases them.
func (k *deletedKeys) without(ctx context.Context, f *liveFile, rec arrow.RecordBatch) (arrow.RecordBatch, error) {
	n := int(rec.NumRows())
	var gone []bool
	for _, g := range k.groups {
		if g.where != "" && g.where != f.where {
			continue
		}
		hashes, err := g.hasher.hash(rec)
		if err != nil {
			return nil, err
		}
		for i, h := range hashes {
			if g.index.get(h) > rowRef(f.seq) { //nolint:gosec // from 0 up
				if gone == nil {
					gone = make([]bool, n)
				}
				gone[i] = true
			}
		}
	}
	if gone == nil {
		rec.Retain()
		return rec, nil
	}
	mask := array.NewBooleanBuilder(memory.DefaultAllocator)
	defer mask.Release()
	mask.Reserve(n)
	for _, g := range gone {
		mask.Append(!g)
	}
	keep := mask.NewBooleanArray()
	defer keep.Release()
	return compute.FilterRecordBatch(ctx, rec, keep, compute.DefaultFilterOptions())
}
