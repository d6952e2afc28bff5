package kafka

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// TestRivals has two runs of one job fence each other, until one of them leaves the job.
func TestRivals(t *testing.T) {
	p := newPlace(t, "")
	job := "tablehaul." + p.topic
	a := logOf(t, "a")
	first, second := p.sink(), p.sink()
	old := p.open(first, a)
	for i := range rivalMost + 1 {
		young := p.open(second, a)
		err := old.Commit(t.Context(), "one")
		if !errors.Is(err, writer.ErrFenced) || !hint.IsTransient(err) || !strings.Contains(err.Error(), "another run of the job "+job+" has begun") {
			t.Fatalf("%d: got %v, want an error that may pass", i, err)
		}
		old.Close()
		if i == rivalMost {
			break
		}
		old = p.open(first, a)
		if err := young.Commit(t.Context(), "one"); !errors.Is(err, writer.ErrFenced) {
			t.Fatalf("%d: got %v from the other", i, err)
		}
		young.Close()
	}
	_, err := first.Open(t.Context(), a, writer.Follow)
	if err == nil || hint.IsTransient(err) || errors.Is(err, writer.ErrFenced) || !strings.Contains(err.Error(), "another run of the job "+job) {
		t.Errorf("got %v, want an error that does not pass", err)
	}
	if want := "two runs of the job " + job; !strings.Contains(hint.Of(err), want) {
		t.Errorf("got the hint %q, want %q", hint.Of(err), want)
	}
	// The other one has the job for itself.
	young := p.open(second, a)
	p.write(young, a, 1)
	p.commit(second, "one", young)
	p.want("a1")
	// Met long ago is not side by side.
	for i := range first.rival {
		first.rival[i] = first.rival[i].Add(-rivalTime)
	}
	p.open(first, a)
}

// TestTookTooLong has the brokers give a transaction up: no other run is to blame, nor counted.
func TestTookTooLong(t *testing.T) {
	p := newPlace(t, "&transaction-timeout=1s")
	a, s := logOf(t, "a"), p.sink()
	w := p.open(s, a)
	p.write(w, a, 1)
	time.Sleep(13 * time.Second) // brokers look every 10 s
	err := w.Commit(t.Context(), "one")
	if !errors.Is(err, writer.ErrFenced) || !hint.IsTransient(err) || !strings.Contains(err.Error(), "a transaction of the job tablehaul."+p.topic+" has taken longer than 1s") {
		t.Errorf("got %v, want that it took too long", err)
	}
	if got := hint.Of(err); !strings.Contains(got, "transaction-timeout=") {
		t.Errorf("got the hint %q", got)
	}
	w.Close()
	w = p.open(s, a)
	p.write(w, a, 2)
	p.commit(s, "one", w)
	p.want("a2")
	if len(s.rival) > 0 {
		t.Errorf("%d other runs were counted", len(s.rival))
	}
}
