package progress

import (
	"fmt"
	"io"
	"strings"
	"sync"

	"github.com/schollz/progressbar/v3"
)

// A Terminal is what a Bar needs to know of the terminal it draws on.
type Terminal struct {
	// Size returns columns and lines. It is asked before each frame, since a
	// window may change while a run lasts.
	Size func() (columns, lines int)
	// Color and Unicode say what the terminal is to be sent.
	Color, Unicode bool
}

// Bar draws a progress bar for the run and under it the tables at work, in
// place. What it draws never wraps: it is cut to the terminal's width.
type Bar struct {
	w    io.Writer
	term Terminal

	mu    sync.Mutex
	meter meter
	top   int             // highest percentage shown
	drawn []int           // widths of the lines of the frame that is on the screen
	again func() []string // that frame

	cells, columnsThen int // of the bar alone, and the window's when that was chosen
}

// NewBar draws on w.
func NewBar(w io.Writer, t Terminal) *Bar { return &Bar{w: w, term: t} }

// Escape sequences of any terminal since the VT100.
const (
	clearLine  = "\x1b[K" // from the cursor to the end of the line
	clearBelow = "\x1b[J" // and all lines below
	dim, plain = "\x1b[2m", "\x1b[0m"
)

// maxAtWork is how many tables at work are shown; the others are counted.
const maxAtWork = 6

// Show draws a frame over the last one.
func (b *Bar) Show(v View) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.meter.add(v.Elapsed, v.Totals().Rows)
	b.show(func() []string { return b.frame(v) })
}

// show draws a frame, and again when a note moves it.
func (b *Bar) show(frame func() []string) {
	b.again = frame
	b.draw("", frame())
}

// Note prints a line above the frame, where it stays.
func (b *Bar) Note(line string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	lines := []string(nil)
	if b.drawn != nil {
		lines = b.again()
	}
	b.draw(line+"\n", lines)
}

// Close leaves one line on the screen: the whole run.
func (b *Bar) Close(v View) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	var lines []string
	// A run that moved nothing leaves no trace.
	if sum := v.Totals(); sum.Rows > 0 || sum.Count[Whole] > 0 {
		lines = []string{b.total(v, sum, true)}
	}
	b.draw("", lines)
	if len(lines) > 0 {
		io.WriteString(b.w, "\n") //nolint:errcheck // an aside: the run does not depend on it
	}
	b.drawn = nil
	b.top, b.meter = 0, meter{} // of what is drawn next, if anything is
	return nil
}

// draw replaces the frame on the screen by above and lines, in one Write, so
// that nothing else comes between and nothing flickers. The cursor stays at the
// end of the last line.
func (b *Bar) draw(above string, lines []string) {
	columns := b.columns()
	var out strings.Builder
	if b.drawn != nil {
		// A window that was made narrower has wrapped the old lines.
		up := -1
		for _, w := range b.drawn {
			up += max(1, (w+columns-1)/columns)
		}
		if up > 0 {
			fmt.Fprintf(&out, "\x1b[%dA", up)
		}
		out.WriteString("\r" + clearBelow)
	}
	out.WriteString(above)
	b.drawn = nil
	for i, l := range lines {
		if !b.term.Unicode {
			l = strings.ReplaceAll(l, "…", "~")
		}
		l = cut(l, columns-1)
		b.drawn = append(b.drawn, width(l))
		if i > 0 {
			out.WriteString("\n")
			if b.term.Color {
				l = dim + l + plain
			}
		}
		out.WriteString(l + clearLine)
	}
	io.WriteString(b.w, out.String()) //nolint:errcheck // an aside: the run does not depend on it
}

func (b *Bar) columns() int {
	c, _ := b.term.Size()
	if c <= 0 {
		return 80
	}
	return max(c, 10)
}

// frame lays out the run, the tables at work and the count of the others.
func (b *Bar) frame(v View) []string {
	sum := v.Totals()
	if sum.Rows == 0 && sum.Count[Working] == 0 && sum.Count[Whole] == 0 {
		return append([]string{b.spinner(v) + " " + v.Phase}, v.held()...)
	}
	_, height := b.term.Size()
	if height <= 0 {
		height = 24
	}
	lines := []string{b.total(v, sum, false)}
	held := v.held()
	lines = append(lines, held[:min(len(held), max(height-2, 0))]...)
	room := max(0, min(maxAtWork, height-2-len(lines)))
	lines = append(lines, tableLines(v, room, b.columns()-1)...)
	if rest := others(sum, room); rest != "" && height > 2 {
		lines = append(lines, "  "+rest)
	}
	return lines
}

