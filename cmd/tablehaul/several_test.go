package main

import (
	"math/rand/v2"
	"testing"
)

// TestSeveralAtRandom is TestMergedAtRandom with the tables of two servers, in databases of one name,
// in one table.
func TestSeveralAtRandom(t *testing.T) {
	t.Parallel()
	atRandom(t, 1, func(t *testing.T, sink string, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, 11)) //nolint:gosec // to be had again
		one, two := merged{newAlteredAt(t, "MYSQL", sink), "one/"}, merged{newAlteredAt(t, "MARIADB", sink), "two/"}
		two.sql("DROP DATABASE " + two.db + "; CREATE DATABASE " + one.db)
		two.db, two.dir, two.doris, two.tables = one.db, one.dir, one.doris, nil
		for _, name := range []string{"t0", "t3"} {
			two.do("CREATE TABLE DB." + name + " (id INT PRIMARY KEY, c0 VARCHAR(10), c1 INT)")
		}
		one.rnd, two.rnd = rnd, rnd
		one.args = append([]string{"tail", "one=" + one.args[1], "two=" + two.url + "/" + two.db}, one.args[2:]...)
		one.args = append(one.args, "--route", `(one|two)/`+one.db+`\.t[0-9]+ -> `+one.db+".merged", "--shard-columns")
		one.workload(func() { []merged{one, two}[rnd.IntN(2)].step() })
		one.equal()
		two.equal()
	})
}
