package move

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A plan is what a snapshot writes down beside the stock that the sink keeps for
// it: how the table was cut, and the point at which the splits were read. That
// point is gone with the process. Who takes the stock over reads what is left at a
// point of its own, and applies the log from the first one over all of it.
type plan struct {
	// Run is of this note alone: a run that begins anew at a point where an earlier one
	// has cut the table alike must not be taken for one that goes on.
	Run string `json:"run"`
	// Tag is what tables are tagged with that the run has exchanged, and those that
	// have taken this one's stock over.
	Tag      string         `json:"tag,omitempty"`
	Terms    string         `json:"terms,omitempty"` // SnapshotOptions.Terms
	Position batch.Position `json:"position"`
	Splits   []plannedSplit `json:"splits"`
}

// A plannedSplit is a reader.Split of the table.
type plannedSplit struct {
	Range string `json:"range,omitempty"`
	Rows  int64  `json:"rows"`
}

// A resumption is what an earlier run has left of a table that it did not finish.
type resumption struct {
	plan
	kept writer.Kept
}

// keeper returns the table's writer if stock of it is worth keeping: the log has
// to be able to make up for what is read later.
func (r *snapshotRun) keeper(c *tableCopy) writer.Keeper {
	k, ok := c.w.(writer.Keeper)
	_, log := r.src.(reader.Log)
	alone := r.opts.Mode == writer.Create || r.opts.Mode == writer.Replace // no other rows of the table's keys
	// The log knows nothing of a condition.
	if !ok || !log || !alone || len(c.table.Key)+len(c.table.RowKey) == 0 || c.table.Filter != "" {
		return nil
	}
	return k
}

// askUnlogged finds out which tables the log does not suffice for.
func (r *snapshotRun) askUnlogged(ctx context.Context, tables []*schema.Table) (err error) {
	log, ok := r.src.(reader.Log)
	if !ok || r.opts.Mode != writer.Create && r.opts.Mode != writer.Replace {
		return nil
	}
	if r.unlogged, err = log.Unlogged(ctx, tables); err != nil {
		return fmt.Errorf("ask whether the log is whole: %w", err)
	}
	return nil
}

// look notes what an earlier run has left of the table.
func (r *snapshotRun) look(c *tableCopy) {
	k := r.keeper(c)
	if k == nil {
		return
	}
	why := r.unlogged[c.table]
	if why == nil {
		c.keeper = k
	}
	left := &resumption{kept: k.Kept()}
	if left.kept.Note == "" || r.opts.Restart {
		return
	}
	if why == nil {
		why = json.Unmarshal([]byte(left.kept.Note), &left.plan)
	}
	if why == nil && left.Terms != r.opts.Terms {
		why = errors.New("it was begun with other options")
	}
	if why == nil {
		why = r.src.Owns(left.Position)
	}
	if why != nil {
		r.anew(c, why)
		return
	}
	c.left = left
}

// anew tells why a table is begun again.
func (r *snapshotRun) anew(c *tableCopy, why error) {
	c.left = nil
	r.opts.warn(fmt.Sprintf("%s is copied from its beginning, though an earlier run has got on with it: %v", c.table, why))
}

// skipExchanged leaves tables alone that a run in Replace mode has exchanged before
// it was stopped: their last commit is tagged by it, as is what it has kept of others.
// Their position would not tell: a source that stands still gives it to every run.
// What it does not leave alone it tags.
func (r *snapshotRun) skipExchanged() {
	if r.opts.Mode != writer.Replace {
		return
	}
	r.tag = rand.Text()
	began := make(map[string]bool)
	for _, c := range r.todo {
		if c.left != nil && c.left.Tag != "" {
			r.tag = c.left.Tag // whoever goes on is of the same run to those who come after
			began[r.tag] = true
		}
	}
	for _, c := range r.todo {
		k, ok := c.w.(writer.Keeper)
		if !ok {
			continue
		}
		run, terms, _ := strings.Cut(k.Tagged(), " ")
		if c.left == nil && began[run] && terms == c.terms() && !r.opts.All {
			c.done.Store(true)
			continue
		}
		k.Tag(r.tag + " " + c.terms())
	}
}

