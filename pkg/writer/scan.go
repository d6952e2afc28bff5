package writer

import (
	"context"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A Scanner is a Sink whose tables can be read again, to be compared with their source.
type Scanner interface {
	// Scan calls rows with all that readers of the table of t see, as of one of its commits, and
	// returns that commit's position; "" if there is no such table. t is as for Open. The batches have
	// its columns, in their order and of their Arrow types, whatever types the sink has for them: a
	// value that the sink holds and the column cannot is an error. rows is called from up to parallel
	// goroutines at a time, each time with one number of less than parallel for each goroutine; it
	// does not keep a batch, and its error ends the Scan. A table that is altered, or exchanged,
	// meanwhile is read as it was.
	Scan(ctx context.Context, t *schema.Table, parallel int, rows func(goroutine int, b arrow.RecordBatch) error) (batch.Position, error)
}
