package kafka

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tablehaul/tablehaul/testdata/services"
)

// TestMarks has the broker of a topic killed when a transaction ends, whose coordinator is
// another one: Kafka 4.3.0 to 4.4.0 leaves the mark out, and an abort would take a commit away,
// and a commit bring to light what was aborted.
func TestMarks(t *testing.T) {
	env, _ := services.PrivateEnv(t, "kafka")
	for name, value := range env {
		t.Setenv(name, value)
	}
	p, before := newPlace(t, ""), newPlace(t, "")
	a := logOf(t, "a")
	w := before.open(before.sink(), a) // so the coordinator is where all is as yet
	before.write(w, a, 1)
	if err := w.Commit(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	adm := p.admin()
	if _, err := adm.CreateTopic(t.Context(), 1, 1, compacted, p.topic+"-positions"); err != nil {
		t.Fatal(err)
	}
	second, script := services.PrivateEnv(t, "kafka", "--join", filepath.Dir(services.Env(t, "TABLEHAUL_TEST_KAFKA_PID")))
	p.createOn(2)
	lead := func(want int32) {
		t.Helper()
		for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
			topics, err := adm.ListTopics(t.Context(), p.topic)
			if err == nil && topics[p.topic].Partitions[0].Leader == want {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("the partition is led by %v (%v), want %d", topics[p.topic].Partitions, err, want)
			}
		}
	}
	lead(2)
	kill := func() {
		killBroker(t, second["TABLEHAUL_TEST_KAFKA_PID"])
		lead(-1)
	}

	s := p.sink()
	w = p.open(s, a)
	p.write(w, a, 1)
	p.commit(s, "one", w)
	back := make(chan struct{})
	s.opts.Step = func(step string) {
		switch step {
		case "messages there":
			kill()
		case "transaction ended":
			go func() { defer close(back); script("start") }()
		}
	}
	p.write(w, a, 2)
	p.commit(s, "two", w)
	<-back
	s.opts.Step = nil

	p.write(w, a, 3)
	flush(t, s)
	kill()
	s.Close() // an abort that leaves 3 open
	script("start")
	s = p.sink()
	w = p.open(s, a)
	if pos, _ := w.Position(t.Context()); pos != "two" {
		t.Errorf("got position %q, want two", pos)
	}
	p.write(w, a, 4)
	p.commit(s, "four", w)

	p.write(w, a, 5)
	flush(t, s)
	kill()
	if err := s.session.cl.EndTransaction(t.Context(), kgo.TryAbort); err != nil {
		t.Fatal(err)
	}
	w.Close() // the same process goes on
	script("start")
	w = p.open(s, a)
	p.write(w, a, 6)
	p.commit(s, "six", w)
	p.want("a1 a2 a4 a6")
}

// flush sends what is staged.
func flush(t *testing.T, s *Sink) {
	t.Helper()
	if err := s.session.cl.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// createOn creates the topic with one partition, on that broker.
func (p place) createOn(broker int32) {
	p.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(services.Env(p.t, "TABLEHAUL_TEST_KAFKA")))
	if err != nil {
		p.t.Fatal(err)
	}
	defer cl.Close()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = p.topic, -1, -1
	topic.ReplicaAssignment = []kmsg.CreateTopicsRequestTopicReplicaAssignment{{Partition: 0, Replicas: []int32{broker}}}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics = append(req.Topics, topic)
	if resp, err := req.RequestWith(p.t.Context(), cl); err != nil || resp.Topics[0].ErrorCode != 0 {
		p.t.Fatalf("create a topic: %+v, %v", resp, err)
	}
}
