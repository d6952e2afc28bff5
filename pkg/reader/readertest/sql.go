package readertest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// Name returns a table's name as a statement writes it.
func Name(t *schema.Table) string { return quote(t.DB) + "." + quote(t.Name) }

func quote(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// SQL returns the statements that make the tables in a MySQL or MariaDB server,
// for one session to run in order. They begin with the suite's database anew.
func SQL(tables []batchtest.Table) []string {
	stmts := []string{
		"SET NAMES utf8mb4",
		"SET time_zone = '+00:00'",
		"DROP DATABASE IF EXISTS " + quote(DB),
		"CREATE DATABASE " + quote(DB) + " CHARACTER SET utf8mb4",
	}
	for _, t := range tables {
		stmts = append(stmts, createSQL(t.Table))
		stmts = append(stmts, insertSQL(t)...)
	}
	return stmts
}

func createSQL(t *schema.Table) string {
	var parts, key []string
	for _, c := range t.Columns {
		null := " NOT NULL"
		if c.Nullable {
			null = " NULL"
		}
		parts = append(parts, quote(c.Name)+" "+c.Native+null)
	}
	for _, k := range t.Key {
		key = append(key, quote(t.Columns[k].Name))
	}
	if key != nil {
		parts = append(parts, "PRIMARY KEY ("+strings.Join(key, ", ")+")")
	}
	return "CREATE TABLE " + Name(t) + " (" + strings.Join(parts, ", ") + ")"
}

// insertSQL inserts many rows at once, in statements that every server takes.
func insertSQL(t batchtest.Table) []string {
	var stmts []string
	var b strings.Builder
	flush := func() {
		if b.Len() > 0 {
			stmts = append(stmts, "INSERT INTO "+Name(t.Table)+" VALUES "+b.String())
			b.Reset()
		}
	}
	for _, r := range t.Rows {
		if b.Len() > 1<<20 {
			flush()
		}
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		for i, v := range r {
			b.WriteString([]string{"(", ", "}[min(i, 1)] + literal(t.Columns[i].Type, v))
		}
		b.WriteString(")")
	}
	flush()
	return stmts
}

// literal writes texts and bytes in hex, which no setting of a session can bend.
func literal(typ schema.Type, v any) string {
	switch v := v.(type) {
	case nil:
		return "NULL"
	case bool:
		return strconv.FormatBool(v)
	case float32:
		return strconv.FormatFloat(float64(v), 'e', -1, 64)
	case float64:
		return strconv.FormatFloat(v, 'e', -1, 64)
	case []byte:
		if typ.Kind == schema.Geometry {
			return fmt.Sprintf("ST_GeomFromWKB(x'%x')", v)
		}
		return fmt.Sprintf("x'%x'", v)
	case string:
		switch typ.Kind {
		case schema.BigInt, schema.Bit, schema.Decimal:
			return v
		case schema.Date, schema.DateTime, schema.Timestamp:
			return "'" + strings.TrimSuffix(v, "Z") + "'"
		}
		return fmt.Sprintf("_utf8mb4 x'%x'", v)
	case int, int64:
		if typ.Kind == schema.Time {
			return clock(v.(int64))
		}
		return fmt.Sprint(v)
	}
	panic(fmt.Sprintf("no literal for %T", v))
}

// clock writes a TIME, which may be negative and beyond a day.
func clock(micros int64) string {
	sign := ""
	if micros < 0 {
		sign, micros = "-", -micros
	}
	s := micros / 1e6
	return fmt.Sprintf("'%s%02d:%02d:%02d.%06d'", sign, s/3600, s/60%60, s%60, micros%1e6)
}

// ChangeSQL returns the statements that make changes in one transaction.
func ChangeSQL(changes []Change) []string {
	if len(changes) == 1 && changes[0].Emptied {
		return []string{"TRUNCATE TABLE " + Name(changes[0].Table)}
	}
	stmts := []string{"SET NAMES utf8mb4", "SET time_zone = '+00:00'", "BEGIN"}
	var inserts batchtest.Table // rows of one table in a run go into one statement
	flush := func() {
		if len(inserts.Rows) > 0 {
			stmts = append(stmts, insertSQL(inserts)...)
		}
		inserts = batchtest.Table{}
	}
	for _, c := range changes {
		if c.Old == nil {
			if inserts.Table != c.Table {
				flush()
				inserts.Table = c.Table
			}
			inserts.Rows = append(inserts.Rows, c.Row)
			continue
		}
		flush()
		var where, set []string
		for i, col := range c.Table.Columns {
			if slices.Contains(c.Table.Key, i) {
				where = append(where, quote(col.Name)+" = "+literal(col.Type, c.Old[i]))
			}
			if c.Row != nil {
				set = append(set, quote(col.Name)+" = "+literal(col.Type, c.Row[i]))
			}
		}
		if c.Row == nil {
			stmts = append(stmts, "DELETE FROM "+Name(c.Table)+" WHERE "+strings.Join(where, " AND "))
		} else {
			stmts = append(stmts, "UPDATE "+Name(c.Table)+" SET "+strings.Join(set, ", ")+" WHERE "+strings.Join(where, " AND "))
		}
	}
	flush()
	return append(stmts, "COMMIT")
}
