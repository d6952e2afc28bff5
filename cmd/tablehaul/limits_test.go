package main

import (
	"testing"

	"github.com/tablehaul/tablehaul/pkg/move"
)

// What a limit is written as is read as the same limit, and nothing else is read.
func TestLimits(t *testing.T) {
	for in, want := range map[string]string{
		"20000rows": "20000rows", "1row": "1rows", "20000 rows/s": "20000rows", "50MiB": "50MiB", "50MiB/s": "50MiB", "1kb": "1000B", "none": "",
	} {
		var r rateLimit
		if err := r.Set(in); err != nil || r.String() != want {
			t.Errorf("rate %q: got %q and %v, want %q", in, r.String(), err, want)
		}
		again := r
		if want != "" {
			if err := again.Set(r.String()); err != nil || again != r {
				t.Errorf("rate %q: written as %q it is read as %+v, %v", in, r.String(), again, err)
			}
		}
	}
	for _, in := range []string{"", "0rows", "0MiB", "20000", "-1rows", "rows", "1.5rows", "10XB"} {
		r := rateLimit{move.Rate{PerSecond: 7}}
		if err := r.Set(in); err == nil || r.PerSecond != 7 {
			t.Errorf("rate %q: got %+v and %v, want it refused", in, r, err)
		}
	}
	for in, want := range map[string]string{
		"25": "threads_running=25", "Threads_Running = 25": "threads_running=25", "25,innodb_row_lock_current_waits=3": "threads_running=25,innodb_row_lock_current_waits=3", "x=0.5": "x=0.5", "none": "",
	} {
		var l loadLimit
		if err := l.Set(in); err != nil || l.String() != want {
			t.Errorf("load %q: got %q and %v, want %q", in, l.String(), err, want)
		}
	}
	for _, in := range []string{"", "x", "x=", "=3", "x=-1", "x=NaN", "25,"} {
		var l loadLimit
		if err := l.Set(in); err == nil {
			t.Errorf("load %q: got %q, want it refused", in, l.String())
		}
	}
	for in, want := range map[string]string{"10s": "10s", "1m30s": "1m30s", "none": ""} {
		var l lagLimit
		if err := l.Set(in); err != nil || l.String() != want {
			t.Errorf("lag %q: got %q and %v, want %q", in, l.String(), err, want)
		}
	}
	for _, in := range []string{"", "10", "0s", "-1s", "500ms"} {
		var l lagLimit
		if err := l.Set(in); err == nil {
			t.Errorf("lag %q: got %q, want it refused", in, l.String())
		}
	}
}
