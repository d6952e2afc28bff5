package doristest

import (
	"fmt"
	"strings"
	"testing"
)

// A transaction goes with its table, whatever that is named when it is committed, and is
// aborted with it.
func TestPrecommittedAndRenamed(t *testing.T) {
	create := func(name string) string {
		return "CREATE TABLE shop." + name + " (id INT) UNIQUE KEY(id) DISTRIBUTED BY HASH(id)"
	}
	const ids = "SELECT group_concat(id) FROM shop."
	for name, s := range map[string]struct {
		change string
		seen   []string // pairs of a query and its answer, when all is committed
		a, b   string   // what the commits of those into a and b say, if anything else; N is the transaction
	}{
		"rename": {
			change: "ALTER TABLE shop.a RENAME c",
			seen:   []string{ids + "c", "1", ids + "b", "2", ids + "a", "error"},
		},
		"rename twice": {
			change: "ALTER TABLE shop.a RENAME c; ALTER TABLE shop.b RENAME a",
			seen:   []string{ids + "c", "1", ids + "a", "2"},
		},
		"swap": {
			change: "ALTER TABLE shop.a REPLACE WITH TABLE b PROPERTIES('swap' = 'true')",
			seen:   []string{ids + "b", "1", ids + "a", "2"},
		},
		"replace": {
			change: "ALTER TABLE shop.a REPLACE WITH TABLE b PROPERTIES('swap' = 'false')",
			seen:   []string{ids + "a", "2", ids + "b", "error"},
			a:      "TStatus: errCode = 2, detailMessage = transaction [N] is already aborted. abort reason: table is dropped",
		},
		"drop and make anew": {
			change: "DROP TABLE shop.a; " + create("a"),
			seen:   []string{ids + "b", "2", "SELECT count(*) FROM shop.a", "0"},
			a:      "TStatus: errCode = 2, detailMessage = transaction [N] is already aborted. abort reason: table is dropped",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c := start(t, Options{})
			c.ask(t, "CREATE DATABASE shop; "+create("a")+"; "+create("b"), "")
			txns := map[string]string{}
			for i, table := range []string{"a", "b"} {
				got := c.put(t, "/api/shop/"+table+"/_stream_load", fmt.Sprintln(i+1), "label", table, "two_phase_commit", "true")
				txns[table] = fmt.Sprint(got["TxnId"])
			}
			c.ask(t, s.change, "")
			for table, want := range map[string]string{"a": s.a, "b": s.b} {
				if want == "" {
					want = "transaction [N] commit successfully."
				}
				want = strings.ReplaceAll(want, "N", txns[table])
				if got := c.put(t, "/api/shop/_stream_load_2pc", "", "txn_operation", "commit", "txn_id", txns[table]); got["msg"] != want {
					t.Errorf("%s: got %q, want %q", table, got["msg"], want)
				}
			}
			c.ask(t, s.seen...)
		})
	}
}
