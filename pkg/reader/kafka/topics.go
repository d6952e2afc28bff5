package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/kafka"
	"github.com/tablehaul/tablehaul/pkg/reader"
)

// A start is where partitions are begun that no table has a position in.
type start struct {
	latest  bool
	at      time.Time
	offsets offsets
}

// CheckStart finds what is wrong with Options.Start.
func CheckStart(text string) error {
	_, err := parseStart(text)
	return err
}

func parseStart(text string) (s start, err error) {
	kind, rest, _ := strings.Cut(text, ":")
	switch {
	case text == "" || text == "earliest":
		return s, nil
	case text == "latest":
		return start{latest: true}, nil
	case kind == "time":
		if s.at, err = time.Parse(time.RFC3339, rest); err != nil {
			return s, hint.Wrap(fmt.Errorf("start %q names no time", text), "want time: and a time such as 2026-07-01T12:00:00Z")
		}
		return s, nil
	case kind == "offsets":
		s.offsets = offsets{}
		for p := range strings.SplitSeq(rest, ",") {
			name, offset, _ := strings.Cut(p, "=")
			topic, number, _ := strings.Cut(name, "/")
			n, err := strconv.ParseInt(number, 10, 32)
			at, err2 := strconv.ParseInt(offset, 10, 64)
			if err != nil || err2 != nil || topic == "" || n < 0 || at < 0 {
				return s, hint.Wrap(fmt.Errorf("start %q names no offsets", text), "want offsets:TOPIC/PARTITION=OFFSET, more of them behind commas")
			}
			s.offsets[part{topic, int32(n)}] = at
		}
		return s, nil
	}
	return s, hint.Wrap(fmt.Errorf("start %q is not known", text), "want earliest, latest, time:RFC3339 or offsets:TOPIC/PARTITION=OFFSET,…")
}

// match reports whether a topic is one of the Feed's.
func (f *Feed) match(topic string) bool { return matchAny(f.patterns, topic) }

// Match returns what reports whether a topic is one of those that a URL names.
func Match(url string) (func(topic string) bool, error) {
	_, patterns, err := parseURL(url)
	return func(topic string) bool { return matchAny(patterns, topic) }, err
}

func matchAny(patterns []string, topic string) bool {
	return slices.Contains(patterns, topic) || topic != kafka.Positions && slices.ContainsFunc(patterns, func(p string) bool { return reader.Glob(p, topic) })
}

// anyPattern reports whether topics are to be found out.
func (f *Feed) anyPattern() bool {
	return slices.ContainsFunc(f.patterns, func(p string) bool { return strings.ContainsAny(p, "*?") })
}

// asRegexp returns a regular expression that matches what the pattern does.
func asRegexp(pattern string) string {
	return "^" + strings.NewReplacer(".", `\.`, "*", ".*", "?", ".").Replace(pattern) + "$"
}

// parts lists the partitions of all topics. A topic that is named has to be there.
func (f *Feed) parts(ctx context.Context) ([]part, error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	var names []string // none asks for all
	if !f.anyPattern() {
		names = f.patterns
	}
	topics, err := f.adm.ListTopics(ctx, names...)
	if err != nil {
		return nil, fmt.Errorf("list topics: %w", kafka.Explain(err))
	}
	var all []part
	for _, t := range topics.Sorted() {
		if !f.match(t.Topic) || errors.Is(t.Err, kerr.UnknownTopicOrPartition) {
			continue
		}
		if t.Err != nil {
			return nil, fmt.Errorf("look at topic %s: %w", t.Topic, kafka.Explain(t.Err))
		}
		for _, p := range t.Partitions.Sorted() {
			all = append(all, part{t.Topic, p.Partition})
		}
	}
	for _, p := range f.patterns {
		if !slices.ContainsFunc(all, func(a part) bool { return reader.Glob(p, a.topic) }) && !strings.ContainsAny(p, "*?") {
			return nil, f.missing(ctx, p)
		}
	}
	if len(all) == 0 && f.opts.UntilEnd {
		err := fmt.Errorf("no topic is like %s", strings.Join(f.patterns, ", "))
		return nil, hint.Wrap(err, "kafka-topics.sh --list shows those that are there")
	}
	slices.SortFunc(all, compareParts)
	return all, nil
}

// ids returns the IDs of topics, where brokers know any.
func (f *Feed) ids(ctx context.Context, topics []string) (map[string]string, error) {
	ids := make(map[string]string, len(topics))
	if len(topics) == 0 { // which asks for all
		return ids, nil
	}
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	all, err := f.adm.ListTopics(ctx, topics...)
	if err == nil {
		err = all.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("look at topics: %w", kafka.Explain(err))
	}
	for _, t := range all {
		if t.ID != (kadm.TopicID{}) {
			ids[t.Topic] = t.ID.String()
		}
	}
	return ids, nil
}

