package doris

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer/doris/doristest"
)

// TestHello has addresses be wrong, each in its own way: it is told of when the sink is opened.
func TestHello(t *testing.T) {
	c, err := doristest.Start(doristest.Options{Frontends: 2, Backends: 2})
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	web := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(web.Close)
	mute, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	must(t, err)
	t.Cleanup(func() { _ = mute.Close() })
	other := strings.TrimPrefix(web.URL, "http://")
	_, port, _ := net.SplitHostPort(c.SQL())
	_, notSQL, _ := net.SplitHostPort(other)
	fe, be := c.Frontends(), c.Backends()
	tests := []struct {
		name, url, says, remedy, warns string
	}{
		{"well", fe[0] + "," + fe[1] + "/?query-port=" + port, "", "", ""},
		{"nobody", "127.0.0.1:1/?query-port=" + port, "127.0.0.1:1: connect: connection refused", "HTTP port (8030)", ""},
		{"another service", other + "/?query-port=" + port, "404 Not Found", "HTTP port (8030)", ""},
		{"the back end's port", be[0] + "/?query-port=" + port, "answers", "HTTP port (8030)", ""},
		{"one of two", "127.0.0.1:1," + fe[1] + "/?query-port=" + port, "", "", "of 2 front ends some cannot be used: 127.0.0.1:1: connect: connection refused"},
		{"no benode", fe[0] + "/?benodes=127.0.0.1:1&query-port=" + port, "no back end answers: 127.0.0.1:1", "benodes=", ""},
		{"one benode of two", fe[0] + "/?benodes=127.0.0.1:1," + be[0] + "&query-port=" + port, "", "", "of 2 back ends some do not answer: 127.0.0.1:1"},
		{"mapped to nobody", fe[0] + "/?be=" + be[0] + "=127.0.0.1:1&be=" + be[1] + "=127.0.0.1:2&query-port=" + port, "", "", "no back end that the front ends name answers here"},
		{"TLS to none", fe[0] + "/?tls=true&query-port=" + port, "TLS", "leave tls and tls-ca out", ""},
		{"no such host", "no.such.host.invalid:8030/?query-port=" + port, "no such host", "check the host", ""},
		{"HTTP for SQL", fe[0] + "/?query-port=" + notSQL, "no front end answers", "query-port=", ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var warned []string
			s, err := Open(t.Context(), "doris://root@"+test.url, Options{Warn: func(m string) { warned = append(warned, m) }})
			if err == nil {
				must(t, s.Close())
			}
			if test.says == "" {
				must(t, err)
			} else if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(hint.Of(err), test.remedy) {
				t.Errorf("got %v, with the remedy %q", err, hint.Of(err))
			}
			if all := strings.Join(warned, "\n"); test.warns == "" && all != "" || !strings.Contains(all, test.warns) {
				t.Errorf("warned of %q", all)
			}
		})
	}
	// What says nothing is not waited for once the run is to end.
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	began := time.Now()
	_, mutePort, _ := net.SplitHostPort(mute.Addr().String())
	if _, err := Open(ctx, "doris://root@"+fe[0]+"/?query-port="+mutePort, Options{}); err == nil || time.Since(began) > 5*time.Second {
		t.Errorf("after %v: %v", time.Since(began), err)
	}
}

// TestNoDoris has MySQL's protocol be spoken by another server.
func TestNoDoris(t *testing.T) {
	c, err := doristest.Start(doristest.Options{})
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	c.Inject(func(call doristest.Call) doristest.Fault {
		if call.SQL == "SHOW FRONTENDS" {
			return doristest.Fault{Message: "You have an error in your SQL syntax; check the manual that corresponds to your MySQL server version"}
		}
		return doristest.Fault{}
	})
	l := locationOf(t, c)
	_, port, _ := net.SplitHostPort(l.sql[0])
	_, err = Open(t.Context(), "doris://root@"+c.Frontends()[0]+"/?query-port="+port, Options{})
	if err == nil || !strings.Contains(err.Error(), "is no Doris") || !strings.Contains(hint.Of(err), "query-port") {
		t.Errorf("got %v, %q", err, hint.Of(err))
	}
}
