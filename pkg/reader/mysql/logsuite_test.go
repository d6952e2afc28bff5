package mysql

import (
	"context"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/reader/readertest"
)

func TestLogSuite(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		readertest.RunLog(t, func(t *testing.T, tables []batchtest.Table) readertest.LogHarness {
			s.must(t, readertest.SQL(tables)...)
			return readertest.LogHarness{
				Open: func(t *testing.T, alloc memory.Allocator) readertest.Source {
					st, err := Open(context.WithoutCancel(t.Context()), s.url, Options{Parallel: 2, alloc: alloc})
					if err != nil {
						t.Fatal(err)
					}
					return st
				},
				Apply: func(t *testing.T, changes ...readertest.Change) { s.must(t, readertest.ChangeSQL(changes)...) },
			}
		})
	})
}
