package doris

import (
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/doris/doristest"
)

// TestCompression has rows come through each compression, few and many.
func TestCompression(t *testing.T) {
	for _, kind := range []string{"none", "gzip", "lz4"} {
		c, err := doristest.Start(doristest.Options{})
		must(t, err)
		t.Cleanup(func() { must(t, c.Close()) })
		s := testSink(t, c, Options{Compression: kind})
		table := batchtest.Shape("shop", "t", "id bigint key", "v varchar(100)")
		commit(t, s, table, writer.Create, batchtest.Row{-1, "one"})
		var rows []batchtest.Row
		for i := range 20_000 {
			rows = append(rows, batchtest.Row{i, strings.Repeat("x", i%90)})
		}
		w, err := s.Open(t.Context(), table, writer.Append)
		must(t, err)
		must(t, put(t, w, table, rows, nil))
		must(t, w.Commit(t.Context(), "q"))
		must(t, w.Close())
		if got := query(t, c, doristest.Options{}, "SELECT concat(count(*), ' ', sum(length(v))) FROM shop.t"); got != "20001 889303" {
			t.Errorf("%s: got %s", kind, got)
		}
	}
}
