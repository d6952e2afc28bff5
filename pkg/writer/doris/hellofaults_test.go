package doris

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/doris/doristest"
)

// TestHelloProxy has what stands before a front end not tell the back ends: that is no reason not
// to load.
func TestHelloProxy(t *testing.T) {
	c, err := doristest.Start(doristest.Options{Backends: 2})
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	_, port, _ := net.SplitHostPort(c.SQL())
	front, err := url.Parse("http://" + c.Frontends()[0])
	must(t, err)
	for _, test := range []struct {
		name   string
		status int
		body   string
		warns  string
	}{
		{"refused", http.StatusForbidden, "forbidden by a proxy", ""},
		{"not known", http.StatusNotFound, "", ""},
		{"not allowed", http.StatusOK, `{"msg":"Unauthorized","code":401,"data":"Access denied for user root","count":0}`, ""},
		{"not ready", http.StatusOK, `{"msg":"Internal Error","code":500,"data":"FE is not ready","count":0}`, ""},
		{"no data", http.StatusOK, `{"msg":"x","code":403,"data":null,"count":0}`, ""},
		{"none alive", http.StatusOK, `{"msg":"success","code":0,"data":{"backends":[]},"count":0}`, "no back end that is alive"},
	} {
		t.Run(test.name, func(t *testing.T) {
			proxy := httputil.NewSingleHostReverseProxy(front)
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/api/backends" {
					proxy.ServeHTTP(w, r)
					return
				}
				w.WriteHeader(test.status)
				_, _ = io.WriteString(w, test.body)
			}))
			defer srv.Close()
			var warned []string
			s, err := Open(t.Context(), "doris://root@"+strings.TrimPrefix(srv.URL, "http://")+"/?query-port="+port, Options{Warn: func(m string) { warned = append(warned, m) }})
			must(t, err)
			defer s.Close()
			if all := strings.Join(warned, "\n"); test.warns == "" && all != "" || !strings.Contains(all, test.warns) {
				t.Errorf("warned of %q", all)
			}
			commit(t, s, batchtest.Shape("shop", "p"+strings.ReplaceAll(test.name, " ", ""), "id bigint key"), writer.Create, batchtest.Row{1})
		})
	}
}

// TestHelloPasses tells what may pass by itself from what does not.
func TestHelloPasses(t *testing.T) {
	c, err := doristest.Start(doristest.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	_, port, _ := net.SplitHostPort(c.SQL())
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer busy.Close()
	b, fe := strings.TrimPrefix(busy.URL, "http://"), c.Frontends()[0]
	for _, at := range []string{b + "/?", b + "," + b + "/?", "127.0.0.1:1/?", "127.0.0.1:1,127.0.0.1:2/?", fe + "/?benodes=127.0.0.1:1&"} {
		if _, err := Open(t.Context(), "doris://root@"+at+"query-port="+port, Options{}); err == nil || !hint.IsTransient(err) {
			t.Errorf("%s: %v", at, err)
		}
	}
	c.Inject(func(call doristest.Call) doristest.Fault {
		if call.SQL == "SHOW FRONTENDS" {
			return doristest.Fault{Message: "forward to master failed: Read timed out"}
		}
		return doristest.Fault{}
	})
	s, err := Open(t.Context(), "doris://root@"+fe+"/?query-port="+port, Options{})
	must(t, err)
	must(t, s.Close())
}

// TestHelloHangs has a front end hang behind the handshake.
func TestHelloHangs(t *testing.T) {
	c, err := doristest.Start(doristest.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("tcp", c.SQL())
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(in, out) }()
			go func() {
				buf := make([]byte, 4096)
				for {
					n, err := in.Read(buf)
					if err != nil {
						_ = out.Close()
						return
					}
					if !strings.Contains(string(buf[:n]), "enable_unicode") { // which is swallowed
						_, _ = out.Write(buf[:n])
					}
				}
			}()
		}
	}()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	began := time.Now()
	if _, err := Open(ctx, "doris://root@"+c.Frontends()[0]+"/?query-port="+port, Options{}); err == nil || time.Since(began) > 5*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

// TestCheckAway has one back end of three be away: what runs come past is none of check's errors.
func TestCheckAway(t *testing.T) {
	c, err := doristest.Start(doristest.Options{Backends: 3})
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	var sent atomic.Int64 // times that the front end sent to it; the calls of a check run at once
	c.Inject(func(call doristest.Call) doristest.Fault {
		if call.What == "load" && sent.Add(1) <= 2 {
			return doristest.Fault{Before: true}
		}
		return doristest.Fault{}
	})
	s := testSink(t, c, Options{})
	found, err := s.Check(t.Context(), []*schema.Table{batchtest.Shape("shop", "a", "id bigint key")}, writer.Create, finding.Purpose{})
	if err != nil || len(found) > 0 {
		t.Errorf("%v, %v", found, err)
	}
}

// TestTimeDigits has a TIME get more digits: rows that were there keep theirs. In a key they would
// be others.
func TestTimeDigits(t *testing.T) {
	c, s := started(t, doristest.Options{})
	for _, test := range []struct {
		key   string
		takes bool
	}{{"id bigint key", true}, {"t time key", false}} {
		shape := func(typ string) *schema.Table {
			columns := []string{"id bigint", "t " + typ}
			for i, c := range columns {
				if strings.HasPrefix(test.key, c[:2]) {
					columns[i] += " key"
				}
			}
			return batchtest.Shape("shop", "times"+test.key[:1], columns...)
		}
		commit(t, s, shape("time"), writer.Create, batchtest.Row{1, 3600_000_000})
		w, err := s.Open(t.Context(), shape("time(3)"), writer.Extend)
		if test.takes != (err == nil) {
			t.Errorf("%s: %v", test.key, err)
		}
		if err != nil {
			continue
		}
		must(t, put(t, w, shape("time(3)"), []batchtest.Row{{2, 3600_500_000}}, nil))
		must(t, w.Commit(t.Context(), "p"))
		must(t, w.Close())
		if got := query(t, c, doristest.Options{}, "SELECT group_concat(t) FROM (SELECT t FROM shop.timesi ORDER BY id) x"); got != "01:00:00,01:00:00.500" {
			t.Errorf("got %s", got)
		}
	}
}

// TestOwnComments has comments that stand in Doris alone stay where their column is altered.
func TestOwnComments(t *testing.T) {
	c, s := started(t, doristest.Options{})
	query(t, c, doristest.Options{}, "CREATE DATABASE IF NOT EXISTS shop")
	query(t, c, doristest.Options{}, "CREATE TABLE shop.own (id BIGINT NOT NULL COMMENT 'the key', a VARCHAR(40) NULL COMMENT 'by hand') UNIQUE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 1 PROPERTIES ('replication_num' = '1')")
	shape := func(n string) *schema.Table {
		return batchtest.Shape("shop", "own", "id bigint key", "a varchar("+n+")")
	}
	commit(t, s, shape("10"), writer.Evolve, batchtest.Row{1, "x"})
	commit(t, s, shape("20"), writer.Evolve, batchtest.Row{2, strings.Repeat("y", 70)})
	if got := query(t, c, doristest.Options{}, "SELECT group_concat(COLUMN_COMMENT) FROM information_schema.columns WHERE TABLE_NAME = 'own' AND TABLE_SCHEMA = 'shop'"); got != "the key,by hand" {
		t.Errorf("got %q", got)
	}
}
