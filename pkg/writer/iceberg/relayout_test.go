package iceberg

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// Content that is exchanged lies as is asked for, else as it did.
func TestReplaceLaysOut(t *testing.T) {
	everyCatalog(t, func(t *testing.T, s *Sink) {
		var asked Layout
		s.opts.Layout = func(*schema.Table) Layout { return asked }
		var warned []string
		s.opts.Warn = func(msg string) { warned = append(warned, msg) }
		was := batchtest.Shape("shop", "t", "gone int", "id int key", "day date")
		now := batchtest.Shape("shop", "t", "day date", "id bigint key", "more int")
		asked = Layout{Partition: "bucket(4, id), day", Sort: "id, gone"}
		put(t, s, was, writer.Create, "p1", nil, batchtest.Row{7, 1, "2024-02-29"})
		rows := []batchtest.Row{{"2024-02-29", 1, 2}, {nil, int64(1) << 40, nil}}
		for _, c := range []struct {
			asked             Layout
			spec, order, prop string
			version, specs    int
		}{
			{Layout{}, "bucket(4,id), day", "id asc nulls first", "", 2, 1},
			{Layout{Partition: "month(day)", Sort: "more desc", Properties: map[string]string{"owner": "me"}}, "month(day)", "more desc nulls last", "me", 2, 2},
			{Layout{}, "month(day)", "more desc nulls last", "me", 2, 2},
			{Layout{Partition: "day, bucket(8, id)"}, "day, bucket(8,id)", "more desc nulls last", "me", 2, 3},
			{Layout{Partition: "bucket(4, id), day", FormatVersion: 3}, "bucket(4,id), day", "more desc nulls last", "me", 3, 3},
		} {
			asked = c.asked
			put(t, s, now, writer.Replace, "p2", nil, rows...)
			it := loaded(t, s, now)
			sc, lay := it.Schema(), layoutOf(it.Metadata())
			if got := specText(lay.spec, sc); got != c.spec || lay.specs != c.specs {
				t.Errorf("%+v: partitioned by %s, want %s; %d specs, want %d", c.asked, got, c.spec, lay.specs, c.specs)
			}
			if got := orderText(lay.order, sc); got != c.order {
				t.Errorf("%+v: sorted by %s, want %s", c.asked, got, c.order)
			}
			if lay.version != c.version || it.Properties()["owner"] != c.prop {
				t.Errorf("%+v: version %d, owner %q", c.asked, lay.version, it.Properties()["owner"])
			}
			files, _, err := liveFiles(it, localFS{})
			must(t, err)
			for _, f := range files {
				if int(f.SpecID()) != lay.spec.ID() {
					t.Errorf("%+v: a file of spec %d, want %d", c.asked, f.SpecID(), lay.spec.ID())
				}
			}
			wantContent(t, s, now, map[int]batchtest.Row{0: rows[0], 1: rows[1]})
			seen := map[int]string{} // an id has one meaning in all specs
			for _, spec := range it.Metadata().PartitionSpecs() {
				for _, f := range spec.Fields() {
					if m, ok := seen[f.FieldID]; ok && m != f.Name+f.Transform.String() {
						t.Errorf("partition field %d is %s and %s %s", f.FieldID, m, f.Name, f.Transform)
					}
					seen[f.FieldID] = f.Name + f.Transform.String()
				}
			}
		}
		if len(warned) > 0 {
			t.Errorf("warned: %q", warned)
		}
		// By what it was ever partitioned, it must keep.
		asked = Layout{Partition: "more"}
		for _, columns := range [][]string{{"id bigint key", "more int"}, {"id bigint key", "more int", "day varchar(9)"}} {
			_, err := s.Open(t.Context(), batchtest.Shape("shop", "t", columns...), writer.Replace)
			wantTableError(t, err, "is or was partitioned by day")
		}
		// Somebody else may lay it out anew meanwhile.
		asked = Layout{Partition: "day"}
		w := openTable(t, s, now, writer.Replace)
		write(t, w, batchtest.Build(memory.DefaultAllocator, now, rows))
		tx := loaded(t, s, now).NewTransaction()
		must(t, tx.UpdateSpec(true).RemoveField("day").Commit())
		_, err := tx.Commit(t.Context())
		must(t, err)
		wantTableError(t, w.Commit(t.Context(), "p3"), "layout was changed")
		must(t, w.Close())
	})
}
