package progress

import (
	"fmt"
	"io"
	"strings"
)

// An Outcome is how a run ended, as the command judges it.
type Outcome struct {
	Exit   int    // the exit code
	Status string // done, incomplete, failed or interrupted
	Error  string // "" if done
	Hint   string // what to do about Error, if known
}

// WriteSummary prints the last JSON object of a run.
func WriteSummary(w io.Writer, s Start, v View, o Outcome) error {
	sum := v.Totals()
	e := struct {
		event
		Status   string         `json:"status"`
		Exit     int            `json:"exit"`
		Source   string         `json:"source"`
		Sink     string         `json:"sink"`
		Mode     string         `json:"mode"`
		Position string         `json:"position"`
		Sources  []sourceReport `json:"sources,omitempty"`
		Seconds  float64        `json:"seconds"`
		Rows     int64          `json:"rows"`
		Bytes    int64          `json:"bytes"`
		Rate     int64          `json:"rows_per_second"`
		outputReport
		Tables []tableReport `json:"tables"`
		Error  string        `json:"error,omitempty"`
		Hint   string        `json:"hint,omitempty"`
	}{
		event: head("summary", v.Now), Status: o.Status, Exit: o.Exit,
		Source: s.Source, Sink: s.Sink, Mode: s.Mode, Position: v.Position, Sources: endReports(v.Sources),
		Seconds: seconds(v.Elapsed), Rows: sum.Rows, Bytes: sum.Bytes, Rate: int64(v.Rate()),
		outputReport: reportOutput(sum.Output, sum.Resumed),
		Tables:       []tableReport{}, Error: o.Error, Hint: o.Hint,
	}
	for _, t := range v.Tables {
		r := report(t)
		// The run is over: what has not ended will not.
		if !t.State.Ended() {
			r.State = "unfinished"
		}
		e.Tables = append(e.Tables, r)
	}
	return writeJSON(w, e)
}

// few is up to how many tables a summary for people names each.
const few = 20

// WriteText prints a summary for people.
func WriteText(w io.Writer, v View) error {
	var b strings.Builder
	sum := v.Totals()
	whole, skipped := int64(sum.Count[Whole]), int64(sum.Count[Skipped])
	if sum.Count[Whole] > 0 && len(v.Tables) <= few {
		writeTables(&b, v.whole())
	}
	switch {
	case len(v.Tables) == 0:
		return nil
	case whole > 0:
		tables := Plural(whole, "table")
		if n := int64(len(v.Tables)); n > whole+skipped {
			tables = fmt.Sprintf("%s of %s", Count(whole), Plural(n, "table"))
		}
		total := View{Tables: v.whole()}.Totals()
		fmt.Fprintf(&b, "%s, %s, %s in %s", tables, Plural(total.Staged(), "row"), readBytes(total.Bytes, total.Resumed), Seconds(v.Elapsed))
		if r := int64(float64(total.Rows) / max(v.Elapsed.Seconds(), 1e-3)); r > 0 {
			fmt.Fprintf(&b, " (%s rows/s)", Count(r))
		}
		for _, more := range []string{total.Output.String(), takenOver(total.Resumed)} {
			if more != "" {
				b.WriteString("; " + more)
			}
		}
		b.WriteString("\n")
		writePositions(&b, v.Position, v.Sources)
	}
	if skipped > 0 {
		verb := "are"
		if skipped == 1 {
			verb = "is"
		}
		fmt.Fprintf(&b, "%s %s whole since an earlier run and left alone; to copy again: --mode replace\n", Plural(skipped, "table"), verb)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// whole returns the tables that this run has made visible.
func (v View) whole() []TableView {
	var out []TableView
	for _, t := range v.Tables {
		if t.State == Whole {
			out = append(out, t)
		}
	}
	return out
}

// writeTables prints a line for each table.
func writeTables(b *strings.Builder, tables []TableView) {
	rows := make([][]string, len(tables))
	for i, t := range tables {
		unit := " rows"
		if t.Staged() == 1 {
			unit = " row " // keeps the column
		}
		rows[i] = []string{
			Printable(t.Name), Count(t.Staged()) + unit, readBytes(t.Bytes, t.Resumed), Seconds(t.Took),
			perSecond(t), t.Output.String(), takenOver(t.Resumed),
		}
	}
	WriteColumns(b, rows)
}

// perSecond writes a table's rate, "" if it is none to speak of.
func perSecond(t TableView) string {
	if r := int64(t.Rate()); r > 0 {
		return Count(r) + " rows/s"
	}
	return ""
}
