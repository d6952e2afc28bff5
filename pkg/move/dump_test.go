package move_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/message"
	"github.com/tablehaul/tablehaul/pkg/move"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/reader/kafka"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/fault"
	wmem "github.com/tablehaul/tablehaul/pkg/writer/mem"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// A topic is one of a test's own, on a real Kafka, and what its changes come to.
type topic struct {
	t          *testing.T
	brokers    string
	name       string
	partitions int32
	cl         *kgo.Client
	rows       map[string]map[int]string // by table and key
	emptied    int
}

func newTopic(t *testing.T, partitions int32) *topic {
	t.Helper()
	p := &topic{t: t, brokers: services.Env(t, "TABLEHAUL_TEST_KAFKA"), name: "dump-" + strings.ToLower(rand.Text()[:10]), partitions: partitions, rows: map[string]map[int]string{}}
	var err error
	p.cl, err = kgo.NewClient(kgo.SeedBrokers(p.brokers), kgo.TransactionalID(p.name), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.cl.Close)
	adm := kadm.NewClient(p.cl)
	if _, err := adm.CreateTopic(t.Context(), partitions, 1, nil, p.name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = adm.DeleteTopics(context.Background(), p.name) })
	for { // not all that brokers answer knows of it at once
		if topics, err := adm.ListTopics(t.Context(), p.name); err == nil && topics.Error() == nil || t.Context().Err() != nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	return p
}

func (p *topic) send(table string, partition int32, text string) {
	p.cl.Produce(p.t.Context(), &kgo.Record{Topic: p.name, Partition: partition, Value: []byte(`{"database":"d","table":"` + table + `",` + text)}, nil)
}

// put inserts or updates a row.
func (p *topic) put(table string, id int, v string) {
	rows := p.rows[table]
	if rows == nil {
		rows = map[int]string{}
		p.rows[table] = rows
	}
	typ, op := "INSERT", "c"
	if _, ok := rows[id]; ok {
		typ, op = "UPDATE", "u"
	}
	rows[id] = v
	p.send(table, int32(id)%p.partitions, fmt.Sprintf(`"pkNames":["id"],"isDdl":false,"type":%q,"mysqlType":{"id":"int","v":"varchar(9)"},"old":null,"data":[{"id":"%d","v":%q}],"_tablehaul":{"op":%q}}`, typ, id, v, op))
}

func (p *topic) drop(table string, id int) {
	delete(p.rows[table], id)
	p.send(table, int32(id)%p.partitions, fmt.Sprintf(`"pkNames":["id"],"isDdl":false,"type":"DELETE","mysqlType":{"id":"int","v":"varchar(9)"},"old":null,"data":[{"id":"%d","v":null}],"_tablehaul":{"op":"d"}}`, id))
}

func (p *topic) empty(table string) {
	p.rows[table] = map[int]string{}
	p.emptied++
	for n := range p.partitions {
		p.send(table, n, fmt.Sprintf(`"type":"TRUNCATE","isDdl":true,"_tablehaul":{"op":"t","pos":"p%d"}}`, p.emptied))
	}
}

// commit makes what was sent visible.
func (p *topic) commit(f func()) {
	p.t.Helper()
	if err := p.cl.BeginTransaction(); err != nil {
		p.t.Fatal(err)
	}
	f()
	if err := errors.Join(p.cl.Flush(p.t.Context()), p.cl.EndTransaction(p.t.Context(), kgo.TryCommit)); err != nil {
		p.t.Fatal(err)
	}
}

// fill sends what a few busy tables would.
func (p *topic) fill(rounds int) {
	for n := range rounds {
		p.commit(func() {
			for id := range 40 {
				table := [...]string{"a", "b"}[id%2]
				p.put(table, id, fmt.Sprint(n))
				if (id+n)%7 == 0 {
					p.drop(table, id)
				}
			}
		})
	}
}

