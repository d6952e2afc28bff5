package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/verify"
)

// A verifiedReport is what came of one table, in --json. docs/json.md is its contract.
type verifiedReport struct {
	Event      string             `json:"event"`
	Table      string             `json:"table"`
	Equal      bool               `json:"equal"`
	Error      string             `json:"error,omitempty"`
	SourceRows int64              `json:"source_rows"`
	SinkRows   int64              `json:"sink_rows"`
	Deleted    int64              `json:"sink_deleted,omitempty"`
	Sample     float64            `json:"sample,omitempty"`
	Sampled    *int64             `json:"sampled_rows,omitempty"`
	Missing    int64              `json:"missing"`
	Extra      int64              `json:"extra"`
	Changed    int64              `json:"changed"`
	Doubled    int64              `json:"doubled"`
	Unsettled  int64              `json:"unsettled"`
	Parts      int64              `json:"parts_that_differ,omitempty"`
	Behind     bool               `json:"sink_behind"`
	Position   string             `json:"position,omitempty"`
	Seconds    float64            `json:"seconds"`
	Rows       []differenceReport `json:"rows,omitempty"`
}

type differenceReport struct {
	Kind    string             `json:"kind"`
	Key     map[string]*string `json:"key"`
	Columns []columnReport     `json:"columns,omitempty"`
}

type columnReport struct {
	Name   string  `json:"name"`
	Source *string `json:"source"`
	Sink   *string `json:"sink"`
}

func reportOf(r *verify.Result, sample float64) verifiedReport {
	out := verifiedReport{
		Event: "verified", Table: r.Table, Equal: r.Err == nil && !r.Differs(), SourceRows: r.SourceRows, SinkRows: r.SinkRows, Deleted: r.Deleted,
		Missing: r.Missing, Extra: r.Extra, Changed: r.Changed, Doubled: r.Doubled, Unsettled: r.Unsettled, Parts: r.Many,
		Behind: r.Behind, Position: string(r.Position), Seconds: r.Took.Seconds(),
	}
	if r.Err != nil {
		out.Error = oneLine(r.Err)
	}
	if sample > 0 {
		out.Sample, out.Sampled = sample, &r.Sampled
	}
	for _, d := range r.Rows {
		one := differenceReport{Kind: string(d.Kind), Key: map[string]*string{}}
		for _, v := range d.Key {
			one.Key[v.Column] = v.Text
		}
		for _, c := range d.Columns {
			one.Columns = append(one.Columns, columnReport{c.Name, c.Source, c.Sink})
		}
		out.Rows = append(out.Rows, one)
	}
	return out
}

// A repairedReport is how many rows of a table were exchanged, in --json.
type repairedReport struct {
	Event string `json:"event"`
	Table string `json:"table"`
	Rows  int64  `json:"rows"`
	Error string `json:"error,omitempty"`
}

// writeVerified prints what came of all tables, and of those that were repaired.
func (p *program) writeVerified(o verifyOptions, results []verify.Result, fixed *repaired) error {
	if fixed == nil {
		fixed = &repaired{}
	}
	if o.json {
		return p.encodeVerified(o, results, fixed)
	}
	if o.quiet {
		return nil
	}
	var b strings.Builder
	for i := range results {
		verifiedText(&b, &results[i], o.sample)
	}
	for _, t := range fixed.rows {
		if t.Err != nil {
			fmt.Fprintf(&b, "%s  not repaired: %s\n", t.Name, progress.Printable(oneLine(t.Err)))
			continue
		}
		fmt.Fprintf(&b, "%s  repaired: %s exchanged\n", t.Name, progress.Plural(t.Rows, "row"))
	}
	for i := range fixed.after {
		verifiedText(&b, &fixed.after[i], o.sample)
	}
	_, err := io.WriteString(p.stdout, b.String())
	return err
}

