package move

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/reader/mem"
	"github.com/tablehaul/tablehaul/pkg/schema"
	wmem "github.com/tablehaul/tablehaul/pkg/writer/mem"
)

// What is read in any time is what the rate allows in it, and one batch more.
func TestRate(t *testing.T) {
	for _, rate := range []Rate{{PerSecond: 1000}, {PerSecond: 1000, Bytes: true}} {
		th := NewThrottle(Limits{Rate: rate}, 4)
		shape := batchtest.Shape("db", "t", "id bigint key")
		b := batchtest.Build(memory.DefaultAllocator, shape, batchtest.Fill(shape, 50))
		if rate.Bytes {
			b.Bytes = 50
		}
		now := time.Now()
		th.at = now
		read := 0
		for range 10_000 { // ms
			for {
				charged, ok, wait := th.take(now)
				if !ok {
					if wait <= 0 {
						t.Fatal("nobody tells when to look again")
					}
					break
				}
				th.count(b, charged)
				read += 50
			}
			now = now.Add(time.Millisecond)
		}
		if read < 9_900 || read > 10_100 {
			t.Errorf("%+v: got %d in 10 s, want 10000", rate, read)
		}
		now = now.Add(time.Hour) // of which nothing is made up for
		for read = 0; ; read += 50 {
			charged, ok, _ := th.take(now)
			if !ok {
				break
			}
			th.count(b, charged)
		}
		if read > 100 {
			t.Errorf("%+v: got %d at once after a pause", rate, read)
		}
	}
}

// Several readers that have waited begin one after the other.
func TestRateOfMany(t *testing.T) {
	th := NewThrottle(Limits{Rate: Rate{PerSecond: 1000}}, 4)
	now := time.Now()
	th.at, th.guess = now, 50
	if _, ok, _ := th.take(now); !ok {
		t.Fatal("nothing is owed, but the first has to wait")
	}
	if _, ok, wait := th.take(now); ok || wait != 50*time.Millisecond {
		t.Errorf("got %v and %s for the second, want it to wait for 50ms", ok, wait)
	}
}

// A world is a database of one table in many parts, and a sink.
func smallWorld(t *testing.T) (*mem.Stock, []*schema.Table, *wmem.State) {
	shape := batchtest.Shape("db", "t", "id bigint key")
	src := &mem.Stock{DB: mem.NewDB(batchtest.Table{Table: shape, Rows: batchtest.Fill(shape, 400)}), Parts: 40}
	tables, err := src.Tables(t.Context(), reader.Selection{})
	if err != nil {
		t.Fatal(err)
	}
	return src, tables, &wmem.State{}
}

// A run that is turned down in the middle reads as many splits at once as it is
// told to, and goes on until all are read.
func TestParallelTurned(t *testing.T) {
	src, tables, state := smallWorld(t)
	th := NewThrottle(Limits{}, 4)
	var mu sync.Mutex
	opened, lowered := 0, false
	src.Fault = func(op mem.Op, _ *schema.Table) error {
		mu.Lock()
		defer mu.Unlock()
		if op != mem.Open {
			return nil
		}
		if opened++; opened == 10 {
			if err := th.Adjust(t.Context(), func(l *Limits) { l.Parallel = 1 }); err != nil {
				t.Error(err)
			}
			lowered = true
		}
		// The one that lowers it holds a place, and so may the three others still.
		if got := th.State().Reading; lowered && opened > 14 && got != 1 {
			t.Errorf("opening split %d: got %d at once, want 1", opened, got)
		}
		return nil
	}
	if err := Snapshot(t.Context(), src, wmem.Sink{State: state}, tables, SnapshotOptions{Parallel: 4, Throttle: th}); err != nil {
		t.Fatal(err)
	}
	if got := len(state.Rows(tables[0])); got != 400 || opened != 40 {
		t.Errorf("got %d rows of %d splits, want 400 of 40", got, opened)
	}
	for _, n := range []int{0, 5} {
		if err := th.Adjust(t.Context(), func(l *Limits) { l.Parallel = n }); err == nil || !strings.Contains(err.Error(), "from 1 to 4") {
			t.Errorf("parallel %d of 4: got %v", n, err)
		}
	}
}

