package iceberg

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/batch"
)

// rewriteFiles merges small data files, and writes those anew that deletes apply to.
//
// All of it is planned on one snapshot. Files that are written have its sequence number,
// whenever they are committed: deletes that come later reach their rows, as they would
// have reached the same rows in the files from before, and those of the snapshot, which
// are applied, do not.
func (c *compaction) rewriteFiles(ctx context.Context) error {
	all, err := contentsOf(c.tbl, c.st.files(), c.cache)
	if err != nil {
		return err
	}
	c.out.FilesBefore, c.out.DeletesBefore = len(all.data), len(all.keys)+len(all.positions)
	c.out.FilesAfter, c.out.DeletesAfter = c.out.FilesBefore, c.out.DeletesBefore
	if all.snapshot == nil {
		return nil
	}
	if v := c.layout.version; v < formatVersion || v > maxVersion {
		c.leaves("its data files stay as they are: it is of format version %d", v)
		return nil
	}
	chosen := c.choose(all)
	if len(chosen) > 0 {
		if err := c.readyToWrite(); err != nil {
			c.leaves("its data files stay as they are: %v", err)
			return nil
		}
	}
	parts := portions(chosen)
	if c.o.DryRun {
		c.planned(all, chosen)
		return nil
	}
	c.sink.step("compact: planned")
	stay := make(map[*liveFile]bool, len(all.data))
	for _, f := range all.data {
		stay[f] = true
	}
	for i, part := range parts {
		for _, f := range part {
			delete(stay, f)
		}
		r := rewrite{compaction: c, all: all, files: part}
		if i == len(parts)-1 {
			r.deletes = all.dead(remaining(all, stay))
		}
		err := r.run(ctx)
		var stale *staleError
		if errors.As(err, &stale) {
			c.leaves("%d data files stay as they are: %s", len(part), stale.why)
			for _, f := range part {
				stay[f] = true // and what reaches them
			}
			continue
		}
		if err != nil {
			return err
		}
	}
	if len(parts) == 0 {
		r := rewrite{compaction: c, all: all, deletes: all.dead(all.data)}
		var stale *staleError
		if err := r.run(ctx); err != nil && !errors.As(err, &stale) {
			return err
		}
	}
	return nil
}

func remaining(all *contents, stay map[*liveFile]bool) []*liveFile {
	return slices.DeleteFunc(slices.Clone(all.data), func(f *liveFile) bool { return !stay[f] })
}

// planned tells what would be done.
func (c *compaction) planned(all *contents, chosen []*liveFile) {
	c.out.Rewritten = len(chosen)
	for _, f := range chosen {
		c.out.BytesRead += f.df.FileSizeBytes()
	}
	c.out.FilesAfter = c.out.FilesBefore - len(chosen)
	if len(chosen) > 0 {
		c.out.FilesAfter += int(c.out.BytesRead/c.target()) + 1
	}
	stay := slices.DeleteFunc(slices.Clone(all.data), func(f *liveFile) bool { return slices.Contains(chosen, f) })
	c.out.DeletesAfter -= len(all.dead(stay))
}

// readyToWrite readies what stages files. Numbers of rows, which tables of format version
// 3 have, are columns like others: a row keeps its own.
func (c *compaction) readyToWrite() (err error) {
	sc := c.tbl.Schema()
	if c.layout.version >= 3 {
		sc = iceberg.SchemaWithRowLineage(sc)
	}
	c.schema = sc
	if c.src, err = asSource(c.out.Name, sc); err != nil {
		return err
	}
	for _, col := range c.src.Columns {
		n := 0
		if _, err := icebergType(col.Arrow, &n); err != nil {
			return fmt.Errorf("column %q: %w", col.Name, err)
		}
	}
	return c.spreadAnew()
}

// spreadAnew readies the spreads for the files of one commit.
func (c *compaction) spreadAnew() error {
	c.spreads = nil
	if err := c.arrange(); err != nil {
		return err
	}
	if c.spreads != nil {
		c.spreads.given = false // files of several orders follow each other
	}
	return nil
}

// A rewrite is one commit that has other data files take the place of some.
type rewrite struct {
	*compaction
	all     *contents
	files   []*liveFile
	deletes []*liveFile // that reach nothing any more
}

// run writes the files anew and commits them.
func (r *rewrite) run(ctx context.Context) (err error) {
	if len(r.files)+len(r.deletes) == 0 {
		return nil
	}
	var rows, read int64
	if len(r.files) > 0 {
		if err := r.spreadAnew(); err != nil {
			return err
		}
		if rows, err = r.copy(ctx); err == nil {
			err = r.finishAll(ctx)
		}
		if err != nil {
			return fmt.Errorf("write data files anew: %w", err)
		}
	}
	r.sink.step("compact: files durable")
	_, after, err := r.publish(ctx, r.build)
	if err != nil {
		if len(r.attempts) == 0 { // else they may be the table's
			r.mu.Lock()
			r.abandonStaged(true)
			r.mu.Unlock()
			err = errors.Join(err, r.removeAbandoned())
		}
		return err
	}
	for _, f := range r.files {
		read += f.df.FileSizeBytes()
		r.out.RowsDropped += f.df.Count()
	}
	r.out.Rewritten += len(r.files)
	r.out.BytesRead += read
	r.out.RowsDropped -= rows
	for _, d := range r.staged {
		r.out.BytesWritten += d.df.FileSizeBytes()
	}
	r.out.FilesAfter += len(r.staged) - len(r.files)
	r.out.DeletesAfter -= len(r.removed())
	r.staged = nil
	r.sequence = after.LastSequenceNumber()
	return nil
}

