package mysql

import (
	"slices"
	"strings"
	"testing"
)

// TestUnlogged asks which tables have keys that cascade, as users that may do more or
// less. MySQL logs what such keys do since 9.6.
func TestUnlogged(t *testing.T) {
	servers(t, func(t *testing.T, s *testServer) {
		s.must(t, "CREATE TABLE parent (id INT PRIMARY KEY, a INT, UNIQUE KEY (a))",
			"CREATE TABLE plain (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id) ON DELETE RESTRICT)",
			"CREATE TABLE said (id INT PRIMARY KEY, p INT COMMENT 'CONSTRAINT c ON DELETE CASCADE', FOREIGN KEY (p) REFERENCES parent (id))",
			"CREATE TABLE deletes (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE)",
			"CREATE TABLE updates (id INT PRIMARY KEY, p INT, q INT, FOREIGN KEY (q) REFERENCES parent (id), FOREIGN KEY (p) REFERENCES parent (a) ON UPDATE CASCADE)",
			"CREATE TABLE nulls (id INT PRIMARY KEY, p INT, CONSTRAINT `o``d d` FOREIGN KEY (p) REFERENCES parent (id) ON DELETE SET NULL)",
			"CREATE TABLE `lines` (id INT PRIMARY KEY, p INT, CONSTRAINT `a\nb` FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE)",
			"CREATE TABLE own (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES own (id) ON DELETE CASCADE)")
		var want []string
		if s.maria {
			want = []string{"deletes", "lines", "nulls", "own", "updates"}
		}
		s.user(t, "unlogged", "SELECT")
		reads, err := Open(t.Context(), s.as(t, "unlogged", "hush-hush", ""), Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer reads.Close()
		for who, st := range map[string]*Stock{"root": s.open(t, Options{}), "who only reads": reads} {
			why, err := st.Unlogged(t.Context(), s.tables(t, st))
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for t := range why {
				got = append(got, t.Name)
			}
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%s: got %v, want %v", who, got, want)
			}
		}

		// Who may read columns alone sees no keys.
		s.user(t, "unlogged", "LOCK TABLES")
		s.must(t, "GRANT SELECT (id, p) ON "+ident(s.db)+".own TO unlogged", "GRANT SELECT (id) ON "+ident(s.db)+".parent TO unlogged")
		blind, err := Open(t.Context(), s.as(t, "unlogged", "hush-hush", ""), Options{})
		if err != nil {
			t.Fatal(err)
		}
		defer blind.Close()
		root := s.open(t, Options{})
		why, err := blind.Unlogged(t.Context(), s.tables(t, root, "own", "parent"))
		if err != nil || s.maria && len(why) != 2 || !s.maria && len(why) != 0 {
			t.Errorf("who may read columns alone: got %v, %v", why, err)
		}

		st := s.open(t, Options{ways: []way{ownPoints}})
		snap, err := st.Pin(t.Context(), s.tables(t, st, "plain", "said"), 2)
		if err != nil {
			t.Fatal(err)
		}
		snap.Close()
		snap, err = st.Pin(t.Context(), s.tables(t, st, "plain", "own"), 2)
		switch {
		case s.maria && (err == nil || !strings.Contains(err.Error(), "own: its foreign keys")):
			t.Errorf("points of their own: got %v, want that own cascades", err)
		case !s.maria && err != nil:
			t.Error(err)
		}
		if err == nil {
			snap.Close()
		}
	})
}
