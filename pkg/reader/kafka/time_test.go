package kafka

import (
	"strings"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// TestTime has batches tell when the source committed what they end with.
func TestTime(t *testing.T) {
	p := newPlace(t, 1)
	at := func(us string) string {
		return strings.Replace(change("a", "INSERT", "id=1"), `"us":7`, us, 1)
	}
	for _, c := range []struct {
		name, message string
		want          func(time.Time) bool
	}{
		{"its change's", at(`"us":1772240523456789`), func(got time.Time) bool { return got.UnixMicro() == 1772240523456789 }},
		{"its own, as it tells none", at(`"us":0`), func(got time.Time) bool { return time.Since(got).Abs() < time.Hour }},
	} {
		p.send(0, true, c.message)
		if _, _, err := p.read(p.take(p.feed(Options{UntilEnd: true})), nil); err != nil {
			t.Fatal(err)
		}
		if !c.want(p.time) {
			t.Errorf("%s: got time %v", c.name, p.time)
		}
	}
}

// TestTimeOfParts is the time of what is most behind.
func TestTimeOfParts(t *testing.T) {
	for _, c := range []struct {
		name string
		all  []progress
		want int64
	}{
		{"nothing has come", []progress{{stable: 9}}, 0},
		{"one is behind", []progress{{micros: 50, next: 5, stable: 5}, {micros: 30, next: 5, stable: 9}, {micros: 40, next: 5, stable: 9}}, 30},
		{"none is behind", []progress{{micros: 50, next: 5, stable: 5}, {micros: 30, next: 5, stable: 5}}, 50},
		{"of one nothing has come", []progress{{stable: 9}, {micros: 30, next: 5, stable: 5}}, 30},
	} {
		l := log{parts: map[part]*progress{}}
		for i := range c.all {
			l.parts[part{"t", int32(i)}] = &c.all[i]
		}
		if got := l.time(); got.IsZero() != (c.want == 0) || c.want != 0 && got.UnixMicro() != c.want {
			t.Errorf("%s: got %v, want %d", c.name, got, c.want)
		}
	}
}

// TestStill has a position told again at the end of the partitions, and nowhere else.
func TestStill(t *testing.T) {
	p := newPlace(t, 2)
	p.send(0, true, change("a", "INSERT", "id=1"))
	r, err := p.take(p.feed(Options{})).Changes(t.Context(), reader.FeedSink{Want: func(t *schema.Table) (*schema.Table, error) { return t, nil }})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	l := r.(*log)
	next := func() batch.Position {
		b, err := l.Read(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer b.Release()
		return b.Pos
	}
	pos := next()
	for !strings.HasSuffix(string(pos), ":0=2,1=0") {
		pos = next()
	}
	l.told = time.Time{} // long ago
	if got := next(); got != pos {
		t.Errorf("at the end: got %q, want %q", got, pos)
	}
	l.parts[part{p.topic, 0}].next--
	if l.still(t.Context()); len(l.out) > 0 {
		t.Errorf("before the end: got %q", l.out[0].Pos)
	}
}
