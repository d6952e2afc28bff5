package iceberg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/writertest"
)

// The suites take long and know nothing of each other.

func TestSuiteEmbedded(t *testing.T) {
	t.Parallel()
	suite(t, func(t *testing.T) string { return "iceberg:" + t.TempDir() })
}

// TestSuiteSQLOnS3 runs what a store may do otherwise than a folder: the catalog is that of
// TestSuiteEmbedded. wholeSuites runs all.
func TestSuiteSQLOnS3(t *testing.T) {
	t.Parallel()
	parts := append([]string{
		"nothing is visible before the commit", "a commit publishes all with its position", "a cancelled context commits nothing",
		"a commit repeated after a reply lost within", "a restart after every fault", "changes after every fault", "cleared after every fault",
		"shared, all or none", "shared by one that dies", "all or none", "extend", "cleared", "random changes",
		"stock that is kept", "every type", "a huge row", "odd names", "concurrent writes", "many tables at once",
	}, storeParts...)
	if wholeSuites() {
		parts = nil
	}
	writertest.Some(t, harness(func(t *testing.T) string {
		warehouse, query := s3Warehouse(t)
		return "iceberg+sql:" + t.TempDir() + "/c.db?warehouse=" + warehouse + "&" + query
	}), parts...)
}

// TestSuiteREST leaves out what is about rows within files alone, unless wholeSuites.
func TestSuiteREST(t *testing.T) {
	t.Parallel()
	parts := []string{
		"changes of every kind of key", "random changes", "cleared by every kind of key", "cleared at random", "every kind of key",
	}
	if wholeSuites() {
		parts = nil
	}
	writertest.But(t, harness(func(t *testing.T) string {
		u, err := url.Parse(service(t, "iceberg-rest", "TABLEHAUL_TEST_ICEBERG_REST"))
		must(t, err)
		return "iceberg+rest://" + u.Host
	}), parts...)
}

// wholeSuites reports whether every store, catalog and layout is to run every part of the suite:
// with TABLEHAUL_TEST_STORES=all.
func wholeSuites() bool { return os.Getenv("TABLEHAUL_TEST_STORES") == "all" }

// agreeing are the parts about who may commit and what comes of a commit that failed, in which
// a layout has no part: it says where rows lie.
var agreeing = []string{
	"a commit repeated after a lost reply", "a commit repeated after a reply lost within", "a restart after every fault", "two writers on one table",
	"extend after a lost reply", "shared", "shared and refused", "shared after a lost reply", "shared by one that dies", "shared and emptied",
	"shared, all or none", "shared by a crowd", "shared and extended", "cleared while others commit", "cleared after a lost reply",
	"changes after a lost reply", "two writers of changes", "list", "odd names",
}

// spreading are the parts of the suite in which a layout has goroutines do what they do not
// without one, for -short.
var spreading = []string{
	"nothing is visible before the commit", "close abandons", "random changes", "emptied", "stock and changes in one commit",
	"stock that is kept", "every kind of key", "concurrent writes", "many tables at once",
}

// TestSuiteLayouts runs the suite on tables that are partitioned, by columns of the
// key and by others, that are sorted, and of format version 3, which runs all of it.
func TestSuiteLayouts(t *testing.T) {
	for name, layout := range map[string]Layout{
		"by key, version 3":  {Partition: "bucket(3,KEY)", FormatVersion: 3},
		"by another, sorted": {Partition: "bucket(5,OTHER)", Sort: "OTHER desc, KEY"},
	} {
		var parts []string // all
		if testing.Short() {
			if layout.FormatVersion == 3 {
				continue // the other one spreads rows in all ways; with the race detector each takes a minute
			}
			parts = spreading
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := harness(func(t *testing.T) string { return "iceberg:" + t.TempDir() }, func(t *testing.T, o *Options) {
				l := layout
				if strings.Contains(t.Name(), "another-shape") { // which may take the partitions' column away
					l.Partition = ""
				}
				o.Layout = func(tbl *schema.Table) Layout { return l.of(tbl) }
			})
			if layout.FormatVersion == 3 || testing.Short() || wholeSuites() {
				writertest.Some(t, h, parts...)
			} else {
				writertest.But(t, h, agreeing...)
			}
		})
	}
}

// of puts columns of a table in the places of KEY and OTHER.
func (l Layout) of(tbl *schema.Table) Layout {
	key, other := "", ""
	for i, c := range tbl.Columns {
		typ, err := icebergType(c.Arrow, new(int))
		if err != nil || !(iceberg.BucketTransform{}).CanTransform(typ) {
			continue
		}
		name := "`" + strings.ReplaceAll(c.Name, "`", "``") + "`"
		if slices.Contains(tbl.Key, i) {
			key = cmp.Or(key, name)
		} else {
			other = cmp.Or(other, name)
		}
	}
	key, other = cmp.Or(key, other), cmp.Or(other, key)
	if key == "" {
		return Layout{FormatVersion: l.FormatVersion}
	}
	if key == other && strings.Contains(l.Sort, ",") {
		l.Sort = "KEY"
	}
	r := strings.NewReplacer("KEY", key, "OTHER", other)
	l.Partition, l.Sort = r.Replace(l.Partition), r.Replace(l.Sort)
	return l
}

