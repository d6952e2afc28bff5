package iceberg

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// Upkeep commits as others do, but for three things. It asserts the snapshot that it is
// built on and is built anew on the next, as often as another's commit comes first: those
// always do, for they wait for nothing. Whether an attempt whose answer was lost has
// landed is told by a property of its own. And it sets no other.

// errNothing is what build returns if there is nothing to commit.
var errNothing = errors.New("nothing to commit")

// A stale error says that what was made does not go together with what others have
// committed since.
type staleError struct{ why string }

func (e *staleError) Error() string { return e.why }

// build stages a commit of upkeep on tx, which is on tbl.
type build func(ctx context.Context, tbl *table.Table, tx *table.Transaction, note iceberg.Properties) error

// upkeepTurns is how often upkeep lets commits of others go first.
const upkeepTurns = 30

// publish commits what b makes of the table as it is then. It returns the table before
// and after.
func (c *compaction) publish(ctx context.Context, b build) (before *table.Table, after table.Metadata, err error) {
	var tries []attempt
	var last error
	others := false // whose commit came before the last try
	failures := 0
	for n := 0; n < upkeepTurns && failures < c.sink.retry.attempts; n++ {
		if n > 0 {
			// After another's commit there is no better time than now: the longer it takes to
			// build this one, the likelier the next comes first.
			if err := c.sink.retry.wait(ctx, failures); err != nil {
				last = errors.Join(err, last)
				break
			}
		}
		tbl, landed, err := c.lookFor(ctx, &tries)
		if err != nil {
			if last = err; !transient(err) {
				break
			}
			failures++
			continue
		}
		if landed != nil {
			return before, tbl.Metadata(), c.landed(ctx, tries, landed, before, tbl.Metadata())
		}
		p, sent, o, err := c.tryUpkeep(ctx, tbl, b)
		others = o == conflict
		if last = err; o == done {
			return tbl, p.meta, c.landed(ctx, tries, &p.attempt, tbl, p.meta)
		}
		if o == refused && len(tries) == 0 {
			return nil, nil, err
		}
		if o != conflict {
			failures++
		}
		if sent && o != refused {
			p.lost = o == conflict
			tries, before = append(tries, p.attempt), tbl
		}
	}
	if others { // whether the last try is one of the conflicts with itself
		if tbl, landed, err := c.lookFor(ctx, &tries); err == nil && landed != nil {
			return before, tbl.Metadata(), c.landed(ctx, tries, landed, before, tbl.Metadata())
		}
	}
	if len(tries) > 0 {
		c.attempts = tries // so that Close leaves the record, by which the next run finds out
	} else if others {
		return nil, nil, &staleError{fmt.Sprintf("others have committed %d times in a row before it could", upkeepTurns)}
	}
	return nil, nil, fmt.Errorf("gave up: %w", last)
}

// lookFor loads the table and tells which of the attempts it shows. Those that were called
// conflicts, and are not there, never will be; a conflict may be one with itself, where
// something has sent the request twice.
func (c *compaction) lookFor(ctx context.Context, tries *[]attempt) (*table.Table, *attempt, error) {
	ctx, cancel := context.WithTimeout(ctx, c.sink.retry.timeout)
	defer cancel()
	tbl, err := c.sink.cat.LoadTable(ctx, c.ident)
	if err != nil {
		return nil, nil, err
	}
	c.lease.offer(tbl)
	for i, a := range *tries {
		if tbl.Properties()[upkeepProperty] == a.id || hasUpkeep(tbl, a.id) {
			return tbl, &(*tries)[i], nil
		}
	}
	if tbl.Metadata().TableUUID() != c.uuid {
		return nil, nil, &staleError{"another table of that name was made meanwhile"}
	}
	*tries = slices.DeleteFunc(*tries, func(a attempt) bool {
		if a.lost {
			c.removeMade(a.made)
		}
		return a.lost
	})
	return tbl, nil, nil
}

// hasUpkeep reports whether a snapshot is of that commit: another run's upkeep may have
// come since, and the property is its.
func hasUpkeep(tbl *table.Table, id string) bool {
	return slices.ContainsFunc(tbl.Metadata().Snapshots(), func(s table.Snapshot) bool {
		return s.Summary != nil && s.Summary.Properties[upkeepProperty] == id
	})
}

// landed tidies up behind a commit that has landed.
func (c *compaction) landed(ctx context.Context, tries []attempt, a *attempt, before *table.Table, after table.Metadata) error {
	for _, t := range tries {
		if t.id != a.id {
			c.removeMade(t.made)
		}
	}
	c.sink.step("compact: commit landed")
	if before != nil {
		c.removeMade(c.supersededMetadata(before.Metadata(), after))
	}
	if c.sink.kind == embedded {
		return c.sink.syncHint(context.WithoutCancel(ctx), c.ident, c.location)
	}
	return nil
}

// tryUpkeep sends one commit on top of tbl.
func (c *compaction) tryUpkeep(ctx context.Context, tbl *table.Table, b build) (p prepared, sent bool, o outcome, err error) {
	if err := ctx.Err(); err != nil {
		return p, false, refused, err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.sink.retry.timeout)
	defer cancel()
	p.id = c.sink.session.commitID(false, false)
	if p.commit, err = c.prepareUpkeep(ctx, tbl, b, &p.attempt); err != nil {
		c.removeMade(p.made)
		return p, false, unsent(err), err
	}
	c.sink.step("compact: commit sent")
	p.meta, _, err = c.sink.cat.CommitTable(ctx, c.ident, p.commit.Requirements, p.commit.Updates)
	if o = judge(err); o == refused {
		c.removeMade(p.made)
	}
	return p, true, o, err
}

// prepareUpkeep stages the commit.
func (c *compaction) prepareUpkeep(ctx context.Context, base *table.Table, b build, a *attempt) (commit table.TableCommit, err error) {
	if err := c.announce(ctx); err != nil {
		return commit, err
	}
	if err := c.st.fresh(ctx); err != nil {
		return commit, err
	}
	fs := &noteIO{WriteFileIO: c.st.files(), record: c.record, beside: append(c.outgoing(base), commitUUID(a.id))}
	defer func() { a.made = fs.made }()
	onto, err := presentable(base.Metadata())
	if err != nil {
		return commit, err
	}
	tbl := table.New(c.ident, onto, base.MetadataLocation(), fs.open, c.sink.cat)
	tx := tbl.NewTransaction()
	note := iceberg.Properties{upkeepProperty: a.id}
	if err := tx.AssertRefSnapshotID(table.MainBranch); err != nil {
		return commit, err
	}
	if err := b(ctx, tbl, tx, maps.Clone(note)); err != nil {
		return commit, err
	}
	if commit, err = tx.TableCommit(); err != nil {
		return commit, err
	}
	// Such as a mapping of names, which iceberg-go adds and no file of ours needs.
	commit.Updates = slices.DeleteFunc(commit.Updates, func(u table.Update) bool { return u.Action() == table.UpdateSetProperties })
	if err := inOrder(commit.Updates, lastTime(base.Metadata())); err != nil {
		return commit, err
	}
	commit.Updates = append(commit.Updates, table.NewSetPropertiesUpdate(note))
	// What the commit makes says how it is named before it is made, by the record.
	if err := c.record.makes(fs.beside...); err != nil {
		return commit, err
	}
	c.sink.step("compact: manifests written")
	if err = c.record.alive(); err == nil && c.sink.rest {
		err = c.record.sent()
	}
	return commit, err
}