// missing is the error of a topic that is not there, or that not all brokers know yet.
func (f *Feed) missing(ctx context.Context, topic string) error {
	err := hint.Transient(fmt.Errorf("there is no topic %s", topic))
	if all, e := f.adm.ListTopics(ctx); e == nil {
		if near := hint.Nearest(topic, all.Names()); near != "" {
			return hint.Wrap(err, "did you mean %s?", near)
		}
	}
	return hint.Wrap(err, "kafka-topics.sh --list shows those that are there")
}

// limits notes where partitions that are taken for the first time start and end.
func (f *Feed) limits(ctx context.Context, all []part) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	f.mu.Lock()
	defer f.mu.Unlock()
	fresh := slices.DeleteFunc(slices.Clone(all), func(p part) bool { _, ok := f.starts[p]; return ok })
	if len(fresh) == 0 {
		return nil
	}
	topics := topicsOf(fresh)
	first, err := listed(f.adm.ListStartOffsets(ctx, topics...))
	if err != nil {
		return fmt.Errorf("find where topics begin: %w", err)
	}
	ends, err := f.written(ctx, topics)
	if err != nil {
		return err
	}
	starts := first
	switch {
	case f.taken && f.opts.Group == "": // a partition that is new
	case f.start.latest:
		if starts, err = f.committed(ctx, topics); err != nil {
			return err
		}
	case !f.start.at.IsZero():
		if starts, err = listed(f.adm.ListOffsetsAfterMilli(ctx, f.start.at.UnixMilli(), topics...)); err != nil {
			return fmt.Errorf("find %s in topics: %w", f.start.at, err)
		}
	}
	for _, p := range fresh {
		at, ok := starts[p]
		if !ok {
			return hint.Transient(fmt.Errorf("%s has no offsets yet", p))
		}
		if asked, ok := f.asked(p); ok {
			if asked < first[p] || asked > ends[p] {
				err := fmt.Errorf("start at offset %d of %s: it holds those from %d to %d", asked, p, first[p], ends[p])
				return hint.Wrap(err, "leave it out of --start, and the partition starts at its earliest; or give one of these")
			}
			at = asked
		}
		f.starts[p] = at
		if f.opts.UntilEnd {
			f.ends[p] = ends[p]
		}
	}
	for p := range f.start.offsets {
		if _, ok := f.starts[p]; !ok && f.opts.Group == "" {
			err := fmt.Errorf("start at an offset of %s: there is no such partition in the topics of SOURCE", p)
			return hint.Wrap(err, "partitions count from 0: TOPIC/0=OFFSET")
		}
	}
	f.taken = true
	return nil
}

// asked returns the offset that a partition is to start at, if there is one for it. In a
// group a member may have it for the first time when it has had others.
func (f *Feed) asked(p part) (int64, bool) {
	at, ok := f.start.offsets[p]
	return at, ok && (!f.taken || f.opts.Group != "")
}

// committed returns behind which messages all are committed that come before.
func (f *Feed) committed(ctx context.Context, topics []string) (offsets, error) {
	ends, err := listed(f.adm.ListCommittedOffsets(ctx, topics...))
	if err != nil {
		return nil, fmt.Errorf("find where topics end: %w", err)
	}
	return ends, nil
}

// written returns where topics end, transactions included that are not over. The brokers
// tell of one that was committed partition after partition, some of them after whoever
// has committed it knows: what is to hold all of it ends here.
func (f *Feed) written(ctx context.Context, topics []string) (offsets, error) {
	ends, err := listed(f.adm.ListEndOffsets(ctx, topics...))
	if err != nil {
		return nil, fmt.Errorf("find where topics end: %w", err)
	}
	return ends, nil
}

func topicsOf(parts []part) []string {
	var topics []string
	for _, p := range parts {
		if !slices.Contains(topics, p.topic) {
			topics = append(topics, p.topic)
		}
	}
	return topics
}

func listed(l kadm.ListedOffsets, err error) (offsets, error) {
	if err == nil {
		err = l.Error()
	}
	if err != nil {
		return nil, kafka.Explain(err)
	}
	o := offsets{}
	l.Each(func(l kadm.ListedOffset) { o[part{l.Topic, l.Partition}] = l.Offset })
	return o, nil
}

// errShorter says that a topic ends before a position in it.
var errShorter = errors.New("it ends before that: it has been made anew, or lost messages")
