package doris

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer/kept"
)

// A Layout says how a table is to lie in Doris that is made.
type Layout struct {
	Partition   string            `json:"partition,omitempty"`   // as ParsePartition reads it; "" is none
	Buckets     int               `json:"buckets,omitempty"`     // 0 is as Doris sees fit
	Replication int               `json:"replication,omitempty"` // copies of a tablet; 0 is the server's own choice
	Properties  map[string]string `json:"properties,omitempty"`  // of CREATE TABLE
}

func (l Layout) zero() bool {
	return l.Partition == "" && l.Buckets == 0 && l.Replication == 0 && len(l.Properties) == 0
}

// columnsOf returns the columns of a table that is made, in the source's order, and the places
// of those that are the key of the unique model; nil if the table cannot have that.
func columnsOf(t *schema.Table) (columns []kept.Column, key []int, err error) {
	if kept.Unkeyable(t, t.Key) == "" {
		key = t.Key
	}
	columns = make([]kept.Column, len(t.Columns))
	for i, c := range t.Columns {
		own := slices.Contains(key, i)
		typ, err := typeOf(c, own)
		if err != nil {
			return nil, nil, err
		}
		// All else may be null: a DELETE has the key alone.
		columns[i] = kept.Column{Name: c.Name, Type: typ, Nullable: !own && (c.Nullable || len(key) > 0), Comment: c.Comment}
	}
	return columns, key, nil
}

// createTable is the statement that makes a table, with a mark in its comment.
func createTable(db, name, mark string, t *schema.Table, columns []kept.Column, key []string, l Layout) (string, error) {
	var b strings.Builder
	fmt.Fprintf(&b, "CREATE TABLE %s (", quoted(db, name))
	for i, c := range ordered(columns, key) {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString("\n  " + columnDef(c))
	}
	b.WriteString("\n)")
	by := make([]string, len(key))
	for i, k := range key {
		by[i] = quoted(columnName(k))
	}
	if len(key) > 0 {
		fmt.Fprintf(&b, " UNIQUE KEY(%s)", strings.Join(by, ", "))
	}
	comment := t.Comment
	if mark != "" {
		comment = strings.TrimSpace(comment + " (" + mark + ")")
	}
	if comment != "" {
		b.WriteString("\nCOMMENT " + text(comment))
	}
	partition, err := partitionOf(l.Partition, columns, key)
	if err != nil {
		return "", err
	}
	b.WriteString(partition)
	if len(key) > 0 {
		fmt.Fprintf(&b, "\nDISTRIBUTED BY HASH(%s)", strings.Join(by, ", "))
	} else {
		b.WriteString("\nDISTRIBUTED BY RANDOM")
	}
	if l.Buckets > 0 {
		fmt.Fprintf(&b, " BUCKETS %d", l.Buckets)
	} else {
		b.WriteString(" BUCKETS AUTO")
	}
	b.WriteString("\n" + properties(l, len(key) > 0))
	return b.String(), nil
}

// properties are those of the model, and what was asked for besides.
func properties(l Layout, unique bool) string {
	props := map[string]string{"light_schema_change": "true"}
	if unique {
		props["enable_unique_key_merge_on_write"] = "true"
	} else {
		props["enable_duplicate_without_keys_by_default"] = "true"
	}
	if l.Replication > 0 {
		props["replication_num"] = fmt.Sprint(l.Replication)
	}
	maps.Copy(props, l.Properties)
	list := make([]string, 0, len(props))
	for _, name := range slices.Sorted(maps.Keys(props)) {
		list = append(list, text(name)+" = "+text(props[name]))
	}
	return "PROPERTIES (" + strings.Join(list, ", ") + ")"
}

// columnDef declares a column.
func columnDef(c kept.Column) string {
	def := quoted(columnName(c.Name)) + " " + strings.ToUpper(declared(c.Type))
	if c.Nullable {
		def += " NULL"
	} else {
		def += " NOT NULL"
	}
	if c.Comment != "" {
		def += " COMMENT " + text(c.Comment)
	}
	return def
}

// ordered are the columns as Doris has them: those of the key come first.
func ordered(columns []kept.Column, key []string) []kept.Column {
	out := make([]kept.Column, 0, len(columns))
	for _, k := range key {
		if c := kept.Find(columns, k); c != nil {
			out = append(out, *c)
		}
	}
	for _, c := range columns {
		if !slices.Contains(key, c.Name) {
			out = append(out, c)
		}
	}
	return out
}

// alterations are the statements that bring the columns have to be those of want, which has all
// of them and perhaps more.
func alterations(db, name string, have, want []kept.Column) []string {
	var list []string
	table := "ALTER TABLE " + quoted(db, name)
	for _, w := range want {
		switch h := kept.Find(have, w.Name); {
		case h == nil:
			list = append(list, table+" ADD COLUMN "+columnDef(w))
		case declared(h.Type) != declared(w.Type) || h.Nullable != w.Nullable:
			list = append(list, table+" MODIFY COLUMN "+columnDef(w))
		}
	}
	return list
}
