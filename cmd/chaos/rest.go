package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// A restProxy stands between a process and a REST catalog. Faults are armed one
// by one; each strikes the next request that commits.
type restProxy struct {
	addr   string
	target string
	server *http.Server
	client *http.Client
	wait   sync.WaitGroup // requests, and those that go on without their client

	mu      sync.Mutex
	armed   []event
	struck  map[fault]int
	severed []span // when it had no answer, or not soon
	down    bool
	commits int
	// confirmed are the snapshots of transactions that the catalog has said were
	// made. Iceberg's own RESTCatalogAdapter, which the fixture is, drops a table's
	// part without a word if the table has moved on between the transaction's
	// check and its commit: see check.py.
	confirmed []confirmed
	odd       error
}

// A confirmed is a snapshot of one table.
type confirmed struct {
	Table    string          `json:"table"`
	ID       json.RawMessage `json:"id"` // does not fit into a float
	List     string          `json:"list"`
	Position string          `json:"position"`
}

// snapshots lists those that a transaction's request adds.
func snapshots(body []byte) (list []confirmed, err error) {
	var request struct {
		Changes []struct {
			Identifier struct {
				Name string `json:"name"`
			} `json:"identifier"`
			Updates []struct {
				Snapshot *struct {
					ID      json.RawMessage   `json:"snapshot-id"`
					List    string            `json:"manifest-list"`
					Summary map[string]string `json:"summary"`
				} `json:"snapshot"`
			} `json:"updates"`
		} `json:"table-changes"`
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return nil, err
	}
	for _, c := range request.Changes {
		for _, u := range c.Updates {
			if s := u.Snapshot; s != nil {
				list = append(list, confirmed{c.Identifier.Name, s.ID, s.List, s.Summary["tablehaul.position"]})
			}
		}
	}
	return list, nil
}

// confirm notes what a transaction that the catalog has made adds.
func (p *restProxy) confirm(r *http.Request, body []byte) {
	if !strings.HasSuffix(r.URL.Path, "transactions/commit") {
		return
	}
	list, err := snapshots(body)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err != nil {
		p.odd = errors.Join(p.odd, fmt.Errorf("a transaction's request: %w", err))
	}
	p.confirmed = append(p.confirmed, list...)
}

func newRESTProxy(target string) (*restProxy, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &restProxy{
		addr: l.Addr().String(), target: strings.TrimRight(target, "/"), struck: map[fault]int{},
		client: &http.Client{Timeout: time.Minute, Transport: &http.Transport{}},
	}
	p.server = &http.Server{Handler: p}
	go func() { _ = p.server.Serve(l) }()
	return p, nil
}

func (p *restProxy) arm(e event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed = append(p.armed, e)
}

func (p *restProxy) setDown(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.down = on
}

func (p *restProxy) heal() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.armed, p.down = nil, false
}

// strike returns the fault for this request, if there is one.
func (p *restProxy) strike(r *http.Request) event {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.down {
		return event{fault: catalogDown}
	}
	if !commits(r) {
		return event{}
	}
	p.commits++
	if len(p.armed) == 0 {
		return event{}
	}
	e := p.armed[0]
	p.armed = p.armed[1:]
	p.struck[e.fault]++
	now := time.Now()
	p.severed = append(p.severed, span{now, now.Add(e.last)})
	return e
}

// commits reports whether the request makes something visible.
func commits(r *http.Request) bool {
	path := strings.Trim(r.URL.Path, "/")
	return r.Method == http.MethodPost && (strings.Contains(path, "/tables") || strings.HasSuffix(path, "transactions/commit"))
}

func (p *restProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.wait.Add(1)
	defer p.wait.Done()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	e := p.strike(r)
	switch e.fault {
	case catalogDown, unsent:
		drop(w)
		return
	case error500, error503:
		answerError(w, e.fault)
		return
	case late:
		// A request that a load balancer holds back: its sender may be dead by
		// the time the catalog gets it.
		time.Sleep(e.last)
	}
	// Not with the request's context: what was sent is done, even if the client
	// is killed meanwhile.
	status, header, answer, err := p.forward(context.WithoutCancel(r.Context()), r, body)
	if err == nil && status < 300 {
		p.confirm(r, body)
	}
	switch {
	case err != nil || e.fault == replyLost:
		drop(w)
		return
	case e.fault == error500Late || e.fault == error503Late:
		answerError(w, e.fault)
		return
	case e.fault == slow:
		time.Sleep(e.last)
	}
	for k, v := range header {
		w.Header()[k] = v
	}
	w.Header().Del("Content-Length")
	w.WriteHeader(status)
	_, _ = w.Write(answer)
}

func (p *restProxy) forward(ctx context.Context, r *http.Request, body []byte) (int, http.Header, []byte, error) {
	to, err := http.NewRequestWithContext(ctx, r.Method, p.target+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	to.Header = r.Header.Clone()
	to.Header.Del("Accept-Encoding") // the transport's own is undone by it
	resp, err := p.client.Do(to)
	if err != nil {
		return 0, nil, nil, err
	}
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, resp.Header, answer, errors.Join(err, resp.Body.Close())
}

// drop closes the connection without an answer.
func drop(w http.ResponseWriter) {
	h, ok := w.(http.Hijacker)
	if !ok {
		panic(http.ErrAbortHandler) // the server closes the connection
	}
	c, _, err := h.Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	_ = c.Close()
}

func answerError(w http.ResponseWriter, f fault) {
	status, text := http.StatusInternalServerError, "InternalServerError"
	if f == error503 || f == error503Late {
		status, text = http.StatusServiceUnavailable, "ServiceUnavailable"
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, `{"error":{"message":"chaos","type":"`+text+`","code":`+strconv.Itoa(status)+`}}`)
}

// close waits for requests that go on without their client, then ends.
func (p *restProxy) close() {
	_ = p.server.Close()
	p.wait.Wait()
	p.client.CloseIdleConnections()
}
