// Package kafka writes changes of tables to topics, in transactions that hold the
// position as well: whoever reads what is committed sees each change once.
package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/kafka"
	"github.com/tablehaul/tablehaul/pkg/message"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// Options tell a Sink how to go about it.
type Options struct {
	Memory             int64         // bytes of messages that wait for the brokers; 0 is 64 MiB
	TransactionTimeout time.Duration // after which brokers give a run up that is silent; 0 is 5 minutes
}

// A Sink is the topics that a URL names. It takes tables in the shape of
// schema.Changelog.
type Sink struct {
	url        *kafka.URL
	opts       Options
	job        string // the transactional id
	positions  string // topic
	format     string
	messages   message.Options
	codec      kgo.CompressionCodec
	batchBytes int32
	now        func() time.Time

	mu      sync.Mutex
	session *session         // nil: none yet, or the last one is over
	topics  map[string]int32 // the number of partitions of those that are there
}

var (
	_ writer.Sink      = (*Sink)(nil)
	_ writer.Committer = (*Sink)(nil)
)

// parameters are those that a sink's URL may have, beside those of the connection.
var parameters = []string{"partitions", "replication", "config.", "positions", "job", "compression", "format", "schemas", "tombstones"}

// CheckURL finds what is wrong with a sink's URL without asking anybody.
func CheckURL(url string) error {
	_, err := newSink(url, Options{})
	return err
}

// Open returns the topics that url names: kafka://HOST:PORT,…/TOPIC, where {db} and
// {table} may stand in TOPIC for the names of a table. Nobody is asked yet.
func Open(_ context.Context, url string, opts Options) (*Sink, error) {
	s, err := newSink(url, opts)
	if err != nil {
		return nil, err
	}
	_, err = s.url.Options() // what is wrong with files and secrets
	return s, err
}

func newSink(text string, opts Options) (*Sink, error) {
	u, err := kafka.ParseURL(text, parameters...)
	if err != nil {
		return nil, err
	}
	if u.Topic == "" {
		return nil, hint.Wrap(errors.New("bad Kafka URL: it names no topic"), "kafka://HOST/TOPIC; {db} and {table} may stand in TOPIC")
	}
	opts.Memory = cmp.Or(opts.Memory, 64<<20)
	opts.TransactionTimeout = cmp.Or(opts.TransactionTimeout, 5*time.Minute)
	s := &Sink{
		url: u, opts: opts, now: time.Now, topics: map[string]int32{}, batchBytes: 1_000_012, // as brokers take it that were not told otherwise
		positions: cmp.Or(u.Param("positions"), "tablehaul-positions"), job: cmp.Or(u.Param("job"), "tablehaul."+u.Topic),
	}
	if _, err := s.topicOf(&schema.Table{DB: "d", Name: "t"}); err != nil {
		return nil, fmt.Errorf("bad Kafka URL: %w", err)
	}
	if s.format = cmp.Or(u.Param("format"), message.Formats[0]); !slices.Contains(message.Formats, s.format) {
		return nil, hint.Wrap(fmt.Errorf("bad Kafka URL: unknown format %q", s.format), "known: %s", strings.Join(message.Formats, ", "))
	}
	if err := s.messageOptions(); err != nil {
		return nil, fmt.Errorf("bad Kafka URL: %w", err)
	}
	codecs := map[string]kgo.CompressionCodec{
		"none": kgo.NoCompression(), "gzip": kgo.GzipCompression(), "snappy": kgo.SnappyCompression(), "lz4": kgo.Lz4Compression(), "zstd": kgo.ZstdCompression(),
	}
	name := cmp.Or(u.Param("compression"), "lz4")
	codec, ok := codecs[name]
	if !ok {
		return nil, hint.Wrap(fmt.Errorf("bad Kafka URL: unknown compression %q", name), "known: none, gzip, snappy, lz4, zstd")
	}
	s.codec = codec
	return s, nil
}

// messageOptions takes what the URL says of debezium-json.
func (s *Sink) messageOptions() (err error) {
	if s.messages.Schemas, err = s.flag("schemas", false); err != nil {
		return err
	}
	tombstones, err := s.flag("tombstones", true)
	s.messages.NoTombstones = !tombstones
	return err
}