// While it is paused a run reads nothing, and then goes on.
func TestPause(t *testing.T) {
	src, tables, state := smallWorld(t)
	th := NewThrottle(Limits{}, 4)
	th.Pause(true)
	paused := true
	src.Fault = func(op mem.Op, _ *schema.Table) error {
		if op == mem.Splits { // of the planner, which asks little
			time.AfterFunc(20*time.Millisecond, func() {
				th.mu.Lock()
				paused = false
				th.mu.Unlock()
				th.Pause(false)
			})
		}
		th.mu.Lock()
		defer th.mu.Unlock()
		if paused && (op == mem.Open || op == mem.Read) {
			return fmt.Errorf("%s while the run is paused", op)
		}
		return nil
	}
	if err := Snapshot(t.Context(), src, wmem.Sink{State: state}, tables, SnapshotOptions{Parallel: 4, Throttle: th}); err != nil {
		t.Fatal(err)
	}
	if got := len(state.Rows(tables[0])); got != 400 {
		t.Errorf("got %d rows, want 400", got)
	}
}

// A run that is cancelled while it is paused ends.
func TestPauseCancelled(t *testing.T) {
	src, tables, state := smallWorld(t)
	th := NewThrottle(Limits{}, 2)
	th.Pause(true)
	ctx, cancel := context.WithCancel(t.Context())
	src.Fault = func(op mem.Op, _ *schema.Table) error {
		if op == mem.Splits {
			time.AfterFunc(10*time.Millisecond, cancel)
		}
		return nil
	}
	err := Snapshot(ctx, src, wmem.Sink{State: state}, tables, SnapshotOptions{Parallel: 2, Throttle: th})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want that it was cancelled", err)
	}
	if got := src.DB.InUse(); got != 0 {
		t.Errorf("got %d readers still open", got)
	}
}

// What the source says of itself pauses a run and lets it go on.
func TestPoll(t *testing.T) {
	src, _, _ := smallWorld(t)
	var fault error
	src.Fault = func(op mem.Op, _ *schema.Table) error {
		if op == mem.Load {
			return fault
		}
		return nil
	}
	th := NewThrottle(Limits{MaxLoad: []Bound{{"threads_running", 25}}, MaxLag: 10 * time.Second}, 2)
	status := map[string]float64{"threads_running": 25}
	ahead := reader.Lag{Server: "replica b", Behind: 10 * time.Second}
	const calm = ""
	for i, step := range []struct {
		running float64
		lag     reader.Lag
		fault   error
		want    string
	}{
		{25, ahead, nil, calm},
		{40, ahead, nil, "threads_running is 40, more than 25"},
		{25, ahead, nil, "threads_running is 40, more than 25"},
		{25, ahead, nil, "threads_running is 40, more than 25"},
		{26, ahead, nil, "threads_running is 26, more than 25"},
		{25, ahead, nil, "threads_running is 26, more than 25"},
		{25, ahead, nil, "threads_running is 26, more than 25"},
		{25, ahead, nil, calm},
		{3, reader.Lag{Server: "replica b", Behind: 11 * time.Second}, nil, "replica b is 11s behind, more than 10s"},
		{3, ahead, hint.Transient(errors.New("cut")), "replica b is 11s behind, more than 10s; the source does not tell how busy it is: cut"},
		{3, ahead, nil, "replica b is 11s behind, more than 10s"},
		{3, ahead, nil, "replica b is 11s behind, more than 10s"},
		{3, ahead, nil, calm},
		{99, reader.Lag{Server: "replica b", Stopped: "error 1062"}, nil, "threads_running is 99, more than 25; replica b does not replicate: error 1062"},
	} {
		status["threads_running"] = step.running
		src.DB.SetLoad(status, step.lag)
		fault = step.fault
		if err := th.poll(t.Context(), src); err != nil {
			t.Fatalf("step %d: %v", i, err)
		}
		if got := strings.Join(th.State().Paused, "; "); got != step.want {
			t.Errorf("step %d: got %q, want %q", i, got, step.want)
		}
	}
	// A limit that is lifted holds nothing back.
	if err := th.Adjust(t.Context(), func(l *Limits) { l.MaxLoad, l.MaxLag = nil, 0 }); err != nil {
		t.Fatal(err)
	}
	if err := th.poll(t.Context(), src); err != nil || th.State().Paused != nil {
		t.Errorf("without limits: got %v and %q", err, th.State().Paused)
	}
}

