package kafka

import (
	"slices"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/reader"
)

// TestBehind has a topic get a partition while a table is left behind: others have read of
// it what the table, once it goes on, still lacks. Another that came from other topics has
// nothing to look for there.
func TestBehind(t *testing.T) {
	p := newPlace(t, 2)
	p.send(0, true, change("a", "INSERT", "id=1"), change("b", "INSERT", "id=2"))
	p.send(1, true, change("a", "INSERT", "id=3"), change("b", "INSERT", "id=4"), change("c", "INSERT", "id=5"), change("a", "INSERT", "id=6"))
	f := p.feed(Options{UntilEnd: true})
	at := func(o offsets) reader.Held { return reader.Held{Position: o.position(f.cluster, nil)} }
	told, _, err := p.read(p.take(f), map[string]reader.Held{
		"d.a": at(offsets{part{p.topic, 0}: 1}),
		"d.b": at(offsets{part{p.topic, 0}: 2, part{p.topic, 1}: 3}),
		"d.c": at(offsets{part{"other", 0}: 2}),
	})
	if got, want := sorted(told), []string{"a insert 3", "a insert 6"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}
