package mysql

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// TestLogPlaces starts and ends at places that are named in every way.
func TestLogPlaces(t *testing.T) {
	serversAtOnce(t, func(t *testing.T, s *testServer) {
		s.must(t, "CREATE TABLE a (id INT PRIMARY KEY, v INT)")
		st := s.open(t, Options{})
		tables := s.tables(t, st)
		names := []string{"now"} // of the points before the first row, after it, and so on
		point := func() {
			p, err := st.control.logPosition(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			names = append(names, "gtid:"+p.GTID, fmt.Sprintf("file:%s:%d", p.File, p.Pos))
		}
		var times []string
		const rows = 4
		names = nil
		point()
		for i := range rows {
			time.Sleep(1100 * time.Millisecond) // MariaDB's times are whole seconds
			times = append(times, "time:"+time.Now().Truncate(time.Second).Format(time.RFC3339))
			if i == 2 {
				s.must(t, "FLUSH BINARY LOGS")
			}
			s.must(t, fmt.Sprintf("INSERT INTO a VALUES (%d, %d)", i, i))
			point()
		}
		count := func(from, to string) int {
			got := copied{}
			if _, err := drain(t, changes(t, st, all(tables, locate(t, st, from)), locate(t, st, to)), got, false); err != nil {
				t.Fatalf("%s to %s: %v", from, to, err)
			}
			return len(got["a"])
		}
		for i := 0; i <= rows; i++ {
			for j := i; j <= rows; j++ {
				for k := range 2 {
					if got, want := count(names[2*i+k], names[2*j+k]), j-i; got != want {
						t.Errorf("%s to %s: got %d rows, want %d", names[2*i+k], names[2*j+k], got, want)
					}
				}
				if j < rows && i < j {
					if got, want := count(times[i], times[j]), j-i; got != want {
						t.Errorf("%s to %s: got %d rows, want %d", times[i], times[j], got, want)
					}
				}
			}
		}
		if got := count(times[1], "now"); got != rows-1 {
			t.Errorf("%s to now: got %d rows, want %d", times[1], got, rows-1)
		}
		// An end in the future is waited for.
		later := time.Now().Add(3 * time.Second).Truncate(time.Second)
		if got := count(names[0], "time:"+later.Format(time.RFC3339)); got != rows || time.Now().Before(later) {
			t.Errorf("to %v: got %d rows at %v, want %d", later, got, time.Now(), rows)
		}
		if !s.maria {
			told := ""
			odd := s.open(t, Options{Warn: func(text string) { told = text }})
			locate(t, odd, "gtid:00000000-0000-0000-0000-00000000abcd:1-7")
			if !strings.Contains(told, "00000000-0000-0000-0000-00000000abcd") || !strings.Contains(told, "no transactions") {
				t.Errorf("of a server that nobody knows is told %q", told)
			}
		}
		for _, bad := range []string{"", "yesterday", "gtid:x", "file:x", "file:nolog.000001:4", "file:" + st.mustEnd(t) + ":1", "time:noon", "file:" + st.mustEnd(t) + ":99999999999"} {
			if pos, err := st.Locate(t.Context(), bad); err == nil {
				t.Errorf("%q is found at %s", bad, pos)
			}
		}
	})
}

// TestLogPositionsGoOn ends a run before anything has come: its position is no
// earlier in the log's files than the one that it began with.
func TestLogPositionsGoOn(t *testing.T) {
	serversAtOnce(t, func(t *testing.T, s *testServer) {
		s.must(t, "CREATE TABLE a (id INT PRIMARY KEY)", "INSERT INTO a VALUES (1)")
		st := s.open(t, Options{})
		tables := s.tables(t, st)
		from := locate(t, st, "now")
		time.Sleep(1100 * time.Millisecond) // MariaDB's log has whole seconds
		until := locate(t, st, "time:"+time.Now().Format(time.RFC3339Nano))
		time.Sleep(1100 * time.Millisecond)
		s.must(t, "INSERT INTO a VALUES (2)")
		steps, err := drain(t, changes(t, st, all(tables, from), until), copied{}, false)
		if err != nil || len(steps) == 0 {
			t.Fatalf("got %d positions, %v", len(steps), err)
		}
		first, _ := parsePosition(from)
		last, err := parsePosition(steps[len(steps)-1].pos)
		if err != nil || (spot{last.File, last.Pos}).compare(spot{first.File, first.Pos}) < 0 {
			t.Errorf("from %s came %s", from, steps[len(steps)-1].pos)
		}
	})
}

// TestLogPlaceWithinTransaction refuses to begin in the middle of a transaction:
// the rest of it would pass for read.
func TestLogPlaceWithinTransaction(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		s.must(t, "CREATE TABLE a (id INT PRIMARY KEY, v INT)")
		st := s.open(t, Options{})
		begin, err := st.control.logPosition(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.must(t, "BEGIN", "INSERT INTO a VALUES (1,1)", "INSERT INTO a VALUES (2,2)", "COMMIT", "INSERT INTO a VALUES (3,3)")
		rows, err := s.query(t.Context(), fmt.Sprintf("SHOW BINLOG EVENTS IN '%s' FROM %d", begin.File, begin.Pos))
		if err != nil {
			t.Fatal(err)
		}
		good, bad := 0, 0
		for _, r := range rows {
			place := "file:" + begin.File + ":" + r[1]
			_, err := st.Locate(t.Context(), place)
			switch r[2] {
			case "Gtid":
				good++
				if err != nil {
					t.Errorf("%s, a transaction's beginning: %v", place, err)
				}
				if _, err := st.Locate(t.Context(), place+"1"); err == nil {
					t.Errorf("%s1 is the beginning of nothing and is taken for one", place)
				}
			case "Query", "Table_map", "Xid", "Annotate_rows":
				bad++
				wantError(t, err, "no transaction begins there", "gtid:")
			}
		}
		if good < 2 || bad < 6 {
			t.Errorf("%d beginnings and %d others in %v", good, bad, rows)
		}
	})
}

