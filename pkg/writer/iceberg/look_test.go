package iceberg

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"
)

// A catalog is looked at that a process has left in the midst of a commit, or before it had
// anything in it.
func TestLookAtLeftovers(t *testing.T) {
	lake := t.TempDir()
	threeTables(t, openSink(t, "iceberg:"+lake, Options{}))
	file := filepath.Join(lake, "catalog.db")
	db, err := sql.Open("sqlite", sqliteDSN(file))
	must(t, err)
	defer db.Close()
	tx, err := db.BeginTx(t.Context(), nil)
	must(t, err)
	// So much that the file is written to before the end.
	for _, statement := range []string{"PRAGMA cache_size = 1", "CREATE TABLE more AS SELECT zeroblob(1000000)", "DELETE FROM iceberg_tables", "INSERT INTO more SELECT zeroblob(1000000)"} {
		_, err := tx.ExecContext(t.Context(), statement)
		must(t, err)
	}
	left := t.TempDir()
	for _, name := range []string{"catalog.db", "catalog.db-journal"} {
		text, err := os.ReadFile(filepath.Join(lake, name))
		must(t, err)
		must(t, os.WriteFile(filepath.Join(left, name), text, 0o600))
	}
	must(t, tx.Rollback())
	wantHeld(t, openSink(t, "iceberg:"+left, Options{Look: true}), "shop.a shop.b shop.c")

	must(t, os.WriteFile(filepath.Join(left, "catalog.db"), nil, 0o600))
	wantHeld(t, openSink(t, "iceberg:"+left, Options{Look: true}), "")
	if text, err := os.ReadFile(filepath.Join(left, "catalog.db")); err != nil || len(text) != 0 {
		t.Errorf("the catalog was made: %v", err)
	}
}
