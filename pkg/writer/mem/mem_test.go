package mem_test

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/mem"
	"github.com/tablehaul/tablehaul/pkg/writer/writertest"
)

func TestSink(t *testing.T) { writertest.Run(t, harness(false)) }

func TestSinkTogether(t *testing.T) {
	writertest.Some(t, harness(true), "shared, all or none")
}

func harness(together bool) func(*testing.T) writertest.Harness {
	return func(*testing.T) writertest.Harness {
		state := &mem.State{}
		return writertest.Harness{
			Open: func(*testing.T) writer.Sink { return mem.Sink{State: state, Together: together} },
			Rows: func(_ *testing.T, table *schema.Table) []arrow.RecordBatch {
				return []arrow.RecordBatch{batchtest.Build(memory.DefaultAllocator, table, state.Rows(table)).Rows}
			},
			Foreign: func(t *testing.T, table *schema.Table, rows arrow.RecordBatch) {
				content, err := batchtest.Rows(rows)
				if err != nil {
					t.Fatal(err)
				}
				state.Put(table, content)
			},
			LoseReply: func(*testing.T) { state.LoseReply() },
		}
	}
}
