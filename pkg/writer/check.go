package writer

import (
	"context"
	"errors"

	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A Checker is a Sink that can tell beforehand what would keep tables from being
// written to it.
type Checker interface {
	// Check looks at the sink, tries what may be tried, and leaves nothing behind. The
	// mode is that in which the tables are going to be opened. An error is one of
	// asking.
	Check(ctx context.Context, tables []*schema.Table, mode Mode, p finding.Purpose) ([]finding.Finding, error)
}

// A Describer is a Sink that can tell what would become of a table.
type Describer interface {
	// Describe tells what opening the table in this mode, and the first commit, would
	// make or change. It makes and changes nothing. That the table would be refused is
	// no error.
	Describe(ctx context.Context, t *schema.Table, mode Mode) (Description, error)
}

// A Description is what would become of a table.
type Description struct {
	Name string // the table's at the sink, with its namespace
	Fate Fate
	// DDL is the statement by which the table would be made, in Spark's SQL, if the
	// fate is New, or by which Hive reads the files that are written, whatever the
	// fate; else "".
	DDL string
	// Detail says what is refused, or what would change; "" if nothing.
	Detail string
	Remedy string // of Refused
}

// Refuse notes why a table is refused, or that it is copied anew, by itself, where a run that
// extends it can have the rows in no other way.
func (d *Description) Refuse(mode Mode, err error) {
	if d.Detail = err.Error(); mode == Extend && errors.Is(err, ErrUnlike) {
		d.Fate = Replaced
		return
	}
	d.Fate, d.Remedy = Refused, hint.Of(err)
}

// A Fate is what would become of a table that is there, or not.
type Fate string

// The fates.
const (
	New      Fate = "new"      // there is none yet
	Whole    Fate = "whole"    // whole since an earlier run, and left alone
	Followed Fate = "followed" // holds a position, and is followed from there
	Added    Fate = "added"    // rows are added to those that are there
	Replaced Fate = "replaced" // the content is exchanged
	Amended  Fate = "amended"  // some of its rows are exchanged
	Evolved  Fate = "evolved"  // its columns are changed first
	Refused  Fate = "refused"  // the run would end with an error
)
