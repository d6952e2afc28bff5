package kafka

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader"
)

// in tells a message's transaction.
func in(gtid, message string) string {
	return strings.Replace(message, `"us":7`, fmt.Sprintf(`"us":7,"gtid":%q`, gtid), 1)
}

// covering covers the transactions of a stock's position.
func covering(stock batch.Position) (func([]byte) bool, error) {
	if stock == "" {
		return nil, nil
	}
	return func(gtid []byte) bool { return slices.Contains(strings.Split(string(stock), ","), string(gtid)) }, nil
}

// Of a table that was read from a stock the changes are dropped that its rows show, and others
// may be there already.
func TestShowing(t *testing.T) {
	p := newPlace(t, 1)
	p.send(0, true, change("b", "INSERT", "id=9"), in("u:1", change("a", "INSERT", "id=1")), in("u:2", change("a", "TRUNCATE")), in("u:3", change("a", "INSERT", "id=3")))
	s := p.take(p.feed(Options{UntilEnd: true, Covers: covering}))
	end, err := s.End(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	begin := batch.Position(strings.Replace(string(end), ":0=5", ":0=0", 1))
	for _, c := range []struct {
		stock batch.Position
		want  []string
	}{
		{"u:1,u:2", []string{"a after 3", "b insert 9"}},
		{"u:1,u:2,u:3", []string{"b insert 9"}},
		{"", []string{"a after 1", "a after 3", "a emptied", "b insert 9"}},
	} {
		told, _, err := p.read(s, map[string]reader.Held{"d.a": {Position: s.Showing(begin, c.stock)}})
		if err != nil || !slices.Equal(sorted(told), c.want) {
			t.Errorf("rows of %q: got %q, %v, want %q", c.stock, told, err, c.want)
		}
	}
}

// That a table was redone does not say that the topics were read so far for others: but once who
// reads them has committed to it.
func TestFresh(t *testing.T) {
	p := newPlace(t, 1)
	p.send(0, true, change("b", "INSERT", "id=9"), change("a", "INSERT", "id=1"))
	s := p.take(p.feed(Options{UntilEnd: true}))
	end, err := s.End(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	fresh := s.Showing(end, "x")
	told, last, err := p.read(s, map[string]reader.Held{"d.a": {Position: fresh}})
	if err != nil || !slices.Equal(told, []string{"b insert 9"}) {
		t.Errorf("got %q, %v", told, err)
	}
	if _, err := s.Merge(fresh, end, last); !errors.Is(err, reader.ErrOvertaken) {
		t.Errorf("a commit that does not know of it: %v", err)
	}
	if _, err := s.Merge(s.Showing(end, "x"), fresh, last); !errors.Is(err, reader.ErrOvertaken) {
		t.Errorf("a commit that knows of another one: %v", err)
	}
	merged, err := s.Merge(fresh, fresh, last)
	if m, _ := parseMark(merged); err != nil || m.ID == "" || len(m.Fresh) > 0 {
		t.Errorf("a commit: %s, %v", merged, err)
	}
	if told, _, err = p.read(s, map[string]reader.Held{"d.a": {Position: merged}}); err != nil || len(told) > 0 {
		t.Errorf("behind a commit: got %q, %v", told, err)
	}
	// Once all partitions have come past what it may show, the position is like others.
	s.(*share).passed.Store(time.Now().Add(2 * markTime).UnixMicro())
	if pos, err := s.Merge(merged, merged, last); err != nil || pos != end {
		t.Errorf("after a day: %s, %v", pos, err)
	}
}

// Of a table some of whose rows were redone no change is dropped but those that all rows showed
// before, and inserts may be there already.
func TestRedone(t *testing.T) {
	p := newPlace(t, 1)
	p.send(0, true, in("u:1", change("a", "INSERT", "id=1")), in("u:2", change("a", "INSERT", "id=2")), change("a", "INSERT", "id=3"))
	var warned []string
	s := p.take(p.feed(Options{UntilEnd: true, Covers: covering, Warn: func(text string) { warned = append(warned, text) }}))
	end, err := s.End(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	begin := batch.Position(strings.Replace(string(end), ":0=4", ":0=0", 1))
	for _, c := range []struct {
		was  batch.Position
		want []string
	}{
		{begin, []string{"a after 1", "a after 2", "a after 3"}},
		{s.Showing(begin, "u:1"), []string{"a after 2", "a after 3"}},
	} {
		told, _, err := p.read(s, map[string]reader.Held{"d.a": {Position: s.Redone(begin, c.was)}})
		if err != nil || !slices.Equal(sorted(told), c.want) {
			t.Errorf("redone at %q: got %q, %v, want %q", c.was, told, err, c.want)
		}
	}
	if want := []string{"d.a was redone while it was written to, and the messages tell no GTIDs: changes from before that it shows already are applied again, by key"}; !slices.Equal(warned, want) {
		t.Errorf("it is said %q", warned)
	}
	marked := s.Showing(begin, "x")
	for _, c := range []struct {
		held, from batch.Position
		want       bool
	}{
		{begin, begin, true},
		{end, begin, true},
		{begin, end, false},
		{marked, marked, true},
		{end, marked, true}, // a mark that is of no more use is dropped
		{s.Showing(end, "x"), marked, false},
		{s.Showing(end, "x"), begin, false},
	} {
		if got, err := s.Passed(c.held, c.from); err != nil || got != c.want {
			t.Errorf("passed by %q from %q: %v, %v", c.held, c.from, got, err)
		}
	}
}

// A table of which a part was redone says of others what it said before.
func TestReadBefore(t *testing.T) {
	p := newPlace(t, 1)
	p.send(0, true, change("b", "INSERT", "id=9"), change("a", "INSERT", "id=1"))
	s := p.take(p.feed(Options{UntilEnd: true}))
	was, err := s.End(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.send(0, true, change("c", "INSERT", "id=5"))
	s = p.take(p.feed(Options{UntilEnd: true}))
	end, err := s.End(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	redone := s.Redone(end, was)
	for _, held := range []batch.Position{redone, s.Redone(end, redone)} {
		if told, _, err := p.read(s, map[string]reader.Held{"d.a": {Position: held}}); err != nil || !slices.Equal(told, []string{"c insert 5"}) {
			t.Errorf("behind %q: got %q, %v", held, told, err)
		}
	}
	merged, err := s.Merge(redone, redone, end)
	if m, _ := parseMark(merged); err != nil || len(m.Read)+len(m.Fresh) > 0 {
		t.Errorf("a commit: %s, %v", merged, err)
	}
}
