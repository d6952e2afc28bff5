package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// echo answers every line with itself.
func echo(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() { defer c.Close(); _, _ = io.Copy(c, c) }()
		}
	}()
	return l.Addr().String()
}

func TestTCPProxy(t *testing.T) {
	p, err := newTCPProxy(echo(t))
	if err != nil {
		t.Fatal(err)
	}
	defer p.close()
	dial := func() net.Conn {
		c, err := net.Dial("tcp", p.addr())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(10 * time.Second))
		return c
	}
	say := func(c net.Conn) error {
		if _, err := fmt.Fprintln(c, "hello"); err != nil {
			return err
		}
		_, err := bufio.NewReader(c).ReadString('\n')
		return err
	}
	c := dial()
	defer c.Close()
	if err := say(c); err != nil {
		t.Fatalf("through the proxy: %v", err)
	}
	frozen := time.Now()
	go p.freeze(t.Context(), 300*time.Millisecond)
	time.Sleep(50 * time.Millisecond)
	if err := say(c); err != nil || time.Since(frozen) < 250*time.Millisecond {
		t.Errorf("frozen for 300ms: answered after %v, %v", time.Since(frozen), err)
	}
	p.cut()
	if err := say(c); err == nil {
		t.Error("a connection that was cut answers")
	}
	done := make(chan struct{})
	go func() { p.refuse(t.Context(), 200*time.Millisecond); close(done) }()
	time.Sleep(50 * time.Millisecond)
	refused := dial()
	defer refused.Close()
	if err := say(refused); err == nil {
		t.Error("a connection that was refused answers")
	}
	<-done
	after := dial()
	defer after.Close()
	if err := say(after); err != nil {
		t.Errorf("after the refusal: %v", err)
	}
}

func TestRESTProxy(t *testing.T) {
	var made atomic.Int64
	catalog := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			made.Add(1)
		}
		_, _ = io.WriteString(w, "done")
	}))
	defer catalog.Close()
	for _, test := range []struct {
		fault  fault
		path   string
		status int // 0: no answer
		made   int64
	}{
		{"", "/v1/namespaces/n/tables/t", 200, 1},
		{replyLost, "/v1/namespaces/n/tables/t", 0, 1},
		{replyLost, "/v1/transactions/commit", 0, 1},
		{replyLost, "/v1/namespaces", 200, 1}, // makes nothing visible
		{error500Late, "/v1/namespaces/n/tables", 500, 1},
		{error503Late, "/v1/namespaces/n/tables/t", 503, 1},
		{error500, "/v1/namespaces/n/tables/t", 500, 0},
		{error503, "/v1/namespaces/n/tables/t", 503, 0},
		{unsent, "/v1/namespaces/n/tables/t", 0, 0},
		{slow, "/v1/namespaces/n/tables/t", 200, 1},
		{late, "/v1/namespaces/n/tables/t", 200, 1},
	} {
		t.Run(string(test.fault)+test.path, func(t *testing.T) {
			p, err := newRESTProxy(catalog.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer p.close()
			if test.fault != "" {
				p.arm(event{fault: test.fault, last: 50 * time.Millisecond})
			}
			made.Store(0)
			status := 0
			resp, err := http.Post("http://"+p.addr+test.path, "application/json", strings.NewReader("{}"))
			if err == nil {
				status = resp.StatusCode
				_ = resp.Body.Close()
			}
			if status != test.status || made.Load() != test.made {
				t.Errorf("status %d and %d commits, want %d and %d (%v)", status, made.Load(), test.status, test.made, err)
			}
			p.setDown(true)
			if resp, err := http.Get("http://" + p.addr + "/v1/config"); err == nil {
				_ = resp.Body.Close()
				t.Error("a catalog that is down answers")
			}
		})
	}
}

// What a transaction adds is known by the request.
func TestSnapshotsOfTransaction(t *testing.T) {
	got, err := snapshots([]byte(`{"table-changes":[
		{"identifier":{"namespace":["n"],"name":"accounts"},"updates":[{"action":"set-properties","updates":{"a":"b"}},
			{"action":"add-snapshot","snapshot":{"snapshot-id":7811277488596257723,"manifest-list":"file:/l","summary":{"operation":"append","tablehaul.position":"p1"}}}]},
		{"identifier":{"namespace":["n"],"name":"idle"},"updates":[]}]}`))
	if err != nil || len(got) != 1 || got[0].Table != "accounts" || string(got[0].ID) != "7811277488596257723" || got[0].List != "file:/l" || got[0].Position != "p1" {
		t.Errorf("got %+v, %v", got, err)
	}
}
