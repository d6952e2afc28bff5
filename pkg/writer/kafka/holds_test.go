package kafka

import (
	"errors"
	"strings"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// TestPositionsLost has the topic of positions be another: what the topic holds is not copied
// beside itself, however often that is tried.
func TestPositionsLost(t *testing.T) {
	p := newPlace(t, "&partitions=2")
	a, b, s := logOf(t, "a"), logOf(t, "b"), p.sink()
	w := p.openTo(s, a, writer.Create)
	p.stock(w, 0, false, 1, 2)
	p.commit(s, "one", w)
	p.want("a1 a2")

	p.url = strings.Replace(p.url, "-positions", "-others", 1)
	for range 2 {
		s := p.sink()
		for range 2 { // the fence of a session is no position
			d, err := s.Describe(t.Context(), a, writer.Create)
			if err != nil || d.Fate != writer.Refused {
				t.Errorf("got %+v, %v, want a refusal", d, err)
			}
			_, err = s.Open(t.Context(), a, writer.Create)
			var te *schema.TableError
			if !errors.As(err, &te) || !strings.Contains(err.Error(), "topic "+p.topic+"-others knows nothing of the job tablehaul."+p.topic) {
				t.Errorf("got %v, want that nothing is known of the job", err)
			}
			for _, want := range []string{"snapshot --mode replace", "snapshot --mode append", "job="} {
				if !strings.Contains(hint.Of(err), want) {
					t.Errorf("got the hint %q, want %s in it", hint.Of(err), want)
				}
			}
		}
	}
	// One way out.
	s = p.sink()
	w = p.openTo(s, a, writer.Replace)
	p.stock(w, 0, false, 3)
	p.commit(s, "one", w)
	p.want("a1 a2 a3 a∅ a∅")
	p.openTo(p.sink(), b, writer.Create)

	// And the other.
	p.url = strings.Replace(p.url, "-others", "-third", 1) + "&job=third-" + p.topic
	s = p.sink()
	w = p.openTo(s, b, writer.Append)
	p.stock(w, 0, false, 1)
	p.commit(s, "one", w)
	p.want("a1 a2 a3 a∅ a∅ b1")
	p.openTo(p.sink(), a, writer.Create)
}

// TestNothingHeld has a topic with control records and aborted messages alone: a run that was
// killed before its first commit is no obstacle, nor is a transaction of others that is open.
func TestNothingHeld(t *testing.T) {
	p := newPlace(t, "&config.segment.bytes=1048576")
	a, s := logWith(t, "a", "v longtext"), p.sink()
	w := p.openTo(s, a, writer.Create)
	for range 3 { // more than is fetched in one go
		if err := p.writeRows(w, a, [][]any{{int64(1), strings.Repeat("x", 700_000)}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.session.cl.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	other, err := kgo.NewClient(kgo.SeedBrokers(services.Env(t, "TABLEHAUL_TEST_KAFKA")), kgo.TransactionalID("other-"+p.topic), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(other.Close)
	if err := other.BeginTransaction(); err != nil {
		t.Fatal(err)
	}
	if err := other.ProduceSync(t.Context(), &kgo.Record{Topic: p.topic, Value: []byte("x")}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	s = p.sink() // has the first one's aborted, whose mark is behind what is open
	p.openTo(s, a, writer.Create)
	p.openTo(p.sink(), a, writer.Replace)
	if err := other.EndTransaction(t.Context(), kgo.TryCommit); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Open(t.Context(), logOf(t, "b"), writer.Create); err != nil {
		t.Errorf("got %v in the same session", err)
	}
	if _, err := p.sink().Open(t.Context(), a, writer.Create); err == nil {
		t.Error("got no error beside the message of another")
	}
}
