package files

import (
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// Rows in parquet-legacy are not read again, so no change by key is written to them.
func TestLegacyIsNotWrittenAnew(t *testing.T) {
	root := t.TempDir()
	s := csvSink(root, Options{Format: ParquetLegacy})
	if _, err := s.Open(t.Context(), rival, writer.Follow); err == nil || !strings.Contains(hint.Of(err), "without --latest") {
		t.Errorf("a new table is followed: %v", err)
	}
	changes, err := schema.Changelog(batchtest.Shape("shop", "changes", "id bigint key"))
	storeMust(t, err)
	w, err := s.Open(t.Context(), changes, writer.Follow)
	storeMust(t, err)
	storeMust(t, w.Close())

	stock := openOrders(t, s, writer.Create)
	writeOrders(t, stock, -1, batchtest.Row{1, "x"})
	storeMust(t, stock.Commit(t.Context(), "p1"))
	storeMust(t, stock.Close())
	if _, err := csvSink(root, Options{Format: ParquetLegacy}).Open(t.Context(), rival, writer.Follow); err == nil {
		t.Error("a table that is there is followed")
	}
}