// dump is one run of the program, until the topic's end.
func (p *topic) dump(ctx context.Context, sink writer.Sink, fopts kafka.Options, opts move.DumpOptions) error {
	fopts.Decoder = func(_ string, to message.Target) (message.Decoder, error) { return message.NewDecoder("auto", to) }
	f, err := kafka.Open(ctx, "kafka://"+p.brokers+"/"+p.name, fopts)
	if err != nil {
		return err
	}
	defer f.Close()
	opts.CommitInterval, opts.RetryPause, opts.Shared = 20*time.Millisecond, 10*time.Millisecond, fopts.Group != ""
	return move.Dump(ctx, f, sink, opts)
}

// check compares the tables with what they are to hold.
func (p *topic) check(state *wmem.State) {
	p.t.Helper()
	for name, diff := range p.diffs(state) {
		p.t.Errorf("%s: %s", name, diff)
	}
}

func (p *topic) diffs(state *wmem.State) map[string]string {
	diffs := map[string]string{}
	for name, rows := range p.rows {
		var want []batchtest.Row
		for _, id := range slices.Sorted(maps.Keys(rows)) {
			want = append(want, batchtest.Row{int64(id), rows[id]})
		}
		if diff := batchtest.Diff(state.Rows(batchtest.Shape("d", name, "id int key", "v varchar(9)")), want); diff != "" {
			diffs[name] = diff
		}
	}
	return diffs
}

// TestDumpEveryFault fails every operation of the sink, once before and once after it took
// effect, and runs the same command again.
func TestDumpEveryFault(t *testing.T) {
	p := newTopic(t, 3)
	p.fill(4)
	p.commit(func() { p.empty("a") })
	p.fill(3)
	for _, after := range []bool{false, true} {
		t.Run(fmt.Sprintf("after=%v", after), func(t *testing.T) {
			n := 1
			for ; ; n++ {
				state := &wmem.State{}
				plan := &fault.Plan{At: n, After: after}
				for try := 0; ; try++ {
					err := p.dump(t.Context(), fault.Wrap(wmem.Sink{State: state, Together: n%2 == 0}, plan), kafka.Options{UntilEnd: true}, move.DumpOptions{RetryTime: -1})
					if err == nil {
						break
					}
					if try == 3 {
						t.Fatalf("fault %d: %v", n, err)
					}
				}
				p.check(state)
				if t.Failed() || p.t.Failed() {
					t.Fatalf("at fault %d", n)
				}
				if !plan.Fired() {
					break
				}
			}
			t.Logf("%d faults survived", n-1)
		})
	}
}