// suite runs what every sink must show on catalogs that target names.
func suite(t *testing.T, target func(*testing.T) string, options ...func(*testing.T, *Options)) {
	writertest.Run(t, harness(target, options...))
}

func harness(target func(*testing.T) string, options ...func(*testing.T, *Options)) func(*testing.T) writertest.Harness {
	return func(t *testing.T) writertest.Harness {
		target := target(t)
		var lose atomic.Int32
		prefix := fmt.Sprintf("t%d_", time.Now().UnixNano()) // servers live longer than a test
		open := func(t *testing.T) *Sink {
			o := Options{TargetFileSize: 64 << 10, KeepEvery: 1, Memory: 256 << 10, Parallel: 4}
			for _, set := range options {
				set(t, &o)
			}
			s, err := Open(t.Context(), target, o)
			must(t, err)
			s.cat = losing{s.cat, &lose}
			s.retry.min, s.retry.max = time.Millisecond, 10*time.Millisecond
			return s
		}
		return writertest.Harness{
			Open:      func(t *testing.T) writer.Sink { return renaming{open(t), prefix} },
			LoseReply: func(*testing.T) { lose.Store(1) },
			Rows: func(t *testing.T, tbl *schema.Table) []arrow.RecordBatch {
				s := open(t)
				defer s.Close()
				recs := scan(t, s, renamed(tbl, prefix))
				if strings.HasPrefix(target, "iceberg:") { // once: over a network it takes as long again
					sameScanned(t, s, renamed(tbl, prefix), recs)
				}
				return recs
			},
			Foreign: func(t *testing.T, tbl *schema.Table, recs arrow.RecordBatch) {
				s := open(t)
				defer s.Close()
				w := openTable(t, s, renamed(tbl, prefix), writer.Create)
				must(t, w.Write(t.Context(), &batch.Batch{Table: tbl, Rows: recs}))
				must(t, w.Commit(t.Context(), "foreign"))
				it, err := s.cat.LoadTable(t.Context(), w.ident)
				must(t, err)
				tx := it.NewTransaction()
				must(t, tx.RemoveProperties([]string{positionProperty, sourceProperty, commitProperty, shapeProperty}))
				_, err = tx.Commit(t.Context())
				must(t, err)
			},
		}
	}
}

// scan reads a table whole through iceberg-go.
func scan(t *testing.T, s *Sink, tbl *schema.Table) []arrow.RecordBatch {
	t.Helper()
	it, err := s.cat.LoadTable(context.Background(), s.identifier(tbl))
	if errors.Is(err, catalog.ErrNoSuchTable) || errors.Is(err, catalog.ErrNoSuchNamespace) {
		return nil
	}
	must(t, err)
	if len(it.Metadata().Schemas()) > 1 {
		return scanShapes(t, it)
	}
	_, recs, err := it.Scan().ToArrowRecords(context.Background())
	must(t, err)
	var out []arrow.RecordBatch
	for r, err := range recs {
		must(t, err)
		out = append(out, r)
	}
	return out
}

// renaming puts tables into databases of a test's own.
type renaming struct {
	*Sink
	prefix string
}

func (r renaming) Open(ctx context.Context, t *schema.Table, mode writer.Mode) (writer.Writer, error) {
	return r.Sink.Open(ctx, renamed(t, r.prefix), mode)
}

func (r renaming) List(ctx context.Context) ([]writer.Held, error) { return r.list(ctx, r.prefix) }

func renamed(t *schema.Table, prefix string) *schema.Table {
	c := *t
	c.DB = prefix + t.DB
	return &c
}

// losing is a catalog that is gone once a commit has reached it, for so long that
// a Commit gives up. 1 arms it; then it counts the calls up to 0 that it fails.
type losing struct {
	tableCatalog
	lose *atomic.Int32
}

var errReplyLost = &net.OpError{Op: "read", Net: "tcp", Err: errors.New("connection lost")}

// lost loses the reply of a commit of some tables, each of which is looked at
// before each further attempt.
func (l losing) lost(tables int) bool {
	return l.lose.CompareAndSwap(1, -int32(tables*(defaultRetry.attempts-1)))
}

func (l losing) CommitTable(ctx context.Context, ident table.Identifier, reqs []table.Requirement, ups []table.Update) (table.Metadata, string, error) {
	meta, loc, err := l.tableCatalog.CommitTable(ctx, ident, reqs, ups)
	if err == nil && l.lost(1) {
		return nil, "", errReplyLost
	}
	return meta, loc, err
}

func (l losing) createWhole(ctx context.Context, ident table.Identifier, meta table.Metadata, ups []table.Update) (table.Metadata, error) {
	got, err := l.tableCatalog.createWhole(ctx, ident, meta, ups)
	if err == nil && l.lost(1) {
		return nil, errReplyLost
	}
	return got, err
}

func (l losing) commitAll(ctx context.Context, commits []table.TableCommit) error {
	err := l.tableCatalog.commitAll(ctx, commits)
	if err == nil && len(commits) > 0 && l.lost(len(commits)) {
		return errReplyLost
	}
	return err
}

func (l losing) LoadTable(ctx context.Context, ident table.Identifier) (*table.Table, error) {
	if l.lose.Load() < 0 {
		l.lose.Add(1)
		return nil, errReplyLost
	}
	return l.tableCatalog.LoadTable(ctx, ident)
}
