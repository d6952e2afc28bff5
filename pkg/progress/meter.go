package progress

import "time"

// A meter tells the rate of the last seconds. Averages over the whole run would
// hide that a source has become slow, and last differences jump about.
type meter struct{ samples []sample }

type sample struct {
	at   time.Duration
	rows int64
}

// window is how far back a meter looks.
const window = 10 * time.Second

// add notes how many rows there are by now.
func (m *meter) add(at time.Duration, rows int64) {
	// Only rows start the clock: connecting and pinning say nothing of the rate.
	if rows == 0 {
		m.samples = append(m.samples[:0], sample{at, 0})
		return
	}
	if n := len(m.samples); n > 1 && at-m.samples[n-2].at < 200*time.Millisecond {
		m.samples[n-1] = sample{at, rows}
	} else {
		m.samples = append(m.samples, sample{at, rows})
	}
	// One sample beyond the window stays, so that the window is always covered.
	for len(m.samples) > 2 && at-m.samples[1].at >= window {
		m.samples = m.samples[1:]
	}
}

// rate returns rows a second, or 0 while it is not known.
func (m *meter) rate() float64 {
	if len(m.samples) < 2 {
		return 0
	}
	first, last := m.samples[0], m.samples[len(m.samples)-1]
	if d := (last.at - first.at).Seconds(); d >= 0.5 {
		return float64(last.rows-first.rows) / d
	}
	return 0
}

// left returns how long the rest takes at this rate, and false while that
// cannot be told.
func (m *meter) left(t Totals) (time.Duration, bool) {
	rate := m.rate()
	if rate <= 0 || t.Expected <= t.Staged() {
		return 0, false
	}
	s := float64(t.Expected-t.Staged()) / rate
	// A month is no prediction but a standstill.
	if s > 30*24*3600 {
		return 0, false
	}
	return time.Duration(s * float64(time.Second)), true
}
