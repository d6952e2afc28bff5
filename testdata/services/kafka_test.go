package services

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/oauth"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"
)

// TestKafka uses a Kafka of its own in all the ways that it offers.
func TestKafka(t *testing.T) {
	env, script := PrivateEnv(t, "kafka")
	k := kafka{env: env}
	t.Run("Listeners", k.listeners)
	t.Run("Refuses", k.refuses)
	t.Run("Transactions", k.transactions)
	t.Run("Killed", func(t *testing.T) { k.killed(t, script) })
}

// TestKafkaConfig has a server know rights and take small messages only.
func TestKafkaConfig(t *testing.T) {
	config := filepath.Join(t.TempDir(), "extra.properties")
	err := os.WriteFile(config, []byte(`message.max.bytes=2000
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	env, _ := PrivateEnv(t, "kafka", "--config", config)
	k := kafka{env: env}
	k.create(t, "small")
	record := &kgo.Record{Topic: "small", Value: make([]byte, 5000)}
	big := k.client(t, "", kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err := big.ProduceSync(within(t), record).FirstErr(); !errors.Is(err, kerr.MessageTooLarge) {
		t.Errorf("got %v, want %v", err, kerr.MessageTooLarge)
	}
	app := k.client(t, "_SASL", kgo.SASL(mechanisms(k.get("_USER"), k.get("_PASSWORD"), "")[0]))
	err = app.ProduceSync(within(t), &kgo.Record{Topic: "small"}).FirstErr()
	if !errors.Is(err, kerr.TopicAuthorizationFailed) {
		t.Errorf("got %v, want %v", err, kerr.TopicAuthorizationFailed)
	}
}

type kafka struct{ env map[string]string }

// get returns TABLEHAUL_TEST_KAFKA with this end.
func (k kafka) get(name string) string { return k.env["TABLEHAUL_TEST_KAFKA"+name] }

func (k kafka) file(name string) string { return filepath.Join(k.get("_FILES"), name) }

// tls trusts the server's authority, and shows the client's certificate if mutual.
func (k kafka) tls(t *testing.T, mutual bool) kgo.Opt {
	t.Helper()
	pem, err := os.ReadFile(k.file("ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	c := &tls.Config{RootCAs: x509.NewCertPool()}
	c.RootCAs.AppendCertsFromPEM(pem)
	if mutual {
		cert, err := tls.LoadX509KeyPair(k.file("client.pem"), k.file("client.key"))
		if err != nil {
			t.Fatal(err)
		}
		c.Certificates = []tls.Certificate{cert}
	}
	return kgo.DialTLSConfig(c)
}

func (k kafka) token(t *testing.T) string {
	t.Helper()
	b, err := os.ReadFile(k.file("token"))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func mechanisms(user, password, token string) []sasl.Mechanism {
	s := scram.Auth{User: user, Pass: password}
	return []sasl.Mechanism{
		plain.Auth{User: user, Pass: password}.AsMechanism(),
		s.AsSha256Mechanism(),
		s.AsSha512Mechanism(),
		oauth.Auth{Token: token}.AsMechanism(),
	}
}

func (k kafka) listeners(t *testing.T) {
	k.trip(t, "plaintext", "")
	k.trip(t, "tls", "_TLS", k.tls(t, false))
	k.trip(t, "mutual-tls", "_MUTUAL_TLS", k.tls(t, true))
	for _, m := range mechanisms(k.get("_USER"), k.get("_PASSWORD"), k.token(t)) {
		k.trip(t, "sasl-"+m.Name(), "_SASL", kgo.SASL(m))
		k.trip(t, "sasl-tls-"+m.Name(), "_SASL_TLS", kgo.SASL(m), k.tls(t, false))
	}
}

// trip makes a topic and has a record go there and back by a listener.
func (k kafka) trip(t *testing.T, topic, listener string, opts ...kgo.Opt) {
	t.Run(topic, func(t *testing.T) {
		k.create(t, topic)
		client := k.client(t, listener, append(opts, kgo.ConsumeTopics(topic))...)
		ctx := within(t)
		if err := client.ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte(topic)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if got := values(t, client, 1); !slices.Equal(got, []string{topic}) {
			t.Errorf("got %q, want %q", got, topic)
		}
	})
}

func (k kafka) refuses(t *testing.T) {
	user, token := k.get("_USER"), k.token(t)
	head, _, _ := strings.Cut(token, ".")
	_, end, _ := strings.Cut(token[len(head)+1:], ".")
	// The claims of another, below the same signature.
	forged := head + ".eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIiwiYXVkIjoia2Fma2EiLCJzdWIiOiJyb290IiwiZXhwIjo0MDAwMDAwMDAwfQ." + end
	for _, m := range mechanisms(user, "wrong", forged) {
		t.Run(m.Name(), func(t *testing.T) {
			err := k.client(t, "_SASL", kgo.SASL(m)).Ping(within(t))
			if m.Name() == "OAUTHBEARER" {
				// The server says why, which the client does not pass on.
				if err == nil || !strings.Contains(err.Error(), "oauth response") {
					t.Errorf("got %v, want a refusal", err)
				}
			} else if !errors.Is(err, kerr.SaslAuthenticationFailed) {
				t.Errorf("got %v, want %v", err, kerr.SaslAuthenticationFailed)
			}
		})
	}
	t.Run("authority", func(t *testing.T) {
		err := k.client(t, "_TLS", kgo.DialTLSConfig(&tls.Config{RootCAs: x509.NewCertPool()})).Ping(within(t))
		if want := new(x509.UnknownAuthorityError); !errors.As(err, want) {
			t.Errorf("got %v, want an unknown authority", err)
		}
	})
	t.Run("no certificate", func(t *testing.T) {
		err := k.client(t, "_MUTUAL_TLS", k.tls(t, false)).Ping(within(t))
		if err == nil || !strings.Contains(err.Error(), "certificate required") && !strings.Contains(err.Error(), "bad certificate") {
			t.Errorf("got %v, want a refusal", err)
		}
	})
	t.Run("no topic", func(t *testing.T) {
		err := k.client(t, "").ProduceSync(within(t), &kgo.Record{Topic: "never-made"}).FirstErr()
		if !errors.Is(err, kerr.UnknownTopicOrPartition) {
			t.Errorf("got %v, want %v", err, kerr.UnknownTopicOrPartition)
		}
	})
}

// transactions has Kafka's own consumer read what was committed and what was not.
func (k kafka) transactions(t *testing.T) {
	const topic = "transactions"
	k.create(t, topic)
	client := k.client(t, "", kgo.TransactionalID("services"), kgo.DefaultProduceTopic(topic))
	ctx := within(t)
	for _, c := range []struct {
		value string
		end   kgo.TransactionEndTry
	}{{"first", kgo.TryCommit}, {"aborted", kgo.TryAbort}, {"second", kgo.TryCommit}} {
		if err := client.BeginTransaction(); err != nil {
			t.Fatal(err)
		}
		if err := client.ProduceSync(ctx, kgo.StringRecord(c.value)).FirstErr(); err != nil {
			t.Fatal(err)
		}
		if err := client.EndTransaction(ctx, c.end); err != nil {
			t.Fatal(err)
		}
	}
	// One that is open holds back what is behind it as well.
	if err := client.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := client.ProduceSync(ctx, kgo.StringRecord("open")).FirstErr(); err != nil {
		t.Fatal(err)
	}
	if err := k.client(t, "").ProduceSync(ctx, &kgo.Record{Topic: topic, Value: []byte("behind")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	for isolation, want := range map[string]string{
		"read_committed":   "first\nsecond\n",
		"read_uncommitted": "first\naborted\nsecond\nopen\nbehind\n",
	} {
		if got := k.console(t, topic, isolation, want); got != want {
			t.Errorf("%s: got %q, want %q", isolation, got, want)
		}
	}
	k.ends(t, topic)
	if err := client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	want := "first\nsecond\nopen\nbehind\n"
	if got := k.console(t, topic, "read_committed", want); got != want {
		t.Errorf("after the commit: got %q, want %q", got, want)
	}
}

// ends checks that offsets count the marks at the end of transactions: 3 records with
// a mark each, one in an open transaction, one behind it.
func (k kafka) ends(t *testing.T, topic string) {
	admin := kadm.NewClient(k.client(t, ""))
	all, err := admin.ListEndOffsets(within(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	stable, err := admin.ListCommittedOffsets(within(t), topic)
	if err != nil {
		t.Fatal(err)
	}
	a, _ := all.Lookup(topic, 0)
	s, _ := stable.Lookup(topic, 0)
	if a.Offset != 8 || s.Offset != 6 {
		t.Errorf("ends: got %d and %d of what is stable, want 8 and 6", a.Offset, s.Offset)
	}
}

// console returns what Kafka's own consumer prints of a topic until none comes any more,
// of which as many lines are expected as want has.
func (k kafka) console(t *testing.T, topic, isolation, want string) string {
	t.Helper()
	return Console(t, k.get("_RUN"), strings.Count(want, "\n"), "--bootstrap-server", k.get(""),
		"--topic", topic, "--partition", "0", "--offset", "earliest", "--isolation-level", isolation)
}

// killed kills the server, and has two starts at once bring it back with its records.
func (k kafka) killed(t *testing.T, script func(verb string)) {
	const topic, count = "killed", 100
	k.create(t, topic)
	client := k.client(t, "", kgo.DefaultProduceTopic(topic), kgo.ConsumeTopics(topic))
	var want []string
	for round := range 3 {
		for i := range count {
			want = append(want, fmt.Sprint(round, "-", i))
			client.Produce(context.Background(), kgo.StringRecord(want[len(want)-1]), nil)
		}
		if err := client.Flush(within(t)); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(k.get("_PID"))
		if err != nil {
			t.Fatal(err)
		}
		pid, err := strconv.Atoi(strings.TrimSpace(string(b)))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		var both sync.WaitGroup
		both.Go(func() { script("start") })
		both.Go(func() { script("start") })
		both.Wait()
	}
	if got := values(t, client, len(want)); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func (k kafka) create(t *testing.T, topic string) {
	t.Helper()
	if _, err := kadm.NewClient(k.client(t, "")).CreateTopic(within(t), 1, 1, nil, topic); err != nil {
		t.Fatal(err)
	}
}

func (k kafka) client(t *testing.T, listener string, opts ...kgo.Opt) *kgo.Client {
	t.Helper()
	client, err := kgo.NewClient(append(opts, kgo.SeedBrokers(k.get(listener)))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// values reads n records.
func values(t *testing.T, client *kgo.Client, n int) (got []string) {
	t.Helper()
	ctx := within(t)
	for len(got) < n {
		fetches := client.PollFetches(ctx)
		if ctx.Err() != nil {
			t.Fatalf("got %d records, want %d", len(got), n)
		}
		fetches.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value)) })
	}
	return got
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	t.Cleanup(cancel)
	return ctx
}
