package mysql

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// openings returns how often each way of pinning is tried while clients write. The torn ones
// that a wrong way lets through are one in hundreds: TABLEHAUL_TEST_OPENINGS=N looks longer.
func openings(t *testing.T) int {
	text := os.Getenv("TABLEHAUL_TEST_OPENINGS")
	if text == "" {
		return 350
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("TABLEHAUL_TEST_OPENINGS=%s", text)
	}
	return n
}

const (
	banks = 3 // tables
	// With few accounts the clients wait for each other's rows, and a global
	// lock that comes between them times out more often than it is granted.
	accounts = 1000
	clients  = 4
)

// TestPin moves money between accounts of several tables, and counts the moves
// in another, while snapshots are opened: the totals must not move, and the
// log position of each must hold just as many transactions as the rows show. The
// servers are its own: a lock on all tables would hold other tests up, and is not
// asked for while their long queries run.
func TestPin(t *testing.T) {
	openings := openings(t)
	privatelyAtOnce(t, func(t *testing.T, s *testServer) {
		ways := []way{lockTables, globalLock, oneReader}
		if s.maria {
			ways = append(ways, sameLogSpot)
		}
		for i := range banks {
			s.must(t, fmt.Sprintf("CREATE TABLE bank%d (id INT PRIMARY KEY, amount BIGINT NOT NULL) ENGINE=InnoDB", i),
				fmt.Sprintf("INSERT INTO bank%d SELECT n, 1000 FROM %s", i, sequence(accounts)))
		}
		s.must(t, "CREATE TABLE moves (client INT PRIMARY KEY, n BIGINT NOT NULL) ENGINE=InnoDB",
			"INSERT INTO moves SELECT n, 0 FROM "+sequence(clients))
		base := transactions(t, s.executed(t))
		stop := s.moveMoney(t)
		defer stop()
		for _, w := range ways {
			t.Run(strings.ReplaceAll(w.name, " ", "-"), func(t *testing.T) {
				st := s.open(t, Options{Parallel: 3, ways: []way{w}})
				tables, err := st.Tables(t.Context(), reader.Selection{})
				if err != nil {
					t.Fatal(err)
				}
				pinned := 0
				for i := range openings {
					if i%20 == 0 { // MariaDB looks GTIDs up by reading its log file from the start
						s.must(t, "FLUSH BINARY LOGS")
					}
					if s.checkOpening(t, st, tables, base) {
						pinned++
					}
					if t.Failed() {
						t.Fatalf("opening %d", i)
					}
				}
				if pinned < openings*9/10 && w.name != sameLogSpot.name {
					t.Errorf("only %d of %d openings were pinned", pinned, openings)
				}
				t.Logf("%d of %d openings pinned, all whole", pinned, openings)
			})
		}
	})
}

// moveMoney has clients transfer between accounts until the returned function
// is called.
func (s *testServer) moveMoney(t *testing.T) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	cfg, err := parseURL(s.url)
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for client := 1; client <= clients; client++ {
		c, err := dial(ctx, cfg)
		if err != nil {
			t.Fatal(err)
		}
		count := countMySQL
		if c.maria {
			count = countMaria
		}
		for _, q := range []string{"USE " + ident(s.db), count} {
			if _, err := c.Execute(q); err != nil {
				t.Fatal(err)
			}
		}
		wg.Go(func() {
			defer c.Close()
			for ctx.Err() == nil {
				sum := rand.IntN(100)
				var err error
				for _, q := range []string{
					"BEGIN",
					fmt.Sprintf("UPDATE bank%d SET amount = amount - %d WHERE id = %d", rand.IntN(banks), sum, 1+rand.IntN(accounts)),
					fmt.Sprintf("UPDATE bank%d SET amount = amount + %d WHERE id = %d", rand.IntN(banks), sum, 1+rand.IntN(accounts)),
					fmt.Sprintf("UPDATE moves SET n = n + 1 WHERE client = %d", client),
					"COMMIT",
				} {
					if _, err = c.Execute(q); err != nil {
						break
					}
				}
				if err != nil { // a deadlock between two clients
					_, _ = c.Execute("ROLLBACK")
				}
			}
		})
	}
	return func() { cancel(); wg.Wait() }
}

// The moves are counted apart from whatever else happens on the server: in
// MySQL by a tag in their GTIDs, in MariaDB by a replication domain.
const (
	countMySQL = "SET SESSION gtid_next='AUTOMATIC:money'"
	countMaria = "SET SESSION gtid_domain_id=77"
)

var counted = regexp.MustCompile(`:money:(?:\d+-)?(\d+)|(?:^|,)77-\d+-(\d+)`)

// transactions returns how many counted transactions a set of GTIDs holds.
func transactions(t *testing.T, gtid string) int {
	m := counted.FindStringSubmatch(gtid)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1] + m[2])
	if err != nil {
		t.Fatalf("%s: %v", gtid, err)
	}
	return n
}

// executed returns the GTIDs of the server's log now.
func (s *testServer) executed(t *testing.T) string {
	q := "SELECT @@gtid_executed"
	if s.maria {
		q = "SELECT @@gtid_binlog_pos"
	}
	gtid, err := s.queryOne(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	return gtid
}

// checkOpening pins a point and reports whether that was possible.
func (s *testServer) checkOpening(t *testing.T, st *Stock, tables []*schema.Table, base int) bool {
	snap, err := st.Pin(t.Context(), tables, 3)
	if errors.Is(err, errNotPinned) || err != nil && strings.Contains(err.Error(), errNotPinned.Error()) {
		return false
	}
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	var pos position
	if err := json.Unmarshal([]byte(snap.Position()), &pos); err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	sums := map[bool]int64{} // of the counter table, and of all others
	var wg sync.WaitGroup
	for _, table := range tables { // each at once, so that different connections read them
		wg.Go(func() {
			n := sumColumn(t, snap, table)
			mu.Lock()
			sums[table.Name == "moves"] += n
			mu.Unlock()
		})
	}
	wg.Wait()
	if got, want := sums[false], int64(banks*accounts*1000); got != want {
		t.Errorf("accounts hold %d, want %d", got, want)
	}
	if got, want := transactions(t, pos.GTID)-base, int(sums[true]); got != want && (!pos.Early || got > want) {
		t.Errorf("the position covers %d moves, the rows show %d", got, want)
	}
	return true
}
