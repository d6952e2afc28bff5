package iceberg

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/testdata/front"
)

// unheardOf has the first answer to each kind of request that changes something, once
// the catalog has made the change, become another, and that to the next question too.
type unheardOf struct {
	status int
	mu     sync.Mutex
	struck map[string]int
	on     bool
	down   bool // after the first change nothing is answered any more
}

func (u *unheardOf) after(r *http.Request, status int) int {
	u.mu.Lock()
	defer u.mu.Unlock()
	what := r.Method + " " + r.URL.Path
	changes := r.Method != http.MethodGet && r.Method != http.MethodHead && status < 300
	asks := r.Method == http.MethodGet && u.struck["POST "+r.URL.Path] > 0
	gone := u.down && len(u.struck) > 0
	if !u.on || !gone && (!changes && !asks || u.struck[what] > 0) {
		return 0
	}
	u.struck[what]++
	return u.status
}

// arm begins anew, for one answer of each kind or for all from the first change on.
func (u *unheardOf) arm(down bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.on, u.down, u.struck = true, down, make(map[string]int)
}

func (u *unheardOf) disarm() {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.on = false
}

func (u *unheardOf) times(what string) (n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	for path, times := range u.struck {
		if strings.HasSuffix(path, what) {
			n += times
		}
	}
	return n
}

// TestCatalogMadeItAndFailed has a real catalog make each thing that it is asked for
// and answer that it has failed, or not at all.
func TestCatalogMadeItAndFailed(t *testing.T) {
	back := service(t, "iceberg-rest", "TABLEHAUL_TEST_ICEBERG_REST")
	for _, status := range []int{500, 502, 503, 504, front.Cut} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			t.Parallel()
			u := &unheardOf{status: status}
			f := (&front.Front{After: u.after}).Start(t, back)
			s := openSink(t, "iceberg+rest"+strings.TrimPrefix(f.URL, "http"), Options{})
			s.retry.min, s.retry.max = time.Millisecond, 10*time.Millisecond
			s.ns = []string{fmt.Sprintf("t%d", time.Now().UnixNano())}
			// once loads a table and counts what became of it.
			once := func(tbl *schema.Table, mode writer.Mode, from, to, first, last, snaps int) {
				t.Helper()
				u.arm(false)
				w := openTable(t, s, tbl, mode)
				write(t, w, rows(tbl, from, to))
				must(t, w.Commit(t.Context(), batch.Position(fmt.Sprint("p", from))))
				must(t, w.Close())
				wantIDs(t, ids(t, s, tbl.Name), first, last)
				if got := len(snapshots(t, s, tbl.Name)); got != snaps {
					t.Errorf("%s: got %d snapshots, want %d", mode, got, snaps)
				}
				if u.times("/"+tbl.Name) == 0 {
					t.Errorf("%s: no answer was exchanged: %v", mode, u.struck)
				}
			}
			tbl := accounts("t")
			once(tbl, writer.Create, 0, 10, 0, 10, 1)
			once(tbl, writer.Append, 10, 20, 0, 20, 2)
			once(tbl, writer.Replace, 5, 30, 5, 30, 3)
			more := schema.New("shop", "t", cols("id int!", "owner varchar(20)", "more int"), []int{0})
			once(more, writer.Evolve, 30, 40, 5, 40, 4)

			u.arm(false)
			var group []writer.Writer
			for _, name := range []string{"a", "b"} {
				w := openTable(t, s, accounts(name), writer.Create)
				write(t, w, rows(w.src, 0, 5))
				group = append(group, w)
			}
			must(t, s.CommitAll(t.Context(), group, "p"))
			for i, name := range []string{"a", "b"} {
				must(t, group[i].Close())
				wantIDs(t, ids(t, s, name), 0, 5)
			}
			if u.times("/commit") != 1 || u.times("/tables") != 1 {
				t.Errorf("not all answers were exchanged: %v", u.struck)
			}
		})
	}
}

// A catalog that makes the commit and is not heard of again: the run does not know, says
// so, and tells what can be done. To run again is right but where rows are added.
func TestCatalogMadeItAndWasGone(t *testing.T) {
	back := service(t, "iceberg-rest", "TABLEHAUL_TEST_ICEBERG_REST")
	u := &unheardOf{status: 503}
	f := (&front.Front{After: u.after}).Start(t, back)
	s := openSink(t, "iceberg+rest"+strings.TrimPrefix(f.URL, "http"), Options{})
	s.retry = retryPolicy{attempts: 3, min: time.Millisecond, max: time.Millisecond, timeout: time.Minute}
	s.ns = []string{fmt.Sprintf("t%d", time.Now().UnixNano())}
	tbl := accounts("t")
	// The namespace has to be there, or making it would be the first change.
	load(t, s, accounts("other"), writer.Create, 0, 1, "p")
	from := 0
	for _, mode := range []writer.Mode{writer.Create, writer.Replace, writer.Append, writer.Evolve} {
		to := from + 10
		w := openTable(t, s, tbl, mode)
		write(t, w, rows(tbl, from, to))
		u.arm(true)
		err := w.Commit(t.Context(), batch.Position(mode))
		u.disarm()
		must(t, w.Close())
		if err == nil || !strings.Contains(err.Error(), "did not tell whether it was accepted") || !hint.IsTransient(err) {
			t.Fatalf("%s: got %v, want that it is not known", mode, err)
		}
		want := "run the same command again"
		if mode == writer.Append || mode == writer.Evolve {
			want, _, _ = strings.Cut(snapshotID(t, s, "t"), ".")
			want = "a snapshot whose tablehaul.commit-id begins with " + want
		}
		if got := hint.Of(err); !strings.Contains(got, want) {
			t.Errorf("%s: got the hint %q, want %q in it", mode, got, want)
		}
		// What the next run finds.
		w = openTable(t, s, tbl, writer.Create)
		if pos, err := w.Position(t.Context()); err != nil || pos != batch.Position(mode) {
			t.Errorf("%s: the table holds %q (%v)", mode, pos, err)
		}
		must(t, w.Close())
		first := from
		if mode == writer.Create || mode == writer.Replace {
			load(t, s, tbl, writer.Replace, from, to, "again")
		} else {
			first = 10
		}
		wantIDs(t, ids(t, s, "t"), first, to)
		from = to
	}
}

// snapshotID returns the commit id of the table's last snapshot.
func snapshotID(t *testing.T, s *Sink, name string) string {
	list := snapshots(t, s, name)
	return list[len(list)-1].Summary.Properties[commitProperty]
}