func (s *Stock) mustEnd(t *testing.T) string {
	p, err := s.control.logPosition(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return p.File
}

// TestLogUneven has tables go on from points of their own, and from every
// position that is told on the way.
func TestLogUneven(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		var sql []string
		for _, name := range []string{"a", "b", "c"} {
			sql = append(sql, "CREATE TABLE "+name+" (id INT PRIMARY KEY, v INT)")
		}
		s.must(t, sql...)
		st := s.open(t, Options{eager: true})
		tables := s.tables(t, st)
		rows := copied{}
		from := map[*schema.Table]batch.Position{}
		n := 0
		write := func() {
			for range 3 {
				n++
				s.must(t, "BEGIN", fmt.Sprintf("INSERT INTO a VALUES (%d,1)", n), fmt.Sprintf("INSERT INTO b VALUES (%d,1)", n), fmt.Sprintf("INSERT INTO c VALUES (%d,1)", n),
					fmt.Sprintf("UPDATE a SET v=v+%d", n), "COMMIT", fmt.Sprintf("DELETE FROM b WHERE id=%d", n-1))
			}
		}
		write()
		for _, table := range tables {
			got, pos := stockOf(t, st, tables)
			from[table] = pos
			rows[table.Name] = got[table.Name]
			write()
		}
		until := locate(t, st, "now")
		want, _ := stockOf(t, st, tables)
		steps, err := drain(t, changes(t, st, from, until), rows, false)
		if err != nil {
			t.Fatal(err)
		}
		if d := rows.diff(want); d != "" {
			t.Errorf("the copy differs: %s", d)
		}
		for i, at := range steps {
			if _, err := drain(t, changes(t, st, all(tables, at.pos), until), at.rows, false); err != nil {
				t.Fatalf("from position %d, %s: %v", i, at.pos, err)
			}
			if d := at.rows.diff(want); d != "" {
				t.Fatalf("from position %d, %s, the copy differs: %s", i, at.pos, d)
			}
		}
		t.Logf("%d positions", len(steps))
	})
}

