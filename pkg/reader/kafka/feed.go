// Package kafka reads changes of tables from topics.
package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/kafka"
	"github.com/tablehaul/tablehaul/pkg/message"
	"github.com/tablehaul/tablehaul/pkg/reader"
)

// Options tell a Feed how to go about it. The zero value reads all there is, from the
// start, and on and on.
type Options struct {
	// Decoder makes what reads a topic's messages; nil has them tell their format.
	Decoder func(topic string, to message.Target) (message.Decoder, error)
	// Format is what messages were said to be, if they do not tell.
	Format string
	// Start is where partitions are begun that no table has a position in: "earliest",
	// which "" means too, "latest", "time:" and an RFC 3339 time, or
	// "offsets:TOPIC/PARTITION=OFFSET,…" with the others from the earliest.
	Start string
	// UntilEnd has the Feed end where the partitions end when they are first taken.
	UntilEnd bool
	// Group is the consumer group whose members share the partitions; "" takes all.
	Group string
	// Purged has partitions that no longer hold what follows a position go on with what
	// they hold.
	Purged bool
	// Bad says what becomes of messages that cannot be read.
	Bad BadPolicy
	// Covers, if set, returns what reports whether rows read from a stock at a position show a
	// transaction, by its GTID; nil if that cannot be told.
	Covers func(stock batch.Position) (func(gtid []byte) bool, error)
	// Memory bounds, in bytes, what is fetched and not yet handed on; 0 is 32 MiB.
	Memory int64
	// Refresh is how often new topics and partitions are looked for; 0 is 30 s.
	Refresh time.Duration
	// Away is how long a member leaves its group for another one to have all partitions and
	// to commit what it needs them for; 0 is 20 s.
	Away time.Duration
	// Warn, if set, is told what does not keep the run from going on.
	Warn func(string)
	// Refused, if set, is told of each message that could not be read and was left out.
	Refused func(topic string, why error)
}

// A Feed is the topics that a URL names.
type Feed struct {
	url      *kafka.URL
	opts     Options
	patterns []string
	start    start

	mu      sync.Mutex
	adm     *kadm.Client
	cluster string
	starts  offsets // of partitions that no table has a position in
	ends    offsets // where the Feed ends
	taken   bool    // partitions that turn up now are new
	member  *member
	away    bool // to leave the group for a while

	saidAgain sync.Once // see again
}

var _ reader.Feed = (*Feed)(nil)

// CheckURL finds what is wrong with a source's URL without asking anybody.
func CheckURL(url string) error {
	_, _, err := parseURL(url)
	return err
}

func parseURL(text string) (*kafka.URL, []string, error) {
	u, err := kafka.ParseURL(text)
	if err != nil {
		return nil, nil, err
	}
	if u.Topic == "" {
		return nil, nil, hint.Wrap(errors.New("bad Kafka URL: it names no topics"), "kafka://HOST/TOPIC,TOPIC; * and ? may stand in TOPIC")
	}
	var patterns []string
	for p := range strings.SplitSeq(u.Topic, ",") {
		if p == "" || strings.Trim(p, topicLetters+"*?") != "" {
			return nil, nil, hint.Wrap(fmt.Errorf("bad Kafka URL: a topic cannot have the name %q", p), "letters, digits, '.', '_' and '-' are allowed, and * and ? for any")
		}
		patterns = append(patterns, p)
	}
	return u, patterns, nil
}

// topicLetters are those that names of topics consist of.
const topicLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

// Open returns the topics that url names: kafka://HOST:PORT,…/TOPIC,TOPIC with * and ? for
// any letters.
func Open(ctx context.Context, url string, opts Options) (*Feed, error) {
	u, patterns, err := parseURL(url)
	if err != nil {
		return nil, err
	}
	if err := opts.Bad.check(patterns); err != nil {
		return nil, err
	}
	opts.Memory = cmp.Or(opts.Memory, 32<<20)
	opts.Refresh = cmp.Or(opts.Refresh, 30*time.Second)
	opts.Away = cmp.Or(opts.Away, 20*time.Second)
	if opts.Warn == nil {
		opts.Warn = func(string) {}
	}
	if opts.Refused == nil {
		opts.Refused = func(string, error) {}
	}
	if opts.Decoder == nil {
		opts.Decoder = func(_ string, to message.Target) (message.Decoder, error) {
			return message.NewDecoder(message.Auto, to)
		}
	}
	f := &Feed{url: u, opts: opts, patterns: patterns, starts: offsets{}, ends: offsets{}}
	if f.start, err = parseStart(opts.Start); err != nil {
		return nil, err
	}
	options, err := u.Options()
	if err != nil {
		return nil, err
	}
	cl, err := kafka.Connect(ctx, options...)
	if err != nil {
		return nil, err
	}
	f.adm = kadm.NewClient(cl)
	if err = f.identify(ctx); err == nil {
		_, err = f.parts(ctx)
	}
	if err != nil {
		f.adm.Close()
		return nil, err
	}
	return f, nil
}

// askTime bounds how long brokers have to answer.
const askTime = 20 * time.Second

// identify asks the brokers which cluster they are.
func (f *Feed) identify(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	m, err := f.adm.BrokerMetadata(ctx)
	if err != nil {
		return fmt.Errorf("ask which cluster it is: %w", kafka.Explain(err))
	}
	f.cluster = m.Cluster
	return nil
}

// Close implements reader.Feed.
func (f *Feed) Close() error {
	if f.member != nil {
		f.member.close()
	}
	f.adm.Close()
	return nil
}

// Take implements reader.Feed.
func (f *Feed) Take(ctx context.Context) (reader.Share, error) {
	if f.opts.Group != "" {
		return f.takeAsMember(ctx)
	}
	all, err := f.parts(ctx)
	if err != nil {
		return nil, err
	}
	if err := f.limits(ctx, all); err != nil {
		return nil, err
	}
	return newShare(f, all, nil), nil
}
