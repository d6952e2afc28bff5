package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A plannedTable is one table of --dry-run --json. docs/json.md is its contract.
type plannedTable struct {
	Table   string   `json:"table"`
	Columns int      `json:"columns"`
	Key     []string `json:"key"`
	Rows    int64    `json:"rows_estimated"`
	Bytes   int64    `json:"bytes_estimated"`
}

func planned(t *schema.Table) plannedTable {
	p := plannedTable{t.String(), len(t.Columns), []string{}, t.Rows, t.Bytes}
	for _, k := range t.Key {
		p.Key = append(p.Key, t.Columns[k].Name)
	}
	return p
}

// writePlan prints what a run would copy.
func writePlan(w io.Writer, asJSON bool, tables []*schema.Table) error {
	plan := make([]plannedTable, len(tables))
	rows := int64(0)
	for i, t := range tables {
		plan[i] = planned(t)
		rows += t.Rows
	}
	if asJSON {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		return e.Encode(struct {
			Event  string         `json:"event"`
			Tables []plannedTable `json:"tables"`
		}{"plan", plan})
	}
	var b strings.Builder
	for _, t := range plan {
		key := "no key"
		if len(t.Key) > 0 {
			key = "key " + strings.Join(t.Key, ", ")
		}
		fmt.Fprintf(&b, "%s  about %s, %s, %s\n", progress.Printable(t.Table), progress.Plural(t.Rows, "row"), progress.Plural(int64(t.Columns), "column"), progress.Printable(key))
	}
	fmt.Fprintf(&b, "would copy %s, about %s\n", progress.Plural(int64(len(plan)), "table"), progress.Plural(rows, "row"))
	_, err := io.WriteString(w, b.String())
	return err
}
