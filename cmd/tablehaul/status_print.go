package main

import (
	"cmp"
	"encoding/json"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/progress"
)

// A statusTable is one table of `status --json`. docs/json.md is its contract.
type statusTable struct {
	Table     string   `json:"table"`
	Source    string   `json:"source_table,omitempty"`
	Position  string   `json:"position"`
	Committed string   `json:"committed,omitempty"`
	Age       *float64 `json:"age_seconds"`
	Rows      *int64   `json:"rows"`
	Merged    *int64   `json:"rows_merged,omitempty"`

	// With a source.
	State    string   `json:"state,omitempty"`
	Lag      *float64 `json:"lag_seconds,omitempty"`
	Behind   *int64   `json:"bytes_behind,omitempty"`
	Messages int64    `json:"messages_behind,omitempty"`
	Before   *int64   `json:"bytes_before,omitempty"`
	Keep     *float64 `json:"keep_seconds,omitempty"`
	Error    string   `json:"error,omitempty"`
	Hint     string   `json:"hint,omitempty"`
}

// The states of a table as to its source.
const (
	stateCurrent = "current" // nothing follows its position
	stateBehind  = "behind"
	stateGone    = "gone"
	stateForeign = "foreign" // of another source
	stateUnknown = "unknown" // the source could not tell
	stateDropped = "dropped" // the source's table is no more: its rows stay
)

func (t standing) state() string {
	switch {
	case !t.asked:
		return ""
	case t.foreign:
		return stateForeign
	case t.dropped:
		return stateDropped
	case t.err != nil:
		return stateUnknown
	case t.headroom.Gone:
		return stateGone
	case t.headroom.AtEnd:
		return stateCurrent
	}
	return stateBehind
}

