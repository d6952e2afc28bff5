package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/kafka"
	"github.com/tablehaul/tablehaul/pkg/message"
)

// A BadPolicy says what becomes of a message that cannot be read: unless it is left out or
// has a topic to go to, it ends the run.
type BadPolicy struct {
	Skip  bool
	Topic string
}

// ParseBadPolicy reads fail, skip or topic:NAME.
func ParseBadPolicy(text string) (BadPolicy, error) {
	name, isTopic := strings.CutPrefix(text, "topic:")
	switch {
	case text == "" || text == "fail":
		return BadPolicy{}, nil
	case text == "skip":
		return BadPolicy{Skip: true}, nil
	case isTopic && name != "" && strings.Trim(name, topicLetters) == "":
		return BadPolicy{Topic: name}, nil
	}
	return BadPolicy{}, fmt.Errorf("%q: want fail, skip or topic:NAME", text)
}

// CheckBad finds what is wrong with a policy for the topics of a source's URL.
func CheckBad(url, text string) error {
	policy, err := ParseBadPolicy(text)
	if err != nil {
		return err
	}
	_, patterns, err := parseURL(url)
	if err != nil {
		return err
	}
	return policy.check(patterns)
}

// check makes sure that what is copied is not read, and copied again, for ever.
func (p BadPolicy) check(patterns []string) error {
	if p.Topic == "" || !matchAny(patterns, p.Topic) {
		return nil
	}
	return hint.Wrap(fmt.Errorf("topic %s is among those that are read: what is copied there would be read and copied again", p.Topic),
		"name one that SOURCE does not stand for")
}

// bad is where messages go that cannot be read.
type bad struct {
	feed  *Feed
	cl    *kgo.Client
	ready bool         // the topic is there
	sent  bool         // something was since the last flush
	most  atomic.Int32 // what it takes of a batch, in bytes

	mu  sync.Mutex
	err error
}

func newBad(f *Feed) *bad {
	b := &bad{feed: f}
	b.most.Store(kafka.DefaultMessage)
	return b
}

// limit is for the client, which asks before the first message goes to the topic.
func (b *bad) limit(string) int32 { return b.most.Load() }

// refuse sees to a message that is not to be read, for a reason.
func (b *bad) refuse(ctx context.Context, r *kgo.Record, why error) error {
	policy := b.feed.opts.Bad
	if !policy.Skip && policy.Topic == "" {
		err := fmt.Errorf("message at offset %d of %s: %w", r.Offset, part{r.Topic, r.Partition}, why)
		if other, e := message.Detect(r.Key, r.Value); e == nil && other != "" && b.feed.opts.Format != "" && other != b.feed.opts.Format {
			return hint.Wrap(err, "the message looks like one of %s: --format %s, or auto", other, other)
		}
		return hint.Wrap(err, "--bad-message skip leaves such messages out, --bad-message topic:NAME has them copied there")
	}
	b.feed.opts.Refused(r.Topic, fmt.Errorf("offset %d of %s: %w", r.Offset, part{r.Topic, r.Partition}, why))
	if policy.Topic == "" {
		return nil
	}
	if err := b.make(ctx, policy.Topic); err != nil {
		return err
	}
	b.sent = true
	b.cl.Produce(ctx, &kgo.Record{Topic: policy.Topic, Key: r.Key, Value: r.Value, Headers: append(r.Headers,
		kgo.RecordHeader{Key: "tablehaul.reason", Value: []byte(why.Error())},
		kgo.RecordHeader{Key: "tablehaul.topic", Value: []byte(r.Topic)},
		kgo.RecordHeader{Key: "tablehaul.partition", Value: strconv.AppendInt(nil, int64(r.Partition), 10)},
		kgo.RecordHeader{Key: "tablehaul.offset", Value: strconv.AppendInt(nil, r.Offset, 10)},
		kgo.RecordHeader{Key: "tablehaul.time", Value: r.Timestamp.UTC().AppendFormat(nil, time.RFC3339Nano)},
	)}, func(_ *kgo.Record, err error) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.err == nil {
			b.err = err
		}
	})
	return nil
}

// make sees to it that the topic for bad messages is there.
func (b *bad) make(ctx context.Context, topic string) error {
	if b.ready {
		return nil
	}
	_, err := b.feed.adm.CreateTopic(ctx, -1, -1, nil, topic)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create topic %s for bad messages: %w", topic, kafka.Explain(err))
	}
	b.ready = true
	// Messages as large as the topic takes were written by others, who may know its limit. It
	// stays the usual one where this user may not look.
	configs, _ := b.feed.adm.DescribeTopicConfigs(ctx, topic)
	for _, c := range configs {
		for _, e := range c.Configs {
			if e.Key == "max.message.bytes" {
				b.most.Store(kafka.MessageLimit(e.MaybeValue()))
			}
		}
	}
	return nil
}

// flush waits until what was refused is where it is to go: no position is told before.
func (b *bad) flush() error {
	if !b.sent {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), askTime)
	defer cancel()
	err := b.cl.Flush(ctx)
	b.mu.Lock()
	defer b.mu.Unlock()
	if err == nil {
		err = b.err
	}
	b.sent, b.err = false, nil
	if errors.Is(err, kerr.MessageTooLarge) {
		err = hint.Wrap(err, "one is larger than the topic's max.message.bytes, its headers included: raise that")
	}
	if err != nil {
		return fmt.Errorf("write bad messages to topic %s: %w", b.feed.opts.Bad.Topic, kafka.Explain(err))
	}
	return nil
}
