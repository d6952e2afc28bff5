package main

import (
	"bytes"
	"context"
	"encoding/pem"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/testdata/front"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// A shop is a database of a test's own, with the table t of two columns.
type shop struct {
	t         *testing.T
	url, name string
}

func newShop(t *testing.T) *shop {
	t.Helper()
	s := &shop{t, services.Env(t, "TABLEHAUL_TEST_MYSQL"), fmt.Sprintf("catalogs_%d", time.Now().UnixNano())}
	s.sql("CREATE DATABASE " + s.name + "; CREATE TABLE " + s.name + ".t (id INT PRIMARY KEY, n INT); INSERT INTO " + s.name + ".t VALUES (1, 0), (2, 0)")
	t.Cleanup(func() { s.sql("DROP DATABASE " + s.name) })
	return s
}

func (s *shop) sql(statements string) {
	s.t.Helper()
	_, host, _ := strings.Cut(s.url, "@")
	host, port, _ := strings.Cut(host, ":")
	out, err := exec.Command(services.Env(s.t, "TABLEHAUL_TEST_MYSQL_CLIENT"), "-h", host, "-P", port, "-uroot", "-e", statements).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s: %v: %s", statements, err, out)
	}
}

// source is the URL of the shop.
func (s *shop) source() string { return s.url + "/" + s.name }

// execute runs tablehaul with more variables and returns its exit code and all
// that it printed: if it hangs, what it hangs in.
func execute(t *testing.T, env []string, args ...string) (code int, printed string) {
	t.Helper()
	var out told
	return executeInto(t, &out, env, args...), out.String()
}

// executeInto has what it prints seen while it runs.
func executeInto(t *testing.T, out *told, env []string, args ...string) (code int) {
	t.Helper()
	// A DataNode that is killed with the last block of a file holds up its closing for two minutes.
	ctx, cancel := context.WithTimeout(t.Context(), 8*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "tablehaul", args...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGQUIT) }
	cmd.WaitDelay = 10 * time.Second
	cmd.Env = append(append(os.Environ(), "NO_COLOR=1"), env...)
	cmd.Stdout, cmd.Stderr = out, out
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("tablehaul %v hangs: %s", args, out)
	}
	if exit := (*exec.ExitError)(nil); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode()
}

// succeed runs tablehaul, which must end well.
func succeed(t *testing.T, env []string, args ...string) {
	t.Helper()
	if code, out := execute(t, env, args...); code != 0 {
		t.Fatalf("tablehaul %s: exit code %d: %s", strings.Join(args, " "), code, out)
	}
}

// complain runs tablehaul, which must end with code 1 and an error that holds all
// of the texts, none of which may be a secret.
func complain(t *testing.T, env []string, secret string, texts []string, args ...string) {
	t.Helper()
	code, out := execute(t, env, args...)
	if code != 1 {
		t.Errorf("tablehaul %s: exit code %d, want 1: %s", strings.Join(args, " "), code, out)
	}
	for _, want := range texts {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in: %s", want, out)
		}
	}
	if secret != "" && strings.Contains(out, secret) {
		t.Errorf("the secret is in: %s", out)
	}
	if n := strings.Count(out, "tablehaul: "); n != 1 {
		t.Errorf("%d messages, want one: %s", n, out)
	}
}

// read returns the table's rows, as PyIceberg reads them through a catalog of
// these properties.
func (s *shop) read(python string, properties ...string) string {
	s.t.Helper()
	const script = `
import sys
from pyiceberg.catalog import load_catalog
c = load_catalog("x", **dict(p.split("=", 1) for p in sys.argv[2:]))
rows = c.load_table(sys.argv[1] + ".t").scan().to_arrow().sort_by("id").to_pylist()
print(*["%d:%d" % (r["id"], r["n"]) for r in rows])
`
	cmd := exec.Command(python, append([]string{"-c", script, s.name}, properties...)...)
	var messages bytes.Buffer
	cmd.Stderr = &messages
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("PyIceberg: %v: %s", err, &messages)
	}
	return strings.TrimSpace(string(out))
}

func (s *shop) want(got, want string) {
	s.t.Helper()
	if got != want {
		s.t.Errorf("got %s, want %s", got, want)
	}
}

