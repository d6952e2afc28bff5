package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/iceberg"
)

// compactOptions are the command line of `bench compact`.
type compactOptions struct {
	commits, changes, keys int
	every, keepLast        int
	points                 int
	limit                  time.Duration
	svg                    string
	only                   string
	from                   string
}

// A curve is what commits cost as there are more of them.
type curve struct {
	name   string
	points []point
}

// A point is the commits of one stretch.
type point struct {
	Commits  int
	Commit   time.Duration // median of the stretch
	Slowest  time.Duration
	Planning time.Duration // reading all that tells which files there are, at its end
	Metadata int64         // bytes of that
}

// compactMain commits as a tail does, as fast as it can, with upkeep now and then and
// without, and tells what commits and readers pay. Upkeep comes between two commits here: the
// pause of a real tail, in which it has its turn, would have 20,000 of them last for days.
func compactMain(ctx context.Context, args []string, out io.Writer) error {
	var o compactOptions
	f := flag.NewFlagSet("bench compact", flag.ContinueOnError)
	f.IntVar(&o.commits, "rows", 500, "commits")
	f.IntVar(&o.changes, "changes", 20, "rows that each of them changes")
	f.IntVar(&o.keys, "keys", 5000, "rows that the table has")
	f.IntVar(&o.every, "every", 100, "commits between the beginnings of two compactions")
	f.IntVar(&o.keepLast, "keep-last", 100, "snapshots that stay")
	f.IntVar(&o.points, "points", 100, "points of a curve")
	f.DurationVar(&o.limit, "limit", 0, "end a curve after so long")
	f.StringVar(&o.only, "only", "", "draw this `curve` alone: with or without")
	f.StringVar(&o.from, "from", "", "draw the curves that earlier runs have printed into these `files`, and run nothing")
	f.StringVar(&o.svg, "svg", "", "draw the curves into this `file`")
	if err := f.Parse(args); err != nil {
		return err
	}
	if min(o.commits, o.changes, o.keys, o.every, o.keepLast, o.points) < 1 || o.changes > o.keys {
		return errors.New("all numbers must be at least 1, and -changes no more than -keys")
	}
	if o.from != "" {
		curves, err := readCurves(strings.Split(o.from, ","))
		if err != nil {
			return err
		}
		return os.WriteFile(o.svg, drawCurves(curves), 0o644) //nolint:gosec // for all to read
	}
	var curves []curve
	for _, c := range []struct {
		name    string
		compact bool
	}{{"with compaction", true}, {"without", false}} {
		if word, _, _ := strings.Cut(c.name, " "); o.only != "" && word != o.only {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s: %d commits\n", c.name, o.commits)
		points, err := o.draw(ctx, c.compact)
		if err != nil {
			return fmt.Errorf("%s: %w", c.name, err)
		}
		curves = append(curves, curve{c.name, points})
	}
	for _, c := range curves {
		fmt.Fprintf(out, "%s\ncommits\tcommit ms\tslowest ms\tplanning ms\tmetadata KiB\n", c.name)
		for _, p := range c.points {
			fmt.Fprintf(out, "%d\t%.1f\t%.1f\t%.1f\t%d\n", p.Commits, ms(p.Commit), ms(p.Slowest), ms(p.Planning), p.Metadata>>10)
		}
	}
	if o.svg == "" {
		return nil
	}
	return os.WriteFile(o.svg, drawCurves(curves), 0o644) //nolint:gosec // for all to read
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// draw takes the points of one curve.
func (o compactOptions) draw(ctx context.Context, compact bool) (points []point, err error) {
	lake, err := os.MkdirTemp("", "bench-compact-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(lake)
	sink, err := iceberg.Open(ctx, "iceberg:"+lake, iceberg.Options{})
	if err != nil {
		return nil, err
	}
	defer sink.Close()
	w, err := sink.Open(ctx, compactTable(), writer.Follow)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	stretch := max(o.commits/o.points, 1)
	began := time.Now()
	var took []time.Duration
	for n := range o.commits {
		start := time.Now()
		if err := o.commit(ctx, w, n); err != nil {
			return points, err
		}
		took = append(took, time.Since(start))
		if (n+1)%stretch == 0 {
			p := point{Commits: n + 1, Commit: middle(took), Slowest: slices.Max(took)}
			if p.Planning, p.Metadata, err = planning(ctx, lake); err != nil {
				return points, err
			}
			points, took = append(points, p), nil
			fmt.Fprintf(os.Stderr, "%d commits: %.1f ms, planning %.1f ms, metadata %d KiB, heap %d MiB\n", p.Commits, ms(p.Commit), ms(p.Planning), p.Metadata>>10, heap())
		}
		if compact && (n+1)%o.every == 0 {
			if err := o.tend(ctx, lake); err != nil {
				return points, err
			}
		}
		if o.limit > 0 && time.Since(began) > o.limit {
			break
		}
	}
	return points, nil
}

// heap returns the memory in use, garbage included.
func heap() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapInuse >> 20
}

// middle returns the median.
func middle(all []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(all))
	return sorted[len(sorted)/2]
}

// commit changes some rows and commits them.
func (o compactOptions) commit(ctx context.Context, w writer.Writer, n int) error {
	t := compactTable()
	b := array.NewRecordBuilder(memory.DefaultAllocator, t.Arrow)
	defer b.Release()
	ops := make([]batch.Op, o.changes)
	for i := range o.changes {
		b.Field(0).(*array.Int64Builder).Append(int64((n*7919 + i*104729) % o.keys))
		b.Field(1).(*array.StringBuilder).Append(fmt.Sprintf("changed by commit %d", n))
		ops[i] = batch.After
	}
	rec := b.NewRecordBatch()
	defer rec.Release()
	if err := w.Write(ctx, &batch.Batch{Table: t, Rows: rec, Ops: ops}); err != nil {
		return err
	}
	return w.Commit(ctx, batch.Position(fmt.Sprint(n)))
}

func compactTable() *schema.Table {
	return schema.New("bench", "t", []schema.Column{
		{Name: "id", Native: "bigint", Arrow: arrow.PrimitiveTypes.Int64},
		{Name: "v", Native: "varchar(100)", Arrow: arrow.BinaryTypes.String, Nullable: true},
	}, []int{0})
}

// tend compacts the lake, as another process would.
func (o compactOptions) tend(ctx context.Context, lake string) error {
	sink, err := iceberg.Open(ctx, "iceberg:"+lake, iceberg.Options{})
	if err != nil {
		return err
	}
	defer sink.Close()
	var failed error
	err = sink.Compact(ctx, func(writer.Held) bool { return true }, writer.Upkeep{KeepFor: time.Millisecond, KeepLast: o.keepLast}, func(c writer.Compacted) {
		if failed = c.Err; len(c.Left) > 0 {
			failed = errors.Join(failed, fmt.Errorf("left: %q", c.Left))
		}
	})
	return errors.Join(err, failed)
}
