package doris

import (
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/client"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer/doris/doristest"
)

// cluster is a stand-in with table shop.t, and a client of its front ends.
func cluster(t *testing.T, o doristest.Options) (*doristest.Cluster, *loading) {
	t.Helper()
	o.Password = "s3cret/?"
	c, err := doristest.Start(o)
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	query(t, c, o, "CREATE DATABASE shop")
	query(t, c, o, "CREATE TABLE shop.t (id BIGINT, v VARCHAR(6)) UNIQUE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS AUTO PROPERTIES ('replication_num' = '1')")
	cl := newClient("http", c.Frontends(), "root", o.Password)
	t.Cleanup(cl.close)
	return c, &loading{cl, t}
}

// query runs a statement, and returns the first value of its result.
func query(t *testing.T, c *doristest.Cluster, o doristest.Options, statement string) string {
	t.Helper()
	conn, err := client.Connect(c.SQL(), "root", o.Password, "")
	must(t, err)
	defer conn.Close()
	res, err := conn.Execute(statement)
	must(t, err)
	if res.Resultset == nil || res.RowNumber() == 0 {
		return ""
	}
	v, err := res.GetString(0, 0)
	must(t, err)
	return v
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A loading client loads rows of shop.t.
type loading struct {
	*httpClient
	t *testing.T
}

func (c *loading) rows(label, body string, two bool) (int64, error) {
	h := map[string]string{"format": "json", "read_json_by_line": "true", "strict_mode": "true"}
	if two {
		h["two_phase_commit"] = "true"
	}
	s, err := c.load(c.t.Context(), "shop", "t", label, h, func() (io.Reader, int64) { return strings.NewReader(body), int64(len(body)) })
	return s.txn, err
}

func (c *loading) count(cl *doristest.Cluster) string {
	return query(c.t, cl, doristest.Options{Password: "s3cret/?"}, "SELECT count(*) FROM shop.t")
}

func TestLoad(t *testing.T) {
	d, c := cluster(t, doristest.Options{})
	_, err := c.rows("one", `{"id":1,"v":"a"}`, false)
	must(t, err)
	var known *labelError
	if _, err := c.rows("one", `{"id":2,"v":"b"}`, false); !errors.As(err, &known) || known.state != "FINISHED" || known.txn == 0 {
		t.Errorf("a label again: %v", err)
	}
	if _, err := c.rows("two", `{"id":2,"v":"too long"}`, false); err == nil || !strings.Contains(err.Error(), "1 rows are not taken") || !strings.Contains(err.Error(), "too long than schema") || hint.IsTransient(err) {
		t.Errorf("a bad row: %v", err)
	}
	txn, err := c.rows("three", `{"id":3,"v":"c"}`, true)
	must(t, err)
	if got := c.count(d); got != "1" {
		t.Errorf("%s rows are visible, of one that is precommitted too", got)
	}
	for range 2 {
		must(t, c.decide(t.Context(), "shop", "commit", txn))
	}
	if got := c.count(d); got != "2" {
		t.Errorf("%s rows are visible", got)
	}
	if err := c.decide(t.Context(), "shop", "commit", 4711); !errors.Is(err, errGone) {
		t.Errorf("one that never was: %v", err)
	}
	txn, err = c.rows("four", `{"id":4,"v":"d"}`, true)
	must(t, err)
	for range 2 {
		must(t, c.decide(t.Context(), "shop", "abort", txn))
	}
	if err := c.decide(t.Context(), "shop", "commit", txn); !errors.Is(err, errAborted) {
		t.Errorf("one that was aborted: %v", err)
	}
}

// A reply that is lost leaves it open what was done, and the label tells.
func TestLostReply(t *testing.T) {
	d, c := cluster(t, doristest.Options{})
	for _, f := range []struct {
		fault doristest.Fault
		state string
	}{{doristest.Fault{After: true}, "VISIBLE"}, {doristest.Fault{Before: true}, "UNKNOWN"}} {
		d.Inject(func(call doristest.Call) doristest.Fault {
			if call.What == "load" {
				return f.fault
			}
			return doristest.Fault{}
		})
		var open *unansweredError
		if _, err := c.rows("lost-"+f.state, `{"id":1,"v":"a"}`, false); !errors.As(err, &open) || !hint.IsTransient(err) {
			t.Errorf("%s: %v", f.state, err)
		}
		if got, err := c.state(t.Context(), "shop", "lost-"+f.state); got != f.state || err != nil {
			t.Errorf("the label is %s, %v; want %s", got, err, f.state)
		}
	}
}

// A front end that is gone is passed over; a back end that cannot be reached is named, and
// no password is.
func TestHosts(t *testing.T) {
	d, c := cluster(t, doristest.Options{Frontends: 3, Backends: 2})
	must(t, d.StopFrontend(0))
	_, err := c.rows("one", `{"id":1,"v":"a"}`, false)
	must(t, err)
	must(t, d.StopFrontend(1))
	must(t, d.StopFrontend(2))
	if _, err = c.rows("two", `{"id":1,"v":"a"}`, false); !hint.IsTransient(err) || !strings.Contains(err.Error(), "no front end answers") {
		t.Errorf("no front end: %v", err)
	}
	c.backends = d.Backends()
	_, err = c.rows("three", `{"id":3,"v":"a"}`, false)
	must(t, err)

	d, c = cluster(t, doristest.Options{Redirect: func(string) string { return "127.0.0.1:1" }})
	_, err = c.rows("one", `{"id":1,"v":"a"}`, false)
	if !hint.IsTransient(err) || !strings.Contains(err.Error(), "127.0.0.1:1") || !strings.Contains(hint.Of(err), "benodes") || strings.Contains(err.Error()+hint.Of(err), "s3cret") {
		t.Errorf("a back end of another address: %v (hint %q)", err, hint.Of(err))
	}
	c.addresses = map[string]string{"127.0.0.1:1": d.Backends()[0]}
	_, err = c.rows("one", `{"id":1,"v":"a"}`, false)
	must(t, err)

	c.password = "wrong"
	if _, err := c.rows("two", `{"id":1,"v":"a"}`, false); err == nil || !strings.Contains(hint.Of(err), "TABLEHAUL_DORIS_PASSWORD") {
		t.Errorf("a wrong password: %v", err)
	}
}
