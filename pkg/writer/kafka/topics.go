package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/kafka"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A topic is what the brokers tell of one.
type topic struct {
	name       string
	id         string // "" if they know none
	partitions int32
	config     map[string]string // as far as the user may see it
}

const (
	// arrowMessage is what a message of many rows may have.
	arrowMessage = 950_000
	// topicTime is how long brokers may take to know a topic that has just been made: not all
	// of them have heard of it when the request is answered.
	topicTime = 30 * time.Second
)

// admin returns the client that asks about topics. The caller holds s.mu.
func (s *Sink) admin(ctx context.Context) (*kadm.Client, error) {
	if s.adm != nil {
		return s.adm, nil
	}
	opts, err := s.url.Options()
	if err != nil {
		return nil, err
	}
	// Who waits for brokers that come back does so elsewhere.
	// Else a topic that was just made is not there for seconds.
	fresh := kgo.MetadataMinAge(10 * time.Millisecond)
	cl, err := kafka.Connect(ctx, append(opts, fresh, kgo.RequestRetries(3), kgo.RetryTimeout(10*time.Second))...)
	if err != nil {
		return nil, err
	}
	s.cl, s.adm = cl, kadm.NewClient(cl)
	return s.adm, nil
}

// look returns a topic; nil if it is not there. The caller holds s.mu.
func (s *Sink) look(ctx context.Context, name string) (*topic, error) {
	if t := s.topics[name]; t != nil {
		return t, nil
	}
	adm, err := s.admin(ctx)
	if err != nil {
		return nil, err
	}
	all, err := adm.ListTopics(ctx, name)
	if err == nil {
		err = all.Error()
	}
	if errors.Is(err, kerr.UnknownTopicOrPartition) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look at topic %s: %w", name, kafka.Explain(err))
	}
	d := all[name]
	t := &topic{name: name, partitions: int32(len(d.Partitions)), config: map[string]string{}}
	if d.ID != (kadm.TopicID{}) {
		t.id = d.ID.String()
	}
	if t.partitions == 0 {
		return nil, nil // just made, or about to go
	}
	configs, err := adm.DescribeTopicConfigs(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("look at topic %s: %w", name, kafka.Explain(err))
	}
	for _, r := range configs { // with an error of its own where the user may not ask
		for _, c := range r.Configs {
			if c.Value != nil {
				t.config[c.Key] = *c.Value
			}
		}
	}
	s.topics[name] = t
	s.limits.Store(name, kafka.MessageLimit(t.config["max.message.bytes"]))
	return t, nil
}

// limit is how large a batch of messages a topic takes.
func (s *Sink) limit(topic string) int32 {
	if n, ok := s.limits.Load(topic); ok {
		return n.(int32)
	}
	return kafka.DefaultMessage
}

// ready returns a topic, which it makes unless it is there. The caller holds s.mu.
func (s *Sink) ready(ctx context.Context, name string, partitions int32, config map[string]*string) (*topic, error) {
	for end := time.Now().Add(topicTime); ; {
		t, err := s.look(ctx, name)
		if t != nil || err != nil {
			return t, err
		}
		adm, err := s.admin(ctx)
		if err != nil {
			return nil, err
		}
		made, err := adm.CreateTopic(ctx, partitions, int16(s.replication), config, name)
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			if made.ErrMessage != "" {
				err = fmt.Errorf("%w (%s)", err, made.ErrMessage) // which parameter it is about
			}
			return nil, fmt.Errorf("create topic %s: %w", name, cannotCreate(err))
		}
		if time.Now().After(end) {
			return nil, hint.Transient(fmt.Errorf("create topic %s: the brokers say that it is there, and do not show it", name))
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// cannotCreate adds a remedy.
func cannotCreate(err error) error {
	switch {
	case errors.Is(err, kerr.InvalidReplicationFactor):
		return hint.Wrap(err, "replication=N in the URL, of no more than there are brokers")
	case errors.Is(err, kerr.TopicAuthorizationFailed), errors.Is(err, kerr.ClusterAuthorizationFailed):
		return hint.Wrap(err, "have somebody create it who may, or allow the user CREATE on it")
	case errors.Is(err, kerr.InvalidConfig):
		return hint.Wrap(err, "see the parameters config.… in the URL")
	}
	return kafka.Explain(err)
}

// placed returns where the messages of a table go. The caller holds s.mu.
func (s *Sink) placed(ctx context.Context, t *schema.Table, name string, held heldTable, mode writer.Mode) (heldTable, error) {
	there, err := s.look(ctx, name)
	if err == nil {
		err = lost(t, name, there, held, mode)
	}
	if err == nil {
		err = reshaped(t, held, mode)
	}
	if err != nil {
		return heldTable{}, err
	}
	if there == nil {
		if there, err = s.ready(ctx, name, s.partitions, s.url.Config()); err != nil {
			return heldTable{}, err
		}
	}
	if least := int32(arrowMessage); s.format == "arrow" && s.limit(name) < least {
		err := fmt.Errorf("topic %s takes messages of %d bytes, arrow needs %d", name, s.limit(name), least)
		return heldTable{}, &schema.TableError{Table: t.String(), Err: hint.Wrap(err, "set max.message.bytes of the topic, or take another format")}
	}
	h := heldTable{Topic: name, TopicID: there.id, Partitions: there.partitions, Shape: source(t).Shape(), Filter: t.Filter}
	more := there.partitions
	if held.Partitions > 0 && held.TopicID == there.id {
		h.Partitions = min(held.Partitions, there.partitions)
	} else if s.partitions > 0 {
		more = s.partitions
	}
	if more != h.Partitions && !s.told[name] {
		s.told[name] = true
		s.warn(s.otherPartitions(name, h.Partitions, there.partitions))
	}
	return h, nil
}

// lost returns an error if the topic is not the one any more that has got what the table
// holds; nil if that is of no interest.
func lost(t *schema.Table, name string, there *topic, held heldTable, mode writer.Mode) error {
	if held.TopicID == "" || held.Topic != name || mode == writer.Replace || there != nil && there.id == held.TopicID {
		return nil
	}
	what := "is gone"
	if there != nil {
		what = "was deleted and made again"
	}
	err := fmt.Errorf("topic %s %s, and with it what it held of the table", name, what)
	return &schema.TableError{Table: t.String(), Err: hint.Wrap(err, "snapshot --mode replace --tables %s copies it anew; or begin another job=NAME", t)}
}

// otherPartitions says that a topic has not as many as one would think.
func (s *Sink) otherPartitions(name string, used, there int32) string {
	if used < there {
		return fmt.Sprintf("topic %s has %d partitions now, tables that began with %d stay there: else changes of a key would get out of order; to use all, begin another topic", name, there, used)
	}
	return fmt.Sprintf("topic %s is there and has %d partitions, not %d", name, there, s.partitions)
}
