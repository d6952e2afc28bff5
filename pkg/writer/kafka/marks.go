package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// Brokers confirm the end of a transaction once its coordinator has noted it, and mark it in the
// partitions a moment later. Kafka 4.3.0 to 4.4.0 leaves the mark out, for good, where a
// partition has no leader then (KAFKA-20734). What is open there shares the fate of the job's next
// transaction in the partition: with one that is aborted a commit is lost, and with one that is
// committed comes to light what was aborted. So each transaction's marks are looked for
// before the next one begins, and those that are missing are written.

// An ending is a transaction that has ended or is about to, how, and where it was.
type ending struct {
	id     int64 // of the producer
	epoch  int16 // which only this transaction has, or only those of its session
	commit bool
	in     kadm.TopicsSet
}

// unknownTime is how long brokers may not know a partition that they will know: one that was
// just made, or that they are just taking over.
const unknownTime = 3 * time.Second

// touch notes a partition that the transaction is in.
func (n *session) touch(r *kgo.Record) {
	if _, ok := n.touched[r.Topic][r.Partition]; !ok {
		n.touched.Add(r.Topic, r.Partition)
	}
}

// takeOver sees to the end of the job's last transaction, before this session's producer is
// known: from then on nobody can tell how it has ended.
func (n *session) takeOver(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, endTime)
	defer cancel()
	versions, err := kmsg.NewPtrApiVersionsRequest().RequestWith(ctx, n.cl)
	if err != nil {
		return err
	}
	n.looks = true // Kafka 3.0 and later; none before it leaves marks out
	for _, key := range []kmsg.Key{kmsg.DescribeProducers, kmsg.DescribeTransactions, kmsg.WriteTxnMarkers} {
		n.looks = n.looks && slices.ContainsFunc(versions.ApiKeys, func(k kmsg.ApiVersionsResponseApiKey) bool { return k.ApiKey == key.Int16() })
	}
	// In version 2 of transactions each has an epoch of its own, and a producer whose transaction is
	// aborted is fenced by that.
	second := slices.ContainsFunc(versions.FinalizedFeatures, func(f kmsg.ApiVersionsResponseFinalizedFeature) bool {
		return f.Name == "transaction.version" && f.MaxVersionLevel >= 2
	})
	if !n.looks || !second {
		return nil
	}
	// The run before may be alive, and begin another transaction meanwhile.
	var seen ending
	for {
		last, err := n.lastEnding(ctx)
		if err != nil || last == nil || last.id == seen.id && last.epoch == seen.epoch {
			return err
		}
		seen = *last
		if err := n.addPartitions(ctx, last.in); err != nil {
			return err
		}
		if err := n.settle(ctx, *last); err != nil {
			return err
		}
	}
}

// lastEnding waits until the job's last transaction has ended, and ends it if nobody else does.
// It is nil if there is none that may lack a mark.
func (n *session) lastEnding(ctx context.Context) (*ending, error) {
	last := ending{in: kadm.TopicsSet{}, epoch: -1}
	var none bool
	err := n.patiently(ctx, func() (bool, error) {
		t, err := n.transaction(ctx)
		if errors.Is(err, kerr.TransactionalIDNotFound) {
			none = true
			return true, nil
		}
		if err != nil {
			return false, err
		}
		for topic, partitions := range t.Topics {
			for p := range partitions {
				last.in.Add(topic, p)
			}
		}
		last.commit = t.State == "CompleteCommit"
		switch t.State {
		case "Ongoing":
			last.id, last.epoch = t.ProducerID, t.ProducerEpoch
			// Not by the new producer's coming: this fails if it is committed right now.
			end := kmsg.NewPtrEndTxnRequest()
			end.TransactionalID, end.ProducerID, end.ProducerEpoch = n.sink.job, t.ProducerID, t.ProducerEpoch
			_, err := end.RequestWith(ctx, n.cl) // what has become of it is asked for
			return false, err
		case "CompleteCommit", "CompleteAbort":
			if last.epoch < 0 {
				last.id, last.epoch = t.ProducerID, t.ProducerEpoch-1 // the end has taken one
			}
			return true, nil
		case "Empty", "Dead": // who has begun a session since has come past here
			none = true
			return true, nil
		}
		return false, nil // on its way
	})
	if err != nil || none || !n.looks {
		return nil, err
	}
	return &last, nil
}

// addPartitions adds all partitions that a transaction of the job may be in.
func (n *session) addPartitions(ctx context.Context, in kadm.TopicsSet) error {
	names := []string{n.sink.positions, n.sink.url.Topic}
	pattern := strings.NewReplacer(`\{db\}`, ".+", `\{table\}`, ".+").Replace(regexp.QuoteMeta(n.sink.url.Topic))
	ours := regexp.MustCompile("^" + pattern + "$")
	if strings.Contains(n.sink.url.Topic, "{") {
		names = nil
	}
	topics, err := n.adm.ListTopics(ctx, names...)
	if err != nil {
		return err
	}
	for _, t := range topics {
		if t.Topic != n.sink.positions && !ours.MatchString(t.Topic) {
			continue
		}
		for p := range t.Partitions {
			in.Add(t.Topic, p)
		}
	}
	return nil
}

