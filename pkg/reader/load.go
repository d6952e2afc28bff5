package reader

import (
	"context"
	"time"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A Loader is a source that tells how busy it is, so that whoever reads it can
// stand back.
type Loader interface {
	// Load returns the values of the server's status variables of these names, but
	// for what this Stock's own reading adds to them, and, if lag is set, how far the
	// server is behind the one it replicates, if it does, and its replicas are behind
	// it. It may be called while splits are read. A name that the source does not
	// have is an error, and so is a replica that cannot be asked: an error that is
	// hint.Transient may be gone when Load is called again.
	Load(ctx context.Context, variables []string, lag bool) (Load, error)
}

// A Load is how busy a source is at one moment.
type Load struct {
	Values []float64 // of the variables, in the order in which they were asked for
	Lags   []Lag
}

// A Lag is how far one server is behind the server that it replicates.
type Lag struct {
	Server  string // as messages name it
	Behind  time.Duration
	Stopped string // why it does not catch up at all; "" while it does
}

// A Filterer is a Stock that can read the rows alone that meet a table's Filter.
type Filterer interface {
	// Filtered checks the condition, and estimates how many rows meet it. An error
	// about the condition is a *schema.TableError.
	Filtered(ctx context.Context, t *schema.Table) (rows int64, err error)
}
