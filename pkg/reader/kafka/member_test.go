package kafka

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// TestMembers has a second member join and the first leave: each time the share of the
// other ends and it gets another.
func TestMembers(t *testing.T) {
	p := newPlace(t, 4)
	opts := Options{Group: p.topic + "-group"}
	one, two := p.feed(opts), p.feed(opts)
	s := p.take(one)
	if got := len(s.(*share).parts); got != 4 {
		t.Fatalf("alone: got %d partitions, want 4", got)
	}
	ended := make(chan error, 1)
	go func() {
		_, _, err := p.read(s, nil)
		ended <- err
		s.Close()
	}()
	other := p.take(two)
	if err := <-ended; !errors.Is(err, reader.ErrMoved) {
		t.Fatalf("got %v, want ErrMoved", err)
	}
	s = p.take(one)
	all := slices.Concat(s.(*share).parts, other.(*share).parts)
	slices.SortFunc(all, compareParts)
	if len(all) != 4 || len(slices.Compact(all)) != 4 || len(s.(*share).parts) != 2 {
		t.Errorf("got %s and %s", s.(*share), other.(*share))
	}
	go func() {
		_, _, err := p.read(s, nil)
		ended <- err
	}()
	other.Close()
	two.Close()
	if err := <-ended; !errors.Is(err, reader.ErrMoved) {
		t.Fatalf("got %v, want ErrMoved", err)
	}
	s.Close()
	if s = p.take(one); len(s.(*share).parts) != 4 {
		t.Errorf("alone again: got %s", s.(*share))
	}
}

// TestGivenUp has a group give up a member, as it does one that was stopped for longer than a
// session lasts: its share ends, and it gets another.
func TestGivenUp(t *testing.T) {
	p := newPlace(t, 2)
	f := p.feed(Options{Group: p.topic + "-group"})
	s := p.take(f)
	groups, err := p.adm.DescribeGroups(t.Context(), f.opts.Group)
	if err != nil || len(groups[f.opts.Group].Members) != 1 {
		t.Fatalf("got group %+v, %v", groups, err)
	}
	gone := kmsg.NewLeaveGroupRequestMember()
	gone.MemberID = groups[f.opts.Group].Members[0].MemberID
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group, leave.Members = f.opts.Group, append(leave.Members, gone)
	if _, err := leave.RequestWith(t.Context(), p.cl); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.read(s, nil); !errors.Is(err, reader.ErrMoved) {
		t.Fatalf("got %v, want ErrMoved", err)
	}
	s.Close()
	if s = p.take(f); len(s.(*share).parts) != 2 {
		t.Errorf("taken in again: got %s", s.(*share))
	}
}

// TestLeaveWhileJoining has a member leave that waits for one that has died, and whose session
// lasts: it does not wait for that.
func TestLeaveWhileJoining(t *testing.T) {
	p := newPlace(t, 2)
	group := p.topic + "-group"
	join := kmsg.NewPtrJoinGroupRequest()
	join.Group, join.ProtocolType, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = group, "consumer", 120_000, 120_000
	way := kmsg.NewJoinGroupRequestProtocol()
	way.Name, way.Metadata = "sticky", new(kmsg.ConsumerMemberMetadata).AppendTo(nil)
	join.Protocols = append(join.Protocols, way)
	for range 2 { // the first answer says who it is
		r, err := join.RequestWith(t.Context(), p.cl)
		if err != nil {
			t.Fatal(err)
		}
		join.MemberID = r.MemberID
	}
	f := p.feed(Options{Group: group})
	ctx, stop := context.WithTimeout(t.Context(), time.Second)
	defer stop()
	if s, err := f.Take(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got %v, %v, want it to wait for the other", s, err)
	}
	gone := make(chan error, 1)
	go func() { gone <- f.Close() }()
	select {
	case err := <-gone:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(time.Minute): // half of what the other's session lasts
		t.Error("it waits for one that has died")
	}
}

