package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/move"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/shape"
	"github.com/tablehaul/tablehaul/pkg/verify"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// partOptions say which part of its tables a backfill redoes.
type partOptions struct {
	shards         []string // patterns
	where, columns perTable // of the command line; what a job's file says is of the tables
	asked          string   // by which flags where was given, for errors
	tableWhere     perTable
	tableColumns   perTable
	is             map[string]bool // tables of which a part is redone
}

func (o *partOptions) flags(f *pflag.FlagSet) {
	f.Lookup("columns").Usage = "look at these columns only, as in 'orders: total': rows that have\nothers in them than the source are redone, and the rest is left"
	f.Lookup("where").Usage = "redo only rows that meet this condition, in the source's SQL, as in\n'orders: total > 5', and leave the rest"
	f.StringSliceVar(&o.shards, "shard", nil, "redo only tables of these `databases`, or of names DATABASE.TABLE, whose\nrows are a part of a merged table")
	f.Var(&o.tableWhere, "table-where", "--where of the tail or dump that brings the tables: the rows they have")
	f.Var(&o.tableColumns, "table-columns", "--columns of the tail or dump that brings the tables")
}

// partitionFlag comes after the flag of that name.
func (o *partOptions) partitionFlag(f *pflag.FlagSet) {
	f.Lookup("partition").Usage = "redo only rows of this part, and leave the rest: 'dt=2026-01-31',\n'month(at)=2026-01', 'orders: dt=2026-01-31'"
}

// take divides what the command line says of parts from what is said of whole tables.
func (o *partOptions) take(m *moveOptions) error {
	o.where, o.columns = m.choose.where.cut(), m.choose.columns.cut()
	for _, e := range o.tableWhere.entries {
		if err := m.choose.where.add(e); err != nil {
			return err
		}
	}
	for _, e := range o.tableColumns.entries {
		if err := m.choose.columns.add(e); err != nil {
			return err
		}
	}
	var flags []string
	if len(o.where.entries) > 0 {
		flags = append(flags, "where")
	}
	given := m.layout.partition.cut()
	if len(given.entries) > 0 {
		flags = append(flags, "partition")
	}
	o.asked = strings.Join(flags, ", --")
	for _, e := range given.entries {
		cond, is, err := partitionCondition(e.text)
		if err != nil {
			return err
		}
		if !is { // it would redo all of the table, and lay it out in another way
			err := fmt.Errorf("--partition %s names no part", e.text)
			return hint.Wrap(err, "a part is COLUMN=VALUE; how tables are partitioned that are made is said in a job's file (--config)")
		}
		e.text = cond
		if err := o.where.add(e); err != nil {
			return err
		}
	}
	m.choose.parts = len(o.where.entries)+len(o.columns.entries) > 0
	return errors.Join(o.where.check(o.asked), o.columns.check("columns"))
}

// partOf is how a part is told by a column, or by what is made of a time: COLUMN=VALUE, day(COLUMN)=VALUE.
var partOf = regexp.MustCompile("^(?:(year|month|day|hour)\\(\\s*`?([^`()=]+?)`?\\s*\\)|`?([^`()=]+?)`?)\\s*=\\s*([^()]*)$")

// partTimes are how times of a partition are written, and what comes next.
var partTimes = map[string]struct {
	layout string
	next   func(time.Time) time.Time
}{
	"year":  {"2006", func(t time.Time) time.Time { return t.AddDate(1, 0, 0) }},
	"month": {"2006-01", func(t time.Time) time.Time { return t.AddDate(0, 1, 0) }},
	"day":   {time.DateOnly, func(t time.Time) time.Time { return t.AddDate(0, 0, 1) }},
	"hour":  {"2006-01-02T15", func(t time.Time) time.Time { return t.Add(time.Hour) }},
}

// partitionCondition returns the condition of rows of a partition, if text tells one.
func partitionCondition(text string) (cond string, is bool, err error) {
	m := partOf.FindStringSubmatch(text)
	if m == nil {
		return "", false, nil
	}
	value, quoted := unquoted(strings.TrimSpace(m[4]))
	if m[1] == "" {
		if !quoted && strings.EqualFold(value, "null") {
			return quoteColumn(m[3]) + " IS NULL", true, nil
		}
		return quoteColumn(m[3]) + " = " + quoteText(value), true, nil
	}
	kind := partTimes[m[1]]
	t, err := time.Parse(kind.layout, strings.Replace(value, " ", "T", 1))
	if err != nil {
		return "", false, hint.Wrap(fmt.Errorf("--partition %s: %q is no %s", text, value, m[1]), "it is written as %s", kind.layout)
	}
	column, as := quoteColumn(m[2]), "2006-01-02 15:04:05"
	return fmt.Sprintf("%s >= '%s' AND %s < '%s'", column, t.Format(as), column, kind.next(t).Format(as)), true, nil
}

// unquoted reads a value that may be between quotes; one of these within it is doubled.
func unquoted(s string) (value string, quoted bool) {
	if n := len(s); n >= 2 && (s[0] == '\'' || s[0] == '"') && s[n-1] == s[0] {
		return strings.ReplaceAll(s[1:n-1], s[:1]+s[:1], s[:1]), true
	}
	return s, false
}

func quoteColumn(name string) string { return "`" + name + "`" }

func quoteText(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(s) + "'"
}

// A tablePart is what of a table is redone.
type tablePart struct {
	stock   *schema.Table
	within  func() verify.Condition // nil for all rows
	columns []string                // "" for all
}

