package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/message"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A source is a Stock that knows which database its URL names, "" if none.
type source interface {
	reader.Stock
	DB() string
}

// storeOptions are what a command line says of sources and sinks.
type storeOptions struct {
	zeroDate, codec        string
	memory, targetFileSize int64
	spillSize              int64
	files                  filesLayout
	layout                 func(*schema.Table) layout // of a table that is made; may be nil
	parallel               int
	keepEvery              time.Duration // how often a sink keeps stock; 0: its choice
	serverID               uint32        // for reading a log; 0: one is found
	heartbeat              time.Duration // of a log that stands still; 0: the source's choice
	evolve                 bool          // tables of the log are followed through statements that alter them
	extent                 schema.Extent // how far these are followed
	drops                  bool          // copies of tables go that are dropped at the source
	narrow                 bool          // a sink's types are as narrow as the source's
	login                  sourceLogin
	splitRows              int64         // 0: the source's choice
	replicas               []string      // URLs, for --max-lag; nil: those that the source lists
	lockWait               time.Duration // for which a lock may be pending; 0: no lock is taken
	existing               bool          // a sink that is not there is an error
	look                   bool          // a sink is only looked at: one that is not there counts as empty, unless existing says otherwise
	warn                   func(string)
	step                   func(string) // told of each step of a commit; may be nil
}

// feedOptions are what a command line says of a feed.
type feedOptions struct {
	start, group, badMessage string
	format                   string // that was named for messages, "" if they tell
	untilEnd, purged         bool
	decoder                  func(topic string, to message.Target) (message.Decoder, error)
	refused                  func(topic string, why error) // told of each message that is left out
}

type (
	openFeed   func(ctx context.Context, url string, o storeOptions, f feedOptions) (reader.Feed, error)
	openSource func(ctx context.Context, url string, o storeOptions) (source, error)
	openSink   func(ctx context.Context, url string, o storeOptions) (writer.Sink, error)
	openPlacer func(ctx context.Context, url string, o storeOptions) (placer, error)
)

// stores are the kinds of source and sink, by the scheme of their URLs.
type stores struct {
	sources map[string]sourceKind
	sinks   map[string]sinkKind
	// feeds are the sources whose tables turn up while they are read.
	feeds map[string]feedKind
	// reached reports whether a table at a position has all that a point of the source shows, and same
	// whether two points are one; they may be nil.
	reached func(held, point batch.Position) (bool, error)
	same    func(a, b batch.Position) bool
	// icebergType names the Iceberg type of an Arrow type.
	icebergType func(arrow.DataType) (string, error)
}

// A sourceKind is one kind of source.
type sourceKind struct {
	open openSource
	// check finds what is wrong with a URL without asking anybody; may be nil.
	check func(url string) error
}

// A sinkKind is one kind of sink.
type sinkKind struct {
	open  openSink
	check func(url string) error // as that of a source
	takes taking
	// layout finds what is wrong with a layout whatever the table; may be nil.
	layout func(layout) error
	unused []string // flags that mean nothing to it
	tended bool     // its tables need upkeep
	// asIs says that it takes values as they are, in types of the source's or much like them.
	asIs bool
	// narrow says that its types are as narrow as the source's, and not as Arrow's.
	narrow bool
}

// A taking is what a sink takes of tables that are followed.
type taking uint8

const (
	rowsAlone     taking = iota // the rows that changes leave
	changesAlone                // every change as it is, and stock as changes too
	changesOrRows               // every change as a row of its own, or with --latest the rows that they leave
)

// isTopic reports whether the sink takes every change as it is, and never rows.
func (s stores) isTopic(sink string) bool { return s.sinks[scheme(sink)].takes == changesAlone }

// takesChanges reports whether each change of a table that is followed becomes a row of its
// own, if nothing but perhaps --latest is said.
func (s stores) takesChanges(sink string, latest bool) bool {
	takes := s.sinks[scheme(sink)].takes
	return takes == changesAlone || takes == changesOrRows && !latest
}

// refusesKeyless reports whether tables without a key are refused by a sink that would take
// their changes as rows: only if that is said.
func (s stores) refusesKeyless(sink string, keyless *oneOf) bool {
	return s.sinks[scheme(sink)].takes == changesOrRows && keyless.given && keyless.value == "refuse"
}

