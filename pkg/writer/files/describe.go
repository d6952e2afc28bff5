package files

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

var (
	_ writer.Describer = (*Sink)(nil)
	_ writer.Checker   = (*Sink)(nil)
)

// Describe tells what Open and the first Commit would make of t.
func (s *Sink) Describe(ctx context.Context, t *schema.Table, mode writer.Mode) (writer.Description, error) {
	w := &Writer{sink: s, src: t, dir: s.folder(t), mode: mode}
	d := writer.Description{Name: s.store.url(w.dir)}
	look := *s.looking()
	w.sink = &look
	if err := w.look(ctx); err != nil {
		return d, fmt.Errorf("look at %s: %w", d.Name, err)
	}
	if err := w.admit(ctx); err != nil {
		if hint.IsTransient(err) || ctx.Err() != nil {
			return d, err
		}
		d.Refuse(mode, err)
		return d, nil
	}
	m := w.known
	switch grown := !slices.Equal(m.Columns, w.columns); {
	case m.Number == 0:
		d.Fate = writer.New
	case mode == writer.Replace:
		d.Fate = writer.Replaced
	case mode == writer.Create:
		d.Fate = writer.Whole
	case grown:
		d.Fate, d.Detail = writer.Evolved, fileTypes.Diff(m.Columns, w.columns, false)
	case w.follows():
		d.Fate = writer.Followed
	default:
		d.Fate = writer.Added
	}
	e, err := w.entry(m.Position)
	if err != nil {
		return d, err
	}
	d.DDL = e.hiveDDL()
	return d, nil
}

// looking is the sink as one that changes nothing.
func (s *Sink) looking() *Sink {
	return &Sink{opts: func() Options { o := s.opts; o.Look = true; return o }(), store: s.store, db: s.db, run: s.run, clock: s.clock}
}

// Check looks whether tables can be written: what would be refused, and, if that may be
// tried, whether files can be made and removed.
func (s *Sink) Check(ctx context.Context, tables []*schema.Table, mode writer.Mode, p finding.Purpose) ([]finding.Finding, error) {
	var found []finding.Finding
	if !p.Before && len(tables) > 0 {
		if err := s.try(ctx); err != nil {
			found = append(found, finding.Finding{
				Level: finding.Error, Check: "sink-write", Thing: s.store.url("") + " cannot be written", Why: err.Error(), Remedy: hint.Of(err),
			})
			return found, ctx.Err()
		}
	}
	for _, t := range tables {
		d, err := s.Describe(ctx, t, mode)
		if err != nil {
			return nil, err
		}
		if d.Fate == writer.Refused {
			found = append(found, finding.Finding{
				Level: finding.Error, Check: "table-refused", Thing: d.Detail, Why: "the run would end", Remedy: d.Remedy, Tables: []string{t.String()},
			})
		}
	}
	return found, nil
}

// try makes a file and removes it again. Where the root is still to be made, that is as far
// down as there are folders, for none is to be left behind.
func (s *Sink) try(ctx context.Context) error {
	dir := ""
	if at, ok := s.store.(folders); ok {
		for errors.Is(at.there(ctx, dir), fs.ErrNotExist) {
			dir = path.Join(dir, "..")
		}
	}
	name := path.Join(dir, hidden+"_check", s.run)
	err := s.store.replace(ctx, "", name, []byte("of tablehaul check\n"))
	return errors.Join(err, s.store.remove(ctx, path.Dir(name)))
}
