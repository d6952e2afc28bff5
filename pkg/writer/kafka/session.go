package kafka

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/kafka"
)

// A session is the time that one producer lives: from when it has fenced those before
// it until something fails. What is staged goes with it.
type session struct {
	sink *Sink
	cl   *kgo.Client
	adm  *kadm.Client // of the same connections
	gate gate         // of stock

	looks bool // for the marks of transactions

	life context.Context // what is sent outlives the call that sends it
	stop context.CancelFunc

	lost    atomic.Pointer[error]     // what the first record died of that did not arrive
	started atomic.Pointer[time.Time] // when the last transaction was

	mu     sync.Mutex
	held   map[string]heldTable // as of its last commit
	copies map[string]*copying  // of tables whose stock is on its way
	begun  bool                 // a transaction is
	// touched is where the transaction is.
	touched kadm.TopicsSet
	staged  bool        // it holds changes of tables that are followed
	since   time.Time   // when the first stock came to it
	due     *time.Timer // ends one with stock before the brokers do
	dues    sync.WaitGroup
	err     error // what it died of
}

// endTime bounds how long the end of a transaction is waited for: cut short, it would
// leave the outcome unknown.
const endTime = time.Minute

// slowTime is after how long a session that cannot begin yet says why.
const slowTime = 5 * time.Second

// begunTimes is how often a session is begun of which the broker says that it is in a wrong state,
// and begunPause what lies between.
const (
	begunTimes = 4
	begunPause = 500 * time.Millisecond
)

// connect begins a session. All that another producer of the job has not committed is
// aborted by it, and nothing of it is committed any more.
func (s *Sink) connect(ctx context.Context) (*session, error) {
	for n := 1; ; n++ {
		begun, err := s.attempt(ctx)
		// Seen once, after a kill: nothing of ours is there yet, and the next one aborts what is left.
		if !errors.Is(err, kerr.InvalidTxnState) || n == begunTimes {
			return begun, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(begunPause):
		}
	}
}

// attempt is connect, once.
func (s *Sink) attempt(ctx context.Context) (*session, error) {
	opts, err := s.url.Options()
	if err != nil {
		return nil, err
	}
	cl, err := kgo.NewClient(append(append(opts, s.more...),
		kgo.TransactionalID(s.job), kgo.TransactionTimeout(s.opts.TransactionTimeout),
		kgo.ProducerBatchCompression(s.codec), kgo.ProducerBatchMaxBytesFn(s.limit),
		kgo.MaxBufferedBytes(int(max(s.opts.Memory, kafka.MaxMessage))), kgo.MaxBufferedRecords(1<<20),
		kgo.ProducerLinger(5*time.Millisecond), kgo.MetadataMinAge(500*time.Millisecond),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RecordDeliveryTimeout(max(s.opts.TransactionTimeout, endTime)), kgo.UnknownTopicRetries(5),
	)...)
	if err != nil {
		return nil, err
	}
	n := &session{sink: s, cl: cl, adm: kadm.NewClient(cl), copies: map[string]*copying{}, touched: kadm.TopicsSet{}}
	n.life, n.stop = context.WithCancel(context.Background())
	fence := rand.Text()
	r, err := s.positionRecord("", heldTable{Fence: fence})
	if err == nil {
		err = n.takeOver(ctx)
	}
	if err == nil {
		err = n.produce(ctx, r)
	}
	if err == nil {
		n.mu.Lock()
		err = n.end(ctx)
		n.mu.Unlock()
	}
	if err == nil {
		slow := time.AfterFunc(slowTime, func() {
			s.warn("waiting for another job's transaction in topic " + s.positions + " to end, as its transaction-timeout= has it do at the latest; positions=NAME keeps jobs apart")
		})
		n.held, err = s.readPositions(ctx, func(_ int64, f string) bool { return f == fence })
		slow.Stop()
	}
	if err != nil {
		n.close()
		return nil, fmt.Errorf("begin a transaction as %s: %w", s.job, kafka.Explain(err))
	}
	return n, nil
}

