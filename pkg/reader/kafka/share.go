package kafka

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader"
)

// A share is the partitions that this process reads.
type share struct {
	feed  *Feed
	parts []part            // sorted
	lost  func()            // called once the share is closed; may be nil
	ids   map[string]string // of topics, as of Changes; those that have none are not there

	passed atomic.Int64 // the time of changes that all of the parts have come to, in microseconds since 1970

	moved     chan struct{} // closed once partitions change hands
	movedOnce sync.Once
	stop      context.CancelFunc // of watch
	watching  sync.WaitGroup
}

func newShare(f *Feed, parts []part, lost func()) *share {
	return &share{feed: f, parts: parts, lost: lost, moved: make(chan struct{})}
}

// move has the share's Reader end.
func (s *share) move() { s.movedOnce.Do(func() { close(s.moved) }) }

func (s *share) own(p part) bool {
	_, ok := slices.BinarySearchFunc(s.parts, p, compareParts)
	return ok
}

// Owns implements reader.Share.
func (s *share) Owns(pos batch.Position) error {
	cluster, at, err := parsePosition(pos)
	switch {
	case err != nil:
		return err
	case cluster != s.feed.cluster:
		return fmt.Errorf("it is of the Kafka cluster %s, and this one is %s", cluster, s.feed.cluster)
	}
	for p := range at {
		if s.feed.match(p.topic) {
			return nil
		}
	}
	return fmt.Errorf("it is of other topics of the Kafka cluster %s", cluster)
}

// Begun implements reader.Share.
func (s *share) Begun(pos batch.Position) bool {
	_, at, err := parsePosition(pos)
	for _, p := range s.parts {
		if _, ok := at[p]; !ok || err != nil {
			return false
		}
	}
	return true
}

// Merge implements reader.Share.
func (s *share) Merge(held, known, next batch.Position) (batch.Position, error) {
	pos, err := merge(s.own, held, known, next)
	if err != nil {
		return "", err
	}
	return s.remark(pos)
}

// Changes implements reader.Share.
func (s *share) Changes(ctx context.Context, sink reader.FeedSink) (reader.Reader, error) {
	var err error
	if s.ids, err = s.feed.ids(ctx, topicsOf(s.parts)); err != nil {
		return nil, err
	}
	from, begins, err := s.from(ctx, sink)
	if err != nil {
		return nil, err
	}
	r, err := newLog(s, begins, sink)
	if err != nil {
		return nil, err
	}
	for name, h := range sink.Held {
		if err := r.know(name, h, from[name]); err != nil {
			_ = r.Close()
			return nil, err
		}
	}
	if s.feed.opts.Group == "" && s.stop == nil {
		wctx, stop := context.WithCancel(context.WithoutCancel(ctx))
		s.stop = stop
		s.watching.Go(func() { s.watch(wctx) })
	}
	return r, nil
}

// from returns where each table goes on in the share's partitions, and where these are to
// be read from.
func (s *share) from(ctx context.Context, sink reader.FeedSink) (tables map[string]offsets, begins offsets, err error) {
	first, ends, err := s.bounds(ctx)
	if err != nil {
		return nil, nil, err
	}
	begins, tables = offsets{}, map[string]offsets{}
	r := been{begins: begins, furthest: offsets{}, fresh: offsets{}, topics: map[string]bool{}}
	of := map[string][]string{}
	for name, h := range sink.Held {
		_, pos, err := parsePosition(h.Position)
		if err != nil {
			return nil, nil, err
		}
		if err := same(s.ids, name, h.Position); err != nil {
			return nil, nil, err
		}
		m, err := parseMark(h.Position)
		if err != nil {
			return nil, nil, err
		}
		if sink.Only {
			m = mark{}
		}
		tables[name], of[name] = pos, topicsOf(slices.Collect(maps.Keys(pos)))
		r.note(pos, m)
	}
	for _, p := range s.parts {
		if _, ok := begins[p]; !ok {
			begins[p] = s.feed.starts[p]
			if r.topics[p.topic] { // there was no such partition
				begins[p] = first[p]
			}
			r.furthest[p] = begins[p]
		}
		if at, ok := r.fresh[p]; ok {
			begins[p] = min(begins[p], at)
		}
		for name, pos := range tables {
			if _, ok := pos[p]; ok {
				continue
			}
			// Nobody who has read the partition so far has met the table there: it would
			// have been made, or committed to, before any table got past its first message.
			pos[p] = r.furthest[p]
			if s.feed.opts.Group == "" && slices.Contains(of[name], p.topic) {
				// But it may have been left behind since before the topic had this partition.
				pos[p] = first[p]
				begins[p] = min(begins[p], first[p])
			}
		}
		if err := s.kept(p, begins, first[p], ends[p]); err != nil {
			return nil, nil, err
		}
	}
	return tables, begins, nil
}

