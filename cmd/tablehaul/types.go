package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/spf13/cobra"

	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// typesOptions are the command line of `tablehaul types`.
type typesOptions struct{ moveOptions }

func newTypes(run func(context.Context, typesOptions) error) *cobra.Command {
	o := typesOptions{newMoveOptions()}
	cmd := &cobra.Command{
		Use:   "types [SOURCE]",
		Short: "Print what columns become",
		Long: `Print for each type of MySQL and MariaDB what a column of it becomes in Arrow and
in Iceberg, or, with SOURCE, for each column of its tables. docs/types.md tells the
rest: what becomes of dates that no calendar holds, of charsets, of NOT NULL.

SOURCE  mysql://user@host:3306/database or mariadb://…; without a database, all of them`,
		Example: `  tablehaul types
  tablehaul types mysql://app@db:3306/shop --tables orders`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return &usageError{cmd, fmt.Errorf("unexpected argument %q", args[1])}
			}
			return nil
		},
	}
	cmd.RunE = checked(func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			o.source = args[0]
		} else if len(o.tables)+len(o.exclude) > 0 {
			return errors.New("--tables and --exclude need a SOURCE")
		}
		return o.check(cmd.Flags().Changed)
	}, func(ctx context.Context) error { return run(ctx, o) })
	f := cmd.Flags()
	f.SortFlags = false
	o.login.register(f)
	o.selectFlags(f)
	f.BoolVar(&o.json, "json", false, "print one JSON object on standard output")
	return cmd
}

// docs/json.md is the contract of the types below.

// A mappedType is what becomes of a type.
type mappedType struct {
	Native  string `json:"type"`
	Arrow   string `json:"arrow"`
	Iceberg string `json:"iceberg"`
}

type mappedColumn struct {
	Column string `json:"column"`
	mappedType
	Required bool `json:"required"`
}

type mappedTable struct {
	Table   string         `json:"table"`
	Columns []mappedColumn `json:"columns"`
}

// types runs the command.
func (p *program) types(ctx context.Context, o typesOptions) error {
	if o.source == "" {
		mapped, err := p.mapExamples()
		if err != nil {
			return err
		}
		return written(writeTypes(p.stdout, o.json, mapped))
	}
	open, err := p.stores.findSource(o.source, has(p.stores.sinks, o.source), "types asks a SOURCE")
	if err != nil {
		return &usageError{nil, err}
	}
	if err := p.logIn(ctx, &o.login, o.source); err != nil {
		return err
	}
	src, err := open(ctx, o.source, o.store(p))
	if err != nil {
		return fmt.Errorf("open %s: %w", p.hide.redact(o.source), err)
	}
	defer src.Close()
	tables, err := o.list(ctx, src)
	if err != nil {
		return err
	}
	mapped := make([]mappedTable, len(tables))
	for i, t := range tables {
		mapped[i].Table = t.String()
		for _, c := range t.Columns {
			m, err := p.mapType(c.Native, c.Arrow)
			if err != nil {
				return fmt.Errorf("%s: column %q: %w", t, c.Name, err)
			}
			mapped[i].Columns = append(mapped[i].Columns, mappedColumn{c.Name, m, !c.Nullable})
		}
	}
	return written(writeColumnTypes(p.stdout, o.json, mapped))
}

func written(err error) error {
	if err != nil {
		return fmt.Errorf("write to standard output: %w", err)
	}
	return nil
}

func (p *program) mapExamples() ([]mappedType, error) {
	var out []mappedType
	for _, native := range schema.Examples() {
		t, err := schema.ParseMySQL(native)
		if err != nil {
			return nil, err
		}
		m, err := p.mapType(native, t.Arrow())
		if err != nil {
			return nil, err
		}
		out = append(out, m)
	}
	return out, nil
}

func (p *program) mapType(native string, t arrow.DataType) (mappedType, error) {
	name, err := p.stores.icebergType(t)
	return mappedType{native, strings.ReplaceAll(t.String(), ", nullable", ""), name}, err
}

func writeTypes(w io.Writer, asJSON bool, mapped []mappedType) error {
	if asJSON {
		return writeLine(w, struct {
			Event string       `json:"event"`
			Types []mappedType `json:"types"`
		}{"types", mapped})
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "MYSQL\tARROW\tICEBERG")
	for _, m := range mapped {
		fmt.Fprintf(t, "%s\t%s\t%s\n", m.Native, m.Arrow, m.Iceberg)
	}
	return t.Flush()
}

func writeColumnTypes(w io.Writer, asJSON bool, mapped []mappedTable) error {
	if asJSON {
		return writeLine(w, struct {
			Event  string        `json:"event"`
			Tables []mappedTable `json:"tables"`
		}{"types", mapped})
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "TABLE\tCOLUMN\tMYSQL\tARROW\tICEBERG")
	for _, table := range mapped {
		for _, c := range table.Columns {
			required := ""
			if c.Required {
				required = " required"
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s%s\n", progress.Printable(table.Table), progress.Printable(c.Column), progress.Printable(c.Native), c.Arrow, c.Iceberg, required)
		}
	}
	return t.Flush()
}

// writeLine prints one JSON object.
func writeLine(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}
