package main

import (
	"fmt"
	"strconv"
	"strings"
)

// alteredTypes are those that columns get.
var alteredTypes = []string{"int", "smallint", "bigint", "varchar(10)", "varchar(40)", "text", "decimal(8,2)", "decimal(12,2)", "enum('a','b')", "enum('a','b','c')"}

// widerTypes are those that hold the values of another one.
var widerTypes = map[string]string{
	"int": "bigint", "smallint": "int", "varchar(10)": "varchar(40)", "varchar(40)": "text", "decimal(8,2)": "decimal(12,2)", "enum('a','b')": "enum('a','b','c')",
}

// step changes rows, more often than not, or tables.
func (a *altered) step() {
	if len(a.tables) == 0 {
		a.create()
		return
	}
	table := a.tables[a.rnd.IntN(len(a.tables))]
	switch x := a.rnd.IntN(100); {
	case x < 55:
		a.rows(table, x)
	case x < 58:
		a.do("TRUNCATE TABLE DB." + table)
	case x < 85:
		a.alter(table)
	case x < 91:
		a.create()
	case x < 94:
		a.do("DROP TABLE DB." + table)
	case x < 97:
		a.do(fmt.Sprintf("RENAME TABLE DB.%s TO DB.t%d", table, a.rnd.IntN(5)))
	default:
		a.swap(table)
	}
}

// rows changes rows of a table.
func (a *altered) rows(table string, x int) {
	columns := a.columns(table)
	switch {
	case x < 30 || len(columns) == 0:
		names, values := "id", strconv.Itoa(a.rnd.IntN(60))
		for _, c := range columns {
			names, values = names+","+c[0], values+","+a.value(c[1])
		}
		a.do(fmt.Sprintf("REPLACE INTO DB.%s (%s) VALUES (%s)", table, names, values))
	case x < 42:
		c := columns[a.rnd.IntN(len(columns))]
		a.do(fmt.Sprintf("UPDATE IGNORE DB.%s SET %s = %s WHERE id %% 3 = %d", table, c[0], a.value(c[1]), a.rnd.IntN(3)))
	case x < 48:
		a.do(fmt.Sprintf("UPDATE IGNORE DB.%s SET id = id + 60 WHERE id = %d", table, a.rnd.IntN(60)))
	default:
		a.do(fmt.Sprintf("DELETE FROM DB.%s WHERE id = %d", table, a.rnd.IntN(60)))
	}
}

// alter alters a table.
func (a *altered) alter(table string) {
	columns := a.columns(table)
	name, typ := "", ""
	if len(columns) > 0 {
		c := columns[a.rnd.IntN(len(columns))]
		name, typ = c[0], c[1]
	}
	other := alteredTypes[a.rnd.IntN(len(alteredTypes))]
	a.made++
	how := "ADD INDEX (id)"
	switch x := a.rnd.IntN(12); {
	case x < 3 || name == "":
		how = fmt.Sprintf("ADD COLUMN c%d %s %s", a.made, other, a.place())
	case x == 3:
		how = fmt.Sprintf("ADD COLUMN c%d %s NOT NULL %s", a.made, other, a.place())
	case x == 4:
		how = fmt.Sprintf("ADD COLUMN c%d VARCHAR(10) DEFAULT 'dflt', ADD COLUMN d%d INT NOT NULL DEFAULT 42", a.made, a.made)
	case x == 5:
		if wider, ok := widerTypes[typ]; ok {
			typ = wider
		}
		how = fmt.Sprintf("MODIFY %s %s %s", name, typ, a.place())
	case x == 6:
		how = fmt.Sprintf("MODIFY %s %s", name, other) // or not, if values do not fit
	case x == 7:
		how = fmt.Sprintf("RENAME COLUMN %s TO c%d", name, a.made)
	case x == 8:
		how = fmt.Sprintf("CHANGE %s c%d %s, ADD COLUMN %s INT", name, a.made, typ, name)
	case x == 9:
		how = "DROP " + name
	case x == 10:
		how = fmt.Sprintf("ADD COLUMN c%d INT NOT NULL DEFAULT 1, DROP PRIMARY KEY, ADD PRIMARY KEY (id, c%d)", a.made, a.made)
	}
	a.do("ALTER TABLE DB." + table + " " + how)
}

// create makes a table, of which others may have had the name.
func (a *altered) create() {
	name := fmt.Sprintf("DB.t%d", a.rnd.IntN(5))
	if len(a.tables) > 0 && a.rnd.IntN(4) == 0 {
		from := a.tables[a.rnd.IntN(len(a.tables))]
		a.do("CREATE TABLE " + name + " LIKE DB." + from)
		a.do("INSERT IGNORE INTO " + name + " SELECT * FROM DB." + from)
		return
	}
	a.made++
	a.do(fmt.Sprintf("CREATE TABLE %s (id INT PRIMARY KEY, c%d %s)", name, a.made, alteredTypes[a.rnd.IntN(len(alteredTypes))]))
}

// swap alters a table as tools do that leave it open to writers meanwhile.
func (a *altered) swap(table string) {
	a.made++
	ghost, old := "DB._"+table+"_gho", "DB._"+table+"_del"
	a.do("CREATE TABLE " + ghost + " LIKE DB." + table)
	a.do(fmt.Sprintf("ALTER TABLE %s ADD COLUMN c%d INT", ghost, a.made))
	names := "id"
	for _, c := range a.columns(table) {
		names += "," + c[0]
	}
	a.do("INSERT IGNORE INTO " + ghost + " (" + names + ") SELECT " + names + " FROM DB." + table)
	a.do("RENAME TABLE DB." + table + " TO " + old + ", " + ghost + " TO DB." + table)
	a.do("DROP TABLE " + old)
}

func (a *altered) place() string { return []string{"", "FIRST", "AFTER id"}[a.rnd.IntN(3)] }

func (a *altered) value(typ string) string {
	switch {
	case a.rnd.IntN(5) == 0:
		return "NULL"
	case typ == "smallint":
		return strconv.Itoa(a.rnd.IntN(1 << 15))
	case typ == "int":
		return strconv.Itoa(-a.rnd.IntN(1 << 31))
	case typ == "bigint":
		return strconv.FormatInt(-a.rnd.Int64(), 10)
	case strings.HasPrefix(typ, "decimal"):
		return fmt.Sprintf("%d.%02d", a.rnd.IntN(900000), a.rnd.IntN(100))
	case strings.HasPrefix(typ, "enum"):
		return "'" + string(rune('a'+a.rnd.IntN(strings.Count(typ, ",")+1))) + "'"
	case typ == "varchar(10)":
		return "'" + strings.Repeat("v", 1+a.rnd.IntN(9)) + "'"
	}
	return "'" + strings.Repeat("w", 1+a.rnd.IntN(39)) + "'"
}
