package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/kafka"
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

// bad is where messages go that cannot be read.
type bad struct {
	feed  *Feed
	cl    *kgo.Client
	ready bool // the topic is there
	sent  bool // something was since the last flush

	mu  sync.Mutex
	err error
}

func newBad(f *Feed, cl *kgo.Client) *bad { return &bad{feed: f, cl: cl} }

// refuse sees to a message that is not to be read, for a reason.
func (b *bad) refuse(ctx context.Context, r *kgo.Record, why error) error {
	policy := b.feed.opts.Bad
	if !policy.Skip && policy.Topic == "" {
		err := fmt.Errorf("message at offset %d of %s: %w", r.Offset, part{r.Topic, r.Partition}, why)
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
	if err != nil {
		return fmt.Errorf("write bad messages to topic %s: %w", b.feed.opts.Bad.Topic, kafka.Explain(err))
	}
	return nil
}
