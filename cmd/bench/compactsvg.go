package main

import (
	"fmt"
	"math"
	"strings"
)

// A panel is one figure of the curves.
type panel struct {
	title string
	unit  string
	value func(point) float64
}

var panels = []panel{
	{"Commit", "ms", func(p point) float64 { return ms(p.Commit) }},
	{"Planning", "ms", func(p point) float64 { return ms(p.Planning) }},
	{"Metadata read by planning", "MiB", func(p point) float64 { return float64(p.Metadata) / (1 << 20) }},
}

// Places in a panel, in pixels.
const (
	panelWidth, panelHeight = 300, 220
	left, right, top, below = 52, 12, 34, 40
)

// colors of the curves, in their order: they differ in brightness too.
var colors = []string{"#0b6e4f", "#c8553d"}

// drawCurves draws the panels side by side.
func drawCurves(curves []curve) []byte {
	var b strings.Builder
	width := panelWidth * len(panels)
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="11">`+"\n", width, panelHeight+24)
	b.WriteString("<title>What commits and planning cost after so many commits, with compaction and without</title>\n")
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/>`+"\n", width, panelHeight+24)
	for i, p := range panels {
		drawPanel(&b, i*panelWidth, p, curves)
	}
	for i, c := range curves {
		x := left + i*140
		fmt.Fprintf(&b, `<path d="M%d %d h20" stroke="%s" stroke-width="2"/><text x="%d" y="%d">%s</text>`+"\n", x, panelHeight+8, colors[i%len(colors)], x+26, panelHeight+12, c.name)
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

func drawPanel(b *strings.Builder, x0 int, p panel, curves []curve) {
	mostX, mostY := 1.0, 0.0
	for _, c := range curves {
		for _, at := range c.points {
			mostX, mostY = max(mostX, float64(at.Commits)), max(mostY, p.value(at))
		}
	}
	mostY = roundUp(mostY)
	px := func(n float64) float64 { return float64(x0+left) + n/mostX*float64(panelWidth-left-right) }
	py := func(v float64) float64 { return float64(panelHeight-below) - v/mostY*float64(panelHeight-below-top) }
	fmt.Fprintf(b, `<text x="%d" y="18" font-weight="bold">%s, %s</text>`+"\n", x0+left, p.title, p.unit)
	for i := range 5 {
		v := mostY * float64(i) / 4
		fmt.Fprintf(b, `<path d="M%d %.1f H%d" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%.4g</text>`+"\n", x0+left, py(v), x0+panelWidth-right, x0+left-6, py(v)+4, v)
	}
	for _, n := range []float64{0, mostX / 2, mostX} {
		fmt.Fprintf(b, `<text x="%.1f" y="%d" text-anchor="middle">%.0f</text>`+"\n", px(n), panelHeight-below+16, n)
	}
	for i, c := range curves {
		var d strings.Builder
		for n, at := range c.points {
			fmt.Fprintf(&d, "%c%.1f %.1f ", "ML"[min(n, 1)], px(float64(at.Commits)), py(p.value(at)))
		}
		fmt.Fprintf(b, `<path d="%s" fill="none" stroke="%s" stroke-width="1.6"/>`+"\n", strings.TrimSpace(d.String()), colors[i%len(colors)])
	}
}

// roundUp returns the next number of which a quarter is easily read.
func roundUp(v float64) float64 {
	if v <= 0 {
		return 1
	}
	step := math.Pow(10, math.Floor(math.Log10(v)))
	for _, n := range []float64{1, 2, 4, 8} {
		if v <= n*step {
			return n * step
		}
	}
	return 10 * step
}
