package writer

import (
	"context"

	"github.com/tablehaul/tablehaul/pkg/batch"
)

// A Dropper is a Sink that can remove tables.
type Dropper interface {
	// Drop removes the table that was made of a source's one, with its rows and its position, if it
	// holds the position still; its Writer is closed. It is ErrFenced, and nothing is done, if the
	// table holds another one or was made of another table. One that is not there is no error, and
	// a removal that has broken off is completed by the next call: until then the table holds its
	// position. It fails with errors.ErrUnsupported, and has done nothing, where the table cannot be
	// told from others that stay.
	Drop(ctx context.Context, db, table string, held batch.Position) error
}
