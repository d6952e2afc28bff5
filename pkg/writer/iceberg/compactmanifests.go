package iceberg

import (
	"context"
	"errors"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// manyManifests is how many small manifests of data files are merged at least.
const manyManifests = 10

// mergeManifests has few manifests where commits have made many.
func (c *compaction) mergeManifests(ctx context.Context) error {
	tbl, err := c.sink.cat.LoadTable(ctx, c.ident)
	if err != nil {
		return err
	}
	if n, err := c.smallManifests(tbl); err != nil || n < manyManifests {
		return err
	}
	if c.o.DryRun {
		c.out.Manifests, err = c.smallManifests(tbl)
		return err
	}
	merged := 0
	_, _, err = c.publish(ctx, func(ctx context.Context, tbl *table.Table, tx *table.Transaction, note iceberg.Properties) error {
		if n, err := c.smallManifests(tbl); err != nil || n < manyManifests {
			return errors.Join(err, errNothing)
		}
		r, err := tx.RewriteManifests(ctx)
		if err != nil {
			return err
		}
		if merged = len(r.RewrittenManifests); r.IsNoOp() {
			return errNothing
		}
		return nil
	})
	if errors.Is(err, errNothing) {
		return nil
	}
	if err == nil {
		c.out.Manifests += merged
	}
	return err
}

// smallManifests counts those that merging may make fewer.
func (c *compaction) smallManifests(tbl *table.Table) (n int, err error) {
	snap := tbl.CurrentSnapshot()
	if snap == nil {
		return 0, nil
	}
	manifests, err := snap.Manifests(c.st.files())
	if err != nil {
		return 0, err
	}
	most := int64(tbl.Properties().GetInt(table.ManifestTargetSizeBytesKey, table.ManifestTargetSizeBytesDefault))
	for _, m := range manifests {
		if m.ManifestContent() == iceberg.ManifestContentData && m.Length() < most/2 {
			n++
		}
	}
	return n, nil
}
