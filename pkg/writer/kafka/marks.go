package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
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
// committed comes to light what was aborted. So the marks of each transaction are looked for
// before the next one begins, and those that are missing are written.

// An ending is how a transaction ends, and where.
type ending struct {
	in     kadm.TopicsSet // nil: not known
	known  bool           // whether it is a commit
	commit bool
}

// touch notes a partition that the transaction is in.
func (n *session) touch(r *kgo.Record) {
	if _, ok := n.touched[r.Topic][r.Partition]; !ok {
		n.touched.Add(r.Topic, r.Partition)
	}
}

// takeOver makes this session's producer the only one of the job, once the last transaction
// has come to its end.
func (n *session) takeOver(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, endTime)
	defer cancel()
	versions, err := kmsg.NewPtrApiVersionsRequest().RequestWith(ctx, n.cl)
	if err != nil {
		return err
	}
	// Kafka 3.0 knows the question; none before it leaves marks out.
	n.looks = slices.ContainsFunc(versions.ApiKeys, func(k kmsg.ApiVersionsResponseApiKey) bool { return k.ApiKey == kmsg.DescribeProducers.Int16() })
	// It is to be asked before this producer is known: then nothing is told of others any more.
	if n.looks {
		if err := n.findEnding(ctx); err != nil {
			return err
		}
	}
	if _, _, err := n.cl.ProducerID(ctx); err != nil {
		return err
	}
	if err := n.settle(ctx, n.sink.last); err != nil {
		return err
	}
	n.sink.last = ending{}
	return nil
}

// findEnding finds out how the job's last transaction ends. The caller holds the sink's mu.
func (n *session) findEnding(ctx context.Context) error {
	s := n.sink
	if s.last.known {
		return nil // from a session that could not see to it, and nothing has begun since
	}
	var t kadm.DescribedTransaction
	err := patiently(ctx, func() (_ bool, err error) {
		t, err = n.transaction(ctx)
		return true, err
	})
	switch {
	case errors.Is(err, kerr.TransactionalIDNotFound):
		return nil
	case err != nil:
		return err
	case t.State == "PrepareCommit", t.State == "CompleteCommit":
		s.last.commit = true
	case t.State == "Empty", t.State == "Dead": // another session has begun, and has seen to it
		s.last = ending{}
		return nil
	}
	s.last.known = true
	if s.last.in == nil { // of a process that is gone: wherever it may have written
		if s.last.in, err = n.partitionsOfJob(ctx); err != nil {
			return err
		}
	}
	for topic, partitions := range t.Topics {
		s.last.in.Add(topic, slices.Collect(maps.Keys(partitions))...)
	}
	return nil
}

// partitionsOfJob returns all of the topics that the job's tables are in, and where their
// positions are. The caller holds the sink's mu.
func (n *session) partitionsOfJob(ctx context.Context) (kadm.TopicsSet, error) {
	held, err := n.sink.heldNow(ctx)
	if err != nil {
		return nil, err
	}
	names := map[string]bool{n.sink.positions: true}
	for _, h := range held {
		names[h.Topic] = true
	}
	topics, err := n.adm.ListTopics(ctx, slices.Collect(maps.Keys(names))...)
	return topics.TopicsSet(), err
}

// settle waits until a transaction is marked as ended wherever it was, and writes what marks are
// missing. Topics that are gone, and those that the user may not READ, are left out.
func (n *session) settle(ctx context.Context, e ending) error {
	if !n.looks || len(e.in) == 0 {
		return nil
	}
	id, epoch, err := n.cl.ProducerID(ctx)
	if err != nil {
		return err
	}
	complete := false
	return patiently(ctx, func() (bool, error) {
		open, err := n.open(ctx, e.in, id, epoch)
		switch {
		case err != nil || len(open) == 0:
			return true, err
		case complete:
			return false, n.mark(ctx, open, e.commit)
		}
		// Asked for before the partitions are looked at again: behind it no mark is on its way.
		t, err := n.transaction(ctx)
		switch t.State {
		case "Ongoing", "PrepareCommit", "PrepareAbort", "PrepareEpochFence":
		default:
			complete = err == nil
		}
		return false, err
	})
}

