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

	mu      sync.Mutex
	io      iceio.IO
	from    time.Time
	offered *table.Table // with a newer grant, that is not used yet
}

const (
	// leaseTerm leaves ten minutes of the shortest grant for a file that is begun with it.
	leaseTerm = 5 * time.Minute
	// leaseTimeout is how long a catalog may take, as who ends a run waits for it too.
	leaseTimeout = 20 * time.Second
)

// current returns the IO to begin something with.
func (l *lease) current(ctx context.Context) (iceio.IO, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.from) < l.term {
		return l.io, nil
	}
	tbl := l.offered
	if tbl == nil {
		var err error
		if tbl, err = l.load(ctx); err != nil {
			if !transient(err) {
				return nil, err
			}
			// What there is may be good for a while.
			l.from = time.Now().Add(l.term/5 - l.term)
			return l.io, nil
		}
	}
	f, err := tbl.FS(context.WithoutCancel(ctx)) // the IO keeps it
	if err == nil {
		l.io, l.from, l.offered = f, time.Now(), nil
	}
	return f, err
}

// offer hands over a table that has just been loaded for other reasons. l may be nil.
func (l *lease) offer(tbl *table.Table) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if time.Since(l.from) >= l.term/2 {
		l.from, l.offered = time.Now().Add(-l.term), tbl // used when somebody begins something
	}
}