// writeStatus prints all that is known, failed being why that is not more.
func writeStatus(w io.Writer, asJSON bool, now time.Time, sink, source string, tables []standing, failed error) error {
	if asJSON {
		return writeStatusJSON(w, now, sink, source, tables, failed)
	}
	var b strings.Builder
	rows := statusRows(now, tables)
	if len(tables) > 0 {
		progress.WriteColumns(&b, rows)
	}
	b.WriteString(statusTotal(tables) + "\n")
	for _, line := range append(mergedLegend(tables), statusLegend(rows)...) {
		b.WriteString(line + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// statusRows lays the tables out, under a head. Columns that would say the same
// of every table, or nothing, are left out.
func statusRows(now time.Time, tables []standing) [][]string {
	asked, renamed := false, false
	for _, t := range tables {
		asked = asked || t.asked
		renamed = renamed || t.Source != "" && t.Source != t.Name
	}
	head := []string{"TABLE", "", "ROWS", "COMMITTED", "POSITION"}
	if renamed {
		head[1] = "SOURCE"
	}
	if asked {
		head = append(head, "LAG", "BEHIND", "SPARE")
	}
	rows := [][]string{head}
	for _, t := range tables {
		r := []string{progress.Printable(t.Name), "", "?", "?", progress.ShortPosition(string(t.Position))}
		if renamed {
			r[1] = progress.Printable(t.Source)
		}
		switch {
		case t.Merged:
			r[2] = "-"
		case t.Rows >= 0:
			r[2] = progress.Count(t.Rows)
		}
		if !t.Committed.IsZero() {
			r[3] = progress.Age(now.Sub(t.Committed)) + " ago"
		}
		if asked {
			r = append(r, headroomCells(t)...)
		}
		rows = append(rows, r)
	}
	return rows
}

// mergedLegend tells how many rows tables hold that several are merged in.
func mergedLegend(tables []standing) []string {
	var texts []string
	for i, t := range tables {
		if !t.Merged || i > 0 && tables[i-1].Merged && tables[i-1].Name == t.Name {
			continue
		}
		text := progress.Printable(t.Name)
		if t.Rows >= 0 {
			text += " has " + progress.Plural(t.Rows, "row")
		}
		texts = append(texts, text)
	}
	if len(texts) == 0 {
		return nil
	}
	return []string{"-: merged tables count their rows together: " + progress.Some(texts)}
}

// statusLegend explains what stands where a figure is not known.
func statusLegend(rows [][]string) []string {
	var lines []string
	has := func(word string) bool {
		return slices.ContainsFunc(rows, func(r []string) bool { return slices.Contains(r[2:], word) })
	}
	if has("?") {
		lines = append(lines, "?: not told by the table's metadata (ROWS, COMMITTED) or by the source's log (LAG, BEHIND, SPARE)")
	}
	if has(stateDropped) {
		lines = append(lines, "dropped: the table is no more at the source; its rows stay")
	}
	if has("unknown") {
		lines = append(lines, "unknown: the source could not be asked, or does not know the position; the error says why")
	}
	return lines
}

// headroomCells tells of lag, the log behind the position and the log before it.
func headroomCells(t standing) []string {
	h := t.headroom
	size := func(n int64) string {
		if n < 0 {
			return "?"
		}
		return progress.Bytes(n)
	}
	switch t.state() {
	case "", stateUnknown:
		return []string{"unknown", "", ""}
	case stateForeign:
		return []string{"other source", "", ""}
	case stateGone:
		return []string{"log gone", "", ""}
	case stateDropped:
		return []string{stateDropped, "", ""}
	case stateCurrent:
		return []string{"none", "0 B", size(h.Before)}
	}
	lag := "?"
	if h.Behind > 0 {
		lag = progress.Age(h.Behind)
	}
	ahead := size(h.Ahead)
	if h.Messages > 0 {
		ahead = progress.Plural(h.Messages, "message")
	}
	return []string{lag, ahead, size(h.Before)}
}

func statusTotal(tables []standing) string {
	rows := int64(-1) // no sink has told any
	positions := map[string]bool{}
	behind, keep := time.Duration(0), time.Duration(0)
	for i, t := range tables {
		if t.Rows >= 0 && (!t.Merged || i == 0 || tables[i-1].Name != t.Name) {
			rows = max(rows, 0) + t.Rows
		}
		positions[string(t.Position)] = true
		behind, keep = max(behind, t.headroom.Behind), max(keep, t.headroom.Keep)
	}
	text := progress.Plural(int64(len(tables)), "table")
	if rows >= 0 {
		text += ", " + progress.Plural(rows, "row")
	}
	text += ", " + progress.Plural(int64(len(positions)), "position")
	if behind > 0 {
		text += "; at most " + progress.Age(behind) + " behind"
	}
	if keep > 0 {
		text += "; the source keeps its log for " + progress.Age(keep)
	}
	return text
}

func writeStatusJSON(w io.Writer, now time.Time, sink, source string, tables []standing, failed error) error {
	const layout = "2006-01-02T15:04:05.000Z07:00"
	out := struct {
		Event  string        `json:"event"`
		Time   string        `json:"time"`
		Sink   string        `json:"sink"`
		Source string        `json:"source,omitempty"`
		Tables []statusTable `json:"tables"`
		Error  string        `json:"error,omitempty"`
		Hint   string        `json:"hint,omitempty"`
	}{Event: "status", Time: now.UTC().Format(layout), Sink: sink, Source: source, Tables: []statusTable{}}
	if failed != nil {
		out.Error, out.Hint = oneLine(failed), hint.Of(failed)
	}
	for _, t := range tables {
		s := statusTable{Table: t.Name, Source: t.Source, Position: string(t.Position), State: t.state()}
		if !t.Committed.IsZero() {
			s.Committed, s.Age = t.Committed.UTC().Format(layout), seconds(max(0, now.Sub(t.Committed)))
		}
		switch {
		case t.Rows < 0:
		case t.Merged:
			s.Merged = &t.Rows
		default:
			s.Rows = &t.Rows
		}
		if err := cmp.Or(t.err, t.headroom.Why); err != nil {
			s.Error, s.Hint = oneLine(err), hint.Of(err)
		}
		if h := t.headroom; s.State == stateCurrent || s.State == stateBehind {
			if h.AtEnd || h.Behind > 0 {
				s.Lag = seconds(h.Behind)
			}
			if h.Ahead >= 0 {
				s.Behind = &h.Ahead
			}
			if h.Before >= 0 {
				s.Before = &h.Before
			}
			s.Messages = h.Messages
			if h.Keep > 0 {
				s.Keep = seconds(h.Keep)
			}
		}
		out.Tables = append(out.Tables, s)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(out)
}

func seconds(d time.Duration) *float64 {
	s := math.Round(d.Seconds()*1000) / 1000
	return &s
}
