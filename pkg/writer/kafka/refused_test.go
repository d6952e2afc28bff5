package kafka

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// admin is a client for what a test does to brokers beside the sink.
func (p place) admin() *kadm.Client {
	p.t.Helper()
	cl, err := kadm.NewOptClient(kgo.SeedBrokers(services.Env(p.t, "TABLEHAUL_TEST_KAFKA")), kgo.MetadataMinAge(10e6))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(cl.Close)
	return cl
}

// TestRefused has brokers that cannot be reached, or refuse what is asked: one error each,
// with a remedy.
func TestRefused(t *testing.T) {
	plain, tls, sasl := services.Env(t, "TABLEHAUL_TEST_KAFKA"), services.Env(t, "TABLEHAUL_TEST_KAFKA_TLS"), services.Env(t, "TABLEHAUL_TEST_KAFKA_SASL")
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhcHAifQ."), 0o600); err != nil {
		t.Fatal(err)
	}
	p := newPlace(t, "")
	kept := p.topic + "-kept"
	if _, err := p.admin().CreateTopic(t.Context(), 1, 1, map[string]*string{"cleanup.policy": kadm.StringPtr("delete")}, kept); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, url, err, hint string }{
		{"no such host", "kafka://no-such-host.invalid/T", "no such host", "advertised.listeners"},
		{"nobody there", "kafka://127.0.0.1:1/T", "connection refused", "is a broker running there?"},
		{"PLAIN", "kafka://app:wrong@" + sasl + "/T?sasl=PLAIN", "Authentication failed", passwordHint},
		{"SCRAM-SHA-256", "kafka://app:wrong@" + sasl + "/T?sasl=SCRAM-SHA-256", "Authentication failed", passwordHint},
		{"SCRAM-SHA-512", "kafka://app:wrong@" + sasl + "/T?sasl=scram-sha-512", "Authentication failed", passwordHint},
		{"OAUTHBEARER", "kafka://" + sasl + "/T?sasl=OAUTHBEARER&token-file=" + url.QueryEscape(token), "oauth", "token"},
		{"no login", "kafka://" + sasl + "/T", "SASL", "sasl="},
		{"no authority", "kafka://" + tls + "/T?tls=true", "unknown authority", "tls-ca=FILE"},
		{"no TLS", "kafka://" + tls + "/T", "tls", "tls=true"},
		{"replication", "kafka://" + plain + "/T?replication=3", "INVALID_REPLICATION_FACTOR", "replication=N"},
		{"config", "kafka://" + plain + "/T?config.no.such=1", "no.such", "config."},
		{"timeout", "kafka://" + plain + "/T?transaction-timeout=2h", "INVALID_TRANSACTION_TIMEOUT", "transaction.max.timeout.ms"},
		{"positions that go", "kafka://" + plain + "/T?positions=" + kept, "cleanup.policy=delete", "cleanup.policy=compact"},
	} {
		t.Run(c.name, func(t *testing.T) {
			address := strings.Replace(c.url, "/T", "/"+p.topic+"-"+strings.ToLower(rand.Text()[:4]), 1)
			if !strings.Contains(address, "positions=") {
				address += map[bool]string{true: "&", false: "?"}[strings.Contains(address, "?")] + "positions=" + p.topic + "-" + strings.ToLower(rand.Text()[:6])
			}
			s, err := Open(t.Context(), address, Options{})
			if err == nil {
				defer s.Close()
				_, err = s.Open(t.Context(), logOf(t, "a"), writer.Follow)
			}
			if err == nil || !strings.Contains(err.Error(), c.err) || strings.Contains(err.Error(), "wrong@") {
				t.Errorf("got %v, want %q", err, c.err)
			}
			if got := hint.Of(err); !strings.Contains(got, c.hint) {
				t.Errorf("got the hint %q, want %q", got, c.hint)
			}
		})
	}
	t.Run("no transactions", func(t *testing.T) {
		s := p.sink()
		s.more = []kgo.Opt{kgo.MaxVersions(kversion.V0_10_2())}
		if _, err := s.Open(t.Context(), logOf(t, "a"), writer.Follow); err == nil || !strings.Contains(hint.Of(err), "transactions") {
			t.Errorf("got %v (%s), want that there are no transactions", err, hint.Of(err))
		}
	})
}

// passwordHint is in the remedy for a wrong password.
const passwordHint = "TABLEHAUL_KAFKA_PASSWORD"

