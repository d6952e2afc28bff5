package move

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// An overtaken is the error of a commit of which some tables were refused, since other runs have
// committed to them, and may be read again from what these have left. All others are committed. A
// nil one has no tables.
type overtaken struct {
	tables map[string]bool
	// beside are those of them that had nothing staged and were refused with others whose rows go to
	// the same table: it may be on account of these alone.
	beside []string
	err    error
}

func (o *overtaken) Error() string { return o.err.Error() }

func (o *overtaken) Unwrap() error { return o.err }

func (o *overtaken) has(c *followed) bool { return o != nil && o.tables[c.table.String()] }

// overtakenIn is the error of tables that were refused together.
func overtakenIn(err error, which ...*followed) *overtaken {
	o := &overtaken{tables: map[string]bool{}, err: err}
	for _, c := range which {
		o.tables[c.table.String()] = true
		if !c.dirty {
			o.beside = append(o.beside, c.table.String())
		}
	}
	if len(o.beside) == len(which) {
		o.beside = nil
	}
	return o
}

// plus adds other tables.
func (o *overtaken) plus(more *overtaken) *overtaken {
	if o == nil {
		return more
	}
	maps.Copy(o.tables, more.tables)
	o.beside = append(o.beside, more.beside...)
	if !strings.Contains(o.Error(), more.Error()) {
		o.err = errors.Join(o.err, more.err)
	}
	return o
}

// overtakes reports whether a table was refused because of another run, and may be read again.
func overtakes(err error) bool { return errors.Is(err, writer.ErrFenced) && hint.IsTransient(err) }

// rivalOf returns in which tables another run was ahead, as an attempt's error tells; nil if none was.
func rivalOf(err error) func(name string) bool {
	if o := (*overtaken)(nil); errors.As(err, &o) {
		return func(name string) bool { return o.tables[name] }
	}
	if errors.Is(err, writer.ErrFenced) {
		return func(string) bool { return true }
	}
	return nil
}

// rewind sees to it that only those tables are read again which others have committed to: what is
// staged of the rest is committed, and the next attempt reads them from the last boundary on.
// The positions of tables that did not change are as old as IdleCommit: were they left at that, the
// log would be read again from there, and all tables would be behind until it has come here.
func (f *follower) rewind(ctx context.Context, fenced *overtaken) error {
	if f.inside || f.last == "" {
		return fenced
	}
	for _, name := range fenced.beside {
		delete(fenced.tables, name)
	}
	fenced.beside = nil
	f.fenced = f.fenced.plus(fenced)
	if err := f.giveUp(f.fenced.has); err != nil {
		return errors.Join(f.fenced, err)
	}
	rest := slices.DeleteFunc(slices.Clone(f.all), func(c *followed) bool {
		return !c.dirty && (f.pass != nil || c.pos == f.last)
	})
	if len(rest) > 0 {
		// More of them may turn out to be overtaken. They come here by themselves.
		if err := f.commit(ctx, rest); err != nil {
			return err
		}
	}
	if f.pass != nil {
		f.pass(f.fenced.tables)
	} else {
		f.allAt = time.Now()
	}
	return f.fenced
}

// giveUp abandons what is staged of tables.
func (f *follower) giveUp(which func(*followed) bool) error {
	f.dirty = slices.DeleteFunc(f.dirty, which)
	for _, c := range slices.Clone(f.all) {
		if !which(c) {
			continue
		}
		if c.dirty {
			c.prog.Add(0, 0) // it waits still
		}
		if err := f.drop(c); err != nil {
			return err
		}
	}
	return nil
}

// groups parts tables into those that are committed together.
func (f *follower) groups(which []*followed) [][]*followed {
	var all [][]*followed
	if g, ok := f.sink.(writer.Grouper); ok {
		for _, group := range g.Groups(writers(which)) {
			var of []*followed
			for _, i := range group {
				of = append(of, which[i])
			}
			all = append(all, of)
		}
		return all
	}
	for _, c := range which {
		all = append(all, []*followed{c})
	}
	return all
}

func writers(which []*followed) []writer.Writer {
	ws := make([]writer.Writer, len(which))
	for i, c := range which {
		ws[i] = c.w
	}
	return ws
}

// commitEachOf commits groups of tables one by one. A group that was overtaken does not keep the
// others from it.
func (f *follower) commitEachOf(ctx context.Context, groups [][]*followed, pos batch.Position) (fenced *overtaken, err error) {
	errs := make([]error, len(groups))
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(4)
	for i, group := range groups {
		g.Go(func() error {
			err := f.commitGroup(gctx, group, pos)
			if overtakes(err) {
				errs[i], err = err, nil
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for i, err := range errs {
		if err != nil {
			fenced = fenced.plus(overtakenIn(err, groups[i]...))
		}
	}
	return fenced, nil
}

func (f *follower) commitGroup(ctx context.Context, group []*followed, pos batch.Position) error {
	if len(group) == 1 {
		return group[0].w.Commit(ctx, pos)
	}
	return f.commitAll(ctx, group, pos)
}
