package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/kafka"
	"github.com/tablehaul/tablehaul/pkg/reader"
)

// A member takes part in a consumer group, which shares the partitions out among its
// members. It reads nothing itself: where a partition is read from is for the sink to say,
// and what the group remembers is for those who watch it.
type member struct {
	feed *Feed
	cl   *kgo.Client

	mu      sync.Mutex
	changed *sync.Cond // with mu
	parts   []part     // that are this member's; sorted
	round   int        // of the group's sharing out
	share   *share     // that is open
	closed  bool
	err     error // what keeps the member from the group
}

// giveUpTime bounds how long a share may take to commit what it has before the group
// goes on without this member: a part of the time that the group gives it.
const (
	rebalanceTime = 2 * time.Minute
	giveUpTime    = 90 * time.Second
)

// leaveTime bounds how long a member waits for its group when it leaves.
const leaveTime = 5 * time.Second

func (f *Feed) join() (*member, error) {
	m := &member{feed: f}
	m.changed = sync.NewCond(&m.mu)
	opts, err := f.url.Options()
	if err != nil {
		return nil, err
	}
	topics := []kgo.Opt{kgo.ConsumeTopics(f.patterns...)}
	if f.anyPattern() {
		regex := make([]string, len(f.patterns))
		for i, p := range f.patterns {
			regex[i] = asRegexp(p)
		}
		topics = []kgo.Opt{kgo.ConsumeTopics(regex...), kgo.ConsumeRegex()}
		if !f.match(kafka.Positions) {
			topics = append(topics, kgo.ConsumeExcludeTopics(asRegexp(kafka.Positions)))
		}
	}
	opts = append(append(opts, topics...),
		kgo.ConsumerGroup(f.opts.Group), kgo.DisableAutoCommit(), kgo.RebalanceTimeout(rebalanceTime),
		// All of a member's partitions are its share, so that one that comes or goes ends it.
		kgo.Balancers(kgo.StickyBalancer()),
		kgo.OnPartitionsAssigned(m.assigned), kgo.OnPartitionsRevoked(m.revoked), kgo.OnPartitionsLost(m.revoked),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtEnd()), kgo.MetadataMaxAge(f.opts.Refresh), kgo.MetadataMinAge(min(f.opts.Refresh, 2500*time.Millisecond)),
		kgo.WithHooks(m), kgo.FetchMaxBytes(1), kgo.FetchMaxPartitionBytes(1),
	)
	if m.cl, err = kgo.NewClient(opts...); err != nil {
		return nil, err
	}
	return m, nil
}

// assigned is called by the client with all of the member's partitions.
func (m *member) assigned(_ context.Context, cl *kgo.Client, got map[string][]int32) {
	cl.PauseFetchPartitions(got)
	m.mu.Lock()
	defer m.mu.Unlock()
	m.parts = nil
	for topic, numbers := range got {
		for _, n := range numbers {
			m.parts = append(m.parts, part{topic, n})
		}
	}
	slices.SortFunc(m.parts, compareParts)
	m.round++
	m.changed.Broadcast()
}

// revoked is called by the client before the member's partitions go to others. It has the
// share commit what it has, and waits for that. A share that takes too long is not waited
// for: whoever has its partitions then commits from what the sink holds, and what this one
// commits later is refused.
func (m *member) revoked(context.Context, *kgo.Client, map[string][]int32) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.parts = nil
	m.round++
	if m.share == nil {
		return
	}
	s := m.share
	s.move()
	timer := time.AfterFunc(giveUpTime, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.share == s {
			m.share = nil
			m.changed.Broadcast()
		}
	})
	defer timer.Stop()
	for m.share == s && !m.closed {
		m.changed.Wait()
	}
}

// errApart says that a topic's partitions are to come to one process for a while.
var errApart = errors.New("the topic's partitions are to be in one hand")

// leave has the feed leave its group with the share at hand, to be back later.
func (f *Feed) leave() { f.away = true }

// stayAway leaves the group for a while.
func (f *Feed) stayAway(ctx context.Context) error {
	f.member.close()
	f.member, f.away = nil, false
	select {
	case <-time.After(f.opts.Away):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// takeAsMember waits until the group has given this member partitions.
func (f *Feed) takeAsMember(ctx context.Context) (reader.Share, error) {
	if f.away {
		if err := f.stayAway(ctx); err != nil {
			return nil, err
		}
	}
	if f.member == nil {
		m, err := f.join()
		if err != nil {
			return nil, err
		}
		f.member = m
	}
	m := f.member
	stop := context.AfterFunc(ctx, func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.changed.Broadcast()
	})
	defer stop()
	m.mu.Lock()
	for len(m.parts) == 0 && ctx.Err() == nil && m.err == nil {
		m.changed.Wait()
	}
	parts, round, err := m.parts, m.round, m.err
	m.err = nil
	m.mu.Unlock()
	if err = cmp.Or(ctx.Err(), err); err != nil {
		return nil, err
	}
	if err := f.limits(ctx, parts); err != nil {
		return nil, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := newShare(f, parts, nil)
	s.lost = func() { m.given(s) }
	if m.round != round { // it was shared out anew meanwhile
		s.move()
		return s, nil
	}
	m.share = s
	return s, nil
}

// given says that a share is closed.
func (m *member) given(s *share) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.share == s {
		m.share = nil
		m.changed.Broadcast()
	}
}

// committed tells the group how far its partitions are through, for those who watch it.
func (m *member) committed(pos batch.Position) {
	_, at, err := parsePosition(pos)
	if err != nil {
		return
	}
	all := map[string]map[int32]kgo.EpochOffset{}
	for p, o := range at {
		if all[p.topic] == nil {
			all[p.topic] = map[int32]kgo.EpochOffset{}
		}
		all[p.topic][p.partition] = kgo.EpochOffset{Epoch: -1, Offset: o}
	}
	// In its own time, and whatever comes of it: nothing depends on it.
	m.cl.CommitOffsets(context.Background(), all, nil)
}

func (m *member) close() {
	m.mu.Lock()
	m.closed = true
	m.changed.Broadcast()
	m.mu.Unlock()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		m.cl.Close()
	}()
	// The client waits for the group's answer if it is just joining, and the group for members
	// that have died, for as long as their sessions last. This one goes then by itself.
	select {
	case <-gone:
	case <-time.After(leaveTime):
	}
}

// OnGroupManageError is called by the client with what keeps it from the group.
func (m *member) OnGroupManageError(err error) {
	// A group that has given the member up, since it was silent for too long, takes it in
	// again: the client sees to that.
	givenUp := errors.Is(err, kerr.UnknownMemberID) || errors.Is(err, kerr.IllegalGeneration)
	if kerr.IsRetriable(err) || errors.Is(err, context.Canceled) || givenUp {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.err = fmt.Errorf("take part in group %s: %w", m.feed.opts.Group, kafka.Explain(err))
	m.changed.Broadcast()
}
