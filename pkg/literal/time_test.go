package literal

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// Dates and times are those of Go's own calendar.
func TestAppendDateTime(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	first := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	last := time.Date(9999, 12, 31, 23, 59, 59, 999999000, time.UTC).UnixMicro()
	for _, us := range append([]int64{first, last, -1, 0, 1, DayMicros - 1, DayMicros, -DayMicros, -DayMicros - 1}, make([]int64, 100_000)...) {
		if us == 0 {
			us = first + r.Int64N(last-first+1)
		}
		at := time.UnixMicro(us).UTC()
		for digits, form := range []string{"2006-01-02 15:04:05", 3: "2006-01-02 15:04:05.000", 6: "2006-01-02 15:04:05.000000"} {
			if form == "" {
				continue
			}
			if got, want := string(AppendDateTime(nil, us, ' ', digits)), at.Format(form); got != want {
				t.Fatalf("%d µs, %d digits: got %s, want %s", us, digits, got, want)
			}
		}
	}
}

// A TIME has a sign and up to 838 hours.
func TestAppendTime(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 100_000 {
		us := r.Int64N(2*839*3600*SecondMicros) - 839*3600*SecondMicros
		for digits := range 7 {
			sign, v := "", us
			if v < 0 {
				sign, v = "-", -v
			}
			s := v / SecondMicros
			want := fmt.Sprintf("%s%02d:%02d:%02d", sign, s/3600, s/60%60, s%60)
			if digits > 0 {
				want += fmt.Sprintf(".%06d", v%SecondMicros)[:1+digits]
			}
			if got := string(AppendTime(nil, us, digits)); got != want {
				t.Fatalf("%d µs, %d digits: got %s, want %s", us, digits, got, want)
			}
		}
	}
}
