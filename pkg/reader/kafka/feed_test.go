package kafka

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	tk "github.com/tablehaul/tablehaul/pkg/kafka"
	"github.com/tablehaul/tablehaul/pkg/message"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// A place is a topic of a test's own.
type place struct {
	t       *testing.T
	brokers string
	topic   string
	cl      *kgo.Client
	adm     *kadm.Client
	time    time.Time // that the last position read has told
	met     func()    // if set, is called for each table that is read of
}

func newPlace(t *testing.T, partitions int32) *place {
	t.Helper()
	p := &place{t: t, brokers: services.Env(t, "TABLEHAUL_TEST_KAFKA"), topic: "read-" + strings.ToLower(rand.Text()[:10])}
	cl, err := kgo.NewClient(kgo.SeedBrokers(p.brokers))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cl.Close)
	p.cl, p.adm = cl, kadm.NewClient(cl)
	if _, err := p.adm.CreateTopic(t.Context(), partitions, 1, nil, p.topic); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = p.adm.DeleteTopics(context.Background(), p.topic) })
	for { // not all that brokers answer knows of it at once
		if topics, err := p.adm.ListTopics(t.Context(), p.topic); err == nil && topics.Error() == nil || t.Context().Err() != nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	return p
}

func (p *place) feed(opts Options) *Feed {
	p.t.Helper()
	if opts.Decoder == nil {
		opts.Decoder = func(_ string, to message.Target) (message.Decoder, error) { return message.NewDecoder("auto", to) }
	}
	f, err := Open(p.t.Context(), "kafka://"+p.brokers+"/"+p.topic, opts)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { f.Close() })
	return f
}

// send writes values to a partition, in a transaction that is committed or not.
func (p *place) send(partition int32, commit bool, values ...string) {
	p.t.Helper()
	cl, err := kgo.NewClient(kgo.SeedBrokers(p.brokers), kgo.TransactionalID(rand.Text()), kgo.RecordPartitioner(kgo.ManualPartitioner()))
	if err != nil {
		p.t.Fatal(err)
	}
	defer cl.Close()
	before := p.end(partition)
	if err := cl.BeginTransaction(); err != nil {
		p.t.Fatal(err)
	}
	for _, v := range values {
		if err := cl.ProduceSync(p.t.Context(), &kgo.Record{Topic: p.topic, Partition: partition, Value: []byte(v)}).FirstErr(); err != nil {
			p.t.Fatal(err)
		}
	}
	if err := cl.EndTransaction(p.t.Context(), kgo.TransactionEndTry(commit)); err != nil {
		p.t.Fatal(err)
	}
	for p.end(partition) <= before+int64(len(values)) { // the mark of its end comes a little later
		time.Sleep(5 * time.Millisecond)
	}
}

// end is where a partition ends that readers of what is committed see.
func (p *place) end(partition int32) int64 {
	p.t.Helper()
	for {
		ends, err := p.adm.ListCommittedOffsets(p.t.Context(), p.topic)
		if o, ok := ends.Lookup(p.topic, partition); err == nil && ok && o.Err == nil {
			return o.Offset
		}
		if err := p.t.Context().Err(); err != nil {
			p.t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond) // brokers come to know a topic one after the other
	}
}

// change is a message of ours. Columns are given as name=value.
func change(table, typ string, columns ...string) string {
	var data, types []string
	for _, c := range columns {
		name, value, _ := strings.Cut(c, "=")
		native := "int"
		if name != "id" {
			native = "varchar(20)"
		}
		data = append(data, fmt.Sprintf("%q:%q", name, value))
		types = append(types, fmt.Sprintf("%q:%q", name, native))
	}
	if typ == "TRUNCATE" {
		return fmt.Sprintf(`{"database":"d","table":%q,"type":"TRUNCATE","isDdl":true,"data":null,"_tablehaul":{"op":"t","us":7,"pos":"x"}}`, table)
	}
	return fmt.Sprintf(`{"database":"d","table":%q,"pkNames":["id"],"isDdl":false,"type":%q,"mysqlType":{%s},"old":null,"data":[{%s}],"_tablehaul":{"op":"c","us":7}}`,
		table, typ, strings.Join(types, ","), strings.Join(data, ","))
}

