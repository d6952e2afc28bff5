// Package services tells Go tests where the real servers are that the scripts
// beside it start.
package services

import (
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// Need ends a test that needs a server or an outside reader under `go test
// -short`, which is `make quick`, and nowhere else: a test that lacks its server
// fails.
func Need(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a server or an outside reader: left out by -short")
	}
}

// Env returns what a service's script prints for name, which the test Needs.
func Env(t testing.TB, name string) string {
	t.Helper()
	Need(t)
	v := os.Getenv(name)
	if v == "" {
		t.Fatalf("%s is not set: run `make test`, or start the service under testdata/services and export what its `env` prints", name)
	}
	return v
}

// Private starts a server of the test's own, by the script of that name: one whose
// settings and logs the test may change. options are those of the script. It returns
// its host:port, and a function that runs another verb of the script.
func Private(t testing.TB, service string, options ...string) (addr string, script func(verb string)) {
	t.Helper()
	port, _, script := private(t, service, options)
	return "127.0.0.1:" + port, script
}

// PrivateEnv is Private for a server that takes more than an address to use: it
// returns what the script's `env` prints.
func PrivateEnv(t testing.TB, service string, options ...string) (env map[string]string, script func(verb string)) {
	t.Helper()
	port, dir, script := private(t, service, options)
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	// In an empty environment, what it has afterwards is from the script. A shell
	// takes the quotes off.
	cmd := exec.Command("bash", "-c", `out=$("$@") && set -a && eval "$out" && exec env -0`, "bash",
		filepath.Join(root, "testdata", "services", service), "env", "--port", port, "--data", dir)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s env: %v", service, err)
	}
	env = map[string]string{}
	for line := range strings.SplitSeq(string(out), "\x00") {
		if name, value, ok := strings.Cut(line, "="); ok {
			env[name] = value
		}
	}
	return env, script
}

func private(t testing.TB, service string, options []string) (port, dir string, script func(verb string)) {
	t.Helper()
	Need(t)
	root, err := Root()
	if err != nil {
		t.Fatal(err)
	}
	port = freePort(t)
	// Not t.TempDir: paths of sockets must be short.
	dir, err = os.MkdirTemp("", "th")
	if err != nil {
		t.Fatal(err)
	}
	run := func(verb string, options ...string) {
		t.Helper()
		args := append([]string{verb, "--port", port, "--data", dir}, options...)
		out, err := exec.Command(filepath.Join(root, "testdata", "services", service), args...).CombinedOutput()
		if err != nil {
			t.Errorf("%s %s: %v\n%s", service, verb, err, out)
		}
	}
	script = func(verb string) {
		t.Helper()
		run(verb, options...)
	}
	t.Cleanup(func() {
		run("stop", "--now")
		os.RemoveAll(dir)
	})
	if script("start"); t.Failed() {
		t.FailNow()
	}
	return port, dir, script
}

// freePort returns a port that nobody listens at, nor at those around it that Kafka
// and an HDFS of three DataNodes take too. They are below those that systems give to
// outgoing connections: one of these may take such a port before the server does.
func freePort(t testing.TB) string {
	t.Helper()
search:
	for range 100 {
		port := 20_001 + rand.IntN(10_000)
		for p := port - 1; p <= port+12; p++ {
			if !free(p) {
				continue search
			}
		}
		return strconv.Itoa(port)
	}
	t.Fatal("no port is free")
	return ""
}

func free(port int) bool {
	l, err := net.Listen("tcp", "127.0.0.1:"+strconv.Itoa(port))
	if err != nil {
		return false
	}
	l.Close()
	return true
}
