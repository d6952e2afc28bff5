package expr_test

import (
	"fmt"
	"strings"
	"testing"
)

// TestCollations compares texts by each of the collations that are usual, blanks at the end
// included.
func TestCollations(t *testing.T) {
	own := map[string][]string{
		"TABLEHAUL_TEST_MYSQL":   {"utf8mb4_0900_ai_ci", "utf8mb4_0900_as_cs", "utf8mb4_0900_as_ci", "utf8mb4_0900_bin", "utf8mb4_de_pb_0900_ai_ci"},
		"TABLEHAUL_TEST_MARIADB": {},
	}
	both := []string{"utf8mb4_general_ci", "utf8mb4_unicode_ci", "utf8mb4_unicode_520_ci", "utf8mb4_bin", "utf8mb3_general_ci", "utf8mb3_bin", "latin1_swedish_ci", "latin1_general_ci", "latin1_bin", "ascii_general_ci"}
	texts := []string{"", "a", "A", "a ", "A  ", "ab", "aB ", "b", "abc", "z", "a_b", "100%", "Z", "a-b", "0", "10", "9"}
	more := []string{"é", "É ", "ß", "ss", "ä", "ÿ", "ñandu", "œ"}
	forms := []string{"c='a'", "c<>'A'", "c<=>'ab '", "c IN ('a ','Z')", "c NOT IN ('b','ab')", "c<'ab'", "c>='b'", "c BETWEEN 'a' AND 'b'", "c LIKE 'a%'", "c LIKE '%b%'", "c NOT LIKE 'A%'", "c=upper(c)", "nullif(c,'a')", "case c when 'ab' then 1 else 0 end", "c='é'", "c='SS'"}
	for env, list := range own {
		for _, collation := range append(list, both...) {
			t.Run(env+"/"+collation, func(t *testing.T) {
				db := "expr_collations"
				sql := "SET NAMES utf8mb4; DROP DATABASE IF EXISTS " + db + "; CREATE DATABASE " + db + " CHARACTER SET utf8mb4; USE " + db + "; CREATE TABLE v (k INT AUTO_INCREMENT PRIMARY KEY, c VARCHAR(20) COLLATE " + collation + ");"
				all := texts
				if !strings.HasPrefix(collation, "ascii") {
					all = append(all[:len(all):len(all)], more...)
				}
				for _, text := range all {
					sql += "INSERT INTO v (c) VALUES ('" + text + "');"
				}
				engine, table, have := loaded(t, env, db, sql)
				for _, form := range forms {
					x, err := engine.Compile("("+form+") IS TRUE", table)
					if strings.HasPrefix(form, "nullif") && err == nil {
						x, err = engine.Compile("("+form+") IS NULL", table)
						form = "(" + form + ") IS NULL"
					}
					if err != nil || strings.HasPrefix(collation, "ascii") && strings.Contains(form, "é") {
						t.Logf("refused: %v", err)
						continue
					}
					want := strings.Fields(client(t, env, "SET NAMES utf8mb4; USE "+db+"; SELECT IFNULL("+form+",0) FROM v ORDER BY k"))
					r := x.Rows()
					r.Take(have)
					for i := range all {
						got, err := r.True(i)
						if n := map[bool]string{false: "0", true: "1"}[got]; err != nil || i >= len(want) || n != want[i] {
							t.Errorf("%s of %q: %s %v, the server %s", form, all[i], n, err, fmt.Sprint(want[min(i, len(want)-1)]))
							break
						}
					}
				}
			})
		}
	}
}
