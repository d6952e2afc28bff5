package iceberg

import (
	"context"
	"sync"
	"time"

	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
)

// A lease is the access to a store that a catalog grants along with a table. It
// expires, mostly after an hour and never before 15 minutes on AWS, and a run may take
// longer. iceberg-go renews what comes in a form that few catalogs use, and from a path
// that fewer have; the table itself can be asked for everywhere, and comes with a grant
// that is new.
type lease struct {
	load func(context.Context) (*table.Table, error)
	term time.Duration // how long a grant is used

	mu   sync.Mutex
	io   iceio.IO
	from time.Time
}

// leaseTerm leaves ten minutes of the shortest grant for a file that is begun with it.
const leaseTerm = 5 * time.Minute

// current returns the IO to begin something with.
func (l *lease) current(ctx context.Context) (iceio.IO, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.from) < l.term {
		return l.io, nil
	}
	tbl, err := l.load(ctx)
	if err != nil {
		if !transient(err) {
			return nil, err
		}
		// What there is may be good for a while.
		l.from = time.Now().Add(l.term/5 - l.term)
		return l.io, nil
	}
	f, err := tbl.FS(context.WithoutCancel(ctx)) // the IO keeps it
	if err == nil {
		l.io, l.from = f, time.Now()
	}
	return f, err
}
