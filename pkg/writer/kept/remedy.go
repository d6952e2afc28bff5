package kept

import (
	"cmp"
	"fmt"

	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// Remedy is what can be done where a table cannot be gone on with.
func (r Rules) Remedy(src *schema.Table) string {
	switch {
	case src.IsChangelog(), r.Mode == writer.Extend:
		remedy := "leave the table out with --exclude, or write elsewhere, " + r.Elsewhere
		if r.Anew != "" {
			remedy += "; to begin anew here, " + r.Anew
		}
		return remedy
	case r.Mode == writer.Append:
		return fmt.Sprintf("--mode evolve adapts the columns, %s, and adds the rows; --mode replace exchanges the content", cmp.Or(r.Adapts, "where that is possible"))
	case r.Mode == writer.Create, r.Mode == writer.Evolve:
		return "--mode replace exchanges the content and the columns"
	}
	return fmt.Sprintf("copy the table anew with snapshot --mode replace --tables %s, then run the same command again", src)
}

// RowsAlone is what can be done about rows of a table that cannot be followed by them.
func (r Rules) RowsAlone() string {
	return "leave the table out with --exclude, or write its changes elsewhere, " + r.asChanges() + ", " + r.Elsewhere
}
