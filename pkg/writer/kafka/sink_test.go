package kafka

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

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

// writeRows stages inserts of rows with these values.
func (p place) writeRows(w writer.Writer, t *schema.Table, rows [][]any) error {
	var all []batchtest.Row
	for _, r := range rows {
		all = append(all, append(batchtest.Row(r), "c", nil, nil, nil))
	}
	b := batchtest.Build(memory.DefaultAllocator, t, all)
	defer b.Release()
	return w.Write(p.t.Context(), b)
}

func (p place) commit(s *Sink, pos batch.Position, ws ...writer.Writer) {
	p.t.Helper()
	if err := s.CommitAll(p.t.Context(), ws, pos); err != nil {
		p.t.Fatal(err)
	}
}

// console returns the lines that Kafka's own consumer prints of what is committed, of which
// so many are expected.
func (p place) console(lines int) []string {
	p.t.Helper()
	return p.consoleOf(p.topic, lines)
}

// consoleOf is console of several topics, whose names are alternatives of a pattern.
func (p place) consoleOf(pattern string, lines int) []string {
	p.t.Helper()
	out := services.Console(p.t, services.Env(p.t, "TABLEHAUL_TEST_KAFKA_RUN"), lines, "--bootstrap-server", services.Env(p.t, "TABLEHAUL_TEST_KAFKA"),
		"--include", pattern, "--from-beginning", "--isolation-level", "read_committed")
	return strings.Split(strings.TrimSpace(out), "\n")
}

// records returns what is committed in the topic, partition by partition.
func (p place) records() []*kgo.Record {
	p.t.Helper()
	return committed(p.t, services.Env(p.t, "TABLEHAUL_TEST_KAFKA"), p.topic)
}

// committed reads a topic up to where the first open transaction begins.
func committed(t *testing.T, brokers, topic string) (all []*kgo.Record) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords(), kgo.FetchMaxWait(100*time.Millisecond))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	ends, err := kadm.NewClient(cl).ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		t.Fatal(err)
	}
	left := map[int32]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err0(); err != nil {
			t.Fatal(err)
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() && r.Offset < left[r.Partition] {
				all = append(all, r)
			}
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
		})
	}
	slices.SortStableFunc(all, func(a, b *kgo.Record) int { return cmp.Compare(a.Partition, b.Partition) })
	return all
}

// committed returns the tables and keys of what is committed, sorted.
func (p place) committed() string {
	p.t.Helper()
	var all []string
	for _, r := range p.records() {
		all = append(all, p.short(r.Value))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// short is a message in brief: its table and key.
func (p place) short(value []byte) string {
	p.t.Helper()
	var m struct {
		Table, Type string
		Data        []struct{ ID string }
	}
	if err := json.Unmarshal(value, &m); err != nil {
		p.t.Fatalf("%v: %s", err, value)
	}
	if m.Type == "TRUNCATE" {
		return m.Table + "∅"
	}
	return m.Table + m.Data[0].ID
}

func (p place) want(want string) {
	p.t.Helper()
	// The brokers mark a transaction's partitions a little after they have promised to.
	got := p.committed()
	for end := time.Now().Add(3 * time.Minute); len(got) < len(want) && time.Now().Before(end); got = p.committed() {
		time.Sleep(50 * time.Millisecond)
	}
	if got != want {
		p.t.Errorf("committed is %q, want %q", got, want)
	}
}

func logOf(t *testing.T, name string) *schema.Table { return logWith(t, name) }

// logWith is the log of a table with a key and more columns.
func logWith(t *testing.T, name string, columns ...string) *schema.Table {
	t.Helper()
	c, err := schema.Changelog(batchtest.Shape("shop", name, append([]string{"id int key"}, columns...)...))
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
	if got := p.console(5); len(got) != 5 {
		t.Errorf("Kafka's consumer prints %d messages, want 5: %q", len(got), got)
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
