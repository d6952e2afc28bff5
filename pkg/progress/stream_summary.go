package progress

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

type streamTableReport struct {
	Table   string  `json:"table"`
	Stock   *int64  `json:"stock_rows"` // null: its stock was not read
	Rows    int64   `json:"rows"`
	Bytes   int64   `json:"bytes"`
	Commits int64   `json:"commits"`
	Seconds float64 `json:"commit_seconds"`
	outputReport
	Error string `json:"error,omitempty"`
	Hint  string `json:"hint,omitempty"`
}

// WriteStreamSummary prints the last JSON object of a stream.
func WriteStreamSummary(w io.Writer, s StreamStart, stream *Stream, o Outcome) error {
	v := stream.View()
	e := struct {
		event
		Status   string         `json:"status"`
		Exit     int            `json:"exit"`
		Source   string         `json:"source"`
		Sink     string         `json:"sink"`
		Position string         `json:"position"`
		Sources  []sourceReport `json:"sources,omitempty"`
		Seconds  float64        `json:"seconds"`
		Stock    int64          `json:"stock_rows"`
		Rows     int64          `json:"rows"`
		Bytes    int64          `json:"bytes"`
		Commits  int64          `json:"commits"`
		Errors   int64          `json:"errors"`
		Refused  int64          `json:"messages_refused,omitempty"`
		outputReport
		Tables []streamTableReport `json:"tables"`
		Error  string              `json:"error,omitempty"`
		Hint   string              `json:"hint,omitempty"`
	}{
		event: head("summary", v.Now), Status: o.Status, Exit: o.Exit, Source: s.Source, Sink: s.Sink,
		Position: v.committed(), Sources: endReports(v.Sources), Seconds: seconds(v.Elapsed),
		Rows: v.Rows, Bytes: v.Bytes, Commits: v.Last.Seq, Errors: v.Errors, Refused: v.Refused,
		Tables: []streamTableReport{}, Error: o.Error, Hint: o.Hint,
	}
	var resumed int64
	var output *Output
	for _, t := range streamTables(stream, v) {
		r := streamTableReport{
			Table: t.Name, Stock: t.stock, Rows: t.Rows, Bytes: t.Bytes, Commits: t.Commits, Seconds: seconds(t.Took),
			outputReport: reportOutput(t.written(), t.resumed),
		}
		if t.stock != nil {
			e.Stock += *t.stock
		}
		if t.Err != nil {
			r.Error, r.Hint = strings.TrimPrefix(t.Err.Error(), t.Name+": "), hint.Of(t.Err)
		}
		e.Tables = append(e.Tables, r)
		resumed += t.resumed
		output = output.plus(t.written())
	}
	e.outputReport = reportOutput(output, resumed)
	return writeJSON(w, e)
}

// committed returns the position up to which all is visible: that of the last
// commit, of the stock, or the one where tables were made to begin.
func (v StreamView) committed() string {
	switch {
	case v.Last.Seq > 0:
		return v.Last.Position
	case v.Stock.Totals().Count[Whole] > 0:
		return v.Stock.Position
	}
	return v.Started
}

// A streamTable is a table with what was read of its stock, nil if it was not.
type streamTable struct {
	StreamTableView
	stock   *int64
	resumed int64   // rows of the stock
	copied  *Output // by the stock
}

// streamTables are all tables, sorted by name.
func streamTables(s *Stream, v StreamView) []streamTable {
	at := map[string]int{}
	var out []streamTable
	for _, t := range s.Tables() {
		at[t.Name] = len(out)
		out = append(out, streamTable{StreamTableView: t})
	}
	for _, t := range v.Stock.Tables {
		i, ok := at[t.Name]
		if !ok {
			i = len(out)
			at[t.Name] = i
			out = append(out, streamTable{StreamTableView: StreamTableView{Name: t.Name}})
		}
		if t.State == Whole {
			rows := t.Rows // the last time, if it was copied anew
			out[i].stock, out[i].resumed, out[i].copied = &rows, t.Resumed, t.Output
		}
		if t.State == Failed && out[i].Err == nil {
			out[i].Err = t.Err
		}
	}
	slices.SortFunc(out, func(a, b streamTable) int { return cmp.Compare(a.Name, b.Name) })
	return out
}

// written adds up what became of stock and of changes.
func (t *streamTable) written() *Output { return t.copied.plus(t.Output) }

// WriteStreamText prints a summary for people.
func WriteStreamText(w io.Writer, stream *Stream) error {
	v := stream.View()
	var b strings.Builder
	tables := streamTables(stream, v)
	var copied, changed, stock int64
	var output *Output
	for _, t := range tables {
		if t.stock != nil {
			copied++
			stock += *t.stock + t.resumed
		}
		output = output.plus(t.written())
		if t.Rows > 0 {
			changed++
		}
	}
	if v.committed() == "" && !v.Following {
		return nil
	}
	if copied+changed > 0 && len(tables) <= few {
		writeStreamTables(&b, tables)
	}
	fmt.Fprintf(&b, "%s: ", Plural(int64(len(tables)), "table"))
	if copied > 0 {
		fmt.Fprintf(&b, "%s copied, ", Plural(stock, "row"))
	}
	switch {
	case v.Last.Seq > 0:
		fmt.Fprintf(&b, "%s in %s, ", Plural(v.Rows, "change"), Plural(v.Last.Seq, "commit"))
	case v.Following && copied == 0:
		b.WriteString("no change, ")
	}
	b.WriteString(Seconds(v.Elapsed))
	if text := output.String(); text != "" {
		b.WriteString(", " + text)
	}
	if v.Errors > 0 {
		fmt.Fprintf(&b, ", %s", Plural(v.Errors, "error"))
		if !v.Retry.Now() {
			b.WriteString(" overcome")
		}
	}
	b.WriteString("\n")
	writePositions(&b, v.committed(), v.Sources)
	_, err := io.WriteString(w, b.String())
	return err
}

// writeStreamTables prints a line for each table of which something was moved.
func writeStreamTables(b *strings.Builder, tables []streamTable) {
	var rows [][]string
	for _, t := range tables {
		if t.stock == nil && t.Rows == 0 {
			continue
		}
		r := []string{Printable(t.Name), "", "", "", t.written().String(), takenOver(t.resumed)}
		if t.stock != nil {
			r[1] = Plural(*t.stock+t.resumed, "row") + " copied"
		}
		if t.Commits > 0 {
			r[2], r[3] = Plural(t.Rows, "change"), Plural(t.Commits, "commit")
		}
		rows = append(rows, r)
	}
	WriteColumns(b, rows)
}

// WriteColumns prints rows of cells in columns, the first of them aligned to the
// left and the others to the right. A column without content takes no room.
func WriteColumns(b *strings.Builder, rows [][]string) {
	var widths []int
	for _, r := range rows {
		for i, cell := range r {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], width(cell))
		}
	}
	for _, r := range rows {
		line := ""
		for i, cell := range r {
			switch {
			case i == 0:
				line = padRight(cell, widths[0])
			case widths[i] > 0:
				line += "  " + padLeft(cell, widths[i])
			}
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

// Age writes how long ago something was: 4 s, 2 min, 3 h, 5 d.
func Age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(0, d)/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d d", d/(24*time.Hour))
}