// A been is how far partitions were read, as positions of tables tell.
type been struct {
	begins, furthest offsets
	fresh            offsets // of tables that were redone: others have not been read so far
	topics           map[string]bool
}

func (r *been) note(pos offsets, m mark) {
	for p, at := range pos {
		to := r.fresh
		if read, ok := m.read(p, at); ok {
			r.topics[p.topic] = true
			r.furthest[p] = max(r.furthest[p], read)
			to, at = r.begins, min(at, read)
		}
		if b, ok := to[p]; !ok || at < b {
			to[p] = at
		}
	}
}

// same makes sure that a table's position is in the topics of now: in those that were made
// anew it would stand for other messages.
func same(ids map[string]string, table string, pos batch.Position) error {
	for topic, was := range idsOf(pos) {
		if is := ids[topic]; is != "" && is != was {
			err := fmt.Errorf("topic %s was deleted and made again since %s was dumped from it: where to go on there is not known", topic, table)
			return hint.Wrap(err, "drop the tables that came from it at the sink, to have them made of what it holds now; or write to a topic of another name")
		}
	}
	return nil
}

func (s *share) bounds(ctx context.Context) (first, ends offsets, err error) {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	topics := topicsOf(s.parts)
	if first, err = listed(s.feed.adm.ListStartOffsets(ctx, topics...)); err != nil {
		return nil, nil, fmt.Errorf("find where topics begin: %w", err)
	}
	ends, err = s.feed.committed(ctx, topics)
	return first, ends, err
}

// kept checks that a partition holds what follows.
func (s *share) kept(p part, begins offsets, first, end int64) error {
	at := begins[p]
	if at > end {
		// So it may look for a moment while a broker takes a partition over.
		return hint.Transient(fmt.Errorf("go on at offset %d of %s, which ends at %d: %w", at, p, end, errShorter))
	}
	if at >= first {
		return nil
	}
	if s.feed.opts.Purged {
		s.feed.opts.Warn(fmt.Sprintf("%s no longer holds the messages from offset %d to %d: going on without them", p, at, first))
		begins[p] = first
		return nil
	}
	err := fmt.Errorf("go on at offset %d of %s, which begins at %d by now: %w", at, p, first, reader.ErrPurged)
	return hint.Wrap(err, "--on-purged earliest goes on with what is there, without what is gone; a snapshot with --mode replace copies the table anew; keep topics longer (retention.ms)")
}

// watch looks for partitions that have turned up.
func (s *share) watch(ctx context.Context) {
	tick := time.NewTicker(s.feed.opts.Refresh)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		// An error is none of the reader's, which has its own where it matters.
		all, err := s.feed.parts(ctx)
		if err != nil {
			continue
		}
		ids, err := s.feed.ids(ctx, topicsOf(all))
		if !slices.Equal(all, s.parts) || err == nil && !maps.Equal(ids, s.ids) {
			s.move()
			return
		}
	}
}

// Headroom implements reader.Share: a position is at the end if all of the share's
// partitions are.
func (s *share) Headroom(ctx context.Context, pos batch.Position) (reader.Headroom, error) {
	h := reader.Headroom{Ahead: -1, Before: -1}
	_, at, err := parsePosition(pos)
	if err != nil {
		return h, err
	}
	first, ends, err := s.bounds(ctx)
	if err != nil {
		return h, err
	}
	ids := s.ids
	if ids == nil { // nothing is read
		if ids, err = s.feed.ids(ctx, topicsOf(s.parts)); err != nil {
			return h, err
		}
	}
	h.Why = same(ids, "the table", pos)
	h.AtEnd, h.Gone = true, h.Why != nil
	for _, p := range s.parts {
		h.Gone = h.Gone || at[p] < first[p]
		h.AtEnd = h.AtEnd && at[p] >= ends[p]
		h.Messages += max(0, ends[p]-max(at[p], first[p]))
	}
	return h, nil
}

// End implements reader.Share.
func (s *share) End(ctx context.Context) (batch.Position, error) {
	topics := topicsOf(s.parts)
	ids, err := s.feed.ids(ctx, topics)
	if err != nil {
		return "", err
	}
	all, err := s.feed.committed(ctx, topics)
	if err != nil {
		return "", err
	}
	ends := offsets{}
	for _, p := range s.parts {
		ends[p] = all[p]
	}
	return ends.position(s.feed.cluster, ids), nil
}

// Committed implements reader.Share.
func (s *share) Committed(pos batch.Position) {
	if s.feed.member != nil {
		s.feed.member.committed(pos)
	}
}

// Close implements reader.Share.
func (s *share) Close() error {
	if s.stop != nil {
		s.stop()
		s.watching.Wait()
	}
	if s.lost != nil {
		s.lost()
	}
	return nil
}

func (s *share) String() string {
	names := make([]string, len(s.parts))
	for i, p := range s.parts {
		names[i] = p.String()
	}
	return strings.Join(names, ", ")
}