// of returns the tables that are redone, and the parts of those of which not all is.
func (o *partOptions) of(ctx context.Context, src source, tables []*schema.Table) ([]*schema.Table, map[*schema.Table]*tablePart, error) {
	tables, err := o.ofShards(tables)
	if err != nil {
		return nil, nil, err
	}
	where, err := o.where.resolve(o.asked, src.DB(), tables)
	if err != nil {
		return nil, nil, err
	}
	columns, err := o.columns.resolve("columns", src.DB(), tables)
	if err != nil {
		return nil, nil, err
	}
	parts := map[*schema.Table]*tablePart{}
	o.is = map[string]bool{}
	for _, t := range tables {
		if where[t] == "" && columns[t] == "" {
			continue
		}
		if len(t.Key) == 0 {
			err := errors.New("it has no primary key, by which the rows of a part could be told from others")
			return nil, nil, &schema.TableError{Table: t.String(), Err: hint.Wrap(err, "redo all of it: without --where, --partition and --columns")}
		}
		p := &tablePart{stock: t}
		parts[t], o.is[t.String()] = p, true
		if cond := where[t]; cond != "" {
			s, ok := src.(*shape.Source)
			if !ok {
				return nil, nil, fmt.Errorf("--%s: parts of the source's tables cannot be told", o.asked)
			}
			stock, x, err := s.Narrow(t, cond)
			if err != nil {
				return nil, nil, fmt.Errorf("--%s: %w", o.asked, err)
			}
			if p.stock, err = estimated(ctx, src, stock); err != nil {
				return nil, nil, err
			}
			p.within = func() verify.Condition { return x.Rows() }
		}
		if list := columns[t]; list != "" {
			if p.columns, err = pickColumns(t, list); err != nil {
				return nil, nil, fmt.Errorf("--columns: %w", err)
			}
		}
	}
	return tables, parts, nil
}

// planned tells what becomes of a table of which a part is redone, and which the sink would exchange.
func (o *partOptions) planned(s *plannedSink) {
	switch s.Fate {
	case string(writer.Replaced):
		s.Fate, s.Detail = string(writer.Amended), "those of its rows that differ"
	case string(writer.New):
		s.Fate, s.DDL, s.Detail, s.Remedy = string(writer.Refused), "", "it is not there, and so no part of it can be redone", "backfill without a part brings all of it"
	}
}

// estimated has the source look at the condition of a table, and count the rows.
func estimated(ctx context.Context, src source, t *schema.Table) (*schema.Table, error) {
	f, err := filtered(ctx, src, t, t.Filter)
	if err == nil {
		t.Rows, t.Bytes = f.Rows, f.Bytes
	}
	return t, err
}

// ofShards leaves out tables of other shards.
func (o *partOptions) ofShards(tables []*schema.Table) ([]*schema.Table, error) {
	if len(o.shards) == 0 {
		return tables, nil
	}
	var index reader.PatternIndex
	for _, p := range o.shards {
		if !strings.Contains(p, ".") {
			p += ".*"
		}
		index.Add(p)
	}
	some := slices.DeleteFunc(slices.Clone(tables), func(t *schema.Table) bool { return len(index.Find(t.DB, t.Name, "")) == 0 })
	if len(some) == 0 {
		return nil, hint.Wrap(fmt.Errorf("--shard %s: no selected table is of it", strings.Join(o.shards, ",")), "it is a database of SOURCE, or DATABASE.TABLE; --tables selects among all")
	}
	return some, nil
}

// stocks returns what is read of tables.
func stocks(tables []*schema.Table, parts map[*schema.Table]*tablePart) []*schema.Table {
	out := slices.Clone(tables)
	for i, t := range out {
		if p := parts[t]; p != nil {
			out[i] = p.stock
		}
	}
	return out
}

// amend redoes the parts of tables.
func amend(ctx context.Context, o snapshotOptions, src reader.Stock, feed reader.Feed, sink writer.Sink, tables []*schema.Table, parts map[*schema.Table]*tablePart, shape shaping, opts move.SnapshotOptions) error {
	var redos []*verify.Redo
	for _, t := range tables {
		if p := parts[t]; p != nil {
			redos = append(redos, &verify.Redo{Table: t, Part: p.stock, Within: p.within, Columns: p.columns})
		}
	}
	err := amendAll(ctx, &o.moveOptions, src, feed, sink, redos, shape, opts)
	if err != nil && len(redos) < len(tables) {
		err = fmt.Errorf("%w: %w", move.ErrIncomplete, err)
	}
	return err
}

// amendAll brings rows of tables to what the source has. A table that fails leaves the others alone.
func amendAll(ctx context.Context, o *moveOptions, src reader.Stock, feed reader.Feed, sink writer.Sink, redos []*verify.Redo, shape shaping, opts move.SnapshotOptions) error {
	scanner, ok := sink.(writer.Scanner)
	if !ok && len(redos) > 0 {
		return errors.New("the sink cannot be read again, and so its rows not be exchanged")
	}
	var failed []error
	for _, r := range redos {
		r.Ignore, r.Deleted = o.choose.meta, o.choose.softDelete
		r.Parallel, r.Memory = opts.Parallel, int64(o.memory)/4
		r.Progress = opts.Progress.Table(r.Table.String(), r.Part.Rows)
		r.Progress.Begin()
		err := move.Amend(ctx, src, feed, sink, move.Amendment{Table: r.Table, Stock: r.Part, Changes: r.Over(scanner)}, shape, opts)
		if err == nil {
			r.Progress.Done()
			continue
		}
		r.Progress.Fail(err)
		var te *schema.TableError
		if !errors.As(err, &te) || ctx.Err() != nil {
			return err
		}
		failed = append(failed, err)
	}
	if len(failed) > 0 && len(failed) < len(redos) {
		return fmt.Errorf("%w: %w", move.ErrIncomplete, errors.Join(failed...))
	}
	return errors.Join(failed...)
}
