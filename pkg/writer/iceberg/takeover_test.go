package iceberg

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
	"github.com/apache/iceberg-go/utils"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// TestTakenOverByANewTable kills a run that had taken stock over, just after its commit.
// The stock is older than the table, which was dropped and made again: its snapshots
// count from the beginning, and name the files all the same.
func TestTakenOverByANewTable(t *testing.T) {
	s := openSink(t, "iceberg:"+t.TempDir(), Options{KeepEvery: 1})
	tbl := accounts("t")
	load(t, s, tbl, writer.Create, 0, 10, "p0")
	for range 4 {
		load(t, s, tbl, writer.Replace, 0, 10, "p")
	}
	w := openTable(t, s, tbl, writer.Replace)
	keepTen(t, w)
	must(t, w.record.leave()) // killed
	must(t, s.cat.DropTable(t.Context(), w.ident))

	w = openTable(t, s, tbl, writer.Create)
	wantKept(t, w, 10, 0)
	must(t, w.Keep(t.Context(), "plan"))
	name, err := localPath(w.record.location)
	must(t, err)
	record, err := os.ReadFile(name)
	must(t, err)
	b := rows(tbl, 10, 20)
	b.Origin = 1
	write(t, w, b)
	must(t, w.Commit(t.Context(), "p1"))
	must(t, w.Close())
	must(t, os.MkdirAll(strings.TrimSuffix(name, name[strings.LastIndexByte(name, '/'):]), 0o755))
	must(t, os.WriteFile(name, record, 0o644)) // killed before it took the record away

	must(t, openTable(t, s, tbl, writer.Create).Close())
	wantIDs(t, ids(t, s, "t"), 0, 20)
}

// TestTakenOverWhileAsleep suspends a run for so long that another takes its stock over.
// What the first does when it wakes must not touch what the second commits: not when its
// table fails, nor where the store does not remove what it is asked to.
func TestTakenOverWhileAsleep(t *testing.T) {
	for _, stuck := range []bool{false, true} {
		t.Run(fmt.Sprintf("stuck=%t", stuck), func(t *testing.T) {
			warehouse, query := s3Warehouse(t)
			url := "iceberg+sql:" + t.TempDir() + "/c.db?warehouse=" + warehouse + "&" + query
			s, other := openSink(t, url, Options{KeepEvery: 1}), openSink(t, url, Options{KeepEvery: 1})
			tbl := accounts("t")
			w := openTable(t, s, tbl, writer.Create)
			keepTen(t, w)
			text, err := readAll(w.st.files(), w.record.location)
			must(t, err)
			must(t, w.st.files().WriteFile(w.record.location, []byte(text+leftMark))) // stands for 15 minutes

			q := openTable(t, other, tbl, writer.Create)
			wantKept(t, q, 10, 0)
			must(t, q.Keep(t.Context(), "plan"))
			b := rows(tbl, 10, 20)
			b.Origin = 1
			write(t, q, b)
			wake := func() {
				must(t, w.Keep(context.Background(), ""))
				if stuck {
					w.abandon("s3://elsewhere/x")
				}
				_ = w.Close()
			}
			other.opts.Step = func(step string) {
				if step == "manifests written" && !stuck { // the record has been looked at
					wake()
				}
			}
			if stuck {
				wake()
			}
			must(t, q.Commit(t.Context(), "p1"))
			must(t, q.Close())
			wantIDs(t, ids(t, other, "t"), 0, 20)
		})
	}
}

// A grant says how a table's store was opened.
type grant struct {
	tableCatalog
	tbl   *table.Table
	loads int
}

func (g *grant) LoadTable(context.Context, table.Identifier) (*table.Table, error) {
	g.loads++
	return g.tbl, nil
}

// elsewhere hides that files lie on this machine.
type elsewhere struct{ iceio.WriteFileIO }

// TestLeaseShares renews access: by the connections that all tables share, and from a
// table that was loaded anyway, if there is one.
func TestLeaseShares(t *testing.T) {
	s := openSink(t, "iceberg+sql:"+t.TempDir()+"/c.db?warehouse=file://"+t.TempDir(), Options{})
	tbl := accounts("t")
	load(t, s, tbl, writer.Create, 0, 10, "p0")
	w := openTable(t, s, tbl, writer.Append)
	shared, alone := 0, 0
	it := loaded(t, s, tbl)
	of := func(ctx context.Context) (iceio.IO, error) {
		if utils.GetAwsConfig(ctx) == nil {
			alone++
		} else {
			shared++
		}
		return elsewhere{localFS{}}, nil
	}
	g := &grant{tableCatalog: s.cat, tbl: table.New(w.ident, it.Metadata(), it.MetadataLocation(), of, nil)}
	real := w.sink.cat
	w.sink.cat = g
	s.leaseTerm = 300 * time.Millisecond // two calls are to fit into it
	must(t, w.storeOf(s.shared(t.Context()), g.tbl))
	time.Sleep(2 * s.leaseTerm)
	w.st.files()
	w.st.files()
	if g.loads != 1 {
		t.Errorf("got %d loads, want 1", g.loads)
	}
	time.Sleep(2 * s.leaseTerm)
	w.lease.offer(g.tbl)
	w.st.files()
	if g.loads != 1 || shared != 3 || alone > 0 {
		t.Errorf("got %d loads and the store opened %d times by shared connections and %d times by others, want 1, 3, 0", g.loads, shared, alone)
	}
	w.sink.cat = real
	must(t, w.Close())
}

// TestSpreadStopped stops a run while a file has to end to make room for another.
func TestSpreadStopped(t *testing.T) {
	w, lake := spreadTable(t, Layout{Partition: "day(at)"}, Options{})
	w.spreads.most = 2
	put := func(ctx context.Context, day, id int) error {
		b := batchtest.Build(memory.DefaultAllocator, w.src, []batchtest.Row{eventOn(day, id)})
		defer b.Release()
		return w.Write(ctx, b)
	}
	must(t, put(t.Context(), 1, 1))
	for id := range 40 {
		must(t, put(t.Context(), 2, 2+id))
	}
	for range cap(w.sink.uploads) { // the store is slow
		w.sink.uploads <- struct{}{}
	}
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	if err := put(ctx, 3, 100); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want that it is cancelled", err)
	}
	for range cap(w.sink.uploads) {
		<-w.sink.uploads
	}
	must(t, w.Close())
	for _, f := range filesIn(t, lake) {
		if strings.HasSuffix(f, ".parquet") {
			t.Errorf("%s is left", f)
		}
	}
}

// eventOn is a row of events of a day.
func eventOn(day, id int) batchtest.Row {
	at := fmt.Sprintf("2024-01-%02d", day)
	return batchtest.Row{id, at + " 00:00:00.000000", at + " 00:00:00.000000Z", at, "n", "1.00", []byte{1}, int64(1), true}
}
