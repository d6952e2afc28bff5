package main

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/testdata/services"
)

// rightPassword and wrongPassword have what URLs, option files, shells, JSON and Go
// write otherwise.
const (
	rightPassword = `righ'T "quo\ted" #4%@/ü`
	wrongPassword = `wron'G "quo\ted" #4%@/ü`
)

// A secretRun is one run of the program that has been given a password.
type secretRun struct {
	t        *testing.T
	password string
	dir      string // where it runs
	home     string // where alone the password may lie
	cmd      *exec.Cmd
	out      bytes.Buffer
	terminal *pty
}

// begin starts the program, the password coming from o.
func begin(t *testing.T, o origin, password string, args ...string) *secretRun {
	t.Helper()
	r := &secretRun{t: t, password: password, dir: t.TempDir(), home: t.TempDir()}
	r.cmd = exec.CommandContext(t.Context(), "tablehaul", args...)
	r.cmd.Dir = r.dir
	r.cmd.Stdout, r.cmd.Stderr = &r.out, &r.out
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "MYSQL_") && !strings.HasPrefix(v, "TABLEHAUL_PASSWORD=") {
			r.cmd.Env = append(r.cmd.Env, v)
		}
	}
	r.cmd.Env = append(r.cmd.Env, "HOME="+r.home, "TMPDIR="+r.dir, "GOTRACEBACK=all", "NO_COLOR=1")
	if o.prime(t, r.cmd, password) {
		r.terminal = startAtTerminal(t, r.cmd)
		r.terminal.answer("Password for mysql://", password)
	} else if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return r
}

// end waits for the program, and looks for the password in all that it leaves.
func (r *secretRun) end(code int) string {
	r.t.Helper()
	err := r.cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		r.t.Fatal(err)
	}
	text := r.out.String()
	if r.terminal != nil {
		r.clean("the terminal", []byte(r.terminal.seen()))
	}
	if got := r.cmd.ProcessState.ExitCode(); got != code {
		r.t.Errorf("exit code %d, want %d\n%s", got, code, text)
	}
	r.clean("the output", r.out.Bytes())
	err = filepath.WalkDir(r.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := os.ReadFile(path)
		r.clean(path, content)
		return err
	})
	if err != nil {
		r.t.Error(err)
	}
	return text
}

// clean wants no spelling of the password in something.
func (r *secretRun) clean(where string, content []byte) {
	r.t.Helper()
	for _, s := range append(spellings(url.QueryEscape(r.password)), url.UserPassword("", r.password).String()[1:],
		fmt.Sprintf("%q", r.password), hex.EncodeToString([]byte(r.password)), base64.StdEncoding.EncodeToString([]byte(r.password)), r.password[:8]) {
		if bytes.Contains(content, []byte(s)) {
			r.t.Errorf("the password is in %s, as %q: %.2000q", where, s, content)
			return
		}
	}
}

// seenByOthers looks at what every user of the machine can see of a process.
func (r *secretRun) seenByOthers() {
	r.t.Helper()
	for _, name := range []string{"cmdline", "comm", "status", "stat"} {
		content, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(r.cmd.Process.Pid), name))
		if err != nil {
			r.t.Error(err)
		}
		r.clean("/proc/PID/"+name, content)
		if name == "cmdline" && !bytes.Contains(content, []byte("tail")) {
			r.t.Errorf("that is another process: %q", content)
		}
	}
}

// TestPasswordsStayHidden runs the program with passwords from everywhere, to a good
// end and to bad ones, and looks for them in all that others could see of it.
func TestPasswordsStayHidden(t *testing.T) {
	server, err := url.Parse(services.Env(t, "TABLEHAUL_TEST_MYSQL"))
	if err != nil {
		t.Fatal(err)
	}
	sql := func(statements string) {
		t.Helper()
		cmd := exec.Command(services.Env(t, "TABLEHAUL_TEST_MYSQL_CLIENT"), "-h", server.Hostname(), "-P", server.Port(), "-uroot", "-NBe", statements)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	sql(`DROP DATABASE IF EXISTS script_hidden; CREATE DATABASE script_hidden; CREATE TABLE script_hidden.t (id INT PRIMARY KEY); INSERT INTO script_hidden.t VALUES (1), (2);
		DROP USER IF EXISTS script_hidden; CREATE USER script_hidden IDENTIFIED BY '` + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(rightPassword) + `';
		GRANT SELECT, LOCK TABLES ON script_hidden.* TO script_hidden; GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO script_hidden`)
	t.Cleanup(func() { sql("DROP USER script_hidden; DROP DATABASE script_hidden") }) // after the parallel parts
	source := "mysql://script_hidden@" + server.Host + "/script_hidden"
	for _, o := range origins() {
		t.Run(strings.ReplaceAll(o.name, "/", "_"), func(t *testing.T) {
			t.Parallel()
			begin(t, o, rightPassword, "snapshot", source, "iceberg:lake", "--json").end(exitDone)
			text := begin(t, o, wrongPassword, "snapshot", source, "iceberg:lake").end(exitFailed)
			if !strings.Contains(text, "Access denied") || !strings.Contains(text, "\n  hint: check the user, and the password, which is from ") {
				t.Errorf("the password of nobody gives\n%s", text)
			}
			begin(t, o, wrongPassword, "tail", source, "iceberg:lake", "--json", "--until", "now", "--log", "run.log").end(exitFailed)
			begin(t, o, wrongPassword, "snapshot", "mysql://script_hidden@127.0.0.1:1/shop", "iceberg:lake").end(exitFailed)
			begin(t, o, wrongPassword, "snapshot", source+"?ssl-mode=VERIFY_IDENTITY", "iceberg:lake").end(exitFailed)
			begin(t, o, wrongPassword, "snapshot", source, "iceberg:lake", "--nonsense").endUsage()
			begin(t, o, rightPassword, "snapshot", source, "iceberg:/dev/null/lake").end(exitFailed)
			begin(t, o, rightPassword, "status", "iceberg:lake", source).end(exitFailed) // no lake
			followed(t, o, source)
		})
	}
}

// endUsage is end for what is refused before a password is asked for.
func (r *secretRun) endUsage() { r.t.Helper(); r.end(exitUsage) }

// followed asks a run that follows the log for all it tells, and has it dump its stacks.
func followed(t *testing.T, o origin, source string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	r := begin(t, o, rightPassword, "tail", source, "iceberg:lake", "--metrics", addr, "--json", "--log", "run.log")
	get := func(path string) (int, string) {
		resp, err := http.Get("http://" + addr + path)
		if err != nil {
			return 0, ""
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Error(err)
		}
		r.clean(path, body)
		return resp.StatusCode, string(body)
	}
	for start := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		if code, _ := get("/readyz"); code == http.StatusOK {
			break
		}
		if time.Since(start) > 3*time.Minute {
			t.Errorf("it does not get ready:\n%s", r.out.String())
			break
		}
	}
	if _, body := get("/metrics"); !strings.Contains(body, "tablehaul_rows_total") && !strings.Contains(body, "tablehaul_following") {
		t.Errorf("no metrics: %q", body)
	}
	get("/status")
	r.seenByOthers()
	if err := r.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		t.Error(err)
	}
	if text := r.end(2); !strings.Contains(text, "SIGQUIT: quit") || !strings.Contains(text, "goroutine ") {
		t.Errorf("no stacks: %s", text)
	}
}
