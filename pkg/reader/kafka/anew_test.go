package kafka

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/reader"
)

// TestAnew has a topic deleted and made again under its name, while it is read and between
// two runs: nobody goes on in it at the old offsets.
func TestAnew(t *testing.T) {
	p := newPlace(t, 1)
	p.send(0, true, change("a", "INSERT", "id=1"), change("a", "INSERT", "id=2"))
	told, last, err := p.read(p.take(p.feed(Options{UntilEnd: true})), nil)
	if err != nil || len(told) != 2 {
		t.Fatalf("got %q, %v", told, err)
	}
	s := p.take(p.feed(Options{Refresh: 50 * time.Millisecond}))
	ended, reads := make(chan error, 1), make(chan struct{})
	p.met = sync.OnceFunc(func() { close(reads) })
	go func() {
		_, _, err := p.read(s, nil)
		ended <- err
	}()
	select {
	case <-reads:
	case err := <-ended:
		t.Fatalf("before that: %v", err)
	}
	if _, err := p.adm.DeleteTopics(t.Context(), p.topic); err != nil {
		t.Fatal(err)
	}
	for {
		if r, err := p.adm.CreateTopic(t.Context(), 1, 1, nil, p.topic); err == nil && r.Err == nil {
			break
		}
		if t.Context().Err() != nil {
			t.Fatal(t.Context().Err())
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err := <-ended; !errors.Is(err, reader.ErrMoved) {
		t.Errorf("while it is read: got %v, want %v", err, reader.ErrMoved)
	}
	p.send(0, true, change("a", "INSERT", "id=3"), change("a", "INSERT", "id=4"), change("a", "INSERT", "id=5"), change("a", "INSERT", "id=6"))
	held := map[string]reader.Held{"d.a": {Position: last}}
	if told, _, err := p.read(p.take(p.feed(Options{UntilEnd: true})), held); err == nil || !strings.Contains(err.Error(), "made again since d.a") {
		t.Errorf("the next run: got %q, %v", told, err)
	}
	h, err := p.take(p.feed(Options{})).Headroom(t.Context(), last)
	if err != nil || !h.Gone || h.Why == nil || !strings.Contains(h.Why.Error(), "made again since the table") {
		t.Errorf("headroom: got %+v, %v", h, err)
	}
	told, now, err := p.read(p.take(p.feed(Options{UntilEnd: true})), nil)
	if want := []string{"a insert 3", "a insert 4", "a insert 5", "a insert 6"}; err != nil || !slices.Equal(told, want) {
		t.Errorf("the table dropped: got %q, %v", told, err)
	}
	if h, err := p.take(p.feed(Options{})).Headroom(t.Context(), now); err != nil || h.Gone || h.Why != nil || !h.AtEnd {
		t.Errorf("headroom of the table dropped: got %+v, %v", h, err)
	}
}
