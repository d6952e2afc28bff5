package kafka

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
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
	a := logOf(t, "a")
	before := newPlace(t, "") // makes the coordinator's topic while there is one broker
	w := before.open(before.sink(), a)
	before.write(w, a, 1)
	if err := w.Commit(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	second, script := services.PrivateEnv(t, "kafka", "--join", filepath.Dir(services.Env(t, "TABLEHAUL_TEST_KAFKA_PID")))
	for name, test := range map[string]func(*twoBrokers){
		"CommitThenAbort":  commitThenAbort,
		"AbortThenCommit":  abortThenCommit,
		"AbortInProcess":   abortInProcess,
		"NewTopic":         abortInNewTopic,
		"CutWhileSettling": cutWhileSettling,
		"Overtaken":        overtakenByCommit,
		"NeverLooked":      neverLooked,
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t, "")
			p.createOn(p.topic+"-positions", 1, compacted)
			p.createOn(p.topic, 2, nil)
			b := &twoBrokers{place: p, a: a, pid: second["TABLEHAUL_TEST_KAFKA_PID"], back: func() { script("start") }}
			b.lead(2)
			test(b)
		})
	}
}

// twoBrokers are a cluster whose second broker has the topic, and the first all else.
type twoBrokers struct {
	place
	a    *schema.Table
	pid  string
	back func() // starts the second again
}

// lead waits until the partition is led by that broker, -1 for none.
func (b *twoBrokers) lead(want int32) {
	b.t.Helper()
	adm := b.admin()
	for end := time.Now().Add(3 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		topics, err := adm.ListTopics(b.t.Context(), b.topic)
		if err == nil && topics[b.topic].Partitions[0].Leader == want {
			return
		}
		if time.Now().After(end) {
			b.t.Fatalf("the partition is led by %v (%v), want %d", topics[b.topic].Partitions, err, want)
		}
	}
}

func (b *twoBrokers) kill() {
	b.t.Helper()
	killBroker(b.t, b.pid)
	b.lead(-1)
}

