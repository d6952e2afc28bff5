package progress

import (
	"fmt"
	"io"
	"sync"
	"time"
)

// A Printer shows a run while it lasts. Show and Note may be called by several
// goroutines; Close comes last.
type Printer interface {
	// Show is told every tick how far the run is. It decides itself whether
	// that is worth printing.
	Show(v View)
	// Note prints one line for the operator between what is shown.
	Note(line string)
	// Close shows the end of the run, and returns the first error of writing
	// where the output is a result rather than an aside.
	Close(v View) error
}

// Tick is how often Watch tells a Printer.
const Tick = 100 * time.Millisecond

// Watch shows the run on p until stop is called, which closes p. Only the first
// stop does anything.
func Watch(r *Run, p Printer) (stop func() error) {
	return watch(func() { p.Show(r.View()) }, func() error { return p.Close(r.View()) })
}

func watch(show func(), end func() error) (stop func() error) {
	quit, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		t := time.NewTicker(Tick)
		defer t.Stop()
		for {
			select {
			case <-t.C:
				show()
			case <-quit:
				return
			}
		}
	}()
	var once sync.Once
	return func() (err error) {
		once.Do(func() {
			close(quit)
			<-done
			err = end()
		})
		return err
	}
}

// ended remembers which tables have ended, so that each is told once. One that
// failed and was begun anew ends again.
type ended struct{ told []int } // how many tries of each

// news returns the tables that have ended since the last call.
func (e *ended) news(v View) []TableView {
	var out []TableView
	for i, t := range v.Tables {
		if i == len(e.told) {
			e.told = append(e.told, 0)
		}
		if t.State.Ended() && e.told[i] <= t.Tries {
			e.told[i] = t.Tries + 1
			out = append(out, t)
		}
	}
	return out
}

// Quiet prints notes to W and nothing else.
type Quiet struct{ W io.Writer }

// Show does nothing.
func (Quiet) Show(View) {}

// Note prints the line.
func (q Quiet) Note(line string) { fmt.Fprintln(q.W, line) }

// Close does nothing.
func (Quiet) Close(View) error { return nil }
