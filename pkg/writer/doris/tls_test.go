package doris

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/writer/doris/doristest"
)

// All goes encrypted, to hosts whose certificates are believed alone.
func TestTLS(t *testing.T) {
	c, err := doristest.Start(doristest.Options{TLS: true, Frontends: 2})
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	_, port, err := net.SplitHostPort(c.SQL())
	must(t, err)
	url := "doris://root@" + strings.Join(c.Frontends(), ",") + "/?query-port=" + port
	ca := filepath.Join(t.TempDir(), "ca.pem")
	must(t, os.WriteFile(ca, c.Roots(), 0o600))

	sink := func(url string) *Sink {
		l, err := parseURL(url)
		must(t, err)
		s := newSink(l, Options{})
		s.store.patience = 100 * time.Millisecond
		t.Cleanup(func() { must(t, s.Close()) })
		return s
	}
	j := keyedJob()
	must(t, j.run(t, sink(url+"&tls-ca="+ca)))
	for _, other := range []string{"&tls=true", ""} {
		if err := j.run(t, sink(url+other)); err == nil {
			t.Errorf("%q: no error", other)
		}
	}
	if _, err := parseURL(url + "&tls-ca=" + filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a file that is not there: no error")
	}
}
