package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/testdata/services"
)

// TestFilesFailover copies and follows a table into plain files while the NameNode fails
// over, once as it should and once because it is killed, and a DataNode dies.
func TestFilesFailover(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	s.sql(fmt.Sprintf("USE %s; SET SESSION cte_max_recursion_depth = 1000000; CREATE TABLE big (id INT PRIMARY KEY, note VARCHAR(200));"+
		" INSERT INTO big WITH RECURSIVE n AS (SELECT 1 i UNION ALL SELECT i + 1 FROM n WHERE i < 150000) SELECT i, REPEAT(SHA2(i, 256), 2) FROM n", s.name))
	env, script := services.PrivateEnv(t, "hdfs", "--ha", "--datanodes", "2")
	conf := []string{"HADOOP_CONF_DIR=" + env["TABLEHAUL_TEST_HDFS_CONF"]}
	hadoop := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(env["TABLEHAUL_TEST_HDFS_RUN"], args...)
		cmd.Env = append(os.Environ(), conf...)
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %v", args, err)
		}
		return string(out)
	}
	kill := func(name string) {
		t.Helper()
		text, err := os.ReadFile(env["TABLEHAUL_TEST_HDFS_"+name+"_PID"])
		if err != nil {
			t.Fatal(err)
		}
		pid, _ := strconv.Atoi(strings.Fields(string(text))[0])
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	sink, moves := "hdfs://tablehaul/ods", regexp.MustCompile(`(?m)^\[\d+:\d+\] `)
	meanwhile := func(f func(), args ...string) {
		t.Helper()
		done := make(chan struct{})
		var out told
		go func() {
			defer close(done)
			if code := executeInto(t, &out, conf, args...); code != 0 {
				t.Errorf("tablehaul %v: exit code %d: %s", args, code, &out)
			}
		}()
		for !moves.MatchString(out.String()) { // before that a NameNode that is gone ends it
			select {
			case <-done:
				t.Fatalf("%v has ended before anything was broken: %s", args, &out)
			case <-time.After(20 * time.Millisecond):
			}
		}
		f()
		<-done
	}
	copying := []string{"snapshot", s.source(), sink, "--tables", "big", "--format", "csv", "--rate-limit", "3MiB", "--split-rows", "20000"}
	meanwhile(func() {
		hadoop("org.apache.hadoop.hdfs.tools.DFSHAAdmin", "-failover", "nn1", "nn2")
		kill("DATANODE")
	}, copying...)
	script("start") // the DataNode

	s.sql(fmt.Sprintf("UPDATE %s.big SET note = 'x' WHERE id %% 3 = 0; DELETE FROM %s.big WHERE id %% 5 = 0", s.name, s.name))
	meanwhile(func() {
		s.sql(fmt.Sprintf("UPDATE %s.big SET note = 'y' WHERE id = 1", s.name))
		kill("NAMENODE2")
		hadoop("org.apache.hadoop.hdfs.tools.DFSHAAdmin", "-failover", "nn2", "nn1")
	}, "tail", s.source(), sink, "--tables", "big", "--latest", "--idle-exit", "8s", "--commit-interval", "1s")

	local := filepath.Join(t.TempDir(), "big")
	hadoop("org.apache.hadoop.fs.FsShell", "-get", sink+"/"+s.name+"/big", local)
	got, err := readTableRows(t, filepath.Dir(local), local, "count(*), sum(id), count(*) FILTER (note = 'x'), count(*) FILTER (note = 'y')")
	if want := "120000 9000000000 40000 1\n"; err != nil || got != want {
		t.Errorf("got %s (%v), want %s", got, err, want)
	}
	if staged := hadoop("org.apache.hadoop.fs.FsShell", "-ls", sink+"/"+s.name+"/big/_tablehaul/staging"); strings.TrimSpace(staged) != "" {
		t.Errorf("left over: %s", staged)
	}
}
