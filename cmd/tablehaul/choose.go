package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/shape"
)

// chooseOptions say which part of tables is copied.
type chooseOptions struct {
	where, columns perTable
	splitRows      int64
	shapeOptions
}

func (o *chooseOptions) columnFlag(f *pflag.FlagSet) {
	f.Var(&o.columns, "columns", "only these columns, as in 'orders: id,total'; without all columns\nof its key a table has none at the sink")
}

func (o *chooseOptions) whereFlag(f *pflag.FlagSet) {
	f.Var(&o.where, "where", "only rows that meet this condition, in the source's SQL, as in\n'orders: total > 5'; a log's are told by what docs/shape.md lists")
}

func (o *chooseOptions) splitFlag(f *pflag.FlagSet) {
	f.Int64Var(&o.splitRows, "split-rows", 0, "`rows` of a part of a table (default what takes about 64MiB at the\nsource, so that each reader has several)")
}

func (o *chooseOptions) check(given func(flag string) bool) error {
	if given("split-rows") && o.splitRows < 1 {
		return errors.New("--split-rows must be at least 1")
	}
	return errors.Join(o.where.check("where"), o.columns.check("columns"), o.shapeOptions.check(given))
}

// apply gives tables the columns and the condition that were chosen for them.
// Conditions are checked by the source.
func (o *chooseOptions) apply(ctx context.Context, src source, tables []*schema.Table) error {
	columns, err := o.columns.resolve("columns", src.DB(), tables)
	if err != nil {
		return err
	}
	where, err := o.where.resolve("where", src.DB(), tables)
	if err != nil {
		return err
	}
	for i := range o.set.entries {
		if _, err := o.set.entries[i].texts.resolve("set", src.DB(), tables); err != nil {
			return err
		}
	}
	for i, t := range tables {
		if s, ok := src.(*shape.Source); ok {
			tables[i], err = o.shaped(s, t, where[t], columns[t], src.DB())
			switch {
			case err != nil && o.lenient: // the server would say the same of the condition
				unfit := *t
				unfit.Unfit, tables[i], err = err, &unfit, nil
			case err == nil:
				_, err = filtered(ctx, src, t, where[t])
			}
			if err != nil {
				return err
			}
			continue
		}
		if tables[i], err = filtered(ctx, src, t, where[t]); err != nil {
			return err
		}
		if list := columns[t]; list != "" {
			keep, err := pickColumns(t, list)
			if err != nil {
				return fmt.Errorf("--columns: %w", err)
			}
			tables[i] = tables[i].Choose(keep)
		}
	}
	if err := unfit(tables); len(err) == len(tables) {
		return errors.Join(err...)
	}
	return nil
}

// filtered returns a table of which only rows are read that meet a condition, which the source has
// looked at; "" is none.
func filtered(ctx context.Context, src source, t *schema.Table, cond string) (*schema.Table, error) {
	if cond == "" {
		return t, nil
	}
	filters, ok := src.(reader.Filterer)
	if !ok {
		return nil, errors.New("--where: the source cannot read by a condition")
	}
	f := *t
	f.Filter = cond
	var err error
	if f.Rows, err = filters.Filtered(ctx, &f); err != nil {
		return nil, fmt.Errorf("--where: %w", err)
	}
	if t.Rows > 0 {
		f.Bytes = int64(float64(t.Bytes) * min(1, float64(f.Rows)/float64(t.Rows)))
	}
	return &f, nil
}

// unfit returns why tables cannot be shaped, of those that cannot.
func unfit(tables []*schema.Table) []error {
	var errs []error
	for _, t := range tables {
		if t.Unfit != nil {
			errs = append(errs, t.Unfit)
		}
	}
	return errs
}

// pickColumns reads a list of columns, whose case does not matter, as at the source.
func pickColumns(t *schema.Table, list string) ([]string, error) {
	var keep []string
	for _, name := range strings.Split(list, ",") {
		name = strings.Trim(strings.TrimSpace(name), "`")
		i := slices.IndexFunc(t.Columns, func(c schema.Column) bool { return strings.EqualFold(c.Name, name) })
		if i < 0 {
			return nil, t.NoColumn(name)
		}
		keep = append(keep, t.Columns[i].Name)
	}
	return keep, nil
}
