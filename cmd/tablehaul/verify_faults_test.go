package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/client"

	"github.com/tablehaul/tablehaul/testdata/services"
)

// A fault is one row at a sink that is other than that of the source.
type fault struct {
	ID   int            `json:"id"`
	How  string         `json:"how"` // "set", "drop", "double", or "add"
	Set  map[string]any `json:"set"` // values by column; texts of numbers and times
	want string         // what verify tells of it
}

// faultsIn has five rows of each kind of fault, in rows of a table as TestPlantedFaults makes it.
func faultsIn(sink string) (all []fault) {
	id := 0
	plant := func(how, want string, set func(i int) map[string]any) {
		for range 5 {
			id += 10
			all = append(all, fault{id, how, set(id), want})
		}
	}
	none := func(int) map[string]any { return nil }
	plant("drop", "missing", none)
	if sink != "doris" { // where a key has one row, whoever writes
		plant("double", "doubled", none)
	}
	plant("set", "changed note", func(int) map[string]any { return map[string]any{"note": "another"} })
	plant("set", "changed n", func(i int) map[string]any { return map[string]any{"n": fmt.Sprint(-i - 1)} })
	// In another case, cut to fewer decimals, 8 hours off.
	plant("set", "changed note", func(i int) map[string]any { return map[string]any{"note": fmt.Sprintf("NOTE %d", i)} })
	plant("set", "changed price", func(i int) map[string]any { return map[string]any{"price": fmt.Sprintf("%d.1200", i)} })
	plant("set", "changed at", func(int) map[string]any { return map[string]any{"at": "2026-01-01 20:00:00.000001"} })
	plant("set", "changed n,note", func(i int) map[string]any { // what was there before
		return map[string]any{"n": fmt.Sprint(i), "note": fmt.Sprintf("Old %d", i)}
	})
	id += 5 // of these n and note are NULL
	plant("set", "changed note", func(int) map[string]any { return map[string]any{"note": ""} })
	plant("set", "changed n", func(int) map[string]any { return map[string]any{"n": "0"} })
	plant("set", "changed at", func(int) map[string]any { return map[string]any{"at": nil} })
	id = 9000
	plant("add", "extra", func(int) map[string]any {
		return map[string]any{"n": "1", "note": "x", "price": "1.0000", "at": "2026-01-01 12:00:00.000000"}
	})
	return all
}

// TestPlantedFaults has others write what is wrong into sinks: of each kind of fault all rows are
// found, with their keys and columns, and no others.
func TestPlantedFaults(t *testing.T) {
	for _, sink := range []string{"iceberg", "file", "doris"} {
		t.Run(sink, func(t *testing.T) {
			a := newAlteredAt(t, "MYSQL", sink)
			a.sql("CREATE TABLE DB.f (id INT PRIMARY KEY, n INT, note VARCHAR(20), price DECIMAL(12,4), at TIMESTAMP(6) NULL); SET cte_max_recursion_depth = 2000;" +
				" INSERT INTO DB.f WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT i, IF(i % 10 = 5, NULL, i + 1), IF(i % 10 = 5, NULL, CONCAT('Note ', i)), i + 0.1234, '2026-01-01 12:00:00.000001' FROM n")
			a.tail()
			verify := []string{"verify", a.args[1], a.args[2], "--tables", "f", "--wait", "1s", "--rows", "1000", "--json"}
			if code, out := execute(t, nil, verify...); code != 0 {
				t.Fatalf("before: exit code %d: %s", code, out)
			}
			faults := faultsIn(sink)
			if sink == "doris" {
				a.plantDoris(faults)
			} else {
				a.plantFiles(faults)
			}
			code, out := execute(t, nil, verify...)
			if code != exitDiffers {
				t.Errorf("exit code %d: %s", code, out)
			}
			got, want := foundFaults(t, out), map[string]string{}
			for _, f := range faults {
				want[fmt.Sprint(f.ID)] = f.want
			}
			for _, id := range slices.Sorted(maps.Keys(want)) {
				if got[id] != want[id] {
					t.Errorf("row %s: verify tells %q, want %q", id, got[id], want[id])
				}
			}
			if len(got) != len(want) {
				t.Errorf("%d rows are told, want %d: %s", len(got), len(want), out)
			}
		})
	}
}