// madeByAnother returns a sink with table a as a member has made it that has partition 1.
func (p *topic) madeByAnother() *wmem.State {
	p.t.Helper()
	m, err := kadm.NewClient(p.cl).BrokerMetadata(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	state := &wmem.State{}
	w, err := wmem.Sink{State: state}.Open(p.t.Context(), batchtest.Shape("d", "a", "id int key", "v varchar(9)"), writer.Extend)
	if err == nil {
		err = w.Commit(p.t.Context(), batch.Position(fmt.Sprintf("kafka:%s;%s:1=0", m.Cluster, p.name)))
	}
	if err != nil {
		p.t.Fatal(err)
	}
	return state
}

// TestDumpOthersTable begins with a table that a member has made whose partition is another,
// and fails every operation of the sink.
func TestDumpOthersTable(t *testing.T) {
	p := newTopic(t, 2)
	p.commit(func() {
		p.put("a", 0, "x")
		p.put("b", 2, "y")
		p.put("c", 4, "z")
	})
	for n, fired := 1, true; fired; n++ {
		state := p.madeByAnother()
		plan := &fault.Plan{At: n}
		sink := fault.Wrap(wmem.Sink{State: state}, plan)
		var err error
		for try := 0; ; try++ {
			if err = p.dump(t.Context(), sink, kafka.Options{UntilEnd: true}, move.DumpOptions{RetryTime: -1}); err == nil || try == 3 {
				break
			}
		}
		if err != nil {
			t.Fatalf("fault %d: %v", n, err)
		}
		if p.check(state); t.Failed() {
			t.Fatalf("at fault %d", n)
		}
		fired = plan.Fired()
	}
}

// TestDumpMembers has members of a group come and go while a topic fills and its tables are
// emptied.
func TestDumpMembers(t *testing.T) {
	p := newTopic(t, 4)
	state := &wmem.State{}
	group := kafka.Options{Group: p.name, Away: 2 * time.Second}
	ctx, stop := context.WithCancel(t.Context())
	var members sync.WaitGroup
	member := func(ctx context.Context) {
		members.Go(func() {
			if err := p.dump(ctx, wmem.Sink{State: state}, group, move.DumpOptions{Warn: func(s string) { t.Error(s) }}); ctx.Err() == nil {
				t.Errorf("a member ended: %v (%s)", err, hint.Of(err))
			}
		})
	}
	member(ctx)
	for n := range 6 {
		mctx, leave := context.WithCancel(ctx)
		member(mctx)
		p.fill(5)
		p.commit(func() { p.empty([...]string{"a", "b"}[n%2]) })
		p.fill(5)
		time.Sleep(time.Duration(n%3) * 700 * time.Millisecond)
		if n%2 == 0 {
			leave()
		}
		defer leave()
	}
	// They come to the end by themselves, however often they have to meet.
	for deadline := time.Now().Add(2 * time.Minute); len(p.diffs(state)) > 0; time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("the members are not through: %v", p.diffs(state))
			break
		}
	}
	stop()
	members.Wait()
	if err := p.dump(t.Context(), wmem.Sink{State: state}, kafka.Options{UntilEnd: true}, move.DumpOptions{}); err != nil {
		t.Fatal(err)
	}
	p.check(state)
}

// TestDumpRival has a run be overtaken by another of no group: it says what to do.
func TestDumpRival(t *testing.T) {
	p := newTopic(t, 1)
	p.fill(1)
	state := &wmem.State{}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 2)
	for range 2 {
		go func() { ended <- p.dump(ctx, wmem.Sink{State: state}, kafka.Options{}, move.DumpOptions{}) }()
	}
	var err error
	for err == nil {
		select {
		case err = <-ended:
		default:
			p.fill(1)
		}
	}
	if !errors.Is(err, writer.ErrFenced) || !errors.Is(err, reader.ErrOvertaken) || !strings.Contains(hint.Of(err), "--group") {
		t.Errorf("got %v (%s)", err, hint.Of(err))
	}
	stop()
	<-ended
	if err := p.dump(t.Context(), wmem.Sink{State: state}, kafka.Options{UntilEnd: true}, move.DumpOptions{}); err != nil {
		t.Fatal(err)
	}
	p.check(state)
}

// TestDumpLeavesBehind has a table fail on its own account that holds a position, but none in
// the partition where it fails: a member of a group ends there, as the others would get past
// the table's changes, and the next run would begin it behind them.
func TestDumpLeavesBehind(t *testing.T) {
	p := newTopic(t, 2)
	p.commit(func() {
		p.put("b", 2, "y")
		p.send("a", 0, `"pkNames":["id"],"isDdl":false,"type":"INSERT","mysqlType":{"id":"int","v":"date"},"old":null,"data":[{"id":"4","v":"2026-01-01"}],"_tablehaul":{"op":"c"}}`)
	})
	for group, behind := range map[string]bool{"": true, p.name: false} {
		state := p.madeByAnother()
		err := p.dump(t.Context(), wmem.Sink{State: state}, kafka.Options{UntilEnd: true, Group: group}, move.DumpOptions{RetryTime: -1})
		if err == nil || !strings.Contains(err.Error(), "d.a: column v holds utf8 and cannot hold date32") || errors.Is(err, move.ErrIncomplete) != behind {
			t.Errorf("group %q: got %v, want it left behind: %t", group, err, behind)
		}
	}
}