// TestMorePartitions has a reader that shares with nobody end when there are more of them.
func TestMorePartitions(t *testing.T) {
	p := newPlace(t, 1)
	f := p.feed(Options{Refresh: 100 * time.Millisecond, Start: "latest"})
	s := p.take(f)
	r, err := s.Changes(t.Context(), reader.FeedSink{Want: func(t *schema.Table) (*schema.Table, error) { return t, nil }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.adm.UpdatePartitions(t.Context(), 2, p.topic); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = r.Read(t.Context())
	}
	if !errors.Is(err, reader.ErrMoved) {
		t.Fatalf("got %v, want ErrMoved", err)
	}
	r.Close()
	s.Close()
	p.send(1, true, change("a", "INSERT", "id=1"))
	s = p.take(f)
	if got := f.starts[part{p.topic, 1}]; len(s.(*share).parts) != 2 || got != 0 {
		t.Errorf("got %s, the new one from %d, want 2 and 0", s.(*share), got)
	}
}

// TestOwns tells positions in the feed's topics from those of others, which may be at the same
// sink.
func TestOwns(t *testing.T) {
	s := newShare(&Feed{cluster: "c", patterns: []string{"shop.*", "users"}}, nil, nil)
	for pos, want := range map[string]bool{
		"kafka:c;shop.a:0=1": true, "kafka:c;users:1=0": true, "kafka:c;other:0=5;users:1=0": true,
		"kafka:c;other:0=5": false, "kafka:c;users2:0=5": false, "kafka:d;users:1=0": false, "kafka:c": false, "{}": false,
	} {
		if err := s.Owns(batch.Position(pos)); (err == nil) != want {
			t.Errorf("%s: got %v", pos, err)
		}
	}
}

func TestMerge(t *testing.T) {
	own := func(p part) bool { return p.partition < 2 }
	for _, c := range []struct{ held, known, next, want string }{
		{"", "", "kafka:c;t:0=5,1=6", "kafka:c;t:0=5,1=6"},
		{"kafka:c;t:0=1,1=2,2=3", "kafka:c;t:0=1,1=2", "kafka:c;t:0=5,1=6", "kafka:c;t:0=5,1=6,2=3"},
		{"kafka:c;t:0=9,1=2", "kafka:c;t:0=9,1=2", "kafka:c;t:0=5,1=6", "kafka:c;t:0=9,1=6"},
		{"kafka:c;t:2=3", "", "kafka:c;t:0=5,1=6,2=1", "kafka:c;t:0=5,1=6,2=3"},
		{"kafka:c;s:0=1;t:0=1", "kafka:c;s:0=1;t:0=1", "kafka:c;t:0=2", "kafka:c;s:0=1;t:0=2"},
		{"kafka:c;s@x:0=1;t@y:0=1,2=7", "kafka:c;t@y:0=1,2=7", "kafka:c;t@z:0=5", "kafka:c;s@x:0=1;t@z:0=5,2=7"},
		{"kafka:c;t:0=2", "kafka:c;t:0=1", "kafka:c;t:0=5", ""},
		{"kafka:c;t:0=2", "", "kafka:c;t:0=5", ""},
		{"", "kafka:c;t:0=2", "kafka:c;t:0=5", ""},
	} {
		got, err := merge(own, batch.Position(c.held), batch.Position(c.known), batch.Position(c.next))
		if string(got) != c.want || (c.want == "") != errors.Is(err, reader.ErrOvertaken) {
			t.Errorf("%+v: got %q, %v", c, got, err)
		}
	}
}

// TestStartLater has a member get a partition later than others, and begin where it was told.
func TestStartLater(t *testing.T) {
	p := newPlace(t, 2)
	p.send(1, true, change("a", "INSERT", "id=1"), change("a", "INSERT", "id=2"))
	f := p.feed(Options{Group: p.topic, Start: "offsets:" + p.topic + "/1=1"})
	for n := range int32(2) {
		if err := f.limits(t.Context(), []part{{p.topic, n}}); err != nil {
			t.Fatal(err)
		}
	}
	if got := f.starts[part{p.topic, 1}]; got != 1 {
		t.Errorf("got offset %d, want 1", got)
	}
}

func TestParseStart(t *testing.T) {
	for text, ok := range map[string]bool{
		"": true, "earliest": true, "latest": true, "time:2026-07-01T12:00:00Z": true, "offsets:a.b/0=5,a.b/1=0": true,
		"now": false, "time:noon": false, "offsets:": false, "offsets:a=5": false, "offsets:a/x=5": false, "offsets:a/0=-1": false,
	} {
		if err := CheckStart(text); (err == nil) != ok {
			t.Errorf("%q: got %v", text, err)
		}
	}
	for text, ok := range map[string]bool{"kafka://h/a,b.*": true, "kafka://h": false, "kafka://h/a,": false, "kafka://h/a b": false, "kafka://h/a?partitions=3": false} {
		if err := CheckURL(text); (err == nil) != ok {
			t.Errorf("%q: got %v", text, err)
		}
	}
}