// foundFaults returns what verify tells of each row, by its id.
func foundFaults(t *testing.T, out string) map[string]string {
	t.Helper()
	line := out[strings.Index(out, "{"):]
	line, _, _ = strings.Cut(line, "\n")
	var r verifiedReport
	if err := json.Unmarshal([]byte(line), &r); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	found := map[string]string{}
	for _, row := range r.Rows {
		text := row.Kind
		var columns []string
		for _, c := range row.Columns {
			columns = append(columns, c.Name)
		}
		if len(columns) > 0 {
			text += " " + strings.Join(columns, ",")
		}
		found[*row.Key["id"]] = text
	}
	return found
}

// plantFiles rewrites the table's rows by PyIceberg, or the Parquet files that the manifest names.
func (a *altered) plantFiles(faults []fault) {
	a.t.Helper()
	text, err := json.Marshal(faults)
	if err != nil {
		a.t.Fatal(err)
	}
	cmd := exec.Command(services.Env(a.t, "TABLEHAUL_TEST_PYTHON"), "-c", plantRows, a.sink, a.dir, a.db, "f")
	cmd.Stdin = strings.NewReader(string(text))
	if out, err := cmd.CombinedOutput(); err != nil {
		a.t.Fatalf("plant: %v: %s", err, out)
	}
}

const plantRows = `
import datetime, decimal, glob, json, os, sys
import pyarrow as pa, pyarrow.parquet as pq
sink, lake, db, name = sys.argv[1:]
faults = {f["id"]: f for f in json.load(sys.stdin)}

def value(v, t):
    if v is None or pa.types.is_string(t) or pa.types.is_large_string(t):
        return v
    if pa.types.is_decimal(t):
        return decimal.Decimal(v)
    if pa.types.is_timestamp(t):
        return datetime.datetime.strptime(v, "%Y-%m-%d %H:%M:%S.%f").replace(tzinfo=datetime.timezone.utc)
    return int(v)

def changed(rows, adds):
    out = []
    def put(row, f):
        out.append(dict(row, **{c: value(v, rows.schema.field(c).type) for c, v in (f["set"] or {}).items()}))
    for row in rows.to_pylist():
        f = faults.get(row["id"])
        if f is None:
            out.append(row)
        elif f["how"] != "drop":
            put(row, f)
        if f is not None and f["how"] == "double":
            out.append(row)
    for f in faults.values():
        if adds and f["how"] == "add":
            put({c: None for c in rows.schema.names} | {"id": f["id"]}, f)
    return pa.Table.from_pylist(out, schema=rows.schema)

if sink == "iceberg":
    from pyiceberg.catalog import load_catalog
    table = load_catalog("default", type="sql", uri=f"sqlite:///{lake}/catalog.db", warehouse=f"file://{lake}").load_table((db, name))
    table.overwrite(changed(table.scan().to_arrow(), True))
else:
    root = os.path.join(lake, db, name)
    names = os.path.join(root, "_tablehaul", "manifest.json")
    manifest = json.load(open(names))
    for i, f in enumerate(manifest["files"]):
        path = os.path.join(root, f["path"])
        rows = changed(pq.read_table(path, partitioning=None), i == 0)
        pq.write_table(rows, path)
        f["rows"], f["bytes"] = rows.num_rows, os.path.getsize(path)
    json.dump(manifest, open(names, "w"))
`

// plantDoris loads rows by INSERT, of the latest sequence that there is.
func (a *altered) plantDoris(faults []fault) {
	a.t.Helper()
	conn, err := client.Connect(a.doris.SQL(), "root", "", a.db)
	if err != nil {
		a.t.Fatal(err)
	}
	defer conn.Close()
	for _, f := range faults {
		row := map[string]any{
			"id": fmt.Sprint(f.ID), "n": fmt.Sprint(f.ID + 1), "note": fmt.Sprintf("Note %d", f.ID),
			"price": fmt.Sprintf("%d.1234", f.ID), "at": "2026-01-01 12:00:00.000001",
		}
		if f.ID%10 == 5 {
			row["n"], row["note"] = nil, nil
		}
		maps.Copy(row, f.Set)
		names, values := []string{"`__DORIS_DELETE_SIGN__`"}, []string{map[bool]string{true: "1", false: "0"}[f.How == "drop"]}
		for name, v := range row {
			names = append(names, "`"+name+"`")
			if v == nil {
				values = append(values, "NULL")
			} else {
				values = append(values, fmt.Sprintf("'%v'", v))
			}
		}
		if _, err := conn.Execute("INSERT INTO f (" + strings.Join(names, ", ") + ") VALUES (" + strings.Join(values, ", ") + ")"); err != nil {
			a.t.Fatalf("plant %+v: %v", f, err)
		}
	}
}