// A source that refuses to answer is told before anything is touched, and ends the
// run later on: it never goes on blind.
func TestPollRefused(t *testing.T) {
	src, tables, state := smallWorld(t)
	opts := SnapshotOptions{Parallel: 2, Throttle: NewThrottle(Limits{MaxLoad: []Bound{{"thraeds", 1}}}, 2)}
	opened := 0
	src.Fault = func(op mem.Op, _ *schema.Table) error {
		if op == mem.Open {
			opened++
		}
		return nil
	}
	err := Snapshot(t.Context(), src, wmem.Sink{State: state}, tables, opts)
	if err == nil || !strings.Contains(err.Error(), "no status variable thraeds") || opened > 0 {
		t.Errorf("got %v after %d splits, want it refused at once", err, opened)
	}

	// The second answer is a refusal, while the run reads on.
	src.DB.SetLoad(map[string]float64{"threads_running": 1})
	asked := 0
	src.Fault = func(op mem.Op, _ *schema.Table) error {
		if op == mem.Load {
			if asked++; asked == 2 {
				return errors.New("access denied")
			}
		}
		return nil
	}
	opts.Throttle = NewThrottle(Limits{MaxLoad: []Bound{{"threads_running", 25}}, Rate: Rate{PerSecond: 1}}, 2)
	err = Snapshot(t.Context(), src, wmem.Sink{State: state}, tables, opts)
	if err == nil || !strings.Contains(err.Error(), "access denied") {
		t.Errorf("got %v, want that the source refused to answer", err)
	}
	if got := state.Rows(tables[0]); got != nil {
		t.Errorf("got %d rows made visible", len(got))
	}
}

// A limit that the source cannot be asked for is refused, and the old ones stay.
func TestAdjustRefused(t *testing.T) {
	src, _, _ := smallWorld(t)
	th := NewThrottle(Limits{}, 2)
	err := th.during(t.Context(), src, func(ctx context.Context) error {
		return th.Adjust(ctx, func(l *Limits) { l.MaxLoad = []Bound{{"thraeds", 1}} })
	})
	if err == nil || !strings.Contains(err.Error(), "no status variable thraeds") || th.State().MaxLoad != nil {
		t.Errorf("got %v and %+v, want it refused", err, th.State())
	}
	err = th.during(t.Context(), struct{}{}, func(ctx context.Context) error {
		return th.Adjust(ctx, func(l *Limits) { l.MaxLag = time.Second })
	})
	if err == nil || !strings.Contains(err.Error(), "does not tell how busy it is") {
		t.Errorf("of a source that tells nothing: got %v", err)
	}
}

// The reader of a log is held back as those of stock are.
func TestThrottledReader(t *testing.T) {
	th := NewThrottle(Limits{}, 1)
	th.Pause(true)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	rd := th.reader(neverRead{t})
	if _, err := rd.Read(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the context's end", err)
	}
}

type neverRead struct{ t *testing.T }

func (r neverRead) Read(context.Context) (*batch.Batch, error) {
	r.t.Error("read while paused")
	return nil, nil
}
func (neverRead) Close() error { return nil }