func (b *Bar) spinner(v View) string {
	steps := []string{"-", `\`, "|", "/"}
	if b.term.Unicode {
		steps = []string{"⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"}
	}
	return steps[int(v.Elapsed/Tick)%len(steps)]
}

// total is the run's own line: the bar and as many of rows, bytes, rate and
// time left as fit beside it.
func (b *Bar) total(v View, sum Totals, final bool) string {
	rate, left := b.meter.rate(), ""
	if final {
		rate, left = v.Rate(), Seconds(v.Elapsed)
	} else if d, ok := b.meter.left(sum); ok {
		left = Clock(d) + " left"
	}
	rows, bytes := Plural(sum.Staged(), "row"), readBytes(sum.Bytes, sum.Resumed)
	speed := ""
	if rate >= 1 {
		speed = Count(int64(rate)) + " rows/s"
	}
	room := b.columns() - 1
	p := percent(sum)
	if p >= 0 {
		b.top = max(b.top, p) // estimates grow; a bar that goes back irritates
		p = b.top
		room -= len(" 100% |")
	}
	// What tells least goes first.
	const narrowest = 8
	for _, parts := range [][]string{{rows, bytes, speed, left}, {rows, speed, left}, {rows, left}, {left}, {rows}} {
		text := joined(parts)
		if text == "" || width(text)+narrowest+3 > room {
			continue
		}
		if p < 0 {
			return b.spinner(v) + " " + text
		}
		// A bar that has become narrower stays so: it would jump to and fro as
		// numbers beside it gain and lose digits.
		if b.columnsThen != b.columns() {
			b.columnsThen, b.cells = b.columns(), 30
		}
		b.cells = min(b.cells, room-width(text)-3)
		return b.bar(p, b.cells, text)
	}
	if p < 0 {
		return rows
	}
	return fmt.Sprintf("%d%% %s", p, left)
}

// bar has progressbar draw the run's bar, with text behind it.
func (b *Bar) bar(percent, cells int, text string) string {
	theme := progressbar.Theme{Saucer: "=", SaucerHead: ">", SaucerPadding: " ", BarStart: "|", BarEnd: "|"}
	if b.term.Unicode {
		theme = progressbar.Theme{Saucer: "█", SaucerPadding: "░", BarStart: "|", BarEnd: "|"}
	}
	// A new one for each frame: its width follows the window's, and it keeps no
	// time of its own beside ours.
	p := progressbar.NewOptions64(100,
		progressbar.OptionSetWriter(io.Discard),
		progressbar.OptionUseANSICodes(true), // keeps it from clearing a line that it did not draw
		progressbar.OptionSetWidth(cells),
		progressbar.OptionSetTheme(theme),
		progressbar.OptionSetPredictTime(false),
		progressbar.OptionSetElapsedTime(false),
	)
	_ = p.Set(percent)
	_ = p.RenderBlank() // Set draws nothing at 0
	drawn := strings.TrimSuffix(strings.TrimPrefix(p.String(), "\r"), "\x1b[0K")
	return strings.TrimRight(drawn, " ") + " " + text
}

// tableLines shows up to limit tables at work, in columns cells of width.
func tableLines(v View, limit, columns int) []string {
	var shown []TableView
	name := 0
	for _, t := range v.Tables {
		if t.State == Working && len(shown) < limit {
			t.Name = Printable(t.Name)
			name = max(name, width(t.Name))
			shown = append(shown, t)
		}
	}
	var lines []string
	for _, t := range shown {
		cells := []string{padLeft(tablePercent(t), 4), padLeft(Count(t.Staged())+" rows", 16), padLeft(Bytes(t.Bytes), 11), padLeft(Clock(t.Took), 6)}
		if t.Busy != "" {
			cells = []string{t.Busy, padLeft(Clock(t.Took), 6)}
		}
		// The name is what the operator looks for: numbers give way to it.
		for len(cells) > 1 && 2+min(name, 40)+width(strings.Join(cells, " "))+1 > columns {
			cells = cells[:len(cells)-1]
		}
		tail := strings.Join(cells, " ")
		n := min(name, max(columns-3-width(tail), 8))
		lines = append(lines, strings.TrimRight("  "+padRight(cut(t.Name, n), n)+" "+tail, " "))
	}
	return lines
}

func tablePercent(t TableView) string {
	if t.Estimate <= 0 {
		return ""
	}
	return fmt.Sprintf("%d%%", min(99, t.Staged()*100/t.Estimate))
}

// others counts the tables that are not shown.
func others(sum Totals, shown int) string {
	var parts []string
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, Count(int64(n))+" "+what)
		}
	}
	add(sum.Count[Working]-max(0, shown), "more at work")
	add(sum.Count[Waiting], "waiting")
	add(sum.Count[Whole], "done")
	add(sum.Count[Skipped], "skipped")
	add(sum.Count[Failed], "failed")
	return strings.Join(parts, ", ")
}

func joined(parts []string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, "  ")
}
