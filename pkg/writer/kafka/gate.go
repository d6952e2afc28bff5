package kafka

import (
	"context"
	"sync"
	"time"
)

// A gate stands before a transaction that several write stock into. Whoever ends the
// transaction shuts it: those who are inside come out with their part whole, and new
// ones wait for the next transaction.
type gate struct {
	mu     sync.Mutex
	inside int
	shut   chan struct{} // closed once the gate opens again; nil while it is open
	empty  chan struct{} // closed once nobody is inside a gate that is shut
}

// enter waits for the gate to be open.
func (g *gate) enter(ctx context.Context) error {
	for {
		g.mu.Lock()
		shut := g.shut
		if shut == nil {
			g.inside++
			g.mu.Unlock()
			return nil
		}
		g.mu.Unlock()
		select {
		case <-shut:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// leave lets so many out.
func (g *gate) leave(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.inside -= n
	if n > 0 && g.inside == 0 && g.empty != nil {
		close(g.empty)
		g.empty = nil
	}
}

// close shuts the gate, once nobody else has, and waits for those inside, but not for
// longer than patience. The caller opens it again.
func (g *gate) close(ctx context.Context, patience time.Duration) (open func(), err error) {
	for {
		g.mu.Lock()
		shut := g.shut
		if shut == nil {
			break
		}
		g.mu.Unlock()
		select {
		case <-shut:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	g.shut = make(chan struct{})
	empty := make(chan struct{})
	if g.inside == 0 {
		close(empty)
	} else {
		g.empty = empty
	}
	g.mu.Unlock()
	open = func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		close(g.shut)
		g.shut, g.empty = nil, nil
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case <-empty:
	case <-late.C:
	case <-ctx.Done():
		open()
		return nil, ctx.Err()
	}
	return open, nil
}