// TestLogLive reads while rows come in: they are seen soon, positions are told
// while nothing happens, and a context that ends does no harm.
func TestLogLive(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		s.must(t, "CREATE TABLE a (id INT PRIMARY KEY, v INT)", "CREATE TABLE other (id INT PRIMARY KEY)")
		st := s.open(t, Options{})
		tables := s.tables(t, st, "a")
		rd := changes(t, st, all(tables, locate(t, st, "now")), "")
		defer rd.Close()
		soonest := time.Hour // of several: the machine may have other things to do
		for i := range 5 {
			s.must(t, fmt.Sprintf("INSERT INTO a VALUES (%d,1)", i))
			start := time.Now()
			for {
				b := next(t, rd, time.Minute)
				n := int64(0)
				if b.Table != nil {
					n = b.Rows.NumRows()
				}
				b.Release()
				if n > 0 {
					break
				}
			}
			soonest = min(soonest, time.Since(start))
		}
		if soonest > 700*time.Millisecond {
			t.Errorf("a row was seen after %v", soonest)
		}
		soonest = time.Hour
		for range 3 {
			start := time.Now()
			b := next(t, rd, time.Minute)
			if b.Table != nil || b.Pos == "" {
				t.Errorf("got %+v, want a position alone", b)
			}
			soonest = min(soonest, time.Since(start))
			b.Release()
			s.must(t, "INSERT INTO other VALUES ("+itoa(uint64(start.UnixNano()%1000000000))+")")
		}
		if soonest > 4*time.Second {
			t.Errorf("a position was told after %v", soonest)
		}
	})
}

func next(t *testing.T, rd reader.Reader, wait time.Duration) *batch.Batch {
	t.Helper()
	start := time.Now()
	for {
		ctx, cancel := contextWithin(t, 50*time.Millisecond) // its end must not cost anything
		b, err := rd.Read(ctx)
		cancel()
		if err == nil {
			return b
		}
		if ctx.Err() == nil || time.Since(start) > wait {
			t.Fatalf("read: %v after %v", err, time.Since(start))
		}
	}
}

// TestHeadroom tells what lies around a position.
func TestHeadroom(t *testing.T) {
	serversAtOnce(t, func(t *testing.T, s *testServer) {
		s.must(t, "CREATE TABLE a (id INT PRIMARY KEY, v INT)")
		st := s.open(t, Options{})
		// The server is everybody's: a statement of another test between the two
		// questions lies ahead of the position, so they are asked again.
		pos := batch.Position("")
		h := reader.Headroom{Ahead: 1}
		var err error
		for i := 0; i < 20 && h.Ahead != 0 && err == nil; i++ {
			pos = locate(t, st, "now")
			h, err = st.Headroom(t.Context(), pos)
		}
		if err != nil || h.Gone || !h.AtEnd || h.Behind != 0 || h.Ahead != 0 || h.Before <= 0 {
			t.Errorf("at the end: got %+v, %v", h, err)
		}
		time.Sleep(1100 * time.Millisecond)
		s.must(t, "INSERT INTO a VALUES (1,1)")
		h, err = st.Headroom(t.Context(), pos)
		if err != nil || h.Gone || h.AtEnd || h.Behind < time.Second || h.Ahead <= 0 {
			t.Errorf("behind: got %+v, %v", h, err)
		}
	})
}

// isTransient checks that an error says that it may pass.
func isTransient(t *testing.T, err error) {
	t.Helper()
	if !hint.IsTransient(err) || err == io.EOF {
		t.Errorf("got %v, want a transient error", err)
	}
}