// patiently calls ask until that is done, or fails in a way that does not pass or has a
// remedy, or ctx ends.
func patiently(ctx context.Context, ask func() (done bool, err error)) error {
	for pause := time.Millisecond; ; pause = min(2*pause, 250*time.Millisecond) {
		done, err := ask()
		if final := (*kerr.Error)(nil); done && err == nil || hint.Of(err) != "" || errors.As(err, &final) && !final.Retriable {
			return err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
	}
}

// transaction returns what the coordinator tells of the job's transaction.
func (n *session) transaction(ctx context.Context) (kadm.DescribedTransaction, error) {
	all, err := n.adm.DescribeTransactions(ctx, n.sink.job)
	t := all[n.sink.job]
	return t, cmp.Or(err, t.Err)
}

// open returns in which of the partitions this producer, or one of the job before it, has a
// transaction open. What one that comes later does has a higher epoch and is its own business.
func (n *session) open(ctx context.Context, in kadm.TopicsSet, id int64, epoch int16) ([]kadm.TxnMarkers, error) {
	req := kmsg.NewPtrDescribeProducersRequest()
	for _, t := range in.IntoList() {
		of := kmsg.NewDescribeProducersRequestTopic()
		of.Topic, of.Partitions = t.Topic, t.Partitions
		req.Topics = append(req.Topics, of)
	}
	var open []kadm.TxnMarkers
	var failed error
	for _, shard := range n.cl.RequestSharded(ctx, req) {
		if errors.Is(shard.Err, kerr.UnknownTopicOrPartition) {
			for _, t := range shard.Req.(*kmsg.DescribeProducersRequest).Topics {
				in.Delete(t.Topic, t.Partitions...)
			}
			continue
		}
		if shard.Err != nil {
			failed = shard.Err
			continue
		}
		for _, t := range shard.Resp.(*kmsg.DescribeProducersResponse).Topics {
			for _, p := range t.Partitions {
				switch err := kerr.ErrorForCode(p.ErrorCode); {
				case errors.Is(err, kerr.UnknownTopicOrPartition), errors.Is(err, kerr.TopicAuthorizationFailed):
					in.Delete(t.Topic, p.Partition)
				case err != nil:
					failed = fmt.Errorf("topic %s, partition %d: %w", t.Topic, p.Partition, err)
				}
				for _, who := range p.ActiveProducers {
					if who.ProducerID != id || who.ProducerEpoch > int32(epoch) || who.CurrentTxnStartOffset < 0 {
						continue
					}
					m := kadm.TxnMarkers{ProducerID: id, ProducerEpoch: int16(who.ProducerEpoch), CoordinatorEpoch: max(who.CoordinatorEpoch, 0), Topics: kadm.TopicsSet{}}
					m.Topics.Add(t.Topic, p.Partition)
					open = append(open, m)
				}
			}
		}
	}
	return open, failed
}

// mark writes the marks that are missing.
func (n *session) mark(ctx context.Context, open []kadm.TxnMarkers, commit bool) error {
	for i := range open {
		open[i].Commit = commit
	}
	_, err := n.adm.WriteTxnMarkers(ctx, open...) // whether they are there is looked at again
	if refused := (*kadm.AuthError)(nil); !errors.As(err, &refused) {
		return nil
	}
	t := open[0].Topics.IntoList()[0]
	end := map[bool]string{true: "committed", false: "aborted"}[commit]
	err = fmt.Errorf("topic %s, partition %d: the brokers have not marked a transaction as %s (KAFKA-20734), and the user may not do so: %w", t.Topic, t.Partitions[0], end, err)
	return hint.Wrap(err, "allow the user ALTER on the cluster while this run begins")
}
