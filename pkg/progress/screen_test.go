package progress

import (
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A screen is a terminal as far as Bar uses one. It wraps lines that are too
// long, as a real one does.
type screen struct {
	columns  int
	cells    [][]rune
	row, col int
}

var escape = regexp.MustCompile("^\x1b\\[([0-9]*)([A-Za-z])")

func (s *screen) Write(p []byte) (int, error) {
	for text := string(p); text != ""; {
		if m := escape.FindStringSubmatch(text); m != nil {
			n, _ := strconv.Atoi(m[1])
			s.control(m[2], n)
			text = text[len(m[0]):]
			continue
		}
		r, size := utf8.DecodeRuneInString(text)
		text = text[size:]
		switch r {
		case '\r':
			s.col = 0
		case '\n':
			s.row, s.col = s.row+1, 0
		default:
			if s.col == s.columns {
				s.row, s.col = s.row+1, 0
			}
			s.line()
			for len(s.cells[s.row]) <= s.col {
				s.cells[s.row] = append(s.cells[s.row], ' ')
			}
			s.cells[s.row][s.col] = r
			s.col++
		}
	}
	return len(p), nil
}

func (s *screen) line() {
	for len(s.cells) <= s.row {
		s.cells = append(s.cells, nil)
	}
}

func (s *screen) control(name string, n int) {
	s.line()
	clearLine := func() { s.cells[s.row] = s.cells[s.row][:min(s.col, len(s.cells[s.row]))] }
	switch name {
	case "A":
		s.row = max(0, s.row-n)
	case "K":
		clearLine()
	case "J":
		clearLine()
		s.cells = s.cells[:s.row+1]
	case "m":
	default:
		panic("unknown sequence " + name)
	}
}

func (s *screen) String() string {
	var lines []string
	for _, c := range s.cells {
		lines = append(lines, strings.TrimRight(string(c), " "))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n") + "\n"
}
