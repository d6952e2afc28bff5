package mysql

import (
	"errors"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// TestPinAsListed has tables altered between being listed and being read: what is read would be
// taken for what they were, and so they are refused. So is one that is gone.
func TestPinAsListed(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		for _, alter := range []string{"MODIFY v VARCHAR(20)", "ADD x INT", "DROP v", "RENAME COLUMN v TO w", "MODIFY v INT NULL", "DROP PRIMARY KEY", "RENAME TO c"} {
			s.must(t, "DROP TABLE IF EXISTS a, b, c", "CREATE TABLE a (id INT PRIMARY KEY, v INT NOT NULL)", "CREATE TABLE b (id INT PRIMARY KEY)")
			st, err := Open(t.Context(), s.url, Options{})
			if err != nil {
				t.Fatal(err)
			}
			tables, err := st.Tables(t.Context(), reader.Selection{})
			if err != nil {
				t.Fatal(err)
			}
			snap, err := st.Pin(t.Context(), tables, 2)
			if err != nil {
				t.Fatalf("as they are: %v", err)
			}
			if err := snap.Close(); err != nil {
				t.Error(err)
			}
			s.must(t, "ALTER TABLE a "+alter)
			snap, err = st.Pin(t.Context(), tables, 2)
			if err == nil {
				if _, err := snap.Splits(t.Context(), tables[1]); err != nil {
					t.Errorf("%s: of the other table: %v", alter, err)
				}
				_, err = snap.Splits(t.Context(), tables[0])
				_ = snap.Close()
			}
			var te *schema.TableError
			if !errors.As(err, &te) || te.Table != s.db+".a" || !te.Anew {
				t.Errorf("%s: got %v", alter, err)
			}
			_ = st.Close()
		}
	})
}