// settle waits until a transaction is marked as ended wherever it was, and writes what marks are
// missing. Topics that are gone, and those that the user may not READ, are left out.
func (n *session) settle(ctx context.Context, e ending) error {
	if !n.looks || len(e.in) == 0 {
		return nil
	}
	begun := time.Now()
	return n.patiently(ctx, func() (bool, error) {
		// Asked for before the partitions are looked at: behind it no mark is on its way.
		t, err := n.transaction(ctx)
		if err != nil {
			return false, err
		}
		switch t.State {
		case "PrepareCommit", "PrepareAbort", "PrepareEpochFence": // one that is ongoing is another
			if t.ProducerID == e.id && t.ProducerEpoch <= e.epoch+1 { // else so is this
				return false, nil
			}
		}
		open, err := n.open(ctx, e, time.Since(begun) > unknownTime)
		if err == nil && len(open) > 0 {
			err = n.mark(ctx, open)
		}
		return len(open) == 0, err
	})
}

// patiently is patiently for questions about marks. Brokers that do not understand them are not
// asked again: without an answer the run is as safe as its brokers are.
func (n *session) patiently(ctx context.Context, ask func() (done bool, err error)) error {
	err := patiently(ctx, ask)
	final := (*kerr.Error)(nil)
	if hint.Of(err) != "" || !errors.As(err, &final) || final.Retriable || errors.Is(err, kerr.TransactionalIDAuthorizationFailed) {
		return err
	}
	n.looks = false
	n.sink.warn("the brokers do not tell whether transactions were marked as ended, which matters with Kafka 4.3.0 to 4.4.0 alone (KAFKA-20734): " + err.Error())
	return nil
}

// patiently calls ask until that is done, or fails in a way that does not pass or has a
// remedy, or ctx ends.
func patiently(ctx context.Context, ask func() (done bool, err error)) error {
	for pause := time.Millisecond; ; pause = min(2*pause, 250*time.Millisecond) {
		done, err := ask()
		if final := (*kerr.Error)(nil); err == nil && done || hint.Of(err) != "" || errors.As(err, &final) && !final.Retriable {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return hint.Transient(cmp.Or(err, ctx.Err()))
		}
	}
}

// transaction returns what the coordinator tells of the job's transaction.
func (n *session) transaction(ctx context.Context) (kadm.DescribedTransaction, error) {
	all, err := n.adm.DescribeTransactions(ctx, n.sink.job)
	t := all[n.sink.job]
	return t, cmp.Or(err, t.Err)
}

// open returns in which partitions a transaction is still open. Others are taken out of e.in;
// those that brokers do not know as well, if they are gone by now.
func (n *session) open(ctx context.Context, e ending, gone bool) ([]kadm.TxnMarkers, error) {
	req := kmsg.NewPtrDescribeProducersRequest()
	for _, t := range e.in.IntoList() {
		of := kmsg.NewDescribeProducersRequestTopic()
		of.Topic, of.Partitions = t.Topic, t.Partitions
		req.Topics = append(req.Topics, of)
	}
	var open []kadm.TxnMarkers
	var failed error
	answered := func(topic string, p int32, err error, producers []kmsg.DescribeProducersResponseTopicPartitionActiveProducer) {
		switch {
		case errors.Is(err, kerr.TopicAuthorizationFailed), gone && errors.Is(err, kerr.UnknownTopicOrPartition):
			e.in.Delete(topic, p)
			return
		case err != nil:
			failed = fmt.Errorf("look at the transactions in topic %s, partition %d: %w", topic, p, err)
			return
		}
		left := false
		for _, who := range producers {
			switch {
			case who.ProducerID != e.id || who.CurrentTxnStartOffset < 0:
			case who.ProducerEpoch == int32(e.epoch):
				m := kadm.TxnMarkers{ProducerID: e.id, ProducerEpoch: e.epoch, Commit: e.commit, CoordinatorEpoch: max(who.CoordinatorEpoch, 0), Topics: kadm.TopicsSet{}}
				m.Topics.Add(topic, p)
				open, left = append(open, m), true
			case who.ProducerEpoch < int32(e.epoch):
				n.sink.warn(fmt.Sprintf("topic %s, partition %d: brokers have never marked the end of the transaction at offset %d, and how it ended is not known any more: "+
					"snapshot --mode replace copies the tables that are in it anew", topic, p, who.CurrentTxnStartOffset))
			}
		}
		if !left {
			e.in.Delete(topic, p)
		}
	}
	for _, shard := range n.cl.RequestSharded(ctx, req) {
		if shard.Err != nil {
			for _, t := range shard.Req.(*kmsg.DescribeProducersRequest).Topics {
				for _, p := range t.Partitions {
					answered(t.Topic, p, shard.Err, nil)
				}
			}
			continue
		}
		for _, t := range shard.Resp.(*kmsg.DescribeProducersResponse).Topics {
			for _, p := range t.Partitions {
				answered(t.Topic, p.Partition, kerr.ErrorForCode(p.ErrorCode), p.ActiveProducers)
			}
		}
	}
	return open, failed
}

// mark writes the marks that are missing. Whether they are there is looked at again.
func (n *session) mark(ctx context.Context, open []kadm.TxnMarkers) error {
	t := open[0].Topics.IntoList()[0]
	what := fmt.Sprintf("mark the end of a transaction in topic %s, partition %d, which the brokers have not done (KAFKA-20734)", t.Topic, t.Partitions[0])
	answers, err := n.adm.WriteTxnMarkers(ctx, open...)
	answers.EachPartition(func(p kadm.TxnMarkersPartitionResponse) { err = cmp.Or(err, p.Err) })
	switch refused := (*kadm.AuthError)(nil); {
	case errors.As(err, &refused):
		return hint.Wrap(fmt.Errorf("%s: %w", what, err), "allow the user ALTER on the cluster until this run has begun")
	case err != nil:
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}