// TestCompression has Kafka's own consumer read each codec.
func TestCompression(t *testing.T) {
	var p place
	var topics []string
	codecs := []string{"none", "gzip", "snappy", "lz4", "zstd"}
	for _, codec := range codecs {
		p = newPlace(t, "&compression="+codec)
		a, s := logOf(t, "a"), p.sink()
		w := p.open(s, a)
		p.write(w, a, 1, 2, 3)
		p.commit(s, "one", w)
		p.want("a1 a2 a3")
		topics = append(topics, p.topic)
	}
	if got := p.consoleOf(strings.Join(topics, "|"), 3*len(codecs)); len(got) != 3*len(codecs) {
		t.Errorf("Kafka's consumer prints %q", got)
	}
}

// TestTooLarge has rows that the topic does not take, in each of the ways.
func TestTooLarge(t *testing.T) {
	for _, policy := range []string{"fail", "skip", "key"} {
		p := newPlace(t, "&config.max.message.bytes=5000&too-large="+policy)
		a := logWith(t, "a", "v longtext")
		var warned []string
		s := p.sink()
		s.opts.Warn = func(msg string) { warned = append(warned, msg) }
		w := p.open(s, a)
		long := strings.Repeat("x", 6000)
		err := p.writeRows(w, a, [][]any{{1, "short"}, {2, long}, {3, long}, {4, strings.Repeat("y", 4000)}})
		if policy == "fail" {
			var te *schema.TableError
			if !errors.As(err, &te) || te.Table != "shop.a" {
				t.Fatalf("got %v, want an error of the table", err)
			}
			for _, want := range []string{`"pk.id":"2"`, "takes 5000", p.topic} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %v, want %s in it", err, want)
				}
			}
			if got := hint.Of(err); !strings.Contains(got, "max.message.bytes=") || !strings.Contains(got, "too-large=skip") {
				t.Errorf("got the hint %q", got)
			}
			w.Close()
			p.want("")
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		p.commit(s, "one", w)
		if len(warned) != 1 || !strings.Contains(warned[0], "shop.a: 2 messages") || !strings.Contains(warned[0], `"pk.id":"2"`) {
			t.Errorf("%s: got warnings %q", policy, warned)
		}
		var values, keys []string
		for _, r := range p.records() {
			if r.Value != nil {
				values = append(values, p.short(r.Value))
			} else {
				keys = append(keys, string(r.Key)+string(r.Headers[0].Value))
			}
		}
		if got := fmt.Sprint(values); got != "[a1 a4]" {
			t.Errorf("%s: got %s", policy, got)
		}
		if (len(keys) == 2) != (policy == "key") {
			t.Errorf("%s: got keys %q", policy, keys)
		}
	}
}

// TestTooLargeDelete has a large row deleted, and get another key: of what is gone the key is told,
// whatever becomes of large messages, and however it is written.
func TestTooLargeDelete(t *testing.T) {
	long := strings.Repeat("x", 6000)
	for format, id := range map[string]string{"canal-json": `"id":"%d"`, "debezium-json": `"id":%d`, "debezium-json&schemas=true": `"id":%d`, "maxwell-json": `"id":%d`} {
		for _, policy := range []string{"fail", "skip", "key"} {
			p := newPlace(t, "&config.max.message.bytes=5000&too-large="+policy+"&format="+format)
			a := logWith(t, "a", "v longtext", "n int not null")
			s := p.sink()
			s.opts.Warn = func(msg string) { t.Errorf("%s: warned: %s", format, msg) }
			w := p.open(s, a)
			b := batchtest.Build(memory.DefaultAllocator, a, []batchtest.Row{
				{int64(1), long, int64(7), "d", nil, nil, nil},
				{int64(2), long, int64(8), "b", nil, nil, nil},
				{int64(3), "short", int64(8), "u", nil, nil, nil},
				{int64(4), "short", int64(9), "d", nil, nil, nil},
			})
			err := w.Write(t.Context(), b)
			b.Release()
			if err != nil {
				t.Fatalf("%s, %s: %v", format, policy, err)
			}
			p.commit(s, "one", w)
			var keys []string
			shorts := 0
			for _, r := range p.records() {
				text := string(r.Value)
				if text == "" {
					continue // a tombstone of Debezium's
				}
				if strings.Contains(text, "xxx") || len(r.Headers) > 0 {
					t.Errorf("%s, %s: got %d bytes, headers %v", format, policy, len(text), r.Headers)
				}
				shorts += strings.Count(text, `"short"`)
				for i := range 4 { // the keys of rows that are gone
					null := strings.Contains(text, `"v":null`) && strings.Contains(text, `"n":null`)
					if null && strings.Contains(text, fmt.Sprintf(id, i+1)) {
						keys = append(keys, fmt.Sprint(i+1))
					}
				}
			}
			if got := strings.Join(keys, " "); got != "1 2" || shorts != 2 {
				t.Errorf("%s, %s: got the keys %q and %d other rows", format, policy, got, shorts)
			}
		}
	}
}

