// Package kafka writes changes of tables to topics, in transactions that hold the
// position as well: whoever reads what is committed sees each change once.
package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
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
	TransactionTimeout time.Duration // after which brokers give a transaction up, unless the URL tells; 0 is 5 minutes
	KeepEvery          time.Duration // how old a transaction with stock gets; 0 is 30 s
	Warn               func(msg string)
	// Step, if set, is told of the steps of a commit as they are done: "messages there", all with
	// the brokers, and "transaction ended". For tests that
	// end a run between any two of them.
	Step func(step string)
}

// A Sink is the topics that a URL names. It takes tables in the shape of
// schema.Changelog.
type Sink struct {
	url         *kafka.URL
	opts        Options
	job         string // the transactional id
	positions   string // topic
	format      string
	messages    message.Options
	tooLarge    string // one of the constants
	partitions  int32  // of topics that are made; -1: as many as brokers give
	replication int32
	codec       kgo.CompressionCodec
	now         func() time.Time
	limits      sync.Map // topic → int32

	mu      sync.Mutex
	cl      *kgo.Client // that of adm
	adm     *kadm.Client
	session *session          // nil: none yet, or the last one is over
	topics  map[string]*topic // those that are there
	told    map[string]bool   // topics that were warned of
	holding map[string]bool   // whether topics held messages before the session
	rival   []time.Time       // when other runs of the job were met, of late

	more []kgo.Opt // of the producer's client, for tests

	peeking sync.Mutex
	peek1   *map[string]heldTable
}

var (
	_ writer.Sink      = (*Sink)(nil)
	_ writer.Committer = (*Sink)(nil)
	_ writer.Counter   = (*Writer)(nil)
)

// parameters are those that a sink's URL may have, beside those of the connection.
var parameters = []string{"partitions", "replication", "config.", "positions", "job", "compression", "format", "schemas", "tombstones", "too-large", "transaction-timeout"}

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
	opts.KeepEvery = cmp.Or(opts.KeepEvery, keepEvery)
	s := &Sink{
		url: u, opts: opts, now: time.Now, topics: map[string]*topic{}, told: map[string]bool{}, holding: map[string]bool{}, tooLarge: cmp.Or(u.Param("too-large"), tooLargeFail),
		positions: cmp.Or(u.Param("positions"), kafka.Positions), job: cmp.Or(u.Param("job"), "tablehaul."+u.Topic),
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
	if all := []string{tooLargeFail, tooLargeSkip, tooLargeKey}; !slices.Contains(all, s.tooLarge) {
		return nil, hint.Wrap(fmt.Errorf("bad Kafka URL: too-large=%s", s.tooLarge), "known: %s", strings.Join(all, ", "))
	}
	if s.tooLarge == tooLargeKey && s.format == "arrow" {
		return nil, errors.New("bad Kafka URL: too-large=key is not for the format arrow, whose messages have the table's key and not that of a row")
	}
	if s.partitions, err = count(u, "partitions"); err != nil {
		return nil, err
	}
	if s.replication, err = count(u, "replication"); err != nil {
		return nil, err
	}
	if text := u.Param("transaction-timeout"); text != "" {
		if s.opts.TransactionTimeout, err = time.ParseDuration(text); err != nil || s.opts.TransactionTimeout < time.Second {
			return nil, fmt.Errorf("bad Kafka URL: transaction-timeout=%s: want a time such as 10m, of a second at least", text)
		}
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
	name, err := s.topicOf(t)
	if err == nil {
		err = refusedMode(mode)
	}
	if err != nil {
		return nil, &schema.TableError{Table: t.String(), Err: err}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	n.mu.Lock()
	held, known := n.held[t.String()], known(n.held, t.String(), name)
	n.mu.Unlock()
	place, err := s.placed(ctx, t, name, held, mode)
	if err != nil {
		return nil, err
	}
	over, err := s.over(ctx, t, name, known, mode)
	if err != nil {
		return nil, err
	}
	w := &Writer{sink: s, session: n, table: t, place: place, pos: held.Position, tagged: held.Tag, over: over}
	e, err := w.encoder() // what it refuses is told before anything is written
	if err != nil {
		return nil, err
	}
	w.encoders = []message.Encoder{e}
	if mode != writer.Follow {
		w.stock = n.copy(w, mode)
	}
	return w, nil
}

// compacted is the configuration of the topic of positions.
var compacted = map[string]*string{"cleanup.policy": kadm.StringPtr("compact")}

// mayHold finds out whether positions stay in a topic.
func (s *Sink) mayHold(t *topic) error {
	switch policy, known := t.config["cleanup.policy"]; {
	case known && policy != "compact":
		return hint.Wrap(fmt.Errorf("topic %s has cleanup.policy=%s: the positions in it would be deleted", t.name, policy),
			"kafka-configs --alter --topic %s --add-config cleanup.policy=compact", t.name)
	case t.partitions != 1:
		return hint.Wrap(fmt.Errorf("topic %s has %d partitions: positions need one of one", t.name, t.partitions), "positions=NAME in the URL names another, which is made")
	}
	return nil
}

// refusedMode returns why a topic cannot be opened so; nil if it can.
func refusedMode(mode writer.Mode) error {
	switch mode {
	case writer.Create, writer.Append, writer.Replace, writer.Follow:
		return nil
	}
	return hint.Wrap(fmt.Errorf("a topic has no columns that mode %s could adapt", mode), "--mode append adds rows, each with its columns; --mode replace has the table emptied first")
}

// begin returns the session, a new one if the last is over. The caller holds s.mu.
func (s *Sink) begin(ctx context.Context) (*session, error) {
	if s.session != nil && !s.session.over() {
		return s.session, nil
	}
	if s.session != nil {
		s.session.close()
		s.count(s.session.err)
		s.session = nil
	}
	clear(s.topics) // they may have been deleted
	clear(s.holding)
	t, err := s.ready(ctx, s.positions, 1, compacted)
	if err == nil {
		err = s.mayHold(t)
	}
	if err != nil {
		return nil, err
	}
	if err := s.rivals(); err != nil {
		return nil, err
	}
	n, err := s.connect(ctx)
	if err != nil {
		s.count(err)
		return nil, err
	}
	s.session = n
	return n, nil
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
	if s.adm != nil {
		s.adm.Close()
		s.adm = nil
	}
	return nil
}

func (s *Sink) warn(msg string) {
	if s.opts.Warn != nil {
		s.opts.Warn(msg)
	}
}

func (s *Sink) step(name string) {
	if s.opts.Step != nil {
		s.opts.Step(name)
	}
}

// patience is how long a part of stock holds up the end of a transaction.
func (s *Sink) patience() time.Duration { return min(patience, s.opts.TransactionTimeout/8) }

// count reads a parameter that is a number; -1, which leaves it to the brokers, if it is
// not given.
func count(u *kafka.URL, name string) (int32, error) {
	text := u.Param(name)
	if text == "" {
		return -1, nil
	}
	n, err := strconv.ParseInt(text, 10, 16)
	if err != nil || n < 1 {
		return 0, fmt.Errorf("bad Kafka URL: %s=%s: want a number from 1 on", name, text)
	}
	return int32(n), nil
}