// checkLatest finds out whether --latest means anything to the sink.
func (s stores) checkLatest(sink string, latest, changelog bool, form filesLayout) error {
	fits := func(k sinkKind) bool { return k.takes == changesOrRows }
	switch {
	case latest && changelog:
		return errors.New("--latest and --changelog exclude each other")
	case latest && form.format == legacyParquet:
		return hint.Wrap(errors.New("--latest does not go with parquet-legacy, whose rows are not written anew"), "take parquet or tsv for it")
	case latest && sink != "" && !fits(s.sinks[scheme(sink)]):
		return s.unfit("latest", sink, fits)
	}
	return nil
}

// unfit is that a flag means nothing to a sink, and names the kinds to which it does.
func (s stores) unfit(flag, sink string, fits func(sinkKind) bool) error {
	var kinds []string
	for _, name := range slices.Sorted(maps.Keys(s.sinks)) {
		if fits(s.sinks[name]) {
			kinds = append(kinds, name)
		}
	}
	err := fmt.Errorf("--%s means nothing to a sink of the kind %s", flag, scheme(sink))
	if len(kinds) == 0 {
		return err
	}
	return hint.Wrap(err, "it is for %s", strings.Join(kinds, ", "))
}

// check finds what is wrong with the layouts and the replicas of a command line.
func (s stores) check(o moveOptions) error {
	for _, r := range o.gentle.replicas {
		if err := checkURL("--replicas", r, s.sources[scheme(r)].check); err != nil {
			return err
		}
	}
	kind := s.sinks[scheme(o.sink)]
	for _, f := range kind.unused {
		if o.layout.given[f] {
			return s.unfit(f, o.sink, func(k sinkKind) bool { return !slices.Contains(k.unused, f) })
		}
	}
	if kind.layout == nil {
		return nil
	}
	for _, l := range o.layout.all() {
		if err := kind.layout(l); err != nil {
			return l.said(err)
		}
	}
	return nil
}

// A feedKind is one kind of feed.
type feedKind struct {
	open openFeed
	// check finds what is wrong with a URL and with what else is said of it without
	// asking anybody.
	check func(url string, f feedOptions) error
	// brought returns what runs of this program have brought there; it knows of no others.
	brought func(ctx context.Context, url string) ([]writer.Held, error)
}

// feedEnds are what opens the two URLs of a dump.
type feedEnds struct {
	feed openFeed
	sink openSink
}

// findFeed picks the constructors. What it complains about is wrong usage.
func (s stores) findFeed(o dumpOptions) (e feedEnds, err error) {
	swapped, order := has(s.sinks, o.source), sourceFirst
	if has(s.sources, o.source) {
		swapped, order = true, "dump reads topics: 'tablehaul tail' follows a server's tables, and 'tablehaul snapshot' copies them"
	}
	kind, err := pick("SOURCE", o.source, s.feeds, swapped, order)
	if err == nil {
		err = kind.check(o.source, feedOptions{start: o.start, badMessage: o.badMessage})
	}
	if err != nil {
		return e, err
	}
	e.feed = kind.open
	if s.isTopic(o.sink) {
		return e, errors.New("SINK is a topic, and dump brings topics to tables")
	}
	if e.sink, err = s.findSink(o.sink, sourceFirst); err == nil {
		err = s.check(o.moveOptions)
	}
	return e, err
}

// A placer tells how positions stand in the log that they are of.
type placer interface {
	Owns(pos batch.Position) error
	Headroom(ctx context.Context, pos batch.Position) (reader.Headroom, error)
	Close() error
}

// findPlacer picks what opens the log of a source, of whatever kind.
func (s stores) findPlacer(url, order string) (openPlacer, error) {
	if kind, ok := s.feeds[scheme(url)]; ok {
		return func(ctx context.Context, url string, o storeOptions) (placer, error) {
			feed, err := kind.open(ctx, url, o, feedOptions{})
			if err != nil {
				return nil, err
			}
			share, err := feed.Take(ctx)
			if err != nil {
				return nil, errors.Join(err, feed.Close())
			}
			return feedPlacer{share, feed}, nil
		}, kind.check(url, feedOptions{})
	}
	open, err := s.findSource(url, has(s.sinks, url), order)
	return func(ctx context.Context, url string, o storeOptions) (placer, error) {
		src, err := open(ctx, url, o)
		if err != nil {
			return nil, err
		}
		if p, ok := src.(placer); ok {
			return p, nil
		}
		return nil, errors.Join(errors.New("it has no log that could be followed"), src.Close())
	}, err
}

