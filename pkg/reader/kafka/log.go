package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/kafka"
	"github.com/tablehaul/tablehaul/pkg/message"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A log reads a share's partitions. Messages go to the builders of their tables one after
// the other; now and then all of these are made batches, and the last of them says how far
// the partitions have been read.
type log struct {
	share    *share
	cl       *kgo.Client
	want     func(*schema.Table) (*schema.Table, error)
	parts    map[part]*progress
	open     int // partitions that have not come to their end
	tables   map[string]*table
	order    []*table // as they have turned up
	decoders map[string]message.Decoder
	bad      *bad
	pool     batch.Pool

	cur      *progress // of the message at hand
	at       int64     // its offset
	micros   int64     // when the source committed it, if it tells
	stopped  bool      // it is one to wait at
	barriers map[string]*barrier

	bytes  int       // of messages since the last flush
	since  time.Time // when the first of them came
	moving bool      // the position is another than that told last
	told   time.Time // when it was
	heard  time.Time // when the brokers last gave a sign of life
	asked  time.Time // when they were last asked whether there is more
	out    []*batch.Batch
	err    error // behind out
}

// A progress is how far a partition has been read.
type progress struct {
	part
	next   int64 // offset of the next message
	end    int64 // where the Feed ends; -1 if it does not
	done   bool  // it has come there
	waits  bool  // at a barrier, which next is the message of
	behind behind
	stable int64 // where the partition ended when it was last fetched, but for open transactions
	micros int64 // when the last message's change was committed, or the message written; 0 before
}

// When batches are made of what has come.
const (
	flushBytes = 4 << 20
	flushTime  = 100 * time.Millisecond
	tellTime   = time.Second
	stillTime  = 5 * time.Second  // after which a position that stands still is told again
	silence    = 15 * time.Second // after which the brokers are asked whether they are there
)

func newLog(s *share, begins offsets, sink reader.FeedSink) (*log, error) {
	f := s.feed
	l := &log{
		share: s, bad: newBad(f), want: sink.Want, parts: map[part]*progress{}, tables: map[string]*table{}, decoders: map[string]message.Decoder{},
		barriers: map[string]*barrier{}, heard: time.Now(), moving: true,
	}
	l.pool.Limit = f.opts.Memory
	from := map[string]map[int32]kgo.Offset{}
	_, until, err := parsePosition(sink.Until)
	if err != nil {
		return nil, err
	}
	for _, p := range s.parts {
		pr := &progress{part: p, next: begins[p], end: -1}
		if f.opts.UntilEnd {
			pr.end = f.ends[p]
		}
		if at, ok := until[p]; ok {
			pr.end = at
		}
		l.parts[p] = pr
		if pr.done = pr.end >= 0 && pr.next >= pr.end; pr.done {
			continue
		}
		l.open++
		if from[p.topic] == nil {
			from[p.topic] = map[int32]kgo.Offset{}
		}
		from[p.topic][p.partition] = kgo.NewOffset().At(pr.next)
	}
	opts, err := f.url.Options()
	if err != nil {
		return nil, err
	}
	l.cl, err = kgo.NewClient(append(opts,
		kgo.ConsumePartitions(from), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.ConsumeResetOffset(kgo.NoResetOffset()),
		// The end of a topic may be the mark of a transaction's end.
		kgo.KeepControlRecords(),
		kgo.FetchMaxBytes(int32(min(f.opts.Memory/4, 64<<20))), kgo.FetchMaxPartitionBytes(int32(min(f.opts.Memory/4, 16<<20))),
		kgo.FetchMaxWait(500*time.Millisecond), kgo.MaxConcurrentFetches(2),
		kgo.ProducerBatchMaxBytesFn(l.bad.limit),
	)...)
	if err != nil {
		return nil, err
	}
	l.bad.cl = l.cl
	l.push(&batch.Batch{Pos: l.position()}) // where it begins
	return l, nil
}

// push adds a batch to those that Read returns.
func (l *log) push(b *batch.Batch) { l.out = append(l.out, b) }

