package kafka

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/message"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// A place is a topic of a test's own.
type place struct {
	t     *testing.T
	topic string
	url   string
}

func newPlace(t *testing.T, more string) place {
	topic := "test-" + strings.ToLower(rand.Text()[:10])
	return place{t, topic, fmt.Sprintf("kafka://%s/%s?positions=%s-positions%s", services.Env(t, "TABLEHAUL_TEST_KAFKA"), topic, topic, more)}
}

func (p place) sink() *Sink {
	p.t.Helper()
	s, err := Open(p.t.Context(), p.url, Options{})
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { s.Close() })
	return s
}

func (p place) open(s *Sink, t *schema.Table) writer.Writer {
	p.t.Helper()
	w, err := s.Open(p.t.Context(), t, writer.Follow)
	if err != nil {
		p.t.Fatal(err)
	}
	return w
}

// write stages inserts of rows with these keys.
func (p place) write(w writer.Writer, t *schema.Table, keys ...int) {
	p.t.Helper()
	var rows []batchtest.Row
	for _, k := range keys {
		rows = append(rows, batchtest.Row{int64(k), "c", nil, nil, nil})
	}
	b := batchtest.Build(memory.DefaultAllocator, t, rows)
	defer b.Release()
	if err := w.Write(p.t.Context(), b); err != nil {
		p.t.Fatal(err)
	}
}

func (p place) commit(s *Sink, pos batch.Position, ws ...writer.Writer) {
	p.t.Helper()
	if err := s.CommitAll(p.t.Context(), ws, pos); err != nil {
		p.t.Fatal(err)
	}
}

