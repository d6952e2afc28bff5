package main

import (
	"fmt"
	"testing"
)

// TestAddedAtRandom is TestAlteredAtRandom with --schema-change additive, and with statements alone
// that it follows: none of them leaves a table behind.
func TestAddedAtRandom(t *testing.T) {
	t.Parallel()
	atRandom(t, 2, func(t *testing.T, sink string, seed uint64) {
		a := newSeeded(t, sink, seed, 10, "--schema-change", "additive")
		a.tail()
		a.workload(a.addStep)
		a.equal()
	})
}

func (a *altered) addStep() {
	table := a.tables[a.rnd.IntN(len(a.tables))]
	a.made++
	x := a.rnd.IntN(100)
	if x >= 60 { // one that is new may be copied at the moment, and its time of creation says no more than seconds
		table = fmt.Sprintf("t%d", a.rnd.IntN(2))
	}
	switch {
	case x >= 94:
		a.do(fmt.Sprintf("CREATE TABLE DB.n%d (id INT PRIMARY KEY, c%d %s)", a.made, a.made, alteredTypes[a.rnd.IntN(len(alteredTypes))]))
	case x < 60:
		a.rows(table, x)
	case x < 63:
		a.do("TRUNCATE TABLE DB." + table)
	case x < 75:
		a.do(fmt.Sprintf("ALTER TABLE DB.%s ADD COLUMN c%d %s %s", table, a.made, alteredTypes[a.rnd.IntN(len(alteredTypes))], a.place()))
	default:
		a.widen(table)
	}
}

// widen gives a column a type that holds more, or drops it.
func (a *altered) widen(table string) {
	columns := a.columns(table)
	if len(columns) == 0 {
		return
	}
	c := columns[a.rnd.IntN(len(columns))]
	if wider, ok := widerTypes[c[1]]; ok && a.rnd.IntN(3) > 0 {
		a.do(fmt.Sprintf("ALTER TABLE DB.%s MODIFY %s %s %s", table, c[0], wider, a.place()))
		return
	}
	a.do("ALTER TABLE DB." + table + " DROP " + c[0])
}

// TestKeptAtRandom is TestAlteredAtRandom with --schema-change ignore: the columns that tables had at
// first are equal to the source's, whatever becomes of others, and there are no others.
func TestKeptAtRandom(t *testing.T) {
	t.Parallel()
	atRandom(t, 2, func(t *testing.T, sink string, seed uint64) {
		a := newSeeded(t, sink, seed, 11, "--schema-change", "ignore")
		a.tail()
		a.workload(a.keepStep)
		for _, table := range a.tables {
			for _, c := range a.columns(table) {
				if c[0] != "c0" && c[0] != "c1" {
					a.do("ALTER TABLE DB." + table + " DROP " + c[0])
				}
			}
		}
		a.tail()
		a.equal()
	})
}

func (a *altered) keepStep() {
	table := a.tables[a.rnd.IntN(len(a.tables))]
	var others []string
	for _, c := range a.columns(table) {
		if c[0] != "c0" && c[0] != "c1" {
			others = append(others, c[0])
		}
	}
	a.made++
	switch x := a.rnd.IntN(100); {
	case x < 60:
		a.rows(table, x)
	case x < 63:
		a.do("TRUNCATE TABLE DB." + table)
	case x < 70:
		a.do("ALTER TABLE DB." + table + " MODIFY c1 INT " + a.place())
	case x < 80 || len(others) == 0:
		how := []string{"", "NOT NULL", "DEFAULT NULL"}[a.rnd.IntN(3)]
		a.do(fmt.Sprintf("ALTER TABLE DB.%s ADD COLUMN c%d %s %s %s", table, a.made+1, alteredTypes[a.rnd.IntN(len(alteredTypes))], how, a.place()))
	default:
		c := others[a.rnd.IntN(len(others))]
		a.do("ALTER TABLE DB." + table + " " + []string{
			"DROP " + c, fmt.Sprintf("RENAME COLUMN %s TO d%d", c, a.made), "MODIFY " + c + " " + alteredTypes[a.rnd.IntN(len(alteredTypes))],
		}[a.rnd.IntN(3)])
	}
}