// put stages a row and has it sent.
func (b *twoBrokers) put(s *Sink, w writer.Writer, key int) {
	b.t.Helper()
	b.write(w, b.a, key)
	if err := s.session.cl.Flush(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

// follow opens the table, which is to hold that position.
func (b *twoBrokers) follow(s *Sink, pos string) writer.Writer {
	b.t.Helper()
	w := b.open(s, b.a)
	if got, _ := w.Position(b.t.Context()); string(got) != pos {
		b.t.Errorf("got position %q, want %q", got, pos)
	}
	return w
}

// first is a run that has committed row 1.
func (b *twoBrokers) first() (*Sink, writer.Writer) {
	b.t.Helper()
	s := b.sink()
	w := b.follow(s, "")
	b.write(w, b.a, 1)
	b.commit(s, "one", w)
	return s, w
}

// next is a run that goes on from a position, and commits a row.
func (b *twoBrokers) next(pos string, key int) {
	b.t.Helper()
	s := b.sink()
	w := b.follow(s, pos)
	b.write(w, b.a, key)
	b.commit(s, "next", w)
}

// abort has a run end with row 2 sent, and its mark left out.
func (b *twoBrokers) abort(s *Sink, w writer.Writer) {
	b.t.Helper()
	b.put(s, w, 2)
	b.kill()
	s.Close()
}

func commitThenAbort(b *twoBrokers) {
	s, w := b.first()
	back := make(chan struct{})
	s.opts.Step = func(step string) {
		switch step {
		case "messages there":
			b.kill()
		case "transaction ended":
			go func() { defer close(back); b.back() }()
		}
	}
	b.write(w, b.a, 2)
	b.commit(s, "two", w)
	<-back
	s.opts.Step = nil
	b.put(s, w, 3)
	s.Close()
	b.next("two", 4)
	b.want("a1 a2 a4")
}

func abortThenCommit(b *twoBrokers) {
	b.abort(b.first())
	b.back()
	b.next("one", 3)
	b.want("a1 a3")
}

// abortInProcess has the same process go on.
func abortInProcess(b *twoBrokers) {
	s, w := b.first()
	b.put(s, w, 2)
	b.kill()
	if err := s.session.cl.EndTransaction(b.t.Context(), kgo.TryAbort); err != nil {
		b.t.Fatal(err)
	}
	w.Close()
	b.back()
	w = b.follow(s, "one")
	b.write(w, b.a, 3)
	b.commit(s, "three", w)
	b.want("a1 a3")
}

// abortInNewTopic has no position tell of the topic.
func abortInNewTopic(b *twoBrokers) {
	s := b.sink()
	b.abort(s, b.follow(s, ""))
	b.back()
	b.next("", 3)
	b.want("a3")
}

// cutWhileSettling has a run come and go in vain before the broker is back: the one behind it
// has to know as much as that one did.
func cutWhileSettling(b *twoBrokers) {
	b.abort(b.first())
	s := b.sink()
	ctx, cancel := context.WithTimeout(b.t.Context(), 4*time.Second)
	defer cancel()
	if _, err := s.Open(ctx, b.a, writer.Follow); err == nil {
		b.t.Error("a run has begun although nobody can tell what is open in its topic")
	}
	s.Close()
	b.back()
	b.next("one", 3)
	b.want("a1 a3")
}

// overtakenByCommit has a run commit in the moment in which another one has asked what became of
// its transaction.
func overtakenByCommit(b *twoBrokers) {
	s, w := b.first()
	b.put(s, w, 2)
	h := w.(*Writer).place
	h.Position = "two"
	b.sendPosition(s, "shop.a", h)
	b.kill()
	young := b.sink()
	var once sync.Once
	young.more = []kgo.Opt{kgo.WithHooks(onRead(func(key int16) {
		if key == kmsg.DescribeTransactions.Int16() {
			once.Do(func() {
				if err := s.session.cl.EndTransaction(context.Background(), kgo.TryCommit); err != nil {
					b.t.Error(err)
				}
				go b.back()
			})
		}
	}))}
	w = b.follow(young, "two")
	b.write(w, b.a, 3)
	b.commit(young, "three", w)
	b.want("a1 a2 a3")
}

type onRead func(key int16)

// OnBrokerRead implements kgo.HookBrokerRead.
func (f onRead) OnBrokerRead(_ kgo.BrokerMetadata, key int16, _ int, _, _ time.Duration, _ error) {
	f(key)
}

// neverLooked has a commit without a mark, for which its run did not look, and behind it an abort
// elsewhere: what is open is not of that.
func neverLooked(b *twoBrokers) {
	s, w := b.first()
	s.session.looks = false
	s.opts.Step = func(step string) {
		if step == "messages there" {
			b.kill()
		}
	}
	b.write(w, b.a, 2)
	b.commit(s, "two", w)
	s.opts.Step = nil
	b.back()
	b.lead(2)
	b.sendPosition(s, "shop.other", heldTable{Topic: b.topic})
	s.Close()
	b.next("two", 3)
	b.want("a1 a2 a3")
}

// sendPosition has a table's position sent as part of the transaction.
func (p place) sendPosition(s *Sink, table string, h heldTable) {
	p.t.Helper()
	r, err := s.positionRecord(table, h)
	if err == nil {
		err = s.session.produce(p.t.Context(), r)
	}
	if err == nil {
		err = s.session.cl.Flush(p.t.Context())
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

// createOn creates a topic with one partition, on that broker.
func (p place) createOn(name string, broker int32, config map[string]*string) {
	p.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(services.Env(p.t, "TABLEHAUL_TEST_KAFKA")))
	if err != nil {
		p.t.Fatal(err)
	}
	defer cl.Close()
	topic := kmsg.NewCreateTopicsRequestTopic()
	topic.Topic, topic.NumPartitions, topic.ReplicationFactor = name, -1, -1
	topic.ReplicaAssignment = []kmsg.CreateTopicsRequestTopicReplicaAssignment{{Partition: 0, Replicas: []int32{broker}}}
	for k, v := range config {
		topic.Configs = append(topic.Configs, kmsg.CreateTopicsRequestTopicConfig{Name: k, Value: v})
	}
	req := kmsg.NewPtrCreateTopicsRequest()
	req.Topics = append(req.Topics, topic)
	if resp, err := req.RequestWith(p.t.Context(), cl); err != nil || resp.Topics[0].ErrorCode != 0 {
		p.t.Fatalf("create a topic: %+v, %v", resp, err)
	}
}

// TestBegunMeanwhile has the run before go on with another transaction, when a new one has just
// been told that all are over.
func TestBegunMeanwhile(t *testing.T) {
	p, a := newPlace(t, ""), logOf(t, "a")
	s := p.sink()
	old := p.open(s, a)
	p.write(old, a, 1)
	p.commit(s, "one", old)
	young := p.sink()
	var once sync.Once
	young.more = []kgo.Opt{kgo.WithHooks(onRead(func(key int16) {
		if key == kmsg.DescribeTransactions.Int16() {
			once.Do(func() {
				p.write(old, a, 2)
				if err := s.session.cl.Flush(context.Background()); err != nil {
					t.Error(err)
				}
			})
		}
	}))}
	w := p.open(young, a)
	p.write(w, a, 3)
	p.commit(young, "three", w)
	if err := old.Commit(t.Context(), "two"); !errors.Is(err, writer.ErrFenced) {
		t.Errorf("got %v, want %v", err, writer.ErrFenced)
	}
	p.want("a1 a3")
}

// TestOldBrokers has brokers that cannot be asked for marks, or for a part of it.
func TestOldBrokers(t *testing.T) {
	for _, v := range []*kversion.Versions{kversion.V2_5_0(), kversion.V2_8_0(), kversion.V3_0_0()} {
		c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.MaxVersions(v), kfake.SeedTopics(1, "x"))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		p, a := place{t, "x", "kafka://" + c.ListenAddrs()[0] + "/x?positions=xp"}, logOf(t, "a")
		s := p.sink()
		s.opts.Warn = func(msg string) { t.Errorf("%s: %s", v.VersionGuess(), msg) }
		w := p.open(s, a)
		p.write(w, a, 1)
		p.commit(s, "one", w)
	}
}
