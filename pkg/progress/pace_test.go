package progress

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// What holds a run back is told by every printer, and what holds back nothing is not.
func TestPace(t *testing.T) {
	r := NewRun()
	r.start = time.Now().Add(-6 * time.Second)
	tab := r.Table("shop.a", 1000)
	tab.Begin()
	tab.Add(200, 20<<10)
	r.Pace(Pace{Parallel: 4, MaxParallel: 4})
	var out, js bytes.Buffer
	lines, j := NewLines(&out, 5*time.Second), NewJSON(&js, &out, time.Hour, Start{})
	js.Reset()
	lines.Show(r.View())
	j.Show(r.View())
	diff(t, out.String(), `
[0:06] 20%, 200 rows, 20.0 KiB; at work: shop.a
`)
	if js.Len() > 0 {
		t.Errorf("got %s of a run that nothing holds back", js.String())
	}

	r.Pace(Pace{Parallel: 1, MaxParallel: 4, RateLimit: "50MiB", MaxLoad: "threads_running=40"})
	r.Paused("threads_running is 80, more than 40")
	r.start = time.Now().Add(-11 * time.Second)
	out.Reset()
	lines.Show(r.View())
	j.Show(r.View())
	diff(t, strings.ReplaceAll(out.String(), ", 0 rows/s", ""), `
[0:11] parallel 1 of 4, rate limit 50MiB, max load threads_running=40
[0:11] 20%, 200 rows, 20.0 KiB; paused: threads_running is 80, more than 40; at work: shop.a
`)
	if got := js.String(); !strings.HasSuffix(got, `"parallel":1,"max_parallel":4,"rate_limit":"50MiB","max_load":"threads_running=40"}`+"\n") {
		t.Errorf("got %s", got)
	}
	s := &screen{columns: 80}
	NewBar(s, terminal(80, 24)).Show(r.View())
	if !strings.Contains(s.String(), "\n  paused: threads_running is 80, more than 40\n  parallel 1 of 4, rate limit 50MiB, max load threads_running=40\n") {
		t.Errorf("got\n%s", s)
	}

	r.Pace(Pace{Parallel: 4, MaxParallel: 4})
	out.Reset()
	lines.Show(r.View())
	diff(t, out.String(), `
[0:11] nothing holds the run back
`)
}
