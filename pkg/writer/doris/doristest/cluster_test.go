package doristest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/client"
)

func start(t *testing.T, o Options) *Cluster {
	t.Helper()
	c, err := Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// exec runs statements by the MySQL port, and returns the rows of the last one.
func (c *Cluster) exec(t *testing.T, statements ...string) string {
	t.Helper()
	conn, err := client.Connect(c.SQL(), c.opts.User, c.opts.Password, "")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var lines []string
	for _, s := range statements {
		res, err := conn.Execute(s)
		if err != nil {
			return "error: " + err.Error()
		}
		lines = nil
		if res.Resultset == nil {
			continue
		}
		for i := range res.RowNumber() {
			var values []string
			for j := range res.ColumnNumber() {
				v, err := res.GetString(i, j)
				if err != nil {
					t.Fatal(err)
				}
				if null, _ := res.IsNull(i, j); null {
					v = "NULL"
				}
				values = append(values, v)
			}
			lines = append(lines, strings.Join(values, "|"))
		}
	}
	return strings.Join(lines, " / ")
}

// put sends a load or what becomes of it, and follows the front end's redirect by hand.
func (c *Cluster) put(t *testing.T, path, body string, headers ...string) map[string]any {
	t.Helper()
	at := "http://" + c.fe[0] + path
	for range 2 {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPut, at, bytes.NewReader([]byte(body)))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(c.opts.User, c.opts.Password)
		req.Header.Set("Expect", "100-continue")
		for i := 0; i < len(headers); i += 2 {
			req.Header.Set(headers[i], headers[i+1])
		}
		res, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if res.StatusCode == http.StatusTemporaryRedirect {
			u, err := url.Parse(res.Header.Get("Location"))
			if err != nil || u.User == nil {
				t.Fatalf("redirected to %q: %v", res.Header.Get("Location"), err)
			}
			u.User = nil
			at = u.String()
			continue
		}
		var got map[string]any
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		return got
	}
	t.Fatal("redirected twice")
	return nil
}

const uniqueTable = "CREATE TABLE IF NOT EXISTS shop.t (id BIGINT, v VARCHAR(6), d DECIMAL(10, 2)) UNIQUE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS AUTO PROPERTIES ('replication_num' = '1')"

func TestUniqueTable(t *testing.T) {
	c := start(t, Options{Password: "secret"})
	c.exec(t, "CREATE DATABASE shop", uniqueTable)
	load := func(label, body string, more ...string) string {
		got := c.put(t, "/api/shop/t/_stream_load", body, append([]string{
			"label", label, "format", "json", "read_json_by_line", "true", "strict_mode", "true", "hidden_columns", "__DORIS_DELETE_SIGN__",
		}, more...)...)
		return fmt.Sprint(got["Status"], " ", got["NumberLoadedRows"], " ", got["NumberFilteredRows"])
	}
	const rows = "{\"id\":1,\"v\":\"a\",\"d\":\"1.005\",\"__DORIS_DELETE_SIGN__\":0}\n{\"id\":2,\"v\":\"b\",\"__DORIS_DELETE_SIGN__\":0}\n"
	for _, s := range []struct{ got, want string }{
		{load("l1", rows), "Success 2 0"},
		{load("l1", rows), "Label Already Exists 0 0"},
		{c.exec(t, "SELECT * FROM shop.t ORDER BY id"), "1|a|1.01 / 2|b|NULL"},
		{load("l2", "{\"id\":1,\"__DORIS_DELETE_SIGN__\":1}\n{\"id\":3,\"v\":\"c\",\"__DORIS_DELETE_SIGN__\":0}\n", "two_phase_commit", "true"), "Success 2 0"},
		{c.exec(t, "SELECT id FROM shop.t ORDER BY id"), "1 / 2"},
		{fmt.Sprint(c.put(t, "/api/shop/_stream_load_2pc", "", "txn_operation", "commit", "label", "l2")["status"]), "Success"},
		{fmt.Sprint(c.put(t, "/api/shop/_stream_load_2pc", "", "txn_operation", "commit", "label", "l2")["status"]), "ANALYSIS_ERROR"},
		{c.exec(t, "SELECT id FROM `shop`.`t` ORDER BY id"), "2 / 3"},
		{load("l3", "{\"id\":4,\"v\":\"too long\",\"__DORIS_DELETE_SIGN__\":0}\n"), "Fail 0 1"},
		{load("l3", "{\"id\":4,\"v\":\"short\",\"__DORIS_DELETE_SIGN__\":0}\n"), "Success 1 0"}, // the label of one that failed is free
		{c.exec(t, "ALTER TABLE shop.t ADD COLUMN `n` INT DEFAULT '7' COMMENT 'it\\'s'", "SELECT id, n FROM shop.t ORDER BY id"), "2|7 / 3|7 / 4|7"},
		{c.exec(t, "CREATE TABLE shop.t__new (id BIGINT) UNIQUE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS 1", "ALTER TABLE shop.t REPLACE WITH TABLE t__new PROPERTIES('swap' = 'false')", "SELECT count(*) FROM shop.t"), "0"},
	} {
		if s.got != s.want {
			t.Errorf("got %q, want %q", s.got, s.want)
		}
	}
}

func TestCSV(t *testing.T) {
	c := start(t, Options{})
	c.exec(t, "CREATE DATABASE shop", "CREATE TABLE shop.d (a INT, s STRING) DUPLICATE KEY(a) DISTRIBUTED BY RANDOM BUCKETS 1")
	got := c.put(t, "/api/shop/d/_stream_load", "1\x01\"a\x01\n\"\"b\"\n2\x01\\N\n3\x01\n", "label", "x", "column_separator", `\x01`, "enclose", `"`, "strict_mode", "true")
	if got["Status"] != "Success" {
		t.Fatal(got)
	}
	if rows := c.exec(t, "SELECT a, s FROM shop.d ORDER BY a"); rows != "1|a\x01\n\"b / 2|NULL / 3|" {
		t.Errorf("got %q", rows)
	}
}

func TestNoExpect(t *testing.T) {
	c := start(t, Options{})
	c.exec(t, "CREATE DATABASE shop", uniqueTable)
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPut, "http://"+c.fe[0]+"/api/shop/t/_stream_load", strings.NewReader("1"))
	req.SetBasicAuth("root", "")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if text, _ := io.ReadAll(res.Body); !strings.Contains(string(text), "There is no 100-continue header") {
		t.Errorf("got %s", text)
	}
}
