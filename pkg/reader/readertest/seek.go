package readertest

import (
	"errors"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// sought looks rows up by their keys, more often than there are readers.
func (k *kit) sought() {
	tables := k.list("numbers", "texts", "pairs", "reverse", "empty", "wide")
	snap := k.pin(tables, 1)
	defer k.close(snap)
	seeker, ok := snap.(reader.Seeker)
	if !ok {
		k.Skip("the source does not find rows by their keys")
	}
	for _, t := range tables {
		all := k.table(t.Name).Rows
		for _, part := range [][]batchtest.Row{nil, all[:min(1, len(all))], all[len(all)/2 : min(len(all)/2+700, len(all))]} {
			got, err := k.seek(seeker, t, part)
			if err != nil {
				k.Fatalf("seek %d rows of %s: %v", len(part), t, err)
			}
			if d := batchtest.Diff(got, part); d != "" {
				k.Errorf("%s, %d rows by their keys: %s", t, len(part), d)
			}
		}
		absent := batchtest.Fill(k.table(t.Name).Table, len(all)+10)[len(all):]
		if t.Name == "reverse" || t.Name == "wide" { // which are not filled so
			continue
		}
		if got, err := k.seek(seeker, t, absent); err != nil || len(got) != 0 {
			k.Errorf("%s, keys that are not there: got %d rows (%v), want none", t, len(got), err)
		}
	}
	bare := k.list("keyless")
	other := k.pin(bare, 1)
	defer k.close(other)
	if s, ok := other.(reader.Seeker); ok {
		if _, err := k.seek(s, bare[0], nil); err == nil {
			k.Errorf("%s has no key, and is looked up by it", bare[0])
		}
	}
}

// seek looks rows up by their keys.
func (k *kit) seek(s reader.Seeker, t *schema.Table, rows []batchtest.Row) (out []batchtest.Row, err error) {
	b := batchtest.Build(memory.DefaultAllocator, t, rows)
	defer b.Release()
	fields, columns := make([]arrow.Field, len(t.Key)), make([]arrow.Array, len(t.Key))
	for i, c := range t.Key {
		fields[i], columns[i] = t.Arrow.Field(c), b.Rows.Column(c)
	}
	keys := array.NewRecordBatch(arrow.NewSchema(fields, nil), columns, int64(len(rows)))
	defer keys.Release()
	ctx, cancel := k.brief()
	defer cancel()
	r, err := s.Seek(ctx, t, keys)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	for {
		more, err := k.next(r, reader.Split{Table: t})
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
}