// TestPartitionsAdded gives a topic more partitions between two runs, and deletes it.
func TestPartitionsAdded(t *testing.T) {
	p := newPlace(t, "&partitions=2")
	a := logOf(t, "a")
	keys := []int{1, 2, 3, 4, 5, 6, 7, 8, 9}
	s := p.sink()
	w := p.open(s, a)
	p.write(w, a, keys...)
	p.commit(s, "one", w)
	p.want("a1 a2 a3 a4 a5 a6 a7 a8 a9")
	if _, err := p.admin().CreatePartitions(t.Context(), 3, p.topic); err != nil {
		t.Fatal(err)
	}
	var warned []string
	s = p.sink()
	s.opts.Warn = func(msg string) { warned = append(warned, msg) }
	w = p.open(s, a)
	p.open(s, logOf(t, "b"))
	if len(warned) != 1 || !strings.Contains(warned[0], "has 5 partitions now") {
		t.Errorf("got warnings %q", warned)
	}
	p.write(w, a, keys...)
	p.commit(s, "two", w)
	p.want("a1 a1 a2 a2 a3 a3 a4 a4 a5 a5 a6 a6 a7 a7 a8 a8 a9 a9")
	where := map[string]int32{}
	for _, r := range p.records() {
		if at, ok := where[string(r.Key)]; ok && at != r.Partition {
			t.Errorf("key %s is in partitions %d and %d", r.Key, at, r.Partition)
		}
		where[string(r.Key)] = r.Partition
	}

	for _, again := range []bool{false, true} {
		if !again {
			if _, err := p.admin().DeleteTopic(t.Context(), p.topic); err != nil {
				t.Fatal(err)
			}
		} else if _, err := p.admin().CreateTopic(t.Context(), 2, 1, nil, p.topic); err != nil {
			t.Fatal(err)
		}
		d, err := p.sink().Describe(t.Context(), a, writer.Create)
		if err != nil || d.Fate != writer.Refused {
			t.Errorf("made again %v: got %+v, %v, want a refusal", again, d, err)
		}
		_, err = p.sink().Open(t.Context(), a, writer.Follow)
		var te *schema.TableError
		if !errors.As(err, &te) || !strings.Contains(hint.Of(err), "--mode replace --tables shop.a") {
			t.Errorf("made again %v: got %v (%s)", again, err, hint.Of(err))
		}
	}
	s = p.sink()
	r := p.openTo(s, a, writer.Replace)
	p.stock(r, 0, false, 1)
	p.commit(s, "three", r)
	p.want("a1 a∅ a∅")
}

// TestTopicGone has the topic deleted while a run goes on.
func TestTopicGone(t *testing.T) {
	p := newPlace(t, "")
	a, s := logOf(t, "a"), p.sink()
	w := p.open(s, a)
	p.write(w, a, 1)
	p.commit(s, "one", w)
	if _, err := p.admin().DeleteTopic(t.Context(), p.topic); err != nil {
		t.Fatal(err)
	}
	p.write(w, a, 2)
	err := w.Commit(t.Context(), "two")
	if !hint.IsTransient(err) {
		t.Fatalf("got %v, want an error that has the tables opened again", err)
	}
	w.Close()
	_, err = s.Open(t.Context(), a, writer.Follow)
	if err == nil || !strings.Contains(err.Error(), "is gone") {
		t.Errorf("got %v, want that the topic is gone", err)
	}
}

// A breaker lets connections be cut just when the end of a transaction was asked for.
type breaker struct {
	net.Conn
	armed *atomic.Bool
}

// Write sends a request, and cuts the connection behind an EndTxn.
func (b breaker) Write(p []byte) (int, error) {
	n, err := b.Conn.Write(p)
	if len(p) > 6 && bytes.Equal(p[4:6], []byte{0, 26}) && b.armed.Load() {
		b.Conn.Close() // the broker has it nevertheless
	}
	return n, err
}

