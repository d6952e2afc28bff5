package hdfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// A cluster is a HDFS of a test's own. Those who have one run beside each other: most of the time
// they wait for it. (Not those that set variables of the environment, which are the process's.)
type cluster struct {
	t      *testing.T
	env    map[string]string
	script func(verb string)
}

func newCluster(t *testing.T, options ...string) cluster {
	t.Helper()
	env, script := services.PrivateEnv(t, "hdfs", options...)
	return cluster{t, env, script}
}

// run runs one of Hadoop's own tools.
func (c cluster) run(class string, args ...string) {
	c.t.Helper()
	cmd := exec.Command(c.env["TABLEHAUL_TEST_HDFS_RUN"], append([]string{"org.apache.hadoop." + class}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		c.t.Errorf("%s %v: %v: %s", class, args, err, out)
	}
}

func (c cluster) admin(args ...string) { c.t.Helper(); c.run("hdfs.tools.DFSAdmin", args...) }

// kill ends a part of it at once: NAMENODE, DATANODE.
func (c cluster) kill(part string, sig syscall.Signal) {
	c.t.Helper()
	text, err := os.ReadFile(c.env["TABLEHAUL_TEST_HDFS_"+part+"_PID"])
	must(c.t, err)
	pid, err := strconv.Atoi(strings.Fields(string(text))[0])
	must(c.t, err)
	must(c.t, syscall.Kill(pid, sig))
	for deadline := time.Now().Add(time.Minute); sig == syscall.SIGKILL && lives(pid); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatalf("process %d lives on", pid)
		}
	}
}

// lives reports whether a process has anything left: until its last thread has ended, its ports
// take connections yet.
func lives(pid int) bool {
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		return false
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if err != nil {
			continue
		}
		_, state, _ := strings.Cut(string(text), ") ") // behind the name, in parentheses
		if !strings.HasPrefix(state, "Z") && !strings.HasPrefix(state, "X") {
			return true
		}
	}
	return false
}

func (c cluster) open(o Options) *Client {
	c.t.Helper()
	if o.Address == "" {
		o.Address = c.env["TABLEHAUL_TEST_HDFS"]
	}
	o.Warn = func(text string) { c.t.Log("warning:", text) }
	h, err := Open(c.t.Context(), o)
	must(c.t, err)
	c.t.Cleanup(func() { must(c.t, h.Close()) })
	return h
}

func after(d time.Duration, f func()) (wait func()) {
	var wg sync.WaitGroup
	wg.Go(func() {
		time.Sleep(d)
		f()
	})
	return wg.Wait
}

