package doris

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/kept"
)

var (
	_ writer.Describer = (*Sink)(nil)
	_ writer.Checker   = (*Sink)(nil)
)

// Describe tells what Open and the first Commit would make of t.
func (s *Sink) Describe(ctx context.Context, t *schema.Table, mode writer.Mode) (writer.Description, error) {
	w := s.writer(t, mode)
	d := writer.Description{Name: w.place()}
	var err error
	if w.known, err = s.store.read(ctx, w.db, w.name); err != nil {
		return d, fmt.Errorf("look at %s: %w", d.Name, err)
	}
	if err := w.admit(ctx); err != nil {
		if hint.IsTransient(err) || ctx.Err() != nil {
			return d, err
		}
		d.Refuse(mode, err)
		return d, nil
	}
	switch changed := !slices.Equal(w.have, w.columns); {
	case w.fresh && !w.supersedes:
		d.Fate = writer.New
	case mode == writer.Replace:
		d.Fate = writer.Replaced
	case mode == writer.Create:
		d.Fate = writer.Whole
	case changed:
		d.Fate, d.Detail = writer.Evolved, types.Diff(w.have, w.columns, false)
	case kept.Follows(w.mode):
		d.Fate = writer.Followed
	default:
		d.Fate = writer.Added
	}
	if w.fresh {
		if d.DDL, err = createTable(w.db, w.name, "", t, w.columns, w.key, s.opts.Layout(t)); err != nil {
			d.Fate, d.Detail, d.Remedy = writer.Refused, err.Error(), hint.Of(err)
			return d, nil
		}
		d.DDL += ";\n"
	}
	return d, nil
}

// Check looks whether tables can be written: what would be refused, and, if that may be tried,
// whether a table can be made, loaded and dropped.
func (s *Sink) Check(ctx context.Context, tables []*schema.Table, mode writer.Mode, p finding.Purpose) ([]finding.Finding, error) {
	var found []finding.Finding
	if !p.Before && len(tables) > 0 {
		db, _ := s.place(tables[0])
		if err := s.try(ctx, db); err != nil {
			return append(found, finding.Finding{
				Level: finding.Error, Check: "sink-write", Thing: "database " + db + " cannot be written", Why: err.Error(), Remedy: hint.Of(err),
			}), ctx.Err()
		}
	}
	for _, t := range tables {
		d, err := s.Describe(ctx, t, mode)
		if err != nil {
			return nil, err
		}
		if err := s.writer(t, mode).followable(); err != nil && p.Tail && d.Fate != writer.Refused {
			d.Fate, d.Detail, d.Remedy = writer.Refused, err.Error(), hint.Of(err)
		}
		if d.Fate == writer.Refused {
			found = append(found, finding.Finding{
				Level: finding.Error, Check: "table-refused", Thing: d.Detail, Why: "the run would end", Remedy: d.Remedy, Tables: []string{t.String()},
			})
		}
	}
	return found, nil
}

// try makes a table, loads a row and drops it again. A database that it has made stays: another
// run may write to it by then.
func (s *Sink) try(ctx context.Context, db string) error {
	if _, err := s.store.sql.run(ctx, "CREATE DATABASE IF NOT EXISTS "+quoted(db)); err != nil {
		return err
	}
	name := "tablehaul_check_" + s.run
	l := Layout{Buckets: 1, Replication: s.store.replication}
	if _, err := s.store.sql.run(ctx, "CREATE TABLE "+quoted(db, name)+" (`id` INT NOT NULL) UNIQUE KEY(`id`) DISTRIBUTED BY HASH(`id`) BUCKETS 1 "+properties(l, true)); err != nil {
		return err
	}
	// Whoever checks wants to know now; of several back ends one may be away.
	var err error
	for try := 0; try < 3 && (try == 0 || hint.IsTransient(err)); try++ {
		_, err = s.store.load(ctx, db, name, s.label(db, name), csvHeaders("`id`"), func() (io.Reader, int64) { return strings.NewReader("1\n"), 2 })
	}
	if err2 := s.drop(context.WithoutCancel(ctx), db, name); err == nil {
		err = err2
	}
	return err
}
