package move_test

import (
	"database/sql"
	"errors"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	icebergo "github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	sqlcat "github.com/apache/iceberg-go/catalog/sql"

	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/iceberg"
	"github.com/tablehaul/tablehaul/pkg/writer/writertest"
)

// TestSnapshotEveryFaultIceberg is the sweep on an embedded lake.
func TestSnapshotEveryFaultIceberg(t *testing.T) {
	modes := []writer.Mode{writer.Create, writer.Append, writer.Replace}
	if testing.Short() {
		modes = modes[:1]
	}
	sweep(t, modes, []int{4}, func(t *testing.T) writertest.Harness {
		dir := t.TempDir()
		opts := iceberg.Options{TargetFileSize: 64 << 10, Memory: 256 << 10, Parallel: 4}
		open := func(t *testing.T) writer.Sink {
			s, err := iceberg.Open(t.Context(), "iceberg:"+dir, opts)
			if err != nil {
				t.Fatal(err)
			}
			return s
		}
		_ = open(t).Close() // makes the lake, for the reader below to find
		lake := openLake(t, dir)
		return writertest.Harness{
			Open: open,
			Rows: func(t *testing.T, table *schema.Table) []arrow.RecordBatch { return scan(t, lake, table) },
		}
	})
}

// openLake opens the lake's catalog as any other program would.
func openLake(t *testing.T, dir string) catalog.Catalog {
	db, err := sql.Open("sqlite", "file:"+dir+"/catalog.db?_pragma=busy_timeout(60000)")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	lake, err := sqlcat.NewCatalog("default", db, sqlcat.SQLite, icebergo.Properties{"warehouse": "file://" + dir})
	if err != nil {
		t.Fatal(err)
	}
	return lake
}

func scan(t *testing.T, lake catalog.Catalog, table *schema.Table) []arrow.RecordBatch {
	it, err := lake.LoadTable(t.Context(), []string{table.DB, table.Name})
	if errors.Is(err, catalog.ErrNoSuchTable) || errors.Is(err, catalog.ErrNoSuchNamespace) {
		return nil
	}
	if err != nil {
		t.Errorf("load %s: %v", table, err)
		return nil
	}
	_, recs, err := it.Scan().ToArrowRecords(t.Context())
	if err != nil {
		t.Errorf("scan %s: %v", table, err)
		return nil
	}
	var out []arrow.RecordBatch
	for rec, err := range recs {
		if err != nil {
			t.Errorf("scan %s: %v", table, err)
			return nil
		}
		out = append(out, rec)
	}
	return out
}