// produce stages changes of a table that is followed.
func (n *session) produce(ctx context.Context, records ...*kgo.Record) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.staged = true
	return n.send(ctx, records...)
}

// send sends records as part of the transaction that is to be committed next. Only its
// end tells whether they have arrived. The caller holds n.mu.
func (n *session) send(ctx context.Context, records ...*kgo.Record) error {
	if n.err != nil {
		return n.err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// A caller who does not wait for room any more ends the session.
	defer context.AfterFunc(ctx, n.stop)()
	if !n.begun {
		if err := n.cl.BeginTransaction(); err != nil {
			n.err = n.failed(err)
			return n.err
		}
		n.begun = true
		now := time.Now()
		n.started.Store(&now)
	}
	for _, r := range records {
		n.touch(r)
		n.cl.Produce(n.life, r, n.produced)
	}
	if lost := n.lost.Load(); lost != nil {
		n.err = *lost
	}
	return n.err
}

// produced is told by the client how a record fared.
func (n *session) produced(r *kgo.Record, err error) {
	if err == nil {
		return
	}
	err = n.failed(fmt.Errorf("write to topic %s: %w", r.Topic, err))
	n.lost.CompareAndSwap(nil, &err) // not under mu, which Produce may be called under
}

// end commits the transaction. Whatever goes wrong, the session is over then: the next
// one finds out what became of it. The caller holds n.mu.
func (n *session) end(ctx context.Context) error {
	if n.err != nil {
		return n.err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endTime)
	defer cancel()
	err := n.cl.Flush(ctx)
	if lost := n.lost.Load(); lost != nil {
		n.err = *lost // and what the others have left is aborted by the next session
		return n.err
	}
	e := ending{in: n.touched, commit: true}
	if err == nil {
		n.sink.step("messages there")
		e.id, e.epoch, err = n.cl.ProducerID(ctx) // which the end may change
	}
	if err == nil {
		err = n.cl.EndTransaction(ctx, kgo.TryCommit)
		n.sink.step("transaction ended")
	}
	if n.begun, n.staged = false, false; err == nil {
		err = n.settle(ctx, e)
	}
	n.touched = kadm.TopicsSet{}
	if err != nil {
		n.err = n.failed(fmt.Errorf("commit: %w", err))
	}
	return n.err
}

// failed is the error of a session that has ended so.
func (n *session) failed(err error) error {
	switch {
	case errors.Is(err, kerr.ProducerFenced), errors.Is(err, kerr.InvalidProducerEpoch), errors.Is(err, kerr.InvalidProducerIDMapping):
		return n.sink.overtaken(err, n.started.Load())
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, kgo.ErrRecordTimeout), errors.Is(err, kgo.ErrRecordRetries):
		return hint.Transient(hint.Wrap(err, "the brokers do not answer, or too few of them for the topic's min.insync.replicas"))
	case errors.Is(err, kerr.MessageTooLarge):
		return hint.Wrap(err, "the brokers take less than the topic's max.message.bytes says: lower that, or raise their message.max.bytes")
	}
	return kafka.Explain(err)
}

// close aborts what is not committed, if that goes quickly; else the brokers do so
// once its time is over, or once the next run comes.
func (n *session) close() {
	n.mu.Lock()
	if n.begun {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if n.cl.AbortBufferedRecords(ctx) == nil {
			_ = n.cl.EndTransaction(ctx, kgo.TryAbort) // or they do so, as said
		}
		n.begun = false
	}
	n.cl.CloseAllowingRebalance()
	n.stop()
	if n.err == nil {
		n.err = errors.New("the session is closed")
	}
	n.calm()
	n.mu.Unlock()
	n.dues.Wait()
}

// over reports whether the session can be used no longer.
func (n *session) over() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.err != nil
}

// giveUp ends the session if changes were staged: they cannot be told apart from what
// comes.
func (n *session) giveUp() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.staged && n.err == nil {
		n.err = errors.New("the session was given up")
	}
}