// read reads until the Reader ends, and returns what it has told: rows as text, | where a
// position came, and the last position.
func (p *place) read(s reader.Share, held map[string]reader.Held) (told []string, last batch.Position, err error) {
	p.t.Helper()
	r, err := s.Changes(p.t.Context(), reader.FeedSink{Held: held, Want: func(t *schema.Table) (*schema.Table, error) {
		if p.met != nil {
			p.met()
		}
		return t, nil
	}})
	if err != nil {
		return nil, "", err
	}
	defer r.Close()
	ctx, cancel := context.WithTimeout(p.t.Context(), 3*time.Minute)
	defer cancel()
	for {
		b, err := r.Read(ctx)
		if errors.Is(err, io.EOF) {
			return told, last, nil
		}
		if err != nil {
			return told, last, err
		}
		switch {
		case b.Emptied:
			told = append(told, b.Table.Name+" emptied")
		case b.Rows != nil:
			rows, err := batchtest.Rows(b.Rows)
			if err != nil {
				p.t.Fatal(err)
			}
			for i, row := range rows {
				told = append(told, fmt.Sprintf("%s %s %s", b.Table.Name, [...]string{"insert", "before", "after", "delete"}[b.Ops[i]], strings.ReplaceAll(row.String(), `"`, "")))
			}
		}
		if b.Pos != "" {
			last, p.time = b.Pos, b.Time
		}
		b.Release()
	}
}

func (p *place) take(f *Feed) reader.Share {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 3*time.Minute)
	defer cancel()
	s, err := f.Take(ctx)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { s.Close() })
	return s
}

func sorted(s []string) []string {
	s = slices.Clone(s)
	slices.Sort(s)
	return s
}