// flag reads a parameter that is true or false.
func (s *Sink) flag(name string, usual bool) (bool, error) {
	switch text := s.url.Param(name); {
	case text == "":
		return usual, nil
	case s.format != "debezium-json":
		return false, hint.Wrap(fmt.Errorf("%s=%s is for debezium-json, and the format is %s", name, text, s.format), "leave it out, or add format=debezium-json")
	case text == "true", text == "false":
		return text == "true", nil
	default:
		return false, fmt.Errorf("%s=%s: want true or false", name, text)
	}
}

// topicOf returns the topic of a table.
func (s *Sink) topicOf(t *schema.Table) (string, error) {
	name := strings.NewReplacer("{db}", t.DB, "{table}", t.Name).Replace(s.url.Topic)
	if name == s.positions {
		return "", fmt.Errorf("topic %s is where positions are", name)
	}
	bad := func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-')
	}
	if i := strings.IndexFunc(name, bad); i >= 0 {
		err := fmt.Errorf("a topic cannot have the name %q", name)
		return "", hint.Wrap(err, "letters, digits, '.', '_' and '-' are allowed; a topic of one name for all tables needs no {table}")
	}
	if len(name) > 249 || name == "." || name == ".." {
		return "", fmt.Errorf("a topic cannot have the name %q", name)
	}
	return name, nil
}

// Open implements writer.Sink.
func (s *Sink) Open(ctx context.Context, t *schema.Table, mode writer.Mode) (writer.Writer, error) {
	if !t.IsChangelog() {
		return nil, fmt.Errorf("%s: a topic takes changes, not rows", t)
	}
	topic, err := s.topicOf(t)
	if err != nil {
		return nil, &schema.TableError{Table: t.String(), Err: err}
	}
	if mode != writer.Follow {
		return nil, fmt.Errorf("%s: mode %s is not for topics", t, mode)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.ready(ctx, s.positions, 1, map[string]*string{"cleanup.policy": kadm.StringPtr("compact")}); err != nil {
		return nil, err
	}
	partitions, err := count(s.url, "partitions")
	if err != nil {
		return nil, err
	}
	if err := s.ready(ctx, topic, partitions, s.url.Config()); err != nil {
		return nil, err
	}
	if s.session == nil || s.session.over() {
		if s.session != nil {
			s.session.close()
		}
		if s.session, err = s.connect(ctx); err != nil {
			return nil, err
		}
	}
	return newWriter(s, s.session, t, topic)
}

// ready makes a topic unless it is there.
func (s *Sink) ready(ctx context.Context, topic string, partitions int32, config map[string]*string) error {
	if s.topics[topic] > 0 {
		return nil
	}
	replication, err := count(s.url, "replication")
	if err != nil {
		return err
	}
	opts, err := s.url.Options()
	if err != nil {
		return err
	}
	cl, err := kadm.NewOptClient(opts...)
	if err != nil {
		return err
	}
	defer cl.Close()
	_, err = cl.CreateTopic(ctx, partitions, int16(replication), config, topic)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create topic %s: %w", topic, kafka.Explain(err))
	}
	n, err := look(ctx, cl, topic)
	if err != nil {
		return fmt.Errorf("look at topic %s: %w", topic, kafka.Explain(err))
	}
	s.topics[topic] = n
	return nil
}

// topicTime is how long brokers may take to know a topic that has just been made: not all
// of them have heard of it when the request is answered.
const topicTime = 30 * time.Second

// look returns the number of a topic's partitions.
func look(ctx context.Context, cl *kadm.Client, topic string) (int32, error) {
	for end := time.Now().Add(topicTime); ; {
		known, err := cl.ListTopics(ctx, topic)
		if err == nil {
			err = known.Error()
		}
		if err == nil || !errors.Is(err, kerr.UnknownTopicOrPartition) || time.Now().After(end) {
			return int32(len(known[topic].Partitions)), err
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// CommitAll implements writer.Committer.
func (s *Sink) CommitAll(ctx context.Context, ws []writer.Writer, pos batch.Position) error {
	own := make([]*Writer, len(ws))
	for i, w := range ws {
		own[i] = w.(*Writer)
	}
	return s.commit(ctx, own, pos)
}

// Close aborts what is not committed.
func (s *Sink) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.session != nil {
		s.session.close()
		s.session = nil
	}
	return nil
}
