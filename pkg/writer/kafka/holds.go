package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/kafka"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// knowledge is what the positions of a job tell of a table that is to be opened.
type knowledge int

const (
	ofNothing knowledge = iota
	ofTopic             // other tables are in its topic
	ofTable
)

func known(held map[string]heldTable, table, topic string) knowledge {
	if _, ok := held[table]; ok {
		return ofTable
	}
	for _, h := range held {
		if h.Topic == topic {
			return ofTopic
		}
	}
	return ofNothing
}

// over looks at messages that the topic has of a table of which nothing is known. It reports
// whether a table that replaces them has to be emptied first. One that is copied beside them is
// refused, unless others of the job are in the topic: if positions were lost, all that is there
// would be there twice. The caller holds s.mu.
func (s *Sink) over(ctx context.Context, t *schema.Table, topic string, k knowledge, mode writer.Mode) (bool, error) {
	if k == ofTable || mode != writer.Replace && (mode != writer.Create || k == ofTopic) {
		return false, nil
	}
	holds, err := s.holds(ctx, topic)
	unread := errors.Is(err, kerr.TopicAuthorizationFailed)
	switch {
	case mode == writer.Replace && unread:
		return true, nil // to say so in vain does no harm
	case mode == writer.Replace:
		return holds, err
	case unread:
		s.tellOnce("unread "+topic, fmt.Sprintf("whether topic %s holds messages of an earlier run is not known, since the user may not READ it", topic))
		return false, nil
	case err != nil || !holds:
		return false, err
	}
	err = fmt.Errorf("topic %s holds messages, and topic %s knows nothing of the job %s there", topic, s.positions, s.job)
	return false, &schema.TableError{Table: t.String(), Err: hint.Wrap(err,
		"if its positions were lost, snapshot --mode replace copies the tables anew and tells readers to empty them first; "+
			"if others write into the topic too, begin with snapshot --mode append, then tail; or give the job= or positions= of before")}
}

// tellOnce warns. The caller holds s.mu.
func (s *Sink) tellOnce(of, msg string) {
	if !s.told[of] {
		s.told[of] = true
		s.warn(msg)
	}
}

// holds reports whether a topic has messages that are committed. It is asked once for each
// session: later there are those of the session itself. The caller holds s.mu.
func (s *Sink) holds(ctx context.Context, topic string) (bool, error) {
	if holds, known := s.holding[topic]; known {
		return holds, nil
	}
	holds := false
	adm, err := s.admin(ctx)
	if err == nil {
		ctx, cancel := context.WithTimeout(ctx, endTime)
		defer cancel()
		err = patiently(ctx, func() (done bool, err error) { // it may have been made just now
			holds, err = s.search(ctx, adm, topic)
			return true, err
		})
	}
	if err != nil {
		return false, fmt.Errorf("look into topic %s: %w", topic, kafka.Explain(err))
	}
	s.holding[topic] = holds
	return holds, nil
}

// search looks for a message in a topic, and does not fetch any if offsets tell that there is none.
func (s *Sink) search(ctx context.Context, adm *kadm.Client, topic string) (bool, error) {
	starts, err := adm.ListStartOffsets(ctx, topic)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return false, err
	}
	ends, err := adm.ListCommittedOffsets(ctx, topic)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return false, err
	}
	for partition, end := range ends[topic] {
		start, _ := starts.Lookup(topic, partition)
		if start.Offset >= end.Offset {
			continue
		}
		if found, err := s.searchIn(ctx, adm, topic, partition, start.Offset, end.Offset); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// searchIn looks for a message between two offsets. A consumer would do, but that it does not tell how
// far it has come where all messages are of transactions that were aborted.
func (s *Sink) searchIn(ctx context.Context, adm *kadm.Client, topic string, partition int32, from, end int64) (bool, error) {
	topics, err := adm.ListTopics(ctx, topic)
	if err == nil {
		err = topics.Error()
	}
	if err != nil {
		return false, err
	}
	leader := s.cl.Broker(int(topics[topic].Partitions[partition].Leader))
	opts := kgo.ProcessFetchPartitionOpts{Offset: from, IsolationLevel: kgo.ReadCommitted(), Topic: topic, Partition: partition}
	for opts.Offset < end {
		answer, err := leader.RetriableRequest(ctx, fetch(topic, topics[topic].ID, partition, opts.Offset))
		if err != nil {
			return false, err
		}
		resp := answer.(*kmsg.FetchResponse)
		if err := kerr.ErrorForCode(resp.ErrorCode); err != nil {
			return false, err
		}
		if len(resp.Topics) != 1 || len(resp.Topics[0].Partitions) != 1 {
			return false, fmt.Errorf("the brokers do not tell of partition %d", partition)
		}
		p, next := kgo.ProcessFetchPartition(opts, &resp.Topics[0].Partitions[0], kgo.DefaultDecompressor(), nil)
		if len(p.Records) > 0 || p.Err != nil {
			return p.Err == nil, p.Err
		}
		if next == opts.Offset { // not there yet, with this broker
			return false, kerr.OffsetNotAvailable
		}
		opts.Offset = next
	}
	return false, nil
}

// fetch asks for what is committed in a partition.
func fetch(topic string, id kadm.TopicID, partition int32, offset int64) *kmsg.FetchRequest {
	p := kmsg.NewFetchRequestTopicPartition()
	p.Partition, p.FetchOffset, p.PartitionMaxBytes = partition, offset, 1<<20
	t := kmsg.NewFetchRequestTopic()
	t.Topic, t.TopicID, t.Partitions = topic, id, append(t.Partitions, p)
	req := kmsg.NewPtrFetchRequest()
	req.MaxWaitMillis, req.MinBytes, req.MaxBytes, req.IsolationLevel = int32(time.Second/time.Millisecond), 1, 1<<20, 1
	req.Topics = append(req.Topics, t)
	return req
}
