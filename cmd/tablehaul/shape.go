package main

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/shape"
)

// shapeOptions say what rows are made of those of the source.
type shapeOptions struct {
	set        setValue
	meta       []string
	softDelete string
	follows    bool // the log is followed
	changes    bool // each change becomes a row, whatever the table
	parts      bool // of tables are told by conditions
	lenient    bool // tables that cannot be shaped are listed, as Unfit: whether a run goes on without them is known later
	first      *shape.Source
}

func (o *chooseOptions) shapeFlags(f *pflag.FlagSet) {
	f.Var(&o.set, "set", "have a column be computed, or masked, as in\n'users: email=sha256(email)'; may be repeated (docs/shape.md)")
	f.StringSliceVar(&o.meta, "meta", nil, "add `columns` that tell of each row: _db, _table, _op, _ts, _gtid")
	f.StringVar(&o.softDelete, "soft-delete", "", "keep rows that are deleted, with true in this `column` (_deleted)")
	f.Lookup("soft-delete").NoOptDefVal = "_deleted"
}

func (o *shapeOptions) check(given func(flag string) bool) error {
	for i, m := range o.meta {
		if o.meta[i] = strings.TrimSpace(m); !slices.Contains(shape.MetaColumns, o.meta[i]) {
			err := fmt.Errorf("--meta: %q is not known", m)
			return hint.Wrap(err, "want %s", orList(slices.Clone(shape.MetaColumns)))
		}
		if slices.Contains(o.meta[:i], o.meta[i]) {
			return fmt.Errorf("--meta names %s twice", m)
		}
	}
	switch {
	case given("meta") && len(o.meta) == 0:
		return errors.New("--meta is empty")
	case given("soft-delete") && !identifier.MatchString(o.softDelete):
		return fmt.Errorf("--soft-delete: %q is no name of a column", o.softDelete)
	}
	return nil
}

// terms are what rows of the same tables differ by.
func (o *shapeOptions) terms() string {
	text := ""
	for _, t := range [][2]string{{"set", o.set.String()}, {"meta", strings.Join(o.meta, ",")}, {"soft-delete", o.softDelete}} {
		if t[1] != "" {
			text += " " + t[0] + "=" + t[1]
		}
	}
	return text
}

// wrap returns the source with its tables shaped, if any of them are to be.
func (o *chooseOptions) wrap(src source) (source, error) {
	switch {
	case len(o.set.entries) > 0, len(o.meta) > 0, o.softDelete != "", o.follows && o.where.String() != "", o.parts:
	default:
		return src, nil
	}
	origin, ok := src.(shape.Origin)
	if !ok {
		return nil, errors.New("--where, --set, --meta and --soft-delete: the source's tables cannot be shaped")
	}
	if o.first != nil {
		return o.first.Also(origin), nil
	}
	s, err := shape.Wrap(origin)
	if err != nil {
		return nil, err
	}
	o.first = s
	return s, nil
}

// wrapped returns the source as its tables are shaped, and these.
func (o *moveOptions) wrapped(ctx context.Context, src source) (source, []*schema.Table, error) {
	src, err := o.choose.wrap(src)
	if err != nil {
		return nil, nil, err
	}
	tables, err := o.list(ctx, src)
	return src, tables, err
}

// A shaper makes tables.
type shaper interface {
	Shape(t *schema.Table, spec shape.Spec) (*schema.Table, error)
}

// shaped gives a table the shape that was asked for.
func (o *chooseOptions) shaped(s shaper, t *schema.Table, where, columns, db string) (*schema.Table, error) {
	spec := shape.Spec{Where: where, Deleted: o.softDelete, Meta: o.meta}
	var err error
	if spec.Set, err = o.set.of(db, t); err != nil {
		return nil, err
	}
	if columns != "" {
		if spec.Columns, err = pickColumns(t, columns); err != nil {
			return nil, fmt.Errorf("--columns: %w", err)
		}
	}
	if where == "" && len(spec.Set) == 0 && len(spec.Meta) == 0 && spec.Deleted == "" && columns == "" {
		return t, nil
	}
	out, err := s.Shape(t, spec)
	if err != nil {
		return nil, err
	}
	if !o.follows && !o.changes || !o.changes && len(out.Key) > 0 {
		return out, nil
	}
	// Each change is a row, and tells the rest itself.
	if spec.Deleted != "" {
		err := errors.New("--soft-delete: each change is a row of its own here, and so is a delete")
		return nil, &schema.TableError{Table: t.String(), Err: hint.Wrap(err, "leave it out, or have rows be written, by their key: --latest in plain files, no --changelog elsewhere")}
	}
	spec.Meta = slices.DeleteFunc(slices.Clone(spec.Meta), func(m string) bool { return m != "_db" && m != "_table" })
	return s.Shape(t, spec)
}

// A setValue is a flag's value COLUMN=EXPRESSION, or PATTERN: COLUMN=EXPRESSION, any number of
// times. Of several that are meant for one column of a table the rules of perTable choose.
type setValue struct{ entries []setEntry }

type setEntry struct {
	column string // as it was given
	texts  perTable
}

var (
	identifier = regexp.MustCompile(`^[\pL\pN_$]+$`)
	assignment = regexp.MustCompile("(?s)^(?:([^\\s:'\"`(),=<>]+):\\s*)?(?:([\\pL\\pN_$]+)|`([^`]+)`)\\s*=\\s*(.+)$")
)

// Set adds an assignment.
func (f *setValue) Set(s string) error { return f.setFrom(s, fromCommandLine, false) }

// setFrom adds an assignment of the command line or a file.
func (f *setValue) setFrom(s string, from layer, lax bool) error {
	m := assignment.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil {
		return errors.New("want COLUMN=EXPRESSION or TABLES: COLUMN=EXPRESSION")
	}
	return f.assign(m[1], m[2]+m[3], m[4], from, lax)
}

// setFor adds an assignment for the tables of a pattern.
func (f *setValue) setFor(pattern, s string, from layer, lax bool) error {
	m := assignment.FindStringSubmatch(strings.TrimSpace(s))
	if m == nil || m[1] != "" {
		return errors.New("want COLUMN=EXPRESSION")
	}
	return f.assign(pattern, m[2]+m[3], m[4], from, lax)
}

func (f *setValue) assign(pattern, column, text string, from layer, lax bool) error {
	i := slices.IndexFunc(f.entries, func(e setEntry) bool { return strings.EqualFold(e.column, column) })
	if i < 0 {
		i = len(f.entries)
		f.entries = append(f.entries, setEntry{column: column, texts: perTable{lead: column + "="}})
	}
	e := &f.entries[i]
	if err := e.texts.setFor(pattern, text, from, lax); err != nil {
		return err
	}
	return e.texts.check("set")
}

// String writes what was set.
func (f *setValue) String() string {
	var texts []string
	for _, e := range f.entries {
		for _, t := range e.texts.entries {
			text := e.column + "=" + t.text
			if t.pattern != "" {
				text = t.pattern + ": " + text
			}
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, "; ")
}

// Type names the value in help texts.
func (f *setValue) Type() string { return "[TABLES:] column=expression" }

// of returns what is meant for a table.
func (f *setValue) of(db string, t *schema.Table) ([]shape.Set, error) {
	var out []shape.Set
	for i := range f.entries {
		text, err := f.entries[i].texts.of("set", db, t)
		if err != nil {
			return nil, err
		}
		if text != "" {
			out = append(out, shape.Set{Column: f.entries[i].column, Expr: text})
		}
	}
	return out, nil
}
