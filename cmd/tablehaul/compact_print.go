package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A compactedTable is one line of `compact --json`. docs/json.md is its contract.
type compactedTable struct {
	Event         string   `json:"event"`
	Time          string   `json:"time"`
	Table         string   `json:"table,omitempty"`
	Source        string   `json:"source_table,omitempty"`
	DryRun        bool     `json:"dry_run,omitempty"`
	Tables        int      `json:"tables,omitempty"`
	FilesBefore   int      `json:"files_before"`
	FilesAfter    int      `json:"files_after"`
	DeletesBefore int      `json:"delete_files_before"`
	DeletesAfter  int      `json:"delete_files_after"`
	Rewritten     int      `json:"files_rewritten"`
	BytesRead     int64    `json:"bytes_read"`
	BytesWritten  int64    `json:"bytes_written"`
	RowsDropped   int64    `json:"rows_dropped"`
	Manifests     int      `json:"manifests_merged"`
	Snapshots     int      `json:"snapshots_expired"`
	Removed       int      `json:"files_removed"`
	Orphans       int      `json:"orphans"`
	OrphanBytes   int64    `json:"orphan_bytes"`
	Seconds       float64  `json:"seconds"`
	Left          []string `json:"left,omitempty"`
	Error         string   `json:"error,omitempty"`
	Hint          string   `json:"hint,omitempty"`
}

func compactedJSON(c writer.Compacted, dryRun bool) compactedTable {
	out := compactedTable{
		Event: "compacted", Time: time.Now().UTC().Format("2006-01-02T15:04:05.000Z07:00"), Table: c.Name, Source: c.Table, DryRun: dryRun,
		FilesBefore: c.FilesBefore, FilesAfter: c.FilesAfter, DeletesBefore: c.DeletesBefore, DeletesAfter: c.DeletesAfter,
		Rewritten: c.Rewritten, BytesRead: c.BytesRead, BytesWritten: c.BytesWritten, RowsDropped: c.RowsDropped,
		Manifests: c.Manifests, Snapshots: c.Snapshots, Removed: c.Unnamed, Orphans: c.Orphans, OrphanBytes: c.OrphanBytes,
		Seconds: float64(int64(c.Seconds*1000)) / 1000, Left: c.Left,
	}
	if c.Err != nil {
		out.Error, out.Hint = oneLine(c.Err), hint.Of(c.Err)
	}
	return out
}

// printCompacted tells what became of a table.
func (p *program) printCompacted(o compactOptions, c writer.Compacted) error {
	for _, left := range c.Left {
		p.console.warn(c.Name + ": " + left)
	}
	return p.printLine(o.json, compactedJSON(c, o.dryRun), fmt.Sprintf("%s  %s", progress.Printable(c.Name), compactedText(c)))
}

// printCompactedTotal tells what became of all of them.
func (p *program) printCompactedTotal(o compactOptions, tended []writer.Compacted) error {
	var sum writer.Compacted
	for _, c := range tended {
		sum.FilesBefore, sum.FilesAfter = sum.FilesBefore+c.FilesBefore, sum.FilesAfter+c.FilesAfter
		sum.DeletesBefore, sum.DeletesAfter = sum.DeletesBefore+c.DeletesBefore, sum.DeletesAfter+c.DeletesAfter
		sum.Rewritten, sum.RowsDropped = sum.Rewritten+c.Rewritten, sum.RowsDropped+c.RowsDropped
		sum.BytesRead, sum.BytesWritten = sum.BytesRead+c.BytesRead, sum.BytesWritten+c.BytesWritten
		sum.Manifests, sum.Snapshots, sum.Unnamed = sum.Manifests+c.Manifests, sum.Snapshots+c.Snapshots, sum.Unnamed+c.Unnamed
		sum.Orphans, sum.OrphanBytes = sum.Orphans+c.Orphans, sum.OrphanBytes+c.OrphanBytes
		sum.Seconds += c.Seconds
	}
	line := compactedJSON(sum, o.dryRun)
	line.Event, line.Tables = "summary", len(tended)
	return p.printLine(o.json, line, count(len(tended), "table", "tables")+": "+compactedText(sum))
}

func (p *program) printLine(asJSON bool, line compactedTable, text string) error {
	if asJSON {
		b, err := json.Marshal(line)
		if err != nil {
			return err
		}
		text = string(b)
	}
	if _, err := io.WriteString(p.stdout, text+"\n"); err != nil {
		return fmt.Errorf("write to standard output: %w", err)
	}
	return nil
}

// compactedText tells what was done, and what is to be done of a dry run.
func compactedText(c writer.Compacted) string {
	if c.Err != nil {
		return "failed: " + progress.Printable(oneLine(c.Err))
	}
	var parts []string
	add := func(n int, one, many string) {
		if n > 0 {
			parts = append(parts, count(n, one, many))
		}
	}
	if c.Rewritten > 0 || c.DeletesBefore != c.DeletesAfter {
		parts = append(parts, fmt.Sprintf("%s → %s", count(c.FilesBefore, "file", "files"), progress.Count(int64(c.FilesAfter))),
			fmt.Sprintf("%s → %s of deletes", progress.Count(int64(c.DeletesBefore)), progress.Count(int64(c.DeletesAfter))),
			progress.Bytes(c.BytesRead)+" read")
	}
	add(int(c.RowsDropped), "deleted row dropped", "deleted rows dropped")
	add(c.Manifests, "manifest merged", "manifests merged")
	add(c.Snapshots, "snapshot expired", "snapshots expired")
	add(c.Unnamed, "file of theirs removed", "files of theirs removed")
	add(c.Orphans, "orphan", "orphans")
	if len(parts) == 0 {
		return "nothing to do"
	}
	return fmt.Sprintf("%s  %.2f s", strings.Join(parts, ", "), c.Seconds)
}
