package mysql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

var _ reader.Planner = (*Stock)(nil)

// Plan cuts the table over the connection for questions.
func (s *Stock) Plan(ctx context.Context, t *schema.Table) (splits []reader.Split, why string, err error) {
	if splits, err = s.plan(ctx, t); err != nil {
		return nil, "", tableError(t, err)
	}
	key := t.SourceKey()
	switch {
	case len(splits) > 1:
	case len(key) == 0:
		why = "it has no primary key"
	case len(splitKeyOf(t)) == 0:
		c := t.AtSource().Columns[key[0]]
		why = fmt.Sprintf("its key begins with %s, of which bounds cannot be written: %s", c.Name, c.Native)
	}
	return splits, why, nil
}

// Sample reads the table for a moment.
func (s *Stock) Sample(ctx context.Context, t *schema.Table, most time.Duration) (sample reader.Sample, err error) {
	conns, err := s.connect(ctx, 1)
	if err != nil {
		return sample, err
	}
	// It is read no further: the server notices that the connection is gone.
	defer conns[0].Close()
	if err := conns[0].begin(ctx); err != nil {
		return sample, err
	}
	snap := s.newSnapshot(conns, position{})
	start := time.Now()
	rd, err := snap.Open(ctx, reader.Split{Table: t})
	if err != nil {
		return sample, tableError(t, err)
	}
	for time.Since(start) < most {
		b, err := rd.Read(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return sample, tableError(t, err)
		}
		sample.Rows += b.Rows.NumRows()
		b.Release()
		sample.Took = time.Since(start)
	}
	return sample, nil
}

// Burden tells of connections, locks and statements.
func (s *Stock) Burden(tables []*schema.Table, parallel int) reader.Burden {
	b := reader.Burden{Connections: max(parallel, 1) + runConnections, PerTable: 2, PerSplit: 3}
	for _, w := range waysFor(s.opts.ways, len(tables)) {
		if !w.locks {
			continue
		}
		if s.opts.LockWait < 0 {
			break
		}
		b.Lock = "LOCK TABLES … READ"
		if w.name == globalLock.name {
			b.Lock = "FLUSH TABLES WITH READ LOCK"
		}
		b.LockTime = fmt.Sprintf("pending for %s at most, %d times, and then held for milliseconds", s.opts.LockWait, lockTries)
		break
	}
	return b
}
