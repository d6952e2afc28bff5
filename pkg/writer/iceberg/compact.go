package iceberg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

var _ writer.Compactor = (*Sink)(nil)

// upkeepProperty is the id of the last commit that has tended the table. Commits of
// changes leave it alone, as upkeep leaves theirs.
const upkeepProperty = "tablehaul.upkeep-id"

// A compaction tends one table. It stages files as any writer does, by the same rules,
// and so that a run that dies leaves what the next one discards; what it commits is its
// own, and says nothing of positions.
type compaction struct {
	*Writer
	o   writer.Upkeep
	out writer.Compacted
	tbl *table.Table // as it was when the work was planned

	cache manifestCache
	known *knownFiles
}

// Compact tends the tables, see writer.Compactor.
func (s *Sink) Compact(ctx context.Context, pick func(writer.Held) bool, o writer.Upkeep, done func(writer.Compacted)) error {
	o.Deletes = max(o.Deletes, 1)
	o.OrphanAge = cmp.Or(o.OrphanAge, 3*24*time.Hour)
	ctx = s.shared(ctx)
	idents, err := s.tables(ctx, "")
	if err != nil {
		return advise(fmt.Errorf("list tables: %w", err))
	}
	slices.SortFunc(idents, func(a, b table.Identifier) int { return strings.Compare(strings.Join(a, "."), strings.Join(b, ".")) })
	for _, ident := range idents {
		if err := ctx.Err(); err != nil {
			return err
		}
		began := time.Now()
		out, ok := s.compactTable(ctx, ident, pick, o)
		if !ok {
			continue
		}
		if errors.Is(out.Err, context.Canceled) && ctx.Err() != nil {
			return out.Err
		}
		out.Seconds = time.Since(began).Seconds()
		done(out)
	}
	return nil
}

// compactTable tends one table. That it is not ok means that the table is none to tend.
func (s *Sink) compactTable(ctx context.Context, ident table.Identifier, pick func(writer.Held) bool, o writer.Upkeep) (out writer.Compacted, ok bool) {
	out.Name = strings.Join(ident, ".")
	tbl, err := s.cat.LoadTable(ctx, ident)
	if errors.Is(err, catalog.ErrNoSuchTable) {
		return out, false // dropped meanwhile
	}
	if err != nil {
		out.Err = advise(fmt.Errorf("load %s: %w", out.Name, err))
		return out, pick(writer.Held{Name: out.Name})
	}
	props := tbl.Properties()
	out.Table = props[sourceProperty]
	pos := batch.Position(props[positionProperty])
	if pos == "" || !pick(writer.Held{Name: out.Name, Source: out.Table, Position: pos}) {
		return out, false
	}
	c := &compaction{Writer: &Writer{sink: s, ident: ident, mode: writer.Append, tends: true, src: schema.New("", out.Name, nil, nil)}, o: o, out: out, tbl: tbl, cache: manifestCache{}, known: newKnownFiles()}
	if err := c.tend(ctx); err != nil {
		c.out.Err = advise(fmt.Errorf("compact %s: %w", out.Name, err))
	}
	return c.out, true
}

// tend does the work, step by step: each is whole in itself, and none needs another.
func (c *compaction) tend(ctx context.Context) (err error) {
	if err := c.adoptAsIs(ctx, c.tbl); err != nil {
		return err
	}
	if !c.o.DryRun {
		if err := errors.Join(c.removeUnnamed(ctx), c.discardDead(ctx)); err != nil {
			return fmt.Errorf("discard leftovers: %w", err)
		}
		// The work is planned on what dead runs have left, at the latest.
		if c.tbl, err = c.sink.cat.LoadTable(ctx, c.ident); err != nil {
			return err
		}
		c.note(c.tbl)
		defer func() { err = errors.Join(err, c.Close()) }()
	}
	for _, step := range []func(context.Context) error{c.rewriteFiles, c.mergeManifests, c.expire, c.removeOrphans} {
		err := step(ctx)
		var stale *staleError
		if errors.As(err, &stale) {
			c.leaves("a step of upkeep is left to the next run: %s", stale.why)
			continue
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// adoptAsIs takes over what the catalog says of the table, whatever its shape.
func (w *Writer) adoptAsIs(ctx context.Context, tbl *table.Table) error {
	w.note(tbl)
	if w.sink.rest {
		return w.storeOf(ctx, tbl)
	}
	var err error
	w.st, err = w.sink.storageAt(ctx, w.location)
	return err
}

// leaves notes what is not done, and why.
func (c *compaction) leaves(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(c.out.Left, text) {
		c.out.Left = append(c.out.Left, text)
	}
}

// asSource describes the table as a source whose rows are those that a scan of it gives.
func asSource(name string, sc *iceberg.Schema) (*schema.Table, error) {
	arrow, err := table.SchemaToArrowSchema(sc, nil, false, false)
	if err != nil {
		return nil, err
	}
	columns := make([]schema.Column, len(sc.Fields()))
	var key []int
	for i, f := range sc.Fields() {
		columns[i] = schema.Column{Name: f.Name, Arrow: arrow.Field(i).Type, Nullable: !f.Required}
		if slices.Contains(sc.IdentifierFieldIDs, f.ID) {
			key = append(key, i)
		}
	}
	return schema.New("", name, columns, key), nil
}