// position is how far the partitions have been read.
func (l *log) position() batch.Position {
	o := make(offsets, len(l.parts))
	passed := int64(math.MaxInt64)
	for p, pr := range l.parts {
		o[p] = pr.next
		passed = min(passed, pr.micros)
	}
	l.share.passed.Store(passed)
	l.moving, l.told = false, time.Now()
	return o.position(l.share.feed.cluster, l.share.ids)
}

// Read implements reader.Reader.
func (l *log) Read(ctx context.Context) (*batch.Batch, error) {
	for {
		if len(l.out) > 0 {
			b := l.out[0]
			l.out = l.out[1:]
			return b, nil
		}
		if l.err != nil {
			return nil, l.err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		err := l.more(ctx)
		if e := l.due(err != nil); e != nil && (err == nil || errors.Is(err, io.EOF)) {
			err = e // what has come was not handed on: it is no end
		}
		if errors.Is(err, errApart) {
			l.share.feed.leave()
			err = reader.ErrMoved
		}
		l.err = err
	}
}

// more waits for messages and takes them.
func (l *log) more(ctx context.Context) error {
	if l.open == 0 {
		return io.EOF
	}
	select {
	case <-l.share.moved:
		return reader.ErrMoved
	default:
	}
	pctx, cancel := context.WithTimeout(ctx, flushTime)
	defer cancel()
	fetches := l.cl.PollRecords(pctx, 20_000)
	if fetches.IsClientClosed() {
		return errors.New("the client is closed")
	}
	var err error
	fetches.EachError(func(topic string, p int32, e error) {
		if err == nil && !errors.Is(e, context.DeadlineExceeded) && !errors.Is(e, context.Canceled) {
			err = l.fetchError(part{topic, p}, e)
		}
	})
	got := false
	fetches.EachPartition(func(p kgo.FetchTopicPartition) {
		got = got || len(p.Records) > 0
		if pr := l.parts[part{p.Topic, p.Partition}]; pr != nil && err == nil {
			pr.stable = p.LastStableOffset
			err = l.takeAll(ctx, pr, p.Records)
		}
	})
	switch {
	case err != nil:
		return err
	case got:
		l.heard = time.Now()
	case time.Since(l.told) > stillTime && time.Since(l.asked) > stillTime:
		l.still(ctx)
	case time.Since(l.heard) > silence:
		if err := l.ping(ctx); err != nil {
			return hint.Transient(fmt.Errorf("reach the brokers: %w", err))
		}
		l.heard = time.Now()
	}
	if len(l.barriers) > 0 {
		return l.settle(ctx)
	}
	return nil
}

// still tells the position again if the partitions hold nothing behind it: that nothing
// comes would count as a lag otherwise. Nothing is told if the brokers do not answer.
func (l *log) still(ctx context.Context) {
	l.asked = time.Now()
	ctx, cancel := context.WithTimeout(ctx, stillTime)
	defer cancel()
	ends, err := l.share.feed.committed(ctx, topicsOf(l.share.parts))
	if err != nil {
		return
	}
	l.heard = time.Now()
	for p, pr := range l.parts {
		if pr.stable = max(pr.stable, ends[p]); !pr.done && pr.next < pr.stable {
			return
		}
	}
	l.push(&batch.Batch{Pos: l.position(), Time: l.time()})
}

func (l *log) ping(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, askTime)
	defer cancel()
	return l.cl.Ping(ctx)
}

func (l *log) fetchError(p part, err error) error {
	err = fmt.Errorf("read %s: %w", p, err)
	if errors.Is(err, kerr.OffsetOutOfRange) {
		return hint.Transient(err) // the next attempt tells what has become of it
	}
	return kafka.Explain(err)
}

