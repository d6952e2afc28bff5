package kafka

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tablehaul/tablehaul/testdata/services"
)

// A teller writes transactions of its own, in batches that are not large.
type teller struct {
	p  *place
	cl *kgo.Client
}

func (p *place) teller() *teller {
	p.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(p.brokers), kgo.TransactionalID(rand.Text()), kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(200_000), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(cl.Close)
	return &teller{p, cl}
}

func (w *teller) begin() {
	w.p.t.Helper()
	if err := w.cl.BeginTransaction(); err != nil {
		w.p.t.Fatal(err)
	}
}

// tell writes inserts of rows from id on, of more than so many bytes each.
func (w *teller) tell(id, rows, bytes int) {
	w.p.t.Helper()
	var all []*kgo.Record
	for i := range rows {
		text := change("a", "INSERT", fmt.Sprint("id=", id+i), "v="+strings.Repeat("x", bytes))
		all = append(all, &kgo.Record{Topic: w.p.topic, Value: []byte(text)})
	}
	if err := w.cl.ProduceSync(w.p.t.Context(), all...).FirstErr(); err != nil {
		w.p.t.Fatal(err)
	}
}

func (w *teller) end(commit bool) {
	w.p.t.Helper()
	if err := w.cl.EndTransaction(w.p.t.Context(), kgo.TransactionEndTry(commit)); err != nil {
		w.p.t.Fatal(err)
	}
}

// TestAborted has a large transaction aborted whose batches lie between those of others, and
// is read in fetches that hold one of them, or a few.
func TestAborted(t *testing.T) {
	p := newPlace(t, 1)
	const rows, bytes, batches = 500, 1000, 12
	first, second := p.teller(), p.teller()
	var want []int
	tell := func(w *teller, id int) {
		w.begin()
		w.tell(id, 1, 1)
		w.end(true)
		want = append(want, id)
	}
	tell(first, 1) // of the producer that aborts the next one
	first.begin()
	for i := range batches {
		first.tell(1000+i*rows, rows, bytes)
		tell(second, 10+i)
	}
	second.begin()
	second.tell(1_000_000, rows, bytes)
	first.end(false)
	second.end(false)
	tell(first, 2)
	tell(second, 3)
	// Each transaction ends with a mark.
	for end := int64(len(want)*2 + (batches+1)*rows + 2); p.end(0) < end; {
		if t.Context().Err() != nil {
			t.Fatal(t.Context().Err())
		}
	}

	for _, memory := range []int64{256 << 10, 4 << 20, 32 << 20} { // four times a fetch
		told, _, err := p.read(p.take(p.feed(Options{UntilEnd: true, Memory: memory})), nil)
		if err != nil {
			t.Fatal(err)
		}
		var got []int
		for _, row := range told {
			var id int
			if _, err := fmt.Sscanf(row, "a insert %d ", &id); err != nil {
				t.Fatalf("%.100s: %v", row, err)
			}
			got = append(got, id)
		}
		if !slices.Equal(got, want) {
			t.Errorf("with %d bytes: got %d rows, want %v", memory, len(got), want)
		}
	}
	if got := p.console(len(want)); !slices.Equal(got, want) {
		t.Errorf("Kafka's own consumer: got %d rows, want %v", len(got), want)
	}
}

// console returns the ids of what Kafka's own consumer prints of what is committed, of
// which so many are expected.
func (p *place) console(lines int) (ids []int) {
	p.t.Helper()
	out := services.Console(p.t, services.Env(p.t, "TABLEHAUL_TEST_KAFKA_RUN"), lines,
		"--bootstrap-server", p.brokers, "--topic", p.topic, "--from-beginning", "--isolation-level", "read_committed",
		"--command-property", "fetch.max.bytes=1000000", "--command-property", "max.partition.fetch.bytes=1000000")
	for line := range strings.Lines(out) {
		var m struct {
			Data []struct {
				ID int `json:",string"`
			}
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil || len(m.Data) != 1 {
			p.t.Fatalf("%v: %s", err, line)
		}
		ids = append(ids, m.Data[0].ID)
	}
	return ids
}
