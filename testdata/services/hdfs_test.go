package services

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Classes of Hadoop's own tools.
const (
	shell   = "org.apache.hadoop.fs.FsShell"
	admin   = "org.apache.hadoop.hdfs.tools.DFSAdmin"
	haAdmin = "org.apache.hadoop.hdfs.tools.DFSHAAdmin"
)

// TestHDFS uses an HDFS of its own, of two DataNodes, in the ways that it offers.
func TestHDFS(t *testing.T) {
	config := filepath.Join(t.TempDir(), "extra.properties")
	if err := os.WriteFile(config, []byte("dfs.blocksize=1024\ndfs.replication=2"), 0o600); err != nil {
		t.Fatal(err)
	}
	env, script := PrivateEnv(t, "hdfs", "--datanodes", "2", "--config", config)
	h := hdfs{env: env}
	t.Run("Users", h.users)
	t.Run("Killed", func(t *testing.T) { h.killed(t, script) })
	t.Run("Stopped", func(t *testing.T) { h.stopped(t, script, "_NAMENODE_PID", "_DATANODE_PID", "_DATANODE2_PID") })
}

// TestHDFSFailover has one NameNode take over from the other: from one that is dead, and
// from one that is asked to leave.
func TestHDFSFailover(t *testing.T) {
	env, script := PrivateEnv(t, "hdfs", "--ha")
	h := hdfs{env: env}
	h.put(t, "/file", "text")
	h.kill(t, "_NAMENODE_PID")
	h.run(t, "", haAdmin, "-failover", "nn1", "nn2")
	h.has(t, "/file", "text")
	h.put(t, "/other", "more")
	// The one that comes back is no rival, and knows what happened meanwhile.
	script("start")
	for n, want := range map[string]string{"nn1": "standby", "nn2": "active"} {
		if got := strings.TrimSpace(h.run(t, "", haAdmin, "-getServiceState", n)); got != want {
			t.Errorf("%s: got %s, want %s", n, got, want)
		}
	}
	h.run(t, "", haAdmin, "-failover", "nn2", "nn1")
	h.has(t, "/file", "text")
	h.has(t, "/other", "more")
	h.stopped(t, script, "_NAMENODE_PID", "_NAMENODE2_PID", "_DATANODE_PID")
}

// TestHDFSKerberos has two log in, and one who may not.
func TestHDFSKerberos(t *testing.T) {
	env, script := PrivateEnv(t, "hdfs", "--kerberos")
	h := hdfs{env: env}
	h.run(t, "", admin, "-safemode", "get") // as the superuser
	t.Setenv("KRB5PRINCIPAL", env["TABLEHAUL_TEST_HDFS_PRINCIPAL"])
	h.put(t, "/file", "text")
	h.has(t, "/file", "text")
	if got := strings.TrimSpace(h.run(t, "", shell, "-stat", "%u", "/file")); got != "app" {
		t.Errorf("got the file of %s, want that of app", got)
	}
	h.refused(t, "Superuser privilege is required", admin, "-safemode", "enter")
	h.refused(t, "SIMPLE authentication is not enabled", shell, "-D", "hadoop.security.authentication=simple", "-ls", "/")
	// A KDC that comes back has other keys.
	h.kill(t, "_KDC_PID")
	script("start")
	h.has(t, "/file", "text")
	h.stopped(t, script, "_KDC_PID", "_NAMENODE_PID", "_DATANODE_PID")
}

// An hdfs is used by that user, or by the one who runs the test.
type hdfs struct {
	env  map[string]string
	user string
}

// users has somebody use folders of its own, and nothing else.
func (h hdfs) users(t *testing.T) {
	somebody, other := hdfs{h.env, "somebody"}, hdfs{h.env, "other"}
	somebody.run(t, "", shell, "-mkdir", "/user/somebody", "/somebody")
	somebody.put(t, "/user/somebody/file", "text")
	other.has(t, "/user/somebody/file", "text")
	other.refused(t, "Permission denied", shell, "-rm", "/user/somebody/file")
	other.refused(t, "Permission denied by sticky bit", shell, "-rmdir", "/somebody")
	other.refused(t, "Superuser privilege is required", admin, "-safemode", "enter")
	h.run(t, "", admin, "-setQuota", "1", "/somebody")
	somebody.refused(t, "NameSpace quota", shell, "-touchz", "/somebody/file")
	h.run(t, "", admin, "-safemode", "enter")
	somebody.refused(t, "Name node is in safe mode", shell, "-touchz", "/file")
	h.run(t, "", admin, "-safemode", "leave")
}

// killed kills processes, and has two starts at once bring them back.
func (h hdfs) killed(t *testing.T, script func(verb string)) {
	text := strings.Repeat("a line of a file of many blocks\n", 200)
	h.put(t, "/killed", text)
	both := func() {
		var both sync.WaitGroup
		both.Go(func() { script("start") })
		both.Go(func() { script("start") })
		both.Wait()
	}
	h.kill(t, "_DATANODE_PID")
	h.has(t, "/killed", text) // from the other one
	both()
	h.kill(t, "_NAMENODE_PID")
	h.kill(t, "_DATANODE2_PID")
	both()
	h.has(t, "/killed", text)
}

// stopped stops all, and looks for these processes.
func (h hdfs) stopped(t *testing.T, script func(verb string), names ...string) {
	var pids []int
	for _, name := range names {
		pids = append(pids, h.pid(t, name))
	}
	script("stop")
	for i, pid := range pids {
		// One that ended and that nobody has asked about yet has no words.
		if words, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid)); len(words) > 0 {
			t.Errorf("%s: process %d runs on", names[i], pid)
		}
	}
}

func (h hdfs) put(t *testing.T, path, text string) {
	t.Helper()
	h.run(t, text, shell, "-put", "-", path)
}

func (h hdfs) has(t *testing.T, path, want string) {
	t.Helper()
	if got := h.run(t, "", shell, "-cat", path); got != want {
		t.Errorf("%s: got %q, want %q", path, got, want)
	}
}

// run runs a class with this standard input, and returns its standard output.
func (h hdfs) run(t *testing.T, in string, args ...string) string {
	t.Helper()
	out, errs, err := h.tool(in, args...)
	if err != nil {
		t.Fatalf("%q: %v\n%s", args, err, errs)
	}
	return out
}

// refused runs a class that must end with an error and this text.
func (h hdfs) refused(t *testing.T, want string, args ...string) {
	t.Helper()
	if _, errs, err := h.tool("", args...); err == nil || !strings.Contains(errs, want) {
		t.Errorf("%q: got %v and %q, want %q", args, err, errs, want)
	}
}

func (h hdfs) tool(in string, args ...string) (out, errs string, err error) {
	cmd := exec.Command(h.env["TABLEHAUL_TEST_HDFS_RUN"], args...)
	if h.user != "" {
		cmd.Env = append(os.Environ(), "HADOOP_USER_NAME="+h.user)
	}
	var o, e strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(in), &o, &e
	err = cmd.Run()
	return o.String(), e.String(), err
}

func (h hdfs) kill(t *testing.T, name string) {
	t.Helper()
	if err := syscall.Kill(h.pid(t, name), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

// pid reads the pid file TABLEHAUL_TEST_HDFS with this end.
func (h hdfs) pid(t *testing.T, name string) int {
	t.Helper()
	b, err := os.ReadFile(h.env["TABLEHAUL_TEST_HDFS"+name])
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
	if err != nil {
		t.Fatal(err)
	}
	return pid
}