// A feedPlacer is a whole feed.
type feedPlacer struct {
	reader.Share
	feed reader.Feed
}

// Close closes the feed with the share.
func (p feedPlacer) Close() error { return errors.Join(p.Share.Close(), p.feed.Close()) }

// ends are what opens the two URLs of a command.
type ends struct {
	source openSource
	sink   openSink
}

const sourceFirst = "SOURCE comes first, then SINK"

// find picks the constructors. What it complains about is wrong usage.
func (s stores) find(source, sink string) (ends, error) {
	var e ends
	var err error
	if e.source, err = s.findSource(source, has(s.sinks, source), sourceFirst); err != nil {
		return e, err
	}
	e.sink, err = s.findSink(sink, sourceFirst)
	return e, err
}

func (s stores) findSink(sink, order string) (openSink, error) {
	kind, err := pick("SINK", sink, s.sinks, has(s.sources, sink), order)
	if err == nil {
		err = checkURL("SINK", sink, kind.check)
	}
	return kind.open, err
}

func (s stores) findSource(source string, swapped bool, order string) (openSource, error) {
	if has(s.feeds, source) {
		swapped, order = true, "'tablehaul dump' reads topics"
	}
	kind, err := pick("SOURCE", source, s.sources, swapped, order)
	if err == nil && isServer(source) {
		err = checkServer(source)
	}
	if err == nil {
		err = checkURL("SOURCE", source, kind.check)
	}
	return kind.open, err
}

// checkURL finds what is wrong with a URL of a known kind.
func checkURL(what, url string, check func(string) error) error {
	if check == nil {
		return nil
	}
	if err := check(url); err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return nil
}

func pick[T any](what, url string, kinds map[string]T, swapped bool, order string) (T, error) {
	var none T
	if k, ok := kinds[scheme(url)]; ok {
		return k, nil
	}
	known := slices.Sorted(maps.Keys(kinds))
	err := fmt.Errorf("%s is not the URL of a known kind", what)
	if what == "SINK" && scheme(url) == "" && url != "" {
		return none, didYouMean(err, "iceberg:"+url)
	}
	if sc := scheme(url); sc != "" {
		err = fmt.Errorf("%s: unknown scheme %q", what, sc)
		if swapped {
			return none, hint.Wrap(err, "%s", order)
		}
		if s := hint.Nearest(sc, known); s != "" {
			return none, didYouMean(err, s+":")
		}
	}
	return none, hint.Wrap(err, "known schemes: %s", strings.Join(known, ", "))
}

func has[T any](kinds map[string]T, url string) bool {
	_, ok := kinds[scheme(url)]
	return ok
}

// scheme returns what stands before the colon, "" if that is no scheme.
func scheme(url string) string {
	s, _, ok := strings.Cut(url, ":")
	if !ok || strings.ContainsAny(s, "/.@") {
		return ""
	}
	return strings.ToLower(s)
}

// isServer reports whether the URL is one of a database server, which has a
// user and perhaps a password before its host.
func isServer(url string) bool {
	s := scheme(url)
	return s == "mysql" || s == "mariadb"
}

// checkServer looks for a password that was not escaped: the URL would be read
// as that of another host, which would then be told part of the password. No
// message repeats it.
func checkServer(s string) error {
	u, err := url.Parse(s)
	if err == nil && u.User == nil && strings.Contains(u.Path+u.RawQuery+u.Fragment, "@") {
		err = errors.New("an @ stands behind the host")
	}
	if err != nil {
		return hint.Wrap(errors.New("SOURCE cannot be read as a URL"),
			"want mysql://user@host:3306/database; leave the password to TABLEHAUL_PASSWORD, or write its special characters as %%XX")
	}
	return nil
}
