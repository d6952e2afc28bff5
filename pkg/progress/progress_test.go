package progress

import (
	"errors"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestHuman(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Count(0), "0"},
		{Count(999), "999"},
		{Count(1000), "1,000"},
		{Count(-1234567), "-1,234,567"},
		{Bytes(1023), "1023 B"},
		{Bytes(1024), "1.0 KiB"},
		{Bytes(1<<20 - 1), "1.0 MiB"},
		{Bytes(1 << 40), "1.0 TiB"},
		{Seconds(310 * time.Millisecond), "0.31 s"},
		{Seconds(12400 * time.Millisecond), "12.4 s"},
		{Seconds(245 * time.Second), "4:05"},
		{Clock(3723 * time.Second), "1:02:03"},
		{Printable("shop.orders"), "shop.orders"},
		{Printable("tablé 表"), "tablé 表"},
		{Printable("a\x1b[2Jb\nc"), `a\x1b[2Jb c`},
		{Printable("a\xffb\uFFFD"), "a\\xffb\uFFFD"},
		{Plural(1, "table"), "1 table"},
		{cut("日本語", 4), "日…"},
		{cut("abc", 3), "abc"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
	}
}

// TestView looks at a run from one goroutine while others count.
func TestView(t *testing.T) {
	r := NewRun()
	boom := errors.New("boom")
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			tab := r.Table("shop.t"+strconv.Itoa(i), 1000)
			tab.Begin()
			for range 1000 {
				tab.Add(1, 10)
			}
			tab.Fail(boom)
		})
	}
	for range 200 {
		for _, tab := range r.View().Tables {
			if tab.State == Failed && (tab.Rows != 1000 || !errors.Is(tab.Err, boom)) {
				t.Fatalf("an ended table is not final: %+v", tab)
			}
		}
	}
	wg.Wait()
	if sum := r.View().Totals(); sum.Rows != 8000 || sum.Bytes != 80000 || sum.Count[Failed] != 8 || sum.Left() != 0 {
		t.Errorf("totals: %+v", sum)
	}
}

// TestNil: code that feeds counters need not ask whether there are any.
func TestNil(t *testing.T) {
	var r *Run
	r.Phase("x")
	r.Pinned("x")
	tab := r.Table("x", 1)
	tab.Begin()
	tab.Add(1, 1)
	tab.Skip()
	tab.Done()
	tab.Fail(errors.New("x"))
}

func TestWatchStopsOnce(t *testing.T) {
	r := NewRun()
	n := 0
	stop := Watch(r, counter{&n})
	time.Sleep(3 * Tick)
	for range 2 {
		if err := stop(); err != nil {
			t.Error(err)
		}
	}
	if n != 1 {
		t.Errorf("closed %d times", n)
	}
}

type counter struct{ closed *int }

func (counter) Show(View)          {}
func (counter) Note(string)        {}
func (c counter) Close(View) error { *c.closed++; return nil }

func TestMeter(t *testing.T) {
	var m meter
	for i := range 100 {
		m.add(time.Duration(i)*time.Second/10, 0) // connecting
	}
	for i := range 300 { // 1,000 rows/s, then 100
		rows := int64(i * 100)
		if i > 100 {
			rows = 10_000 + int64(i-100)*10
		}
		m.add(10*time.Second+time.Duration(i)*time.Second/10, rows)
	}
	if r := m.rate(); r < 95 || r > 105 {
		t.Errorf("rate of the last seconds: %.1f, want 100", r)
	}
	if d, ok := m.left(Totals{Rows: 100, Expected: 1100}); !ok || d.Round(time.Second) != 10*time.Second {
		t.Errorf("left: %v %v", d, ok)
	}
}

// How long a table takes is measured by the clock that nobody sets.
func TestTookOutlivesTheClock(t *testing.T) {
	table := NewRun().Table("shop.t", 1)
	table.Begin()
	if began := table.began.Load(); !strings.Contains(began.String(), "m=+") {
		t.Errorf("began at %v, want a monotonic time with it", began)
	}
}
