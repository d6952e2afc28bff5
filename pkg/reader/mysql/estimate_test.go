package mysql

import (
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/reader"
)

// TestEstimateOfNow fills a table that somebody has asked the size of before: MySQL answers
// others for a day by what it was then.
func TestEstimateOfNow(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		s.must(t, "CREATE TABLE a (id INT PRIMARY KEY)")
		if !s.maria {
			s.must(t, "SET SESSION information_schema_stats_expiry=86400")
		}
		if _, err := s.queryOne(t.Context(), "SELECT table_rows FROM information_schema.tables WHERE "+oneTable(s.db, "a")); err != nil {
			t.Fatal(err)
		}
		s.must(t, "INSERT INTO a SELECT n FROM "+sequence(1000))
		st := s.open(t, Options{})
		// Servers may take seconds to count what has been written.
		for start := time.Now(); ; time.Sleep(100 * time.Millisecond) {
			tables, err := st.Tables(t.Context(), reader.Selection{})
			if err != nil {
				t.Fatal(err)
			}
			if tables[0].Rows >= 500 {
				return
			}
			if time.Since(start) > 5*time.Minute {
				t.Fatalf("about %d rows, want 1000", tables[0].Rows)
			}
		}
	})
}
