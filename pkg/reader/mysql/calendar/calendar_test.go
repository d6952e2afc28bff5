package calendar

import (
	"testing"
	"time"
)

func TestDays(t *testing.T) {
	day := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	last := time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	for ; !day.After(last); day = day.AddDate(0, 0, 1) {
		y, m, d := day.Date()
		if got, want := Days(y, int(m), d), int(day.Unix()/86400); got != want {
			t.Fatalf("%s: got %d, want %d", day.Format(time.DateOnly), got, want)
		}
		if !IsDate(y, int(m), d) {
			t.Fatalf("%s is no date", day.Format(time.DateOnly))
		}
	}
	for _, d := range [][3]int{{0, 0, 0}, {2021, 0, 1}, {2021, 1, 0}, {2021, 13, 1}, {2021, 2, 29}, {1900, 2, 29}, {2021, 4, 31}} {
		if IsDate(d[0], d[1], d[2]) {
			t.Errorf("%v is a date", d)
		}
	}
}
