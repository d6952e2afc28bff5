package kept

import (
	"errors"
	"sync"
)

// ErrClosed is that of a writer that is used after its end.
var ErrClosed = errors.New("the writer is closed")

// A Gate tells whether a writer may be used: not any more once it is closed, or what it has staged
// is not whole. The zero Gate is open.
type Gate struct {
	mu     sync.Mutex
	closed bool
	failed error
}

// Err tells what keeps the writer from being used.
func (g *Gate) Err() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return ErrClosed
	}
	return g.failed
}

// Fail ends the use of the writer, and returns the error. The first one stays.
func (g *Gate) Fail(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.failed == nil {
		g.failed = err
	}
	return err
}

// Close ends it for good, and reports whether it was not closed before.
func (g *Gate) Close() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	was := g.closed
	g.closed = true
	return !was
}
