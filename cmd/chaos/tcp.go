package main

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"time"
)

// A tcpProxy stands between a process and MySQL, and fails when told to.
type tcpProxy struct {
	listener net.Listener
	target   string
	wait     sync.WaitGroup

	mu      sync.Mutex
	conns   map[net.Conn]bool
	frozen  chan struct{} // closed when the freeze ends; nil: none
	refused bool
	closed  bool
}

func newTCPProxy(target string) (*tcpProxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &tcpProxy{listener: l, target: target, conns: map[net.Conn]bool{}}
	p.wait.Go(p.accept)
	return p, nil
}

func (p *tcpProxy) addr() string { return p.listener.Addr().String() }

func (p *tcpProxy) accept() {
	for {
		c, err := p.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(10 * time.Millisecond)
			continue
		}
		p.wait.Go(func() { p.serve(c) })
	}
}

func (p *tcpProxy) serve(client net.Conn) {
	defer client.Close()
	if !p.add(client) {
		return
	}
	defer p.remove(client)
	server, err := net.DialTimeout("tcp", p.target, 5*time.Second)
	if err != nil {
		return
	}
	defer server.Close()
	if !p.add(server) {
		return
	}
	defer p.remove(server)
	done := make(chan struct{})
	go func() {
		defer close(done)
		p.copy(server, client)
		// One side's end is the other's: MySQL knows no half-closed connection.
		server.Close()
		client.Close()
	}()
	p.copy(client, server)
	server.Close()
	client.Close()
	<-done
}

func (p *tcpProxy) copy(to io.Writer, from io.Reader) {
	buf := make([]byte, 64<<10)
	for {
		n, err := from.Read(buf)
		p.thaw()
		if n > 0 {
			if _, err := to.Write(buf[:n]); err != nil {
				return
			}
		}
		if err != nil {
			return
		}
	}
}

// thaw waits for the end of a freeze.
func (p *tcpProxy) thaw() {
	p.mu.Lock()
	frozen := p.frozen
	p.mu.Unlock()
	if frozen != nil {
		<-frozen
	}
}

func (p *tcpProxy) add(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refused || p.closed {
		return false
	}
	p.conns[c] = true
	return true
}

func (p *tcpProxy) remove(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}

// cut ends all connections.
func (p *tcpProxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		if t, ok := c.(*net.TCPConn); ok {
			_ = t.SetLinger(0) // a reset, as from a machine that died
		}
		_ = c.Close()
	}
}

// freeze lets nothing through for d; the connections stay.
func (p *tcpProxy) freeze(ctx context.Context, d time.Duration) {
	end := make(chan struct{})
	p.mu.Lock()
	p.frozen = end
	p.mu.Unlock()
	sleep(ctx, d)
	p.mu.Lock()
	p.frozen = nil
	p.mu.Unlock()
	close(end)
}

// refuse cuts everything and accepts nothing for d.
func (p *tcpProxy) refuse(ctx context.Context, d time.Duration) {
	p.setRefused(true)
	p.cut()
	sleep(ctx, d)
	p.setRefused(false)
}

func (p *tcpProxy) setRefused(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refused = on
}

func (p *tcpProxy) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.listener.Close()
	p.cut()
	p.wait.Wait()
}

// sleep waits for d or for the context's end.
func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
