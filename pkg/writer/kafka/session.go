package kafka

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/kafka"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A session is the time that one producer lives: from when it has fenced those before
// it until something fails. What is staged goes with it.
type session struct {
	cl   *kgo.Client
	held map[string]heldPosition // as of its beginning

	lost atomic.Pointer[error] // what the first record died of that did not arrive

	mu    sync.Mutex
	begun bool  // a transaction is
	err   error // what it died of
}

// endTime bounds how long the end of a transaction is waited for: cut short, it would
// leave the outcome unknown.
const endTime = time.Minute

// connect begins a session. All that another producer of the job has not committed is
// aborted by it, and nothing of it is committed any more.
func (s *Sink) connect(ctx context.Context) (*session, error) {
	opts, err := s.url.Options()
	if err != nil {
		return nil, err
	}
	cl, err := kgo.NewClient(append(opts,
		kgo.TransactionalID(s.job), kgo.TransactionTimeout(s.opts.TransactionTimeout),
		kgo.ProducerBatchCompression(s.codec), kgo.ProducerBatchMaxBytes(s.batchBytes),
		kgo.MaxBufferedBytes(int(s.opts.Memory)), kgo.MaxBufferedRecords(1<<20),
		kgo.ProducerLinger(5*time.Millisecond),
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.RecordDeliveryTimeout(s.opts.TransactionTimeout), kgo.UnknownTopicRetries(5),
	)...)
	if err != nil {
		return nil, err
	}
	n := &session{cl: cl}
	fence := rand.Text()
	r, err := s.positionRecord("", heldPosition{Fence: fence, Committed: s.now()})
	if err == nil {
		err = n.produce(ctx, r)
	}
	if err == nil {
		err = n.commit(ctx)
	}
	if err == nil {
		n.held, err = s.readPositions(ctx, fence)
	}
	if err != nil {
		n.close()
		return nil, fmt.Errorf("begin a transaction as %s: %w", s.job, kafka.Explain(err))
	}
	return n, nil
}

// produce sends records as part of the transaction that is to be committed next. Only
// commit tells whether they have arrived.
func (n *session) produce(ctx context.Context, records ...*kgo.Record) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.err != nil {
		return n.err
	}
	if !n.begun {
		if err := n.cl.BeginTransaction(); err != nil {
			n.err = failed(err)
			return n.err
		}
		n.begun = true
	}
	for _, r := range records {
		n.cl.Produce(ctx, r, n.produced)
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
	err = failed(fmt.Errorf("write to topic %s: %w", r.Topic, err))
	n.lost.CompareAndSwap(nil, &err) // not under mu, which Produce may be called under
}

// commit ends the transaction. Whatever goes wrong, the session is over then: the next
// one finds out what became of it.
func (n *session) commit(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
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
	if err == nil {
		err = n.cl.EndTransaction(ctx, kgo.TryCommit)
	}
	n.begun = false
	if err != nil {
		n.err = failed(fmt.Errorf("commit: %w", err))
	}
	return n.err
}

// failed is the error of a session that has ended so.
func failed(err error) error {
	switch {
	case errors.Is(err, kerr.ProducerFenced), errors.Is(err, kerr.InvalidProducerEpoch), errors.Is(err, kerr.InvalidProducerIDMapping):
		return hint.Transient(fmt.Errorf("%w (%w)", writer.ErrFenced, err))
	case errors.Is(err, kerr.MessageTooLarge):
		return err
	}
	return kafka.Explain(err)
}

// close aborts what is not committed, if that goes quickly; else the brokers do so
// once its time is over, or once the next run comes.
func (n *session) close() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.begun {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		if n.cl.AbortBufferedRecords(ctx) == nil {
			_ = n.cl.EndTransaction(ctx, kgo.TryAbort) // or they do so, as said
		}
	}
	n.cl.CloseAllowingRebalance()
	if n.err == nil {
		n.err = errors.New("the session is closed")
	}
}

// over reports whether the session can be used no longer.
func (n *session) over() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.err != nil
}

// giveUp ends the session if something was staged: it cannot be told apart from what
// comes.
func (n *session) giveUp() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.begun && n.err == nil {
		n.err = errors.New("the session was given up")
	}
}
