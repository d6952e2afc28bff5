package ddl

import "testing"

// FuzzLoosen has statements of any kind be cut up and written anew.
func FuzzLoosen(f *testing.F) {
	for _, s := range []string{
		"CREATE OR REPLACE TABLE a.b (id INT, p POINT SRID 4326 /*!80023 INVISIBLE */, PRIMARY KEY k (id) COMMENT 'x', KEY ((id + 1))) CHARSET = 'latin1' COLLATE latin1_bin PARTITION BY HASH (id)",
		"ALTER ONLINE TABLE a WAIT 5 ADD COLUMN IF NOT EXISTS (b NCHAR VARYING(5) DEFAULT N'x', c INT AS (b) PERSISTENT FIRST), DROP CONSTRAINT `PRIMARY`, RENAME COLUMN IF EXISTS x TO y, CONVERT TO CHARACTER SET greek",
		"ALTER TABLE t MODIFY c NATIONAL CHAR DEFAULT -1 REFERENCES x (y) ON DELETE SET NULL CHECK (c > 0) NOT ENFORCED AFTER d", "SET STATEMENT a = (1) FOR ALTER TABLE t ADD c DATE DEFAULT DATE'2020-01-01'", "/* x", "'", "CREATE TABLE t (", "ALTER TABLE",
	} {
		f.Add(s, true)
		f.Add(s, false)
	}
	table := &Table{Key: []string{"id"}}
	f.Fuzz(func(t *testing.T, statement string, maria bool) {
		s := Server{Maria: maria}
		list := tokens(statement, maria)
		again := tokens(written(list), maria)
		if len(again) != len(list) {
			t.Errorf("%q: %d tokens, and %d of what is written of them", statement, len(list), len(again))
		}
		for _, at := range []*Table{table, nil} {
			if out, ok := s.loosen(list, at); ok && len(out) == 0 {
				t.Errorf("%q: nothing is left", statement)
			}
		}
	})
}
