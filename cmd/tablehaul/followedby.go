package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/pflag"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/message"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// logOfSource is the log of the server that stock is read from.
const logOfSource = "binlog"

// A followedBy is the log by which tables come to a sink.
type followedBy struct {
	log    string // URL of topics, or logOfSource
	format *oneOf
	bad    string // as dump's --bad-message
	latest bool
}

func newFollowedBy() followedBy {
	return followedBy{log: logOfSource, bad: "fail", format: newOneOf("auto", "canal-json", "debezium-json", "maxwell-json", "arrow")}
}

func (b *followedBy) flags(f *pflag.FlagSet) {
	f.StringVar(&b.log, "log", b.log, "by which tables are followed: kafka://HOST/TOPIC as dump reads it, or\nbinlog, the `log` of SOURCE itself")
	f.StringVar(&b.bad, "bad-message", b.bad, "what to do with messages of the log that cannot be read, as dump does:\nfail, skip or topic:NAME")
	f.Var(messageFormat{b.format}, "format", "how the log's messages are written; auto has each topic's messages tell")
}

// check finds what is wrong with them without asking anybody.
func (b *followedBy) check(p *program) error {
	if b.log == logOfSource {
		return nil
	}
	kind, ok := p.stores.feeds[scheme(b.log)]
	if !ok {
		return hint.Wrap(fmt.Errorf("--log %s is no log", p.hide.redact(b.log)), "kafka://HOST:9092/TOPIC,TOPIC, or binlog")
	}
	return kind.check(b.log, feedOptions{badMessage: b.bad})
}

// A shaping gives a table that a feed brings the form that it has at the sink.
type shaping = func(*schema.Table) (*schema.Table, error)

// open opens the log of tables at a sink; there is no feed where it is the source's own.
func (b *followedBy) open(ctx context.Context, p *program, o *moveOptions, sink writer.Sink) (feed reader.Feed, shape shaping, err error) {
	if b.log == logOfSource {
		return nil, nil, nil
	}
	feed, err = p.stores.feeds[scheme(b.log)].open(ctx, b.log, o.store(p), feedOptions{
		decoder: func(_ string, to message.Target) (message.Decoder, error) {
			return message.NewDecoder(b.format.value, to)
		},
		badMessage: b.bad, refused: func(topic string, why error) { o.warn(p)(fmt.Sprintf("left out a message of %s: %v", topic, why)) },
	})
	if err != nil {
		return nil, nil, fmt.Errorf("open %s: %w", p.hide.redact(b.log), err)
	}
	shaped, err := o.choose.wrapFeed(feed)
	if err != nil {
		return nil, nil, errors.Join(err, feed.Close())
	}
	merged, err := p.newMergedGuard(ctx, sink)
	if err != nil {
		return nil, nil, errors.Join(err, shaped.Close())
	}
	as := dumpOptions{moveOptions: *o, format: b.format, latest: b.latest, keyless: newOneOf("refuse", "append")}
	return shaped, func(t *schema.Table) (*schema.Table, error) { return as.shape(shaped, t, merged) }, nil
}
