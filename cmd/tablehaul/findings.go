package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A foundReport is a finding in --json. docs/json.md is its contract.
type foundReport struct {
	Level  string   `json:"level"`
	Check  string   `json:"check"`
	Thing  string   `json:"thing"`
	Why    string   `json:"why,omitempty"`
	Remedy string   `json:"remedy,omitempty"`
	Tables []string `json:"tables,omitempty"`
}

func foundReports(found []finding.Finding) []foundReport {
	list := []foundReport{}
	for _, f := range found {
		list = append(list, foundReport{f.Level.String(), f.Check, f.Thing, f.Why, f.Remedy, f.Tables})
	}
	return list
}

// text is the finding as one sentence, but for its remedy.
func (f foundReport) text() string {
	return sentence(finding.Finding{Thing: f.Thing, Why: f.Why, Tables: f.Tables})
}

// writeFindings prints what a check has found.
func writeFindings(w io.Writer, asJSON bool, source, sink string, tables int, found []finding.Finding) error {
	errs, warnings, notes := finding.Count(found, finding.Error), finding.Count(found, finding.Warning), finding.Count(found, finding.Note)
	if asJSON {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		return e.Encode(struct {
			Event    string        `json:"event"`
			Source   string        `json:"source"`
			Sink     string        `json:"sink,omitempty"`
			Tables   int           `json:"tables"`
			Errors   int           `json:"errors"`
			Warnings int           `json:"warnings"`
			Notes    int           `json:"notes"`
			Findings []foundReport `json:"findings"`
		}{"check", source, sink, tables, errs, warnings, notes, foundReports(found)})
	}
	var b strings.Builder
	for _, f := range found {
		fmt.Fprintf(&b, "%-8s %-20s %s\n", f.Level, f.Check, progress.Printable(sentence(f)))
		if f.Remedy != "" {
			fmt.Fprintf(&b, "%29s %s\n", "", progress.Printable(f.Remedy))
		}
	}
	fmt.Fprintf(&b, "%s: %s, %s, %s\n", progress.Plural(int64(tables), "table"),
		count(errs, "error", "errors"), count(warnings, "warning", "warnings"), count(notes, "note", "notes"))
	_, err := io.WriteString(w, b.String())
	return err
}

// sentence is the finding with its tables.
func sentence(f finding.Finding) string {
	if len(f.Tables) > 0 {
		return progress.Some(f.Tables) + ": " + f.Text()
	}
	return f.Text()
}

// checkBefore does the part of a check that a run needs.
func (p *program) checkBefore(ctx context.Context, url string, src source, tables []*schema.Table, purpose finding.Purpose) error {
	found, err := checkSource(ctx, src, tables, purpose)
	if err != nil {
		return err
	}
	return p.report(p.hide.redact(url), found)
}

func (p *program) checkSinkBefore(ctx context.Context, url string, sink writer.Sink, tables []*schema.Table, mode writer.Mode, purpose finding.Purpose) error {
	found, err := p.checkSink(ctx, url, sink, tables, mode, purpose)
	if err != nil {
		return err
	}
	return p.report(p.hide.redact(url), found)
}

// report prints warnings, and returns errors as one, each with its remedy.
func (p *program) report(of string, found []finding.Finding) error {
	var errs []error
	for _, f := range found {
		switch f.Level {
		case finding.Error:
			errs = append(errs, hint.Wrap(errors.New(sentence(f)), "%s", f.Remedy))
		case finding.Warning:
			p.console.warn(sentence(f) + " (" + f.Remedy + ")")
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return fmt.Errorf("check %s: %w", of, errors.Join(errs...))
}