// TestUnknownOutcome loses the reply to the end of a transaction, and all further ones.
func TestUnknownOutcome(t *testing.T) {
	p := newPlace(t, "")
	a, s := logOf(t, "a"), p.sink()
	var armed atomic.Bool
	s.more = []kgo.Opt{kgo.RetryTimeout(1e9), kgo.Dialer(func(ctx context.Context, network, host string) (net.Conn, error) {
		c, err := new(net.Dialer).DialContext(ctx, network, host)
		if err != nil {
			return nil, err
		}
		return breaker{c, &armed}, nil
	})}
	w := p.open(s, a)
	p.write(w, a, 1)
	p.commit(s, "one", w)
	p.write(w, a, 2)
	armed.Store(true)
	err := w.Commit(t.Context(), "two")
	if !hint.IsTransient(err) {
		t.Fatalf("got %v, want an error that may pass", err)
	}
	armed.Store(false)
	w.Close()
	w = p.open(s, a)
	pos, _ := w.Position(t.Context())
	if pos != "one" && pos != "two" {
		t.Fatalf("got position %q", pos)
	}
	if pos == "one" {
		p.write(w, a, 2)
	}
	p.write(w, a, 3)
	p.commit(s, "three", w)
	p.want("a1 a2 a3")
}

// TestCheck looks at a sink before it is used.
func TestCheck(t *testing.T) {
	p := newPlace(t, "&partitions=2&replication=5")
	tables := []*schema.Table{logOf(t, "a"), logWith(t, "b", "v longtext")}
	check := func(s *Sink, mode writer.Mode) string {
		found, err := s.Check(t.Context(), tables, mode, finding.Purpose{Tail: true})
		if err != nil {
			t.Fatal(err)
		}
		var all []string
		for _, f := range found {
			all = append(all, fmt.Sprint(f.Level, " ", f.Check))
			if f.Remedy == "" {
				t.Errorf("%s has no remedy", f.Check)
			}
		}
		return strings.Join(all, ", ")
	}
	if got, want := check(p.sink(), writer.Follow), "error kafka-topic, error kafka-topic, note kafka-message-size"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	p.url = strings.Replace(p.url, "&replication=5", "", 1)
	if got, want := check(p.sink(), writer.Follow), "note kafka-message-size"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	s := p.sink()
	w := p.open(s, tables[0])
	p.write(w, tables[0], 1)
	p.commit(s, "one", w)
	p.url = strings.Replace(p.url, "partitions=2", "partitions=3", 1)
	if got, want := check(p.sink(), writer.Follow), "warning kafka-partitions, note kafka-message-size"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := check(p.sink(), writer.Evolve), "error sink-table, error sink-table, note kafka-message-size"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	held, err := p.sink().List(t.Context())
	if err != nil || len(held) != 1 || held[0].Position != "one" || held[0].Source != "shop.a" || held[0].Name != p.topic+"/shop.a" {
		t.Errorf("got %+v, %v", held, err)
	}
	for mode, want := range map[writer.Mode]writer.Fate{writer.Create: writer.Whole, writer.Follow: writer.Followed, writer.Append: writer.Added, writer.Replace: writer.Replaced, writer.Evolve: writer.Refused} {
		if d, err := p.sink().Describe(t.Context(), tables[0], mode); err != nil || d.Fate != want {
			t.Errorf("%s: got %+v, %v, want %s", mode, d, err, want)
		}
	}
	// Nothing of this has disturbed the run.
	p.write(w, tables[0], 2)
	p.commit(s, "two", w)
	p.want("a1 a2")
}

// TestOtherJobOpen has another job's transaction open in the topic of positions.
func TestOtherJobOpen(t *testing.T) {
	p := newPlace(t, "")
	a, other := logOf(t, "a"), p.sink()
	w := p.open(other, a)
	p.write(w, a, 1)
	p.sendPosition(other, "shop.a", heldTable{Topic: p.topic})
	p.url += "&job=second"
	s := p.sink()
	told := make(chan string, 1)
	s.opts.Warn = func(msg string) { told <- msg; other.Close() }
	p.open(s, a)
	if msg := <-told; !strings.Contains(msg, "another job's transaction") || !strings.Contains(msg, p.topic+"-positions") {
		t.Errorf("warned of %q", msg)
	}
}