// committed returns the tables and keys that Kafka's own consumer sees, sorted.
func (p place) committed() string {
	p.t.Helper()
	run := services.Env(p.t, "TABLEHAUL_TEST_KAFKA_RUN")
	out, _ := exec.Command(run, "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", services.Env(p.t, "TABLEHAUL_TEST_KAFKA"),
		"--topic", p.topic, "--from-beginning", "--isolation-level", "read_committed", "--timeout-ms", "10000").Output() // its timeout is an error
	var all []string
	for line := range strings.Lines(string(out)) {
		var m struct {
			Table string
			Data  []struct{ ID string }
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			p.t.Fatalf("%v: %s", err, line)
		}
		all = append(all, m.Table+m.Data[0].ID)
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

func (p place) want(want string) {
	p.t.Helper()
	if got := p.committed(); got != want {
		p.t.Errorf("committed is %q, want %q", got, want)
	}
}

func logOf(t *testing.T, name string) *schema.Table {
	t.Helper()
	c, err := schema.Changelog(batchtest.Shape("shop", name, "id int key"))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TestCommit has what is committed seen once, with its position, and nothing else.
func TestCommit(t *testing.T) {
	p := newPlace(t, "&partitions=3")
	a, b := logOf(t, "a"), logOf(t, "b")
	s := p.sink()
	wa, wb := p.open(s, a), p.open(s, b)
	p.write(wa, a, 1, 2)
	p.write(wb, b, 1)
	p.commit(s, "one", wa, wb)
	p.write(wa, a, 3)
	p.commit(s, "two", wa)
	p.commit(s, "three", wa, wb) // positions alone
	p.write(wa, a, 4)
	if err := wa.Close(); err != nil { // takes it back
		t.Fatal(err)
	}
	wb.Close()
	wa, wb = p.open(s, a), p.open(s, b)
	for _, w := range []writer.Writer{wa, wb} {
		if pos, err := w.Position(t.Context()); pos != "three" || err != nil {
			t.Errorf("got position %q, %v, want three", pos, err)
		}
	}
	p.write(wa, a, 5)
	p.commit(s, "four", wa)
	p.want("a1 a2 a3 a5 b1")
}

// TestLook has a topic come up only while it is looked at.
func TestLook(t *testing.T) {
	p := newPlace(t, "")
	opts, err := p.sink().url.Options()
	if err != nil {
		t.Fatal(err)
	}
	cl, err := kadm.NewOptClient(opts...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	made := make(chan error)
	go func() {
		time.Sleep(300 * time.Millisecond)
		_, err := cl.CreateTopic(t.Context(), 3, 1, nil, p.topic)
		made <- err
	}()
	n, err := look(t.Context(), cl, p.topic)
	if err := errors.Join(err, <-made); err != nil || n != 3 {
		t.Errorf("got %d partitions, %v, want 3", n, err)
	}
}

// TestFenced has a run that was thought dead go on behind another.
func TestFenced(t *testing.T) {
	p := newPlace(t, "")
	a := logOf(t, "a")
	first := p.sink()
	old := p.open(first, a)
	p.write(old, a, 1)
	p.commit(first, "one", old)
	p.write(old, a, 2)

	second := p.sink()
	young := p.open(second, a)
	if pos, _ := young.Position(t.Context()); pos != "one" {
		t.Errorf("got position %q, want one", pos)
	}
	if err := old.Commit(t.Context(), "two"); !errors.Is(err, writer.ErrFenced) {
		t.Errorf("got %v, want %v", err, writer.ErrFenced)
	}
	p.write(young, a, 3)
	p.commit(second, "three", young)
	p.want("a1 a3")

	// Opened anew, the first takes over in turn.
	old.Close()
	old = p.open(first, a)
	if pos, _ := old.Position(t.Context()); pos != "three" {
		t.Errorf("got position %q, want three", pos)
	}
	p.write(old, a, 4)
	p.commit(first, "four", old)
	if err := young.Commit(t.Context(), "five"); !errors.Is(err, writer.ErrFenced) {
		t.Errorf("got %v, want %v", err, writer.ErrFenced)
	}
	p.want("a1 a3 a4")
}

func TestTopicNames(t *testing.T) {
	for url, want := range map[string]string{
		"kafka://h/all":                 "all",
		"kafka://h/cdc.{db}.{table}":    "cdc.shop.orders",
		"kafka://u@h:1,i:2/{table}-log": "orders-log",
	} {
		s, err := newSink(url, Options{})
		if err != nil {
			t.Errorf("%s: %v", url, err)
			continue
		}
		if got, err := s.topicOf(&schema.Table{DB: "shop", Name: "orders"}); got != want || err != nil {
			t.Errorf("%s: got %s, %v, want %s", url, got, err, want)
		}
	}
	for _, url := range []string{"kafka://h", "kafka:///t", "kafka://h/a b", "kafka://h/{tabel}", "kafka://h/t?partition=3", "kafka://h/t?compression=rar", "kafka://h/t?format=xml", "kafka://h/t?schemas=true", "kafka://h/t?format=debezium-json&schemas=yes", "kafka://h/t?format=maxwell-json&tombstones=false", "kafka://h/tablehaul-positions", "kafka://h,/t"} {
		if err := CheckURL(url); err == nil {
			t.Errorf("%s: got no error", url)
		}
	}
	s, _ := newSink("kafka://h/t?format=debezium-json&schemas=true&tombstones=false", Options{})
	if want := (message.Options{Schemas: true, NoTombstones: true}); s.messages != want {
		t.Errorf("got %+v, want %+v", s.messages, want)
	}
	s, _ = newSink("kafka://h/{table}", Options{})
	if _, err := s.topicOf(&schema.Table{DB: "d", Name: "größe"}); err == nil {
		t.Error("a topic of another alphabet: got no error")
	}
}

// TestPartitions has keys land where Kafka's own producer puts them.
func TestPartitions(t *testing.T) {
	of := partitions(1 << 16).Of
	// By org.apache.kafka.common.utils.Utils.murmur2, as its own tests have them, made
	// positive and cut to 16 bits.
	for key, murmur := range map[string]int32{"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971} {
		if got, want := of([]byte(key)), murmur&0x7fffffff%(1<<16); got != want {
			t.Errorf("%s: got partition %d, want %d", key, got, want)
		}
	}
	key := []byte("21")
	if n := testing.AllocsPerRun(100, func() { of(key) }); n > 0 {
		t.Errorf("a key costs %v allocations", n)
	}
}
