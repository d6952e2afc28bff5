package main

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/testdata/services"
)

// A snapshot is taken from a replica while the primary is written to, and goes on from
// the primary's log: the lake is what the primary holds. MariaDB's replica logs
// nothing of what it replicates.
func TestReplica(t *testing.T) {
	t.Parallel()
	for service, start := range map[string]string{
		"mysql":   "SET GLOBAL server_id = 7; CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT=%s, SOURCE_USER='root', SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1; START REPLICA",
		"mariadb": "SET GLOBAL server_id = 7; CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT=%s, MASTER_USER='root', MASTER_USE_GTID=slave_pos; START SLAVE",
	} {
		t.Run(service, func(t *testing.T) {
			t.Parallel()
			client := services.Env(t, "TABLEHAUL_TEST_"+strings.ToUpper(service)+"_CLIENT")
			primary, _ := services.Private(t, service)
			replica, _ := services.Private(t, service)
			ask := func(addr, q string) string {
				t.Helper()
				host, port, _ := strings.Cut(addr, ":")
				out, err := exec.Command(client, "-h", host, "-P", port, "-uroot", "-NBe", q).CombinedOutput()
				if err != nil {
					t.Fatalf("%s: %v\n%s", q, err, out)
				}
				return strings.Join(strings.Fields(string(out)), " ")
			}
			run := func(args ...string) {
				t.Helper()
				cmd := exec.Command("tablehaul", args...)
				cmd.Dir = t.TempDir()
				if out, err := cmd.CombinedOutput(); err != nil {
					t.Fatalf("%s: %v\n%s", args, err, out)
				}
			}
			_, port, _ := strings.Cut(primary, ":")
			ask(replica, fmt.Sprintf(start, port))
			ask(primary, "CREATE DATABASE rep; CREATE TABLE rep.t (id INT PRIMARY KEY AUTO_INCREMENT, v INT)")
			ask(primary, "INSERT INTO rep.t (v) VALUES "+strings.Repeat("(1),", 5000)+"(1)")
			for ask(replica, "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = 'rep'") == "0" || ask(replica, "SELECT COUNT(*) FROM rep.t") == "0" {
				time.Sleep(100 * time.Millisecond)
			}

			written := make(chan struct{})
			go func() {
				defer close(written)
				for i := range 30 {
					ask(primary, fmt.Sprintf("INSERT INTO rep.t (v) VALUES (%d); UPDATE rep.t SET v = v + 1 WHERE id %% 7 = %d; DELETE FROM rep.t WHERE id %% 997 = %d", i, i%7, i))
				}
			}()
			lake := t.TempDir()
			run("snapshot", "mysql://root@"+replica+"/rep", "iceberg:"+lake, "--split-rows", "500", "-q")
			<-written
			if t.Failed() {
				return
			}
			run("tail", "mysql://root@"+primary+"/rep", "iceberg:"+lake, "--until", "now", "-q")
			const sums = "count(*), count(DISTINCT id), sum(id), sum(v)"
			out, err := readTableRows(t, lake, lake+"/rep/t", sums)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := strings.TrimSpace(out), ask(primary, "SELECT "+sums+" FROM rep.t"); got != want {
				t.Errorf("the lake holds %s, the primary %s", got, want)
			}
		})
	}
}
