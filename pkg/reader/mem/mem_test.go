package mem_test

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/reader/mem"
	"github.com/tablehaul/tablehaul/pkg/reader/readertest"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

func TestStock(t *testing.T) {
	for _, parts := range []int{1, 7} {
		readertest.Run(t, func(_ *testing.T, tables []batchtest.Table) readertest.Harness {
			db := mem.NewDB(tables...)
			return readertest.Harness{
				BatchBytes: 4 << 10,
				Open: func(_ *testing.T, alloc memory.Allocator) reader.Stock {
					return &mem.Stock{DB: db, Alloc: alloc, BatchBytes: 4 << 10, Parts: parts}
				},
				Empty: func(_ *testing.T, table *schema.Table) { db.Set(table, nil) },
				Drop:  func(_ *testing.T, table *schema.Table) { db.Drop(table) },
			}
		})
	}
}
