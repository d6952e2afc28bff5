package batchtest

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A Table is a table with its content.
type Table struct {
	*schema.Table
	Rows []Row // in key order where there is a key
}

// Shape makes a table of columns as one would declare them to MySQL, "name type"
// and then "not null" or "key" where it applies:
//
//	Shape("shop", "orders", "id bigint unsigned key", "note varchar(20)")
//
// The first space ends a name; Column makes names that hold one.
func Shape(db, name string, columns ...string) *schema.Table {
	var cols []schema.Column
	var key []int
	for i, text := range columns {
		col, native, _ := strings.Cut(text, " ")
		native, isKey := strings.CutSuffix(native, " key")
		native, notNull := strings.CutSuffix(native, " not null")
		if isKey {
			key = append(key, i)
		}
		cols = append(cols, Column(col, native, !isKey && !notNull))
	}
	return schema.New(db, name, cols, key)
}

// Column makes a column of a MySQL type. A type that is not known panics.
func Column(name, native string, nullable bool) schema.Column {
	typ, err := schema.ParseMySQL(native)
	if err != nil {
		panic(err)
	}
	return schema.Column{Name: name, Native: native, Type: typ, Arrow: typ.Arrow(), Nullable: nullable}
}

// Fill returns n rows for a table of any shape: key columns ascend with gaps,
// the others take the values of Samples in turn, NULL among them.
func Fill(t *schema.Table, n int) []Row {
	rows := make([]Row, n)
	for i := range rows {
		for c, col := range t.Columns {
			rows[i] = append(rows[i], fillValue(t, c, col, i))
		}
	}
	return rows
}

func fillValue(t *schema.Table, c int, col schema.Column, i int) any {
	for at, k := range t.Key {
		if k != c {
			continue
		}
		n := i // the last part of a key differs in every row, those before it only now and then
		if at < len(t.Key)-1 {
			n = i / 7
		}
		switch {
		case col.Type.Kind == schema.String:
			return fmt.Sprintf("%08x", n*n)
		case col.Arrow.ID() == arrow.DECIMAL128:
			return strconv.Itoa(n * n)
		case col.Type.Unsigned:
			return int64(n * n)
		default:
			return int64(n*n - 50)
		}
	}
	values := Samples(col)
	if col.Nullable {
		if i%(len(values)+1) == len(values) {
			return nil
		}
		i %= len(values) + 1
	}
	return values[i%len(values)]
}

// AllTypes returns a table with a column for every kind of type that a source
// can have, each in its important sizes, and rows with the extremes of every
// type, empty values and NULL. What a source and every sink must carry whole.
func AllTypes(db, name string) Table {
	cols := []schema.Column{Column("id", "bigint", false)}
	most := 0
	for i, s := range samples {
		cols = append(cols, Column(fmt.Sprintf("c%02d", i), s.native, true))
		most = max(most, len(s.values))
	}
	t := schema.New(db, name, cols, []int{0})
	rows := Fill(t, most)
	null := make(Row, len(cols))
	null[0] = int64(1 << 40)
	return Table{t, append(rows, null)}
}