// TestUntilEnd ends where the partitions did at the start, be it with the mark of a
// transaction that was aborted.
func TestUntilEnd(t *testing.T) {
	p := newPlace(t, 3)
	p.send(0, true, change("a", "INSERT", "id=1", "v=x"), change("b", "INSERT", "id=7"))
	p.send(0, true, change("a", "UPDATE", "id=1", "v=y"))
	p.send(1, false, change("a", "INSERT", "id=2", "v=never"))
	f := p.feed(Options{UntilEnd: true})
	s := p.take(f)
	p.send(0, true, change("a", "DELETE", "id=1", "v=y"))
	told, last, err := p.read(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := sorted(told), []string{"a after 1 | y", "a insert 1 | x", "b insert 7"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if want := batch.Position(fmt.Sprintf("kafka:%s;%s@%s:0=5,1=2,2=0", f.cluster, p.topic, s.(*share).ids[p.topic])); last != want {
		t.Errorf("got position %s, want %s", last, want)
	}
	// The next one goes on there.
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = p.take(p.feed(Options{UntilEnd: true}))
	told, _, err = p.read(s, map[string]reader.Held{"d.a": {Position: last}, "d.b": {Position: last}})
	if want := []string{"a delete 1 | y"}; err != nil || !slices.Equal(told, want) {
		t.Errorf("got %q, %v, want %q", told, err, want)
	}
}

// TestApart has tables whose positions differ: each gets what it lacks.
func TestApart(t *testing.T) {
	p := newPlace(t, 1)
	p.send(0, true, change("a", "INSERT", "id=1"), change("b", "INSERT", "id=2"), change("a", "INSERT", "id=3"), change("b", "INSERT", "id=4"), change("c", "INSERT", "id=5"))
	f := p.feed(Options{UntilEnd: true})
	at := func(offset int64) reader.Held {
		return reader.Held{Position: offsets{part{p.topic, 0}: offset}.position(f.cluster, nil)}
	}
	told, _, err := p.read(p.take(f), map[string]reader.Held{"d.a": at(3), "d.b": at(1)})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := sorted(told), []string{"b insert 2", "b insert 4", "c insert 5"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// TestReshape has rows of several shapes come in one that takes all of them.
func TestReshape(t *testing.T) {
	p := newPlace(t, 1)
	p.send(0, true, change("a", "INSERT", "id=1"), change("a", "INSERT", "id=2", "v=x"), change("a", "INSERT", "id=3"), change("a", "DELETE", "id=2", "v=x"))
	told, _, err := p.read(p.take(p.feed(Options{UntilEnd: true})), nil)
	if want := []string{"a insert 1", "a insert 2 | x", "a insert 3 | NULL", "a delete 2 | x"}; err != nil || !slices.Equal(told, want) {
		t.Errorf("got %q, %v, want %q", told, err, want)
	}
	// What the sink holds counts as well.
	wide := batchtest.Shape("d", "a", "id int key", "v varchar(20)")
	f := p.feed(Options{UntilEnd: true})
	told, _, err = p.read(p.take(f), map[string]reader.Held{"d.a": {Position: offsets{part{p.topic, 0}: 2}.position(f.cluster, nil), Shape: wide.Shape()}})
	if want := []string{"a insert 3 | NULL", "a delete 2 | x"}; err != nil || !slices.Equal(told, want) {
		t.Errorf("got %q, %v, want %q", told, err, want)
	}
}

// TestEmptied has partitions meet where a table was emptied.
func TestEmptied(t *testing.T) {
	p := newPlace(t, 3)
	all := []string{change("a", "INSERT", "id=1"), change("a", "TRUNCATE"), change("a", "INSERT", "id=2"), change("a", "TRUNCATE"), change("a", "INSERT", "id=3")}
	p.send(0, true, all...)
	p.send(1, true, all...)
	p.send(2, true, append(slices.Repeat([]string{change("b", "INSERT", "id=9")}, 50), all...)...)
	told, last, err := p.read(p.take(p.feed(Options{UntilEnd: true})), nil)
	if err != nil {
		t.Fatal(err)
	}
	told = slices.DeleteFunc(told, func(s string) bool { return strings.HasPrefix(s, "b ") })
	want := []string{
		"a insert 1", "a insert 1", "a insert 1", "a emptied", "a insert 2", "a insert 2", "a insert 2", "a emptied", "a insert 3", "a insert 3", "a insert 3",
	}
	if !slices.Equal(told, want) {
		t.Errorf("got %q\nwant %q", told, want)
	}
	if !strings.HasSuffix(string(last), ":0=6,1=6,2=56") {
		t.Errorf("got position %s", last)
	}
}

// TestPurged goes on at a position that the topic no longer holds only if it is told to.
func TestPurged(t *testing.T) {
	p := newPlace(t, 1)
	p.send(0, true, change("a", "INSERT", "id=1"), change("a", "INSERT", "id=2"), change("a", "INSERT", "id=3"))
	gone := kadm.Offsets{}
	gone.AddOffset(p.topic, 0, 2, -1)
	if _, err := p.adm.DeleteRecords(t.Context(), gone); err != nil {
		t.Fatal(err)
	}
	f := p.feed(Options{UntilEnd: true})
	held := map[string]reader.Held{"d.a": {Position: offsets{part{p.topic, 0}: 1}.position(f.cluster, nil)}}
	if _, _, err := p.read(p.take(f), held); !errors.Is(err, reader.ErrPurged) {
		t.Errorf("got %v, want ErrPurged", err)
	}
	var warned []string
	told, _, err := p.read(p.take(p.feed(Options{UntilEnd: true, Purged: true, Warn: func(s string) { warned = append(warned, s) }})), held)
	if want := []string{"a insert 3"}; err != nil || !slices.Equal(told, want) || len(warned) != 1 {
		t.Errorf("got %q, %v, %d warnings, want %q and one", told, err, len(warned), want)
	}
	// Nor where the topic is shorter.
	held["d.a"] = reader.Held{Position: offsets{part{p.topic, 0}: 100}.position(f.cluster, nil)}
	if _, _, err := p.read(p.take(p.feed(Options{UntilEnd: true})), held); !errors.Is(err, errShorter) {
		t.Errorf("got %v, want %v", err, errShorter)
	}
}

// TestPartial has a key in the place of a row that was too large.
func TestPartial(t *testing.T) {
	p := newPlace(t, 1)
	cl, err := kgo.NewClient(kgo.SeedBrokers(p.brokers))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	for _, r := range []*kgo.Record{
		{Topic: p.topic, Key: []byte("a tombstone")},
		{Topic: p.topic, Key: []byte("{}"), Headers: []kgo.RecordHeader{{Key: tk.TooLargeHeader, Value: []byte("4711")}}},
	} {
		if err := cl.ProduceSync(t.Context(), r).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	for p.end(0) < 2 {
		time.Sleep(5 * time.Millisecond)
	}
	_, _, err = p.read(p.take(p.feed(Options{UntilEnd: true})), nil)
	if err == nil || !strings.Contains(err.Error(), "offset 1 of") || !strings.Contains(err.Error(), "of 4711 bytes") {
		t.Errorf("got %v", err)
	}
}

// TestBad has a message between good ones that cannot be read.
func TestBad(t *testing.T) {
	p := newPlace(t, 1)
	p.send(0, true, change("a", "INSERT", "id=1"), change("a", "INSERT", "id=x"), change("a", "INSERT", "id=2"))
	told, _, err := p.read(p.take(p.feed(Options{UntilEnd: true})), nil)
	if err == nil || !strings.Contains(err.Error(), "offset 1 of "+p.topic+"/0") || !slices.Equal(told, []string{"a insert 1"}) {
		t.Errorf("fail: got %q, %v", told, err)
	}
	var refused []string
	note := func(_ string, why error) { refused = append(refused, why.Error()) }
	told, last, err := p.read(p.take(p.feed(Options{UntilEnd: true, Bad: BadPolicy{Skip: true}, Refused: note})), nil)
	if err != nil || !slices.Equal(told, []string{"a insert 1", "a insert 2"}) || len(refused) != 1 || !strings.HasSuffix(string(last), "=4") {
		t.Errorf("skip: got %q, %v, refused %q, position %s", told, err, refused, last)
	}
	dead := p.topic + "-dead"
	t.Cleanup(func() { _, _ = p.adm.DeleteTopics(context.Background(), dead) })
	if _, _, err = p.read(p.take(p.feed(Options{UntilEnd: true, Bad: BadPolicy{Topic: dead}, Refused: note})), nil); err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(p.brokers), kgo.ConsumeTopics(dead))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	r := cl.PollFetches(t.Context()).Records()
	if len(r) != 1 || string(r[0].Value) != change("a", "INSERT", "id=x") {
		t.Fatalf("got %d records in %s", len(r), dead)
	}
	headers := map[string]string{}
	for _, h := range r[0].Headers {
		headers[h.Key] = string(h.Value)
	}
	if headers["tablehaul.offset"] != "1" || headers["tablehaul.topic"] != p.topic || !strings.Contains(headers["tablehaul.reason"], `"x"`) {
		t.Errorf("got headers %q", headers)
	}
}

// TestMatch has patterns stand for topics, but not for that of positions.
func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, topic string
		want           bool
	}{
		{"cdc.*", "cdc.orders", true},
		{"cdc.*", "cdc", false},
		{"cdc.?", "cdc.a", true},
		{"a", "a", true},
		{"*", "tablehaul-positions", false},
		{"tablehaul-positions", "tablehaul-positions", true},
	} {
		if got := matchAny([]string{c.pattern}, c.topic); got != c.want {
			t.Errorf("%s, %s: got %t", c.pattern, c.topic, got)
		}
	}
}
