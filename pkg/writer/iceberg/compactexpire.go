package iceberg

import (
	"context"
)

func (c *compaction) mergeManifests(ctx context.Context) error { return nil }
func (c *compaction) expire(ctx context.Context) error         { return nil }
func (c *compaction) removeOrphans(ctx context.Context) error  { return nil }
