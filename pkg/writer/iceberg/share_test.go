//go:build unix

package iceberg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/writertest"
)

var sharedTable = batchtest.Shape("shop", "t", "id bigint key", "note varchar(50)")

// sharedStep returns the n-th commit of a process: what becomes of its rows.
func sharedStep(part, n int) (rows []batchtest.Row, ops []batch.Op) {
	id := func(i int) int { return 1000*part + i }
	rows = []batchtest.Row{{id(n), "new"}, {id(n / 2), strconv.Itoa(n)}}
	ops = []batch.Op{batch.Insert, batch.After}
	if n%3 == 2 {
		rows, ops = append(rows, batchtest.Row{id(n / 3), nil}), append(ops, batch.Delete)
	}
	return rows, ops
}

// shareTable commits a part's steps to a table that others commit theirs to, and kills
// itself when it comes to a step of a commit for the n-th time, if n is not 0.
func shareTable(arg string) error {
	ctx := context.Background()
	f := strings.SplitN(arg, "|", 5)
	part, _ := strconv.Atoi(f[0])
	commits, _ := strconv.Atoi(f[1])
	left, _ := strconv.Atoi(f[3])
	s, err := Open(ctx, f[4], Options{Step: func(name string) {
		if name != f[2] {
			return
		}
		if left--; left == 0 {
			if self, err := os.FindProcess(os.Getpid()); err == nil {
				_ = self.Kill()
				select {}
			}
		}
	}})
	if err != nil {
		return err
	}
	defer s.Close()
	for {
		if err = sharePart(ctx, s, part, commits); !hint.IsTransient(err) {
			return err
		}
	}
}

func sharePart(ctx context.Context, s *Sink, part, commits int) (err error) {
	w, err := s.Open(ctx, sharedTable, writer.Extend)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.Close()) }()
	pos, err := w.Position(ctx)
	if err != nil {
		return err
	}
	name := strconv.Itoa(part)
	w.(writer.Sharer).Share(writertest.MergePart(name))
	n, err := writertest.Reached(pos, name)
	for ; err == nil && n < commits; n++ {
		rows, ops := sharedStep(part, n)
		b := batchtest.Build(memory.DefaultAllocator, sharedTable, rows)
		b.Ops = ops
		if err = w.Write(ctx, b); err == nil {
			err = w.Commit(ctx, batch.Position(fmt.Sprintf("%s:%d", name, n+1)))
		}
		b.Release()
	}
	return err
}

// TestProcessesShareATable has three processes commit to one table, one of which is killed
// at every step of a commit and started again. None takes another's files for those of a
// dead one, whose own are gone in the end.
func TestProcessesShareATable(t *testing.T) {
	kills(t)
	lake := t.TempDir()
	shareATable(t, "iceberg:"+lake)
	s := openSink(t, "iceberg:"+lake, Options{})
	must(t, openTable(t, s, sharedTable, writer.Extend).Close())
	if extra := unnamed(t, s, lake); len(extra) > 0 {
		t.Errorf("left over: %q", extra)
	}
}

// The same with a REST catalog and files in S3, where records tell who lives.
func TestProcessesShareATableOnREST(t *testing.T) {
	u, err := url.Parse(service(t, "iceberg-rest", "TABLEHAUL_TEST_ICEBERG_REST"))
	must(t, err)
	shareATable(t, fmt.Sprintf("iceberg+rest://%s/t%d", u.Host, time.Now().UnixNano()))
}

func shareATable(t *testing.T, target string) {
	t.Helper()
	const parts, commits = 3, 25
	run := func(part int, step string, n int) (killed bool, err error) {
		cmd, out := child(t, "share", fmt.Sprintf("%d|%d|%s|%d|%s", part, commits, step, n, target))
		text, _ := io.ReadAll(out)
		if len(text) > 0 {
			return false, fmt.Errorf("process %d: %s", part, text)
		}
		return cmd.Wait() != nil, nil
	}
	var wg sync.WaitGroup
	errs := make([]error, parts)
	for part := range parts {
		wg.Go(func() {
			for i, step := range []string{"rows written", "files durable", "manifests written", "commit sent", "commit landed", "tidied", ""} {
				n := i%3 + 1
				if part > 0 && step != "" {
					continue
				}
				killed, err := run(part, step, n)
				if err == nil && killed != (step != "") {
					err = fmt.Errorf("part %d, %q: killed %v", part, step, killed)
				}
				errs[part] = errors.Join(errs[part], err)
			}
		})
	}
	wg.Wait()
	must(t, errors.Join(errs...))

	model := map[any]batchtest.Row{}
	for part := range parts {
		for n := range commits {
			rows, ops := sharedStep(part, n)
			for i, row := range rows {
				if delete(model, row[0]); ops[i] != batch.Delete {
					model[row[0]] = row
				}
			}
		}
	}
	var want, got []batchtest.Row
	for _, row := range model {
		want = append(want, row)
	}
	s := openSink(t, target, Options{})
	for _, rec := range scan(t, s, sharedTable) {
		rows, err := batchtest.Rows(rec, "id", "note")
		must(t, err)
		got = slices.Concat(got, rows)
	}
	if diff := batchtest.Diff(got, want); diff != "" {
		t.Error(diff)
	}
	w := openTable(t, s, sharedTable, writer.Extend)
	if pos, err := w.Position(t.Context()); err != nil || pos != "0:25 1:25 2:25" {
		t.Errorf("position: %q, %v", pos, err)
	}
	must(t, w.Close())
}
