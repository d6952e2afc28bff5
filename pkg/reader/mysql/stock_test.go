package mysql

import (
	"context"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/reader/readertest"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

func TestStock(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		readertest.Run(t, func(t *testing.T, tables []batchtest.Table) readertest.Harness {
			s.must(t, readertest.SQL(tables)...)
			const batchBytes = 4 << 10
			return readertest.Harness{
				BatchBytes: batchBytes,
				Open: func(t *testing.T, alloc memory.Allocator) reader.Stock {
					st, err := Open(context.WithoutCancel(t.Context()), s.url, Options{Parallel: 4, SplitRows: 100, alloc: alloc, batchBytes: batchBytes})
					if err != nil {
						t.Fatal(err)
					}
					return st
				},
				Empty: func(t *testing.T, table *schema.Table) { s.must(t, "DELETE FROM "+readertest.Name(table)) },
				Drop:  func(t *testing.T, table *schema.Table) { s.must(t, "DROP TABLE "+readertest.Name(table)) },
			}
		})
	})
}