// sinkOf is the URL of a REST catalog.
func sinkOf(f *front.Front, query string) string {
	return strings.Replace(f.URL, "http", "iceberg+rest", 1) + query
}

func fixture(t *testing.T) string { return services.Env(t, "TABLEHAUL_TEST_ICEBERG_REST") }

// TestOAuth moves a table into a catalog whose tokens are soon no good any more: not beside others,
// or they are before they have been used.
func TestOAuth(t *testing.T) {
	s := newShop(t)
	f := (&front.Front{Credential: "app:s3cr3t", Scope: "PRINCIPAL_ROLE:ALL", Audience: "lake", Life: 11 * time.Second, Prefix: "shop1"}).Start(t, fixture(t))
	sink := sinkOf(f, "?scope=PRINCIPAL_ROLE%3AALL&audience=lake")
	env := []string{"ICEBERG_REST_CREDENTIAL=app:s3cr3t"}
	succeed(t, env, "snapshot", s.source(), sink, "-q")
	python := services.Env(t, "TABLEHAUL_TEST_PYTHON")
	properties := []string{"type=rest", "uri=" + f.URL, "credential=app:s3cr3t", "scope=PRINCIPAL_ROLE:ALL", "audience=lake"}
	s.want(s.read(python, properties...), "1:0 2:0")

	// One process, several tokens: of 11 s each is used for one, as is left of it
	// after the 10 s that are kept in reserve.
	cmd := exec.Command("tablehaul", "tail", s.source(), sink, "-q", "--commit-interval", "100ms")
	cmd.Env = append(os.Environ(), env...)
	var messages bytes.Buffer
	cmd.Stderr = &messages
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	before := f.Issued()
	for n := 1; n <= 3; n++ {
		s.sql(fmt.Sprintf("INSERT INTO %s.t VALUES (%d, 0)", s.name, n+2))
		deadline := time.Now().Add(3 * time.Minute)
		for s.count(sink, env) != fmt.Sprint(n+2) {
			if time.Now().After(deadline) {
				t.Fatalf("change %d does not arrive: %s", n, &messages)
			}
			time.Sleep(200 * time.Millisecond)
		}
		if n == 2 {
			f.Revoke() // as after a restart of the server that gives them out
		}
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("tail: %v: %s", err, &messages)
	}
	if f.Issued() < before+2 {
		t.Errorf("%d tokens were enough, want some more", f.Issued()-before)
	}
}

// count returns what `status` says of the rows of the only table.
func (s *shop) count(sink string, env []string) string {
	s.t.Helper()
	code, out := execute(s.t, env, "status", sink+"&namespace="+s.name)
	if code != 0 {
		s.t.Fatalf("status: %d: %s", code, out)
	}
	for line := range strings.Lines(out) {
		if fields := strings.Fields(line); len(fields) > 2 && fields[0] == s.name+".t" {
			return fields[1]
		}
	}
	s.t.Fatalf("status: %s", out)
	return ""
}

