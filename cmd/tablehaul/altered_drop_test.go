package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/go-mysql-org/go-mysql/client"
)

// TestDroppedAtRandom is TestAlteredAtRandom with --on-drop drop, and with more tables that go, come
// again under their names, and go: in the end the sink has those of the source, and no others.
func TestDroppedAtRandom(t *testing.T) {
	t.Parallel()
	atRandom(t, 2, func(t *testing.T, sink string, seed uint64) {
		a := newSeeded(t, sink, seed, 12, "--on-drop", "drop")
		a.workload(a.dropStep)
		a.equal()
		for _, name := range a.copies() {
			if !slices.Contains(a.tables, name) {
				t.Errorf("the sink has %s still", name)
			}
		}
	})
}

func (a *altered) dropStep() {
	switch x := a.rnd.IntN(100); {
	case x < 8 && len(a.tables) > 0:
		a.do("DROP TABLE DB." + a.tables[a.rnd.IntN(len(a.tables))])
	case x < 16:
		a.create()
	case len(a.tables) == 0:
	case x < 30:
		a.alter(a.tables[a.rnd.IntN(len(a.tables))])
	default:
		a.rows(a.tables[a.rnd.IntN(len(a.tables))], a.rnd.IntN(55))
	}
}

// copies are the names of the tables that readers of the sink find.
func (a *altered) copies() (names []string) {
	a.t.Helper()
	if a.sink == "doris" {
		conn, err := client.Connect(a.doris.SQL(), "root", "", a.db)
		if err != nil {
			a.t.Fatal(err)
		}
		defer conn.Close()
		res, err := conn.Execute("SELECT TABLE_NAME FROM information_schema.tables WHERE TABLE_SCHEMA = '" + a.db + "'")
		if err != nil {
			a.t.Fatal(err)
		}
		for i := range res.RowNumber() {
			if name, _ := res.GetString(i, 0); name != "tablehaul_positions" {
				names = append(names, name)
			}
		}
		return names
	}
	sign := map[string]string{"file": "_tablehaul/manifest.json", "iceberg": "metadata/version-hint.text"}[a.sink]
	found, err := filepath.Glob(filepath.Join(a.dir, a.db, "*"))
	if err != nil {
		a.t.Fatal(err)
	}
	for _, dir := range found {
		if _, err := os.Stat(filepath.Join(dir, sign)); err == nil {
			names = append(names, filepath.Base(dir))
		}
	}
	return names
}
