package progress

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Lines prints plain lines, for a pipe or a log: one as each table ends, and
// one every few seconds for the whole run.
type Lines struct {
	w     io.Writer
	every time.Duration

	mu    sync.Mutex
	ended ended
	meter meter
	next  time.Duration
	held  paceNews
}

// NewLines prints to w, the whole run's line every so often.
func NewLines(w io.Writer, every time.Duration) *Lines {
	return &Lines{w: w, every: every, next: every}
}

// Show prints what is new.
func (l *Lines) Show(v View) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.news(v)
	sum := v.Totals()
	l.meter.add(v.Elapsed, sum.Rows)
	if v.Elapsed < l.next {
		return
	}
	for l.next <= v.Elapsed {
		l.next += l.every
	}
	if text := l.status(v, sum); text != "" {
		l.print(v, text)
	}
}

// Note prints the line.
func (l *Lines) Note(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	fmt.Fprintln(l.w, line)
}

// Close prints what is new. The run's own result is the command's to print.
func (l *Lines) Close(v View) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.news(v)
	return nil
}

func (l *Lines) news(v View) {
	// Pauses come and go: they are told with the whole run.
	if l.held.news(v.Pace) {
		l.print(v, cmp.Or(v.Pace.limits(), "nothing holds the run back"))
	}
	skipped := int64(0)
	for _, t := range l.ended.news(v) {
		switch t.State {
		case Skipped:
			skipped++
		case Failed:
			l.print(v, fmt.Sprintf("%s failed: %s", Printable(t.Name), Printable(tableCause(t))))
		default:
			l.print(v, Printable(t.Name)+": "+tableLine(t))
		}
	}
	if skipped > 0 {
		l.print(v, Plural(skipped, "table")+" whole since an earlier run, left alone")
	}
}

func (l *Lines) print(v View, text string) {
	fmt.Fprintf(l.w, "[%s] %s\n", Clock(v.Elapsed.Truncate(time.Second)), text)
}

func (l *Lines) status(v View, sum Totals) string {
	if sum.Rows == 0 {
		return joined([]string{v.Phase, v.pause()})
	}
	parts := []string{Plural(sum.Staged(), "row"), readBytes(sum.Bytes, sum.Resumed)}
	if p := percent(sum); p >= 0 {
		parts[0] = fmt.Sprintf("%d%%, %s", p, parts[0])
	}
	if r := l.meter.rate(); r > 0 {
		parts = append(parts, Count(int64(r))+" rows/s")
	}
	if d, ok := l.meter.left(sum); ok {
		parts = append(parts, "about "+Clock(d)+" left")
	}
	text := strings.Join(parts, ", ")
	if why := v.pause(); why != "" {
		text += "; " + why
	}
	if names := working(v, 3); names != "" {
		text += "; at work: " + names
	}
	if n := sum.Count[Waiting]; n > 0 {
		text += fmt.Sprintf("; %d waiting", n)
	}
	return text
}

// tableLine tells what became of a table that is whole.
func tableLine(t TableView) string {
	text := fmt.Sprintf("%s, %s in %s", Plural(t.Staged(), "row"), readBytes(t.Bytes, t.Resumed), Seconds(t.Took))
	for _, more := range []string{t.Output.String(), takenOver(t.Resumed)} {
		if more != "" {
			text += ", " + more
		}
	}
	return text
}

// takenOver tells of rows that an earlier run has staged, "" if there are none.
func takenOver(rows int64) string {
	if rows == 0 {
		return ""
	}
	return Plural(rows, "row") + " taken over"
}

// readBytes writes how much was read: beside rows that were taken over, it says that
// theirs is not in it.
func readBytes(bytes, resumed int64) string {
	if resumed == 0 {
		return Bytes(bytes)
	}
	return Bytes(bytes) + " read"
}

// working names up to limit tables at work.
func working(v View, limit int) string {
	var names []string
	n := 0
	for _, t := range v.Tables {
		if t.State != Working {
			continue
		}
		if n++; n <= limit {
			name := Printable(t.Name)
			if t.Busy != "" {
				name += " (" + t.Busy + ")"
			}
			names = append(names, name)
		}
	}
	if n > limit {
		names = append(names, fmt.Sprintf("%d more", n-limit))
	}
	return strings.Join(names, ", ")
}

// percent returns how much of the run is done, at most 99 before its end, or -1
// if that cannot be told.
func percent(t Totals) int {
	switch {
	case t.Left() == 0 && t.Count[Whole] > 0:
		return 100
	case t.Expected == 0:
		return -1
	}
	return int(min(99, t.Staged()*100/t.Expected))
}

// tableCause returns a table's error without the table's name, which whoever
// prints it has already said.
func tableCause(t TableView) string {
	if t.Err == nil {
		return "unknown"
	}
	return strings.TrimPrefix(t.Err.Error(), t.Name+": ")
}
