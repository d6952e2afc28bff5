package move

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader"
)

// Limits bound how hard a run works its source.
type Limits struct {
	Parallel int           // splits read at once; 0 is as many as there are readers
	Rate     Rate          // of reading; zero is without end
	MaxLoad  []Bound       // of the source's status variables
	MaxLag   time.Duration // of the source and its replicas; 0 is none
}

// A Rate is how much may be read in a second: rows, or bytes on the source's wire.
type Rate struct {
	PerSecond int64
	Bytes     bool
}

// A Bound is the highest value that a status variable of the source may have.
type Bound struct {
	Variable string
	Most     float64
}

// A Throttle holds a run back. It may be turned while the run lasts, by several
// goroutines. A nil *Throttle holds nothing back.
type Throttle struct {
	mu     sync.Mutex
	limits Limits
	most   int                 // readers that are pinned
	busy   int                 // splits being read
	paused map[pauser]string   // who wants no reading, and why
	owed   float64             // rows or bytes that were read ahead of the rate
	at     time.Time           // when owed was true
	guess  float64             // what the next Read is likely to bring
	turned chan struct{}       // closed when anything changes
	tell   func(ThrottleState) // may be nil
	loads  reader.Loader       // nil while no source is watched
	calm   int                 // polls in a row that found all within bounds
}

// A pauser is who can have a run paused.
type pauser int

// In the order in which their reasons are told.
const (
	operator pauser = iota
	load            // a bound was passed
	blind           // whether it is, the source does not tell
)

// NewThrottle returns a Throttle for a run with so many readers at most.
func NewThrottle(l Limits, most int) *Throttle {
	most = max(most, 1)
	l.Parallel = min(cmp.Or(l.Parallel, most), most)
	return &Throttle{limits: l, most: most, paused: map[pauser]string{}, turned: make(chan struct{}), at: time.Now()}
}

// A ThrottleState is what a Throttle does at the moment.
type ThrottleState struct {
	Limits
	MaxParallel int      // what Parallel can be raised to
	Reading     int      // splits being read
	Paused      []string // why nothing is read; nil while it is
}

// State returns the state of this moment.
func (t *Throttle) State() ThrottleState {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.state()
}

func (t *Throttle) state() ThrottleState {
	s := ThrottleState{Limits: t.limits, MaxParallel: t.most, Reading: t.busy}
	for _, who := range slices.Sorted(maps.Keys(t.paused)) {
		s.Paused = append(s.Paused, t.paused[who])
	}
	return s
}

// Tell has f told of the state now, and whenever limits or pauses change. f must
// not call the Throttle.
func (t *Throttle) Tell(f func(ThrottleState)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.tell = f
	f(t.state())
}

// turn wakes whoever waits. It is called with mu held.
func (t *Throttle) turn() {
	close(t.turned)
	t.turned = make(chan struct{})
	if t.tell != nil {
		t.tell(t.state())
	}
}

// Adjust changes the limits. What they ask of the source is tried first, so that
// a limit that cannot be watched is refused and changes nothing.
func (t *Throttle) Adjust(ctx context.Context, change func(*Limits)) error {
	t.mu.Lock()
	l, loads := t.limits, t.loads
	t.mu.Unlock()
	change(&l)
	if l.Parallel < 1 || l.Parallel > t.most {
		return OutOfRange(t.most)
	}
	if err := l.try(ctx, loads); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.limits)
	// What was owed is owed no longer: it may have been in other units.
	t.owed, t.at, t.guess = 0, time.Now(), 0
	t.turn()
	return nil
}

// OutOfRange is the error of Limits.Parallel that is not from 1 to most.
func OutOfRange(most int) error {
	return hint.Wrap(fmt.Errorf("parallel must be from 1 to %d", most), "connections are pinned when a run begins: start it with a higher --max-parallel")
}

// Pause stops reading, or no longer stops it. Pauses for the source's sake are not
// touched by that.
func (t *Throttle) Pause(on bool) {
	why := ""
	if on {
		why = "by the operator"
	}
	t.pause(operator, why)
}

// pause sets why who wants no reading; "" takes it back.
func (t *Throttle) pause(who pauser, why string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.paused[who] == why:
		return
	case why == "":
		delete(t.paused, who)
	default:
		t.paused[who] = why
	}
	t.turn()
}

// until waits until ready, which is called with mu held, says so. Otherwise ready
// tells when it may do so by the clock alone; 0 is never.
func (t *Throttle) until(ctx context.Context, ready func() (bool, time.Duration)) error {
	for {
		t.mu.Lock()
		ok, wait := ready()
		turned := t.turned
		t.mu.Unlock()
		if ok {
			return nil
		}
		var clock <-chan time.Time
		if wait > 0 {
			clock = time.After(wait)
		}
		select {
		case <-turned:
		case <-clock:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// enter waits for one of the places in which splits are read. A place that was
// taken away is left at the end of its split.
func (t *Throttle) enter(ctx context.Context) (leave func(), err error) {
	if t == nil {
		return func() {}, nil
	}
	err = t.until(ctx, func() (bool, time.Duration) {
		if len(t.paused) > 0 || t.busy >= t.limits.Parallel {
			return false, 0
		}
		t.busy++
		return true, 0
	})
	leave = func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.busy--
		t.turn()
	}
	if err != nil {
		return nil, err
	}
	return leave, nil
}

// reader returns a reader whose batches come as fast as the limits allow.
func (t *Throttle) reader(rd reader.Reader) reader.Reader {
	if t == nil {
		return rd
	}
	return &throttled{rd, t}
}

// A throttled reader asks before each Read.
type throttled struct {
	reader.Reader
	t *Throttle
}

// Read waits for its turn.
func (r *throttled) Read(ctx context.Context) (*batch.Batch, error) {
	charged := 0.0
	err := r.t.until(ctx, func() (ok bool, wait time.Duration) {
		charged, ok, wait = r.t.take(time.Now())
		return ok, wait
	})
	if err != nil {
		return nil, err
	}
	b, err := r.Reader.Read(ctx)
	r.t.count(b, charged)
	return b, err
}

// take charges what a Read is likely to bring, if it may be begun now. So several
// readers that wait do not all begin at once when the debt is paid.
func (t *Throttle) take(now time.Time) (charged float64, ok bool, wait time.Duration) {
	if len(t.paused) > 0 {
		return 0, false, 0
	}
	rate := float64(t.limits.Rate.PerSecond)
	if rate <= 0 {
		return 0, true, 0
	}
	// Time that went by unused buys nothing: what is left alone for a while must not
	// be made up for in one go.
	t.owed, t.at = max(0, t.owed-now.Sub(t.at).Seconds()*rate), now
	if t.owed > 0 {
		return 0, false, max(time.Duration(t.owed/rate*float64(time.Second)), time.Millisecond)
	}
	t.owed += t.guess
	return t.guess, true, 0
}

// count puts what was read in place of what was charged for it.
func (t *Throttle) count(b *batch.Batch, charged float64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.limits.Rate.PerSecond <= 0 {
		return
	}
	size := 0.0
	switch {
	case b == nil:
	case t.limits.Rate.Bytes:
		size = float64(b.Bytes)
	case b.Rows != nil:
		size = float64(b.Rows.NumRows())
	}
	t.owed += size - charged
	if size > 0 {
		t.guess = size
	}
}