// removed lists the files of deletes that go: what reaches nothing any more, and the
// deletion vectors of the files, which are of no other.
func (r *rewrite) removed() []*liveFile {
	out := slices.Clone(r.deletes)
	for _, d := range r.all.positions {
		ref := d.df.ReferencedDataFile()
		if d.df.FileFormat() != iceberg.PuffinFile || ref == nil || slices.Contains(out, d) {
			continue
		}
		if slices.ContainsFunc(r.files, func(f *liveFile) bool { return f.df.FilePath() == *ref }) {
			out = append(out, d)
		}
	}
	return out
}

// copy stages the rows that are left of the files.
func (r *rewrite) copy(ctx context.Context) (rows int64, err error) {
	from := &reading{tbl: r.tbl, all: r.all, most: r.sink.opts.Memory / 2}
	if r.layout.version >= 3 {
		from.options = append(from.options, table.WithRowLineage())
	}
	keys, err := from.readKeys(ctx, r.files, keyPart{}, 1)
	if err != nil {
		return 0, err
	}
	for _, f := range r.files {
		err := from.rows(ctx, keys, f, nil, func(rec arrow.RecordBatch) error {
			rows += rec.NumRows()
			return r.append(ctx, &batch.Batch{Table: r.src, Rows: rec})
		})
		if err != nil {
			return rows, err
		}
	}
	return rows, nil
}

// build stages the commit on the table as it is by then, if what was written still goes
// together with it.
func (r *rewrite) build(ctx context.Context, tbl *table.Table, tx *table.Transaction, note iceberg.Properties) error {
	fs, err := tbl.FS(ctx)
	if err != nil {
		return err
	}
	now, err := contentsOf(tbl, fs, r.cache)
	if err != nil {
		return err
	}
	deletes, err := r.validate(now)
	if err != nil {
		return err
	}
	if len(r.files)+len(deletes) == 0 {
		return &staleError{"others have removed what was to go"}
	}
	w := tx.NewRewrite(note)
	for _, f := range r.files {
		w.DeleteFile(f.df)
	}
	for _, d := range deletes {
		w.DeleteFile(d.df)
	}
	if len(r.files) > 0 {
		w.DataSequenceNumber(r.all.snapshot.SequenceNumber)
	}
	for _, d := range r.staged {
		w.AddDataFile(d.df)
	}
	return w.Commit(ctx)
}

// name is what a file of deletes is known by: deletion vectors share files.
func (f *liveFile) name() string {
	name := f.df.FilePath()
	if ref := f.df.ReferencedDataFile(); ref != nil {
		name += "\x00" + *ref
	}
	return name
}

// validate checks that the files are all still there, and that no deletes have come that
// name places in them: deleted keys that are newer reach the new files as well. It returns
// the files of deletes that can go.
func (r *rewrite) validate(now *contents) ([]*liveFile, error) {
	live := make(map[string]bool)
	for _, list := range [][]*liveFile{now.data, now.keys, now.positions} {
		for _, f := range list {
			live[f.name()] = true
		}
	}
	for _, f := range r.files {
		if !live[f.name()] {
			return nil, &staleError{"another run has taken their place or removed them"}
		}
	}
	known := make(map[string]bool)
	for _, list := range [][]*liveFile{r.all.data, r.all.keys, r.all.positions} {
		for _, f := range list {
			known[f.name()] = true
		}
	}
	for _, d := range now.positions {
		if !known[d.name()] && slices.ContainsFunc(r.files, func(f *liveFile) bool { return targets(d.df, f.df.FilePath()) }) {
			return nil, &staleError{"another run has deleted rows of them by their place"}
		}
	}
	for _, d := range now.keys {
		if !known[d.name()] && d.seq <= r.all.snapshot.SequenceNumber {
			return nil, &staleError{"another run has exchanged files of deletes"}
		}
	}
	// Files that another run's upkeep has made of such as were there may be older than
	// deletes, and those have to stay that may reach them.
	var late []*liveFile
	for _, f := range now.data {
		if !known[f.name()] && !strings.Contains(f.df.FilePath(), r.prefix) && f.seq < r.all.snapshot.SequenceNumber {
			late = append(late, f)
		}
	}
	return slices.DeleteFunc(r.removed(), func(d *liveFile) bool {
		return !live[d.name()] || d.df.ContentType() == iceberg.EntryContentEqDeletes && slices.ContainsFunc(late, d.reaches)
	}), nil
}
