package verify

import (
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A sample has about its share of the rows, the same ones at both ends, and others with another seed,
// so that what differs is found in the end.
func TestSample(t *testing.T) {
	keyed, bare := batchtest.Shape("d", "t", "id int key", "v int"), batchtest.Shape("d", "t", "id int", "v int")
	var rows []batchtest.Row
	for i := range 20000 {
		rows = append(rows, batchtest.Row{i, i})
	}
	for _, shape := range []*schema.Table{keyed, bare} {
		table := batchtest.Table{Table: shape, Rows: rows}
		there := clone(rows)[1:]
		there[10][1] = -1
		missing, changed, several := 0, 0, map[int64]bool{}
		for seed := range uint64(60) {
			r := compare(t, table, &sink{rows: there, pos: "p"}, func(o *Options) { o.Sample, o.Seed = 0.1, seed })
			if r.Sampled < 1800 || r.Sampled > 2200 || r.SourceRows != 20000 || r.SinkRows != 19999 {
				t.Fatalf("seed %d: %+v", seed, r)
			}
			missing, changed = missing+int(r.Missing), changed+int(r.Changed+r.Extra)
			several[r.Sampled] = true
		}
		// Each is in six of sixty samples or so; of a table without a key a row that is changed is two.
		if missing < 1 || missing > 30 || changed < 1 || changed > 20 || len(several) < 10 {
			t.Errorf("%d times missing, %d times changed; %d numbers of rows", missing, changed, len(several))
		}
	}
	for _, share := range []float64{0, 1} {
		if r := compare(t, batchtest.Table{Table: keyed, Rows: rows}, &sink{rows: rows[1:], pos: "p"}, func(o *Options) { o.Sample = share }); r.Missing != 1 || r.Sampled != 0 {
			t.Errorf("all rows: %+v", r)
		}
	}
}
