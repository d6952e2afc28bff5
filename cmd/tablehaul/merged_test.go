package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestMergedAtRandom has the rows of tables that are merged into one changed at random, columns
// added, dropped and widened in one of them and then, or never, in others, and further tables made,
// before, between and during runs of tail, of which some are killed: the one table has the rows of
// all of them. TABLEHAUL_TEST_ALTERED is as in TestAlteredAtRandom.
func TestMergedAtRandom(t *testing.T) {
	t.Parallel()
	atRandom(t, 2, func(t *testing.T, sink string, seed uint64) {
		m := merged{newSeeded(t, sink, seed, 10), ""}
		m.args = append(m.args, "--route", m.db+`\.t[0-9]+ -> `+m.db+".merged", "--shard-columns")
		if sink == "iceberg" {
			m.args = append(m.args, "--compact-every", "1s")
		}
		m.workload(m.step)
		m.equal()
	})
}

// A merged is a database whose tables become one.
type merged struct {
	*altered
	source string // its name and a slash, if there are several
}

func (m merged) step() {
	table := m.tables[m.rnd.IntN(len(m.tables))]
	switch x := m.rnd.IntN(100); {
	case x < 3: // which exchanges the rows of one of the tables
		m.do("TRUNCATE TABLE DB." + table)
	case x < 70:
		m.rows(table, x%55)
	case x < 93:
		m.alter(table)
	default:
		m.made++
		if name := fmt.Sprint("t", m.made+1); m.rnd.IntN(2) == 0 {
			m.do("CREATE TABLE DB." + name + " LIKE DB." + table)
		} else {
			m.do("CREATE TABLE DB." + name + " (c1 INT, id INT PRIMARY KEY, c0 VARCHAR(10))")
		}
	}
}

// alter changes a table as its shards are changed one after the other.
func (m merged) alter(table string) {
	columns := m.columns(table)
	switch x := m.rnd.IntN(10); {
	case x < 5 || len(columns) < 2:
		n := m.rnd.IntN(4)
		place := []string{"", " FIRST", " AFTER id"}[m.rnd.IntN(3)]
		m.do(fmt.Sprintf("ALTER TABLE DB.%s ADD COLUMN n%d %s%s", table, n, []string{"int", "varchar(10)", "decimal(8,2)", "text"}[n], place))
	case x == 5: // likewise
		m.made++
		m.do(fmt.Sprintf("ALTER TABLE DB.%s RENAME COLUMN %s TO r%d, ADD COLUMN d%d INT NOT NULL DEFAULT 42", table, columns[0][0], m.made, m.made))
	case x < 7:
		m.do(fmt.Sprintf("ALTER TABLE DB.%s DROP COLUMN %s", table, columns[m.rnd.IntN(len(columns))][0]))
	default:
		c := columns[m.rnd.IntN(len(columns))]
		if wide := widerTypes[c[1]]; wide != "" && c[1] != "varchar(40)" {
			m.do(fmt.Sprintf("ALTER TABLE DB.%s MODIFY COLUMN %s %s", table, c[0], wide))
		}
	}
}

// equal compares the rows of each of the tables with those that the one has of it.
func (m merged) equal() {
	m.t.Helper()
	for _, table := range m.tables {
		names, texts := []string{"_db", "_table", "id"}, []string{"'" + m.source + m.db + "'", "'" + table + "'", "id"}
		for _, c := range m.columns(table) {
			names, texts = append(names, c[0]), append(texts, "COALESCE("+c[0]+", 'None')")
		}
		want := strings.Split(m.sql("SELECT CONCAT_WS(' ', "+strings.Join(texts, ", ")+") FROM DB."+table), "\n")
		all := m.fileRows
		if m.sink == "doris" {
			all = m.dorisRows
		}
		got := slices.DeleteFunc(all("merged", names), func(row string) bool { return !strings.HasPrefix(row, m.source+m.db+" "+table+" ") })
		if len(got) == 0 {
			got = []string{""} // as of no lines there is one
		}
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(got, want) {
			m.t.Errorf("of %s the sink has\n%s\nthe source\n%s", table, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}
