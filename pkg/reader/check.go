package reader

import (
	"context"
	"time"

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

// A Planner is a source that can tell how it would copy tables without pinning a
// point or taking a lock.
type Planner interface {
	// Plan cuts the table as Snapshot.Splits does, and says, if it is one split,
	// why: "" if it is small.
	Plan(ctx context.Context, t *schema.Table) (splits []Split, why string, err error)
	// Sample reads the table, from its start and over one connection, for at most so
	// long, and throws the rows away.
	Sample(ctx context.Context, t *schema.Table, most time.Duration) (Sample, error)
	// Burden tells what it would be for the source to have the tables copied by so
	// many readers at once.
	Burden(tables []*schema.Table, parallel int) Burden
}

// A Sample is how fast a source can be read.
type Sample struct {
	Rows int64
	Took time.Duration
}

// A Burden is what a copy puts on the source, beside reading itself.
type Burden struct {
	Connections int
	Lock        string // the statement by which a lock is taken first, in short; "" if none is
	LockTime    string // how long it may be pending and is held, in words
	// Statements are about how many there are for each table and each split.
	PerTable, PerSplit int
}