// takeAll takes messages of one partition.
func (l *log) takeAll(ctx context.Context, pr *progress, records []*kgo.Record) error {
	if pr.waits {
		pr.behind.keep(records, l.room())
		return nil
	}
	decoder := l.decoders[pr.topic]
	if decoder == nil {
		var err error
		if decoder, err = l.newDecoder(pr.topic, records); err != nil {
			return err
		}
		l.decoders[pr.topic] = decoder
	}
	if d, ok := decoder.(message.Partitioned); ok {
		d.Partition(int(pr.partition))
	}
	for i, r := range records {
		if pr.done {
			return nil
		}
		if r.Offset < pr.next {
			continue
		}
		if pr.end >= 0 && r.Offset >= pr.end {
			l.ended(pr)
			return nil
		}
		if err := l.take(ctx, pr, decoder, r); err != nil {
			return err
		}
		if l.stopped {
			l.stopped = false
			pr.waits, pr.next = true, r.Offset
			pr.behind.keep(records[i+1:], l.room())
			l.pause(pr)
			return nil
		}
		pr.next, l.moving = r.Offset+1, true
		if pr.end >= 0 && pr.next >= pr.end {
			l.ended(pr)
		}
		if l.bytes >= flushBytes {
			if err := l.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// pause has nothing more of a partition fetched.
func (l *log) pause(pr *progress) {
	l.cl.PauseFetchPartitions(map[string][]int32{pr.topic: {pr.partition}})
}

func (l *log) ended(pr *progress) {
	pr.done = true
	l.open--
	l.pause(pr)
}

// take takes one message.
func (l *log) take(ctx context.Context, pr *progress, decoder message.Decoder, r *kgo.Record) error {
	if r.Attrs.IsControl() {
		return nil
	}
	l.cur, l.at, l.micros = pr, r.Offset, 0
	if l.bytes == 0 {
		l.since = time.Now()
	}
	l.bytes += len(r.Value)
	if p, ok := decoder.(message.Placer); ok {
		p.At(r.Topic, r.Partition, r.Offset, r.Timestamp)
	}
	err := decoder.Decode(r.Key, r.Value)
	if pr.micros = l.micros; pr.micros == 0 {
		pr.micros = r.Timestamp.UnixMicro()
	}
	if err == nil {
		if err = partial(r); err == nil {
			return nil
		}
	}
	var own *ownError
	if errors.As(err, &own) {
		return own.err
	}
	return l.bad.refuse(ctx, r, err)
}

// partial tells of a message that stands for one that was too large for its topic.
func partial(r *kgo.Record) error {
	if len(r.Value) > 0 {
		return nil
	}
	for _, h := range r.Headers {
		if h.Key == kafka.TooLargeHeader {
			return fmt.Errorf("its row was too large for the topic, of %s bytes, and was left out there", h.Value)
		}
	}
	return nil
}

// due makes batches of what has come, if it is time to.
func (l *log) due(now bool) error {
	if l.bytes > 0 && (now || time.Since(l.since) >= flushTime) || l.moving && (now || time.Since(l.told) >= tellTime) {
		return l.flush()
	}
	return nil
}

// flush makes batches of all that has come, the last of them with the position. Behind it
// nothing is left of messages that were refused.
func (l *log) flush() error {
	if err := l.bad.flush(); err != nil {
		return err
	}
	var last *batch.Batch
	for _, t := range l.order {
		if b := t.batch(); b != nil {
			l.push(b)
			last = b
		}
	}
	if last == nil {
		last = &batch.Batch{}
		l.push(last)
	}
	last.Pos, last.Time = l.position(), l.time()
	l.bytes = 0
	return nil
}

// time is when the source committed what the partition has come to that is most behind. One
// that has been read to its end is behind nothing.
func (l *log) time() time.Time {
	oldest, newest := int64(math.MaxInt64), int64(0)
	for _, pr := range l.parts {
		newest = max(newest, pr.micros)
		if pr.micros > 0 && pr.next < pr.stable {
			oldest = min(oldest, pr.micros)
		}
	}
	if newest == 0 {
		return time.Time{}
	}
	return time.UnixMicro(min(oldest, newest))
}

// Close implements reader.Reader.
func (l *log) Close() error {
	for _, b := range l.out {
		b.Release()
	}
	l.out = nil
	l.cl.Close()
	return nil
}