// writing writes a file of many blocks piece by piece, in the midst of which f is called.
func writing(t *testing.T, c *Client, name string, o CreateOptions, f func()) error {
	t.Helper()
	content := noise(8 << 20)
	w, err := c.Create(t.Context(), name, o)
	must(t, err)
	defer w.Abort()
	for i := range 16 {
		if i == 7 {
			f()
		}
		if _, err := w.Write(content[i<<19 : (i+1)<<19]); err != nil {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err := w.Close(); err != nil {
		return err
	}
	if got := read(t, c, name); !bytes.Equal(got, content) {
		t.Errorf("%s: got %d bytes of %d, or others", name, len(got), len(content))
	}
	return nil
}

// slowStart is for as long as a server may take to start on a busy machine.
const slowStart = 5 * time.Minute

var small = CreateOptions{BlockSize: 1 << 20}

func TestSafeModeAndQuota(t *testing.T) {
	t.Parallel()
	cl := newCluster(t)
	c := cl.open(Options{})
	hasty := cl.open(Options{Patience: time.Second})
	must(t, c.MkdirAll(t.Context(), "/d"))

	for _, r := range []struct{ admin, remedy, want string }{
		{"-setSpaceQuota 3m", "-clrSpaceQuota", "the space quota of /d is exceeded: "},
		{"-setQuota 2", "-clrQuota", "the quota of files and folders of /d is exceeded: "},
	} {
		write(t, c, "/d/before", nil, small)
		cl.admin(append(strings.Fields(r.admin), "/d")...)
		f, err := c.Create(t.Context(), "/d/f", small)
		if err == nil {
			if _, err = f.Write(noise(5 << 20)); err == nil {
				err = f.Close()
			}
			f.Abort()
		}
		if !strings.Contains(fmt.Sprint(err), r.want) || !strings.Contains(hint.Of(err), r.remedy) || hint.IsTransient(err) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v (hint %q)", r.admin, err, hint.Of(err))
		} else {
			t.Log(err, hint.Of(err))
		}
		cl.admin(r.remedy, "/d")
		must(t, c.RemoveAll(t.Context(), "/d/before"))
	}

	// Of erasure coding the library knows nothing, so files have whole blocks there too.
	cl.run("hdfs.tools.ECAdmin", "-enablePolicy", "-policy", "XOR-2-1-1024k")
	must(t, c.MkdirAll(t.Context(), "/coded"))
	cl.run("hdfs.tools.ECAdmin", "-setPolicy", "-path", "/coded", "-policy", "XOR-2-1-1024k")
	must(t, writing(t, c, "/coded/f", small, func() {}))

	cl.admin("-safemode", "enter")
	err := hasty.MkdirAll(t.Context(), "/d/x")
	if !hint.IsTransient(err) || !strings.Contains(fmt.Sprint(err), "mkdir /d/x: the NameNode is in safe mode") || !strings.Contains(hint.Of(err), "-safemode get") {
		t.Errorf("got %v (hint %q)", err, hint.Of(err))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	start := time.Now()
	if err := c.MkdirAll(ctx, "/d/x"); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > time.Minute {
		t.Errorf("got %v after %v", err, time.Since(start))
	}
	wait := after(time.Second, func() { cl.admin("-safemode", "leave") })
	must(t, c.MkdirAll(t.Context(), "/d/x"))
	wait()
	must(t, writing(t, c, "/d/f", small, func() {
		cl.admin("-safemode", "enter")
		wait = after(2*time.Second, func() { cl.admin("-safemode", "leave") })
	}))
	wait()
}

// A NameNode that is killed and started again.
func TestNameNodeKilled(t *testing.T) {
	t.Parallel()
	cl := newCluster(t)
	c := cl.open(Options{Patience: slowStart})
	moved := make(chan struct{})
	stop := make(chan struct{})
	go func() { // moves, each of which is to be done once
		defer close(moved)
		write(t, c, "/0", nil, small)
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if err := c.Rename(t.Context(), fmt.Sprint("/", i), fmt.Sprint("/", i+1)); err != nil {
				t.Errorf("rename %d: %v", i, err)
				return
			}
		}
	}()
	for round := range 2 {
		var started func()
		must(t, writing(t, c, fmt.Sprint("/f", round), small, func() {
			cl.kill("NAMENODE", syscall.SIGKILL)
			started = after(2*time.Second, func() { cl.script("start") })
		}))
		started()
	}
	close(stop)
	<-moved
	must(t, c.MkdirAll(t.Context(), "/d"))

	hasty := cl.open(Options{Patience: time.Second})
	cl.kill("NAMENODE", syscall.SIGKILL)
	for range 2 {
		start := time.Now()
		_, err := hasty.Stat(t.Context(), "/d")
		if !hint.IsTransient(err) || !strings.Contains(fmt.Sprint(err), "no NameNode answers: "+cl.env["TABLEHAUL_TEST_HDFS"]) || errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v", err)
		}
		if d := time.Since(start); d > 30*time.Second {
			t.Errorf("after %v", d)
		}
	}
	cl.script("start")
	for start := time.Now(); ; {
		_, err := hasty.Stat(t.Context(), "/d")
		if err == nil {
			break
		}
		if time.Since(start) > 3*time.Minute {
			t.Fatal(err)
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// The only DataNode is killed: a file that is in a block is lost, and the error says who
// was.
func TestDataNodeKilled(t *testing.T) {
	t.Parallel()
	cl := newCluster(t)
	c := cl.open(Options{Patience: slowStart})
	hasty := cl.open(Options{Patience: 10 * time.Second})
	one := CreateOptions{BlockSize: 64 << 20}
	err := writing(t, c, "/f", one, func() { cl.kill("DATANODE", syscall.SIGKILL) })
	if !hint.IsTransient(err) || !strings.Contains(fmt.Sprint(err), "/f: the DataNode 127.0.0.1:") || strings.Contains(err.Error(), "\n") || hint.Of(err) == "" {
		t.Errorf("got %v (hint %q)", err, hint.Of(err))
	}
	t.Log(err)
	// Between two files it is waited for.
	wait := after(3*time.Second, func() { cl.script("start") })
	must(t, writing(t, c, "/g", one, func() {}))
	wait()
	cl.kill("DATANODE", syscall.SIGKILL)
	err = writing(t, hasty, "/h", one, func() {})
	if !hint.IsTransient(err) || !strings.Contains(fmt.Sprint(err), "/h: no DataNode took the block") || !strings.Contains(fmt.Sprint(err), "cannot be reached") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v (hint %q)", err, hint.Of(err))
	}
	t.Log(err)
	r, err := c.Open(t.Context(), "/g")
	must(t, err)
	_, err = r.ReadAt(make([]byte, 10), 0)
	if !hint.IsTransient(err) || !strings.Contains(fmt.Sprint(err), "no DataNode is there") && !strings.Contains(fmt.Sprint(err), "the DataNode 127.0.0.1:") {
		t.Errorf("got %v", err)
	}
	t.Log(err)
}

// One of two DataNodes is killed, which the NameNode does not know yet: blocks go to the
// other one.
func TestOneDataNodeOfTwoKilled(t *testing.T) {
	t.Parallel()
	config := t.TempDir() + "/config"
	must(t, os.WriteFile(config, []byte("dfs.namenode.stale.datanode.interval=60000\ndfs.namenode.heartbeat.recheck-interval=60000\n"), 0o600))
	cl := newCluster(t, "--datanodes", "2", "--config", config)
	c := cl.open(Options{})
	err := writing(t, c, "/f", CreateOptions{BlockSize: 64 << 20, Replication: 2}, func() { cl.kill("DATANODE2", syscall.SIGKILL) })
	if !hint.IsTransient(err) || !strings.Contains(fmt.Sprint(err), "DataNode") || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v (hint %q)", err, hint.Of(err))
	}
	t.Log(err)
	for replication := 1; replication <= 2; replication++ {
		start := time.Now()
		must(t, writing(t, c, fmt.Sprint("/f", replication), CreateOptions{BlockSize: 1 << 20, Replication: replication}, func() {}))
		t.Logf("replication %d: %v", replication, time.Since(start))
	}
}

// NameNodes of a nameservice take over from one another, told to and after a crash.
func TestFailover(t *testing.T) {
	cl := newCluster(t, "--ha")
	t.Setenv("HADOOP_CONF_DIR", cl.env["TABLEHAUL_TEST_HDFS_CONF"])
	c := cl.open(Options{Address: "tablehaul", Patience: slowStart})
	if c.Address() != "tablehaul" {
		t.Errorf("got %s", c.Address())
	}
	admin := func(args ...string) { cl.run("hdfs.tools.DFSHAAdmin", args...) }
	must(t, writing(t, c, "/f1", small, func() { admin("-failover", "nn1", "nn2") }))
	must(t, writing(t, c, "/f2", small, func() { admin("-failover", "nn2", "nn1") }))

	moved, stop := make(chan struct{}), make(chan struct{})
	go func() { // moves, each of which is to be done once
		defer close(moved)
		write(t, c, "/0", nil, small)
		for i := 0; ; i++ {
			select {
			case <-stop:
				t.Logf("%d moves", i)
				return
			default:
			}
			if err := c.Rename(t.Context(), fmt.Sprint("/", i), fmt.Sprint("/", i+1)); err != nil {
				t.Errorf("rename %d: %v", i, err)
				return
			}
		}
	}()
	var over func()
	must(t, writing(t, c, "/f3", small, func() {
		cl.kill("NAMENODE", syscall.SIGKILL)
		over = after(time.Second, func() { admin("-failover", "nn1", "nn2") })
	}))
	over()
	close(stop)
	<-moved

	// A standby alone is no HDFS.
	t.Setenv("HADOOP_CONF_DIR", "")
	cl.script("start")
	_, err := Open(t.Context(), Options{Address: cl.env["TABLEHAUL_TEST_HDFS"]})
	if !hint.IsTransient(err) || !strings.Contains(fmt.Sprint(err), "no NameNode is active: ") || !strings.Contains(hint.Of(err), "name the nameservice") {
		t.Errorf("got %v (hint %q)", err, hint.Of(err))
	}
}