func (p *program) encodeVerified(o verifyOptions, results []verify.Result, fixed *repaired) error {
	var lines []any
	for i := range results {
		lines = append(lines, reportOf(&results[i], o.share()))
	}
	for _, t := range fixed.rows {
		r := repairedReport{Event: "repaired", Table: t.Name, Rows: t.Rows}
		if t.Err != nil {
			r.Error = oneLine(t.Err)
		}
		lines = append(lines, r)
	}
	for i := range fixed.after {
		lines = append(lines, reportOf(&fixed.after[i], o.share()))
	}
	e := json.NewEncoder(p.stdout)
	e.SetEscapeHTML(false)
	for _, line := range lines {
		if err := e.Encode(line); err != nil {
			return err
		}
	}
	return nil
}

// verifiedText tells of a table in a line, and of its rows in one each.
func verifiedText(b *strings.Builder, r *verify.Result, sample percent) {
	in := ""
	if sample < 1 {
		in = fmt.Sprintf(" in a sample of %s, %s", sample, progress.Plural(r.Sampled, "row"))
	}
	switch {
	case r.Err != nil:
		fmt.Fprintf(b, "%s  not compared: %s\n", r.Table, progress.Printable(oneLine(r.Err)))
		return
	case !r.Differs():
		fmt.Fprintf(b, "%s  equal%s: %s", r.Table, in, progress.Plural(r.SourceRows, "row"))
		if r.SinkRows != r.SourceRows { // none of those that one end has more is in the sample, or may be in flight
			fmt.Fprintf(b, " at the source, %s at the sink", progress.Plural(r.SinkRows, "row"))
		}
	case r.Many > 0:
		fmt.Fprintf(b, "%s  differs%s, in too many rows to tell which: %s at the source, %s at the sink", r.Table, in, progress.Plural(r.SourceRows, "row"), progress.Plural(r.SinkRows, "row"))
	default:
		fmt.Fprintf(b, "%s  differs%s:", r.Table, in)
		sep := " "
		for _, k := range []struct {
			n    int64
			text string
		}{{r.Missing, "missing"}, {r.Extra, "extra"}, {r.Changed, "changed"}, {r.Doubled, "doubled"}} {
			if k.n > 0 {
				fmt.Fprintf(b, "%s%d %s", sep, k.n, k.text)
				sep = ", "
			}
		}
		fmt.Fprintf(b, "; %s at the source, %s at the sink", progress.Plural(r.SourceRows, "row"), progress.Plural(r.SinkRows, "row"))
	}
	if r.Deleted > 0 {
		fmt.Fprintf(b, ", and %d marked as deleted there", r.Deleted)
	}
	if r.Unsettled > 0 {
		fmt.Fprintf(b, "; %s written to all the time, of which nothing can be said", progress.Plural(r.Unsettled, "row"))
	}
	fmt.Fprintf(b, ", %.1f s\n", r.Took.Seconds())
	for _, d := range r.Rows {
		var key []string
		for _, v := range d.Key {
			key = append(key, v.Column+"="+valueText(v.Text))
		}
		fmt.Fprintf(b, "    %-8s %s", d.Kind, strings.Join(key, " "))
		for i, c := range d.Columns {
			fmt.Fprintf(b, "%s%s: %s at the source, %s at the sink", map[bool]string{true: "  ", false: "; "}[i == 0], c.Name, valueText(c.Source), valueText(c.Sink))
		}
		b.WriteByte('\n')
	}
	if told := int64(len(r.Rows)); told > 0 && told < r.Missing+r.Extra+r.Changed+r.Doubled {
		fmt.Fprintf(b, "    … (--rows tells more)\n")
	}
}

// valueText is a value in a line, however long it is.
func valueText(v *string) string {
	const most = 60
	if v == nil {
		return "NULL"
	}
	text := []rune(progress.Printable(*v))
	if len(text) > most {
		return "'" + string(text[:most]) + "…'"
	}
	return "'" + string(text) + "'"
}
