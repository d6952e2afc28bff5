package writer

import (
	"errors"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// OfRoutes is the error of a table whose place at a sink a table has that routes have merged of
// others: the rows of one alone would take the place of theirs, or lie among them.
func OfRoutes(t *schema.Table) error {
	err := hint.Wrap(errors.New("the sink holds a table of this name that --route has made of others"),
		"give the same --route if this one is to go there too; else send it to another name, by a --route of its own, or leave it out with --exclude")
	return &schema.TableError{Table: t.String(), Err: err}
}
