package reader

import (
	"context"

	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A Checker is a source that can tell beforehand what would keep tables of it
// from being copied or followed, or would have their copies differ.
type Checker interface {
	// Check looks at the source as it is now, and changes nothing there. The tables
	// are those that Tables has returned last, or some of them. It takes a few
	// questions however many tables there are. An error is one of asking.
	Check(ctx context.Context, tables []*schema.Table, p finding.Purpose) ([]finding.Finding, error)
}

// A Planner is a source that can tell how it would cut a table without pinning a
// point.
type Planner interface {
	// Plan cuts the table, and says where it is one split why that is, "" if it is
	// small.
	Plan(ctx context.Context, t *schema.Table) (splits []Split, why string, err error)
}