// terms are short for the rows and columns that are copied of the table.
func (c *tableCopy) terms() string {
	sum := sha256.Sum256([]byte(c.table.Shape() + "\x00" + c.table.Filter))
	return hex.EncodeToString(sum[:8])
}

// reach sees to it that the log holds what tables need that are gone on with.
// Where it does not, they are begun again.
func (r *snapshotRun) reach(ctx context.Context, pending []*tableCopy) error {
	tables := make(map[batch.Position][]*tableCopy)
	for _, c := range pending {
		if c.left != nil {
			tables[c.left.Position] = append(tables[c.left.Position], c)
		}
	}
	for pos, copies := range tables {
		err := r.probe(ctx, pos, copies)
		if err == nil {
			continue
		}
		if ctx.Err() != nil || hint.IsTransient(err) {
			return fmt.Errorf("look for the log that was written since an earlier run: %w", err)
		}
		for _, c := range copies {
			r.anew(c, err)
		}
	}
	return nil
}

func (r *snapshotRun) probe(ctx context.Context, pos batch.Position, copies []*tableCopy) error {
	log := r.src.(reader.Log) // keeper has made sure of it
	pos, err := log.Loosen(pos)
	if err != nil {
		return err
	}
	from := make(map[*schema.Table]batch.Position, len(copies))
	for _, c := range copies {
		from[c.table] = pos
	}
	rd, err := log.Changes(ctx, from, pos)
	if err != nil {
		return err
	}
	return rd.Close()
}

// tellResumed says that the run goes on with what an earlier one has read.
func (r *snapshotRun) tellResumed(pending []*tableCopy) {
	var tables, rows int64
	for _, c := range pending {
		if c.left != nil {
			tables, rows = tables+1, rows+c.left.kept.Rows
		}
	}
	if tables > 0 && r.opts.Tell != nil {
		r.opts.Tell(fmt.Sprintf("going on with %s that an earlier run was stopped in, with %s in place", progress.Plural(tables, "table"), progress.Plural(rows, "row")))
	}
}

// splits returns what is left to read of the table, and has what is read of it kept.
func (r *snapshotRun) splits(ctx context.Context, c *tableCopy) ([]reader.Split, error) {
	if c.left != nil {
		if err := c.keeper.Keep(ctx, c.left.kept.Note); err != nil {
			return nil, err
		}
		c.keeps = true
		c.prog.Resumed(c.left.kept.Rows)
		return c.left.rest(c.table), nil
	}
	splits, err := r.snap.Splits(ctx, c.table)
	// What is read in one go is read again as quickly.
	if err != nil || c.keeper == nil || len(splits) < 2 {
		return splits, err
	}
	p := plan{Run: rand.Text(), Tag: r.tag, Terms: r.opts.Terms, Position: r.snap.Position()}
	for _, s := range splits {
		p.Splits = append(p.Splits, plannedSplit{s.Range, s.Rows})
	}
	note, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	c.keeps = true
	return splits, c.keeper.Keep(ctx, string(note))
}

// rest returns the splits that were not whole.
func (l *resumption) rest(t *schema.Table) []reader.Split {
	whole := make(map[int]bool, len(l.kept.Origins))
	for _, o := range l.kept.Origins {
		whole[o] = true
	}
	var rest []reader.Split
	for i, s := range l.Splits {
		if !whole[i] {
			rest = append(rest, reader.Split{Table: t, Range: s.Range, Rows: s.Rows, Seq: i})
		}
	}
	return rest
}

// whole tells the sink that a split has been written.
func (c *tableCopy) whole(ctx context.Context, s reader.Split) error {
	if !c.keeps {
		return nil
	}
	return c.keeper.Whole(ctx, s.Seq)
}

// discard abandons the table and what is kept of it: it has failed on its own
// account, so whoever tries again begins from its beginning.
func (c *tableCopy) discard(ctx context.Context) {
	if c.keeps && c.w != nil {
		_ = c.keeper.Keep(ctx, "") // else the next run fails as this one did
	}
	c.close()
}