// TestOAuthFiles takes the secrets from files, and a token that changes there.
func TestOAuthFiles(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	f := (&front.Front{Credential: "app:s3cr3t"}).Start(t, fixture(t))
	credential := filepath.Join(t.TempDir(), "credential")
	if err := os.WriteFile(credential, []byte("app:s3cr3t\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	succeed(t, []string{"ICEBERG_REST_CREDENTIAL_FILE=" + credential}, "snapshot", s.source(), sinkOf(f, ""), "-q")
	// The catalog knows the first of its tokens, and of no other.
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("token-1-of-this-test\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	succeed(t, []string{"ICEBERG_REST_TOKEN_FILE=" + token}, "tail", s.source(), sinkOf(f, ""), "-q", "--until", "now")
	succeed(t, []string{"ICEBERG_REST_TOKEN=token-1-of-this-test"}, "tail", s.source(), sinkOf(f, ""), "-q", "--until", "now")
	f.Revoke()
	complain(t, []string{"ICEBERG_REST_TOKEN=token-1-of-this-test"}, "token-1-of-this-test",
		[]string{"a token is wanted that is good", "hint: set ICEBERG_REST_TOKEN or ICEBERG_REST_CREDENTIAL to what the catalog accepts"},
		"tail", s.source(), sinkOf(f, ""), "-q", "--until", "now")
}

func TestOAuthRefused(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	f := (&front.Front{Credential: "app:s3cr3t", Scope: "all"}).Start(t, fixture(t))
	complain(t, []string{"ICEBERG_REST_CREDENTIAL=app:wr0ng"}, "wr0ng",
		[]string{"get a token from " + f.URL + "/v1/oauth/tokens: 401 Unauthorized: invalid_client: no such client", "hint: set ICEBERG_REST_CREDENTIAL"},
		"snapshot", s.source(), sinkOf(f, "?scope=all"), "-q")
	complain(t, []string{"ICEBERG_REST_CREDENTIAL=app:s3cr3t"}, "s3cr3t",
		[]string{"400 Bad Request: invalid_scope: want all", "and scope= "},
		"snapshot", s.source(), sinkOf(f, ""), "-q")
	complain(t, nil, "", []string{"a token is wanted", "hint: set ICEBERG_REST_TOKEN or ICEBERG_REST_CREDENTIAL"},
		"snapshot", s.source(), sinkOf(f, ""), "-q")
	complain(t, []string{"ICEBERG_REST_CREDENTIAL_FILE=nowhere"}, "", []string{"read the credential: open nowhere"},
		"snapshot", s.source(), sinkOf(f, ""), "-q")
	// Who may not write is told before a row is read.
	denying := (&front.Front{Deny: func(r *http.Request) bool { return r.Method == http.MethodPost }}).Start(t, fixture(t))
	complain(t, nil, "", []string{"that is forbidden here", "hint: grant this user the right to create and write tables"},
		"snapshot", s.source(), sinkOf(denying, ""), "-q")
}

// TestTLSCatalog trusts a catalog by a CA of its own, and else nobody.
func TestTLSCatalog(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	f := (&front.Front{Credential: "app:s3cr3t", TLS: true}).Start(t, fixture(t))
	env := []string{"ICEBERG_REST_CREDENTIAL=app:s3cr3t"}
	sink := strings.Replace(f.URL, "https", "iceberg+rests", 1)
	complain(t, env, "", []string{"certificate signed by unknown authority", "hint: name the file with the certificate of its CA"},
		"snapshot", s.source(), sink, "-q")
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: f.Server.Certificate().Raw}), 0o644); err != nil {
		t.Fatal(err)
	}
	succeed(t, env, "snapshot", s.source(), sink+"?ssl.cabundle="+ca, "-q")
	succeed(t, append(env, "SSL_CERT_FILE="+ca), "tail", s.source(), sink, "-q", "--until", "now")
	s.want(s.read(services.Env(t, "TABLEHAUL_TEST_PYTHON"), "type=rest", "uri="+fixture(t)), "1:0 2:0")
}

// TestSigV4 signs its requests, with a session's key too.
func TestSigV4(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	f := (&front.Front{Key: "AKIDTEST", Secret: "s3cr3t", Session: "session-of-this-test", Region: "eu-central-1", Service: "s3tables", Prefix: "arn%3Aaws"}).Start(t, fixture(t))
	sink := sinkOf(f, "?rest.sigv4-enabled=true&rest.signing-name=s3tables&rest.signing-region=eu-central-1")
	env := []string{"AWS_ACCESS_KEY_ID=AKIDTEST", "AWS_SECRET_ACCESS_KEY=s3cr3t", "AWS_SESSION_TOKEN=session-of-this-test"}
	succeed(t, env, "snapshot", s.source(), sink, "-q")
	s.sql("UPDATE " + s.name + ".t SET n = 1")
	succeed(t, env, "tail", s.source(), sink, "-q", "--until", "now")
	if n := f.Denied(); n > 0 {
		t.Errorf("%d requests were not let in", n)
	}
	env[1] = "AWS_SECRET_ACCESS_KEY=wr0ng"
	complain(t, env, "wr0ng", []string{"the signature does not match", "hint: "}, "snapshot", s.source(), sink, "-q", "--mode", "replace")
}
