package message

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// pyarrow reads a message as docs/topics.md says, looks through all of it, and writes it
// anew.
const pyarrow = `
import json, sys, pyarrow as pa
with open(sys.argv[1], "rb") as f:
    rows = pa.ipc.open_stream(f.read()).read_all()
rows.validate(full=True)
told = json.loads(rows.schema.metadata[b"tablehaul"])
print(json.dumps([told["database"], told["table"], told.get("key"), rows.num_rows, rows.slice(0, 3).select(["id", "_op", "_pos"]).to_pylist()]))
with pa.ipc.new_stream(sys.argv[2], rows.schema) as out:
    out.write_batch(rows.combine_chunks().to_batches()[0])
`

// TestArrowPython has PyArrow read messages, and what PyArrow writes be read.
func TestArrowPython(t *testing.T) {
	python := services.Env(t, "TABLEHAUL_TEST_PYTHON")
	table := batchtest.AllTypes("shop", "types")
	in := logged(t, table.Table, slices.Repeat([]string{schema.OpInsert}, len(table.Rows)), table.Rows)
	dir := t.TempDir()
	from, to := filepath.Join(dir, "message"), filepath.Join(dir, "again")
	if err := os.WriteFile(from, encodeArrow(t, in, one)[0].Value, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(python, "-c", pyarrow, from, to).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	want, err := json.Marshal([]any{"shop", "types", []string{"id"}, len(table.Rows), []map[string]any{
		{"id": table.Rows[0][0], "_op": "c", "_pos": "binlog.000001:00000000000000004711:00000000"},
		{"id": table.Rows[1][0], "_op": "c", "_pos": "binlog.000001:00000000000000004711:00000001"},
		{"id": table.Rows[2][0], "_op": "c", "_pos": "binlog.000001:00000000000000004711:00000002"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.TrimSpace(string(out)), string(want); !sameJSON(got, want) {
		t.Errorf("PyArrow reads\n%s\nwant\n%s", got, want)
	}
	again, err := os.ReadFile(to)
	if err != nil {
		t.Fatal(err)
	}
	var c collector
	if err := NewArrowReader(&c).Decode(nil, again); err != nil {
		t.Fatal(err)
	}
	rows, err := batchtest.Rows(c.rows["shop.types"].Into.Batch().Rows)
	if err != nil {
		t.Fatal(err)
	}
	if diff := batchtest.DiffOrdered(rows, table.Rows); diff != "" {
		t.Error(diff)
	}
}

// sameJSON compares two texts by what they mean.
func sameJSON(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	p, _ := json.Marshal(x)
	q, _ := json.Marshal(y)
	return string(p) == string(q)
}
