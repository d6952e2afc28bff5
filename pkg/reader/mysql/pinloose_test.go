package mysql

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader"
)

// TestPinLoose copies tables at points of their own while money moves, and
// applies the log until after the last of them: the total must be right, then
// and from every position on the way.
func TestPinLoose(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		for i := range banks {
			s.must(t, fmt.Sprintf("CREATE TABLE bank%d (id INT PRIMARY KEY, amount BIGINT NOT NULL) ENGINE=InnoDB", i),
				fmt.Sprintf("INSERT INTO bank%d SELECT n, 1000 FROM %s", i, sequence(accounts)))
		}
		s.must(t, "CREATE TABLE moves (client INT PRIMARY KEY, n BIGINT NOT NULL) ENGINE=InnoDB",
			"INSERT INTO moves SELECT n, 0 FROM "+sequence(clients))
		stop := s.moveMoney(t)
		defer stop()
		st := s.open(t, Options{Parallel: 3, ways: []way{ownPoints}})
		tables := s.tables(t, st)
		snap, err := st.Pin(t.Context(), tables, 3)
		if err != nil {
			t.Fatal(err)
		}
		defer snap.Close()
		if l, ok := snap.(reader.Loose); !ok || !l.Loose() {
			t.Error("the snapshot does not say that it is loose")
		}
		rows := copied{}
		var mu sync.Mutex
		var wg sync.WaitGroup
		for _, table := range tables {
			wg.Go(func() {
				eachBatch(t, snap, table, func(b *batch.Batch) {
					mu.Lock()
					defer mu.Unlock()
					if err := rows.apply(b, false); err != nil {
						t.Error(err)
					}
				})
			})
		}
		wg.Wait()
		until := locate(t, st, "now")
		opts := st.opts
		opts.eager = true
		eager := s.open(t, opts)
		steps, err := drain(t, changes(t, eager, all(tables, snap.Position()), until), rows, true)
		if err != nil {
			t.Fatal(err)
		}
		total := func(c copied) (sum int) {
			for name, rows := range c {
				for _, r := range rows {
					var id, n int
					if _, err := fmt.Sscanf(strings.ReplaceAll(r, "|", " "), "%d %d", &id, &n); err != nil {
						t.Fatal(err)
					}
					if name != "moves" {
						sum += n
					}
				}
			}
			return sum
		}
		if got, want := total(rows), banks*accounts*1000; got != want {
			t.Errorf("accounts hold %d, want %d", got, want)
		}
		for i := 0; i < len(steps); i += max(len(steps)/10, 1) {
			at := steps[i]
			if _, err := drain(t, changes(t, st, all(tables, at.pos), until), at.rows, true); err != nil {
				t.Fatal(err)
			}
			if d := at.rows.diff(rows); d != "" {
				t.Errorf("from %s: %s", at.pos, d)
			}
		}
		t.Logf("%d positions", len(steps))
	})
}
