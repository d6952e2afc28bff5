package kafka

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// TestPrivate has a server of its own refuse rights and be killed.
func TestPrivate(t *testing.T) {
	config := filepath.Join(t.TempDir(), "rights.properties")
	err := os.WriteFile(config, []byte("authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer\nsuper.users=User:ANONYMOUS\n"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	env, script := services.PrivateEnv(t, "kafka", "--config", config)
	for name, value := range env {
		t.Setenv(name, value)
	}
	t.Run("Rights", testRights)
	t.Run("Killed", func(t *testing.T) { testKilled(t, script) })
}

// testRights gives a user one right after the other, as the error and the check say.
func testRights(t *testing.T) {
	p := newPlace(t, "&sasl=PLAIN")
	p.url = strings.Replace(p.url, "kafka://"+services.Env(t, "TABLEHAUL_TEST_KAFKA"), "kafka://app:app-secret@"+services.Env(t, "TABLEHAUL_TEST_KAFKA_SASL"), 1)
	adm, a := p.admin(), logOf(t, "a")
	allow := func(b *kadm.ACLBuilder, ops ...kadm.ACLOperation) {
		t.Helper()
		_, err := adm.CreateACLs(t.Context(), b.Allow("User:app").AllowHosts("*").Operations(ops...).ResourcePatternType(kadm.ACLPatternLiteral))
		if err != nil {
			t.Fatal(err)
		}
	}
	step := func(what, check, wantErr string) {
		t.Helper()
		found, err := p.sink().Check(t.Context(), []*schema.Table{a}, writer.Follow, finding.Purpose{Tail: true})
		if err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		var names []string
		for _, f := range found {
			names = append(names, f.Check)
		}
		if got := strings.Join(names, " "); got != check {
			t.Errorf("%s: the check has found %q, want %q: %v", what, got, check, found)
		}
		s := p.sink()
		w, err := s.Open(t.Context(), a, writer.Follow)
		if err == nil {
			p.write(w, a, 1)
			err = w.Commit(t.Context(), "one")
		}
		if wantErr == "" && err != nil || wantErr != "" && (err == nil || !strings.Contains(err.Error(), wantErr) || hint.Of(err) == "") {
			t.Errorf("%s: got %v (%s), want %q", what, err, hint.Of(err), wantErr)
		}
	}
	step("no rights", "kafka-rights kafka-topic kafka-topic", "AUTHORIZATION_FAILED")
	allow(kadm.NewACLs().Topics(p.topic, p.topic+"-positions"), kadm.OpDescribe, kadm.OpDescribeConfigs, kadm.OpCreate)
	step("may create topics", "kafka-rights", "TRANSACTIONAL_ID_AUTHORIZATION_FAILED")
	step("topics are there", "kafka-rights kafka-rights kafka-rights", "TRANSACTIONAL_ID_AUTHORIZATION_FAILED")
	allow(kadm.NewACLs().TransactionalIDs("tablehaul."+p.topic), kadm.OpWrite, kadm.OpDescribe)
	step("may use transactions", "kafka-rights kafka-rights", "TOPIC_AUTHORIZATION_FAILED")
	allow(kadm.NewACLs().Topics(p.topic, p.topic+"-positions"), kadm.OpWrite)
	step("may write", "kafka-rights", "TOPIC_AUTHORIZATION_FAILED")
	allow(kadm.NewACLs().Topics(p.topic+"-positions"), kadm.OpRead)
	step("may read positions", "", "")
}

// testKilled kills the broker in the middle of transactions, of changes and of stock.
func testKilled(t *testing.T, script func(verb string)) {
	p := newPlace(t, "&partitions=2")
	a, b, s := logOf(t, "a"), logOf(t, "b"), p.sink()
	kill := func() {
		t.Helper()
		killBroker(t, services.Env(t, "TABLEHAUL_TEST_KAFKA_PID"))
		script("start")
	}
	w := p.open(s, a)
	p.write(w, a, 1)
	p.commit(s, "one", w)
	p.write(w, a, 2)
	kill()
	if err := w.Commit(t.Context(), "two"); err != nil {
		if !hint.IsTransient(err) {
			t.Fatalf("got %v, want an error that may pass", err)
		}
		w.Close()
		w = p.open(s, a)
		if pos, _ := w.Position(t.Context()); pos == "one" {
			p.write(w, a, 2)
			p.commit(s, "two", w)
		}
	}
	p.want("a1 a2")

	c := p.openTo(s, b, writer.Create)
	p.keep(c, "plan")
	p.stock(c, 0, true, 1)
	p.commitNow(s)
	p.stock(c, 1, true, 2)
	kill()
	if err := c.Commit(t.Context(), "one"); err != nil {
		if !hint.IsTransient(err) {
			t.Fatalf("got %v, want an error that may pass", err)
		}
		c.Close()
		c = p.openTo(s, b, writer.Create)
		if pos, _ := c.Position(t.Context()); pos == "" {
			p.kept(c, "plan[0] 1")
			p.keep(c, "plan")
			p.stock(c, 1, true, 2)
			p.commit(s, "one", c)
		}
	}
	p.want("a1 a2 b1 b2")
}

// killBroker kills the process whose id is in the file.
func killBroker(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err != nil {
		t.Fatal(err)
	}
	for syscall.Kill(pid, 0) == nil {
		time.Sleep(10 * time.Millisecond)
	}
}
