package writertest

import (
	"strings"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// oddTables are names that MySQL takes. Those side by side look alike once they
// are escaped, joined or folded carelessly.
var oddTables = [][2]string{
	{"shop", "a.b"},
	{"shop.a", "b"},
	{"shop", "a/b"},
	{"shop", "a%2Fb"},
	{"shop", "a_b"},
	{"shop", "a b"},
	{"shop", "a+b"},
	{"shop", "Orders"},
	{"shop", "orders"},
	{"shop", "../x"},
	{"..", "x"},
	{"shop", ".."},
	{"shop", `quote"s'and` + "`ticks"},
	{"shop", `back\slash`},
	{"shop", "new\nline"},
	{"shop", "semi;colon--"},
	{"shop", "question?hash#star*"},
	{"größe", "日本語"},
	{"größe", "groß"},
	{"shop", "select"},
	{"shop", "7"},
	{"shop", strings.Repeat("長", 64)}, // as long as MySQL lets it be; escaped, longer than a file name
}

// oddColumns are the same for columns.
var oddColumns = []string{
	"a.b", "a_b", "a b", "a/b", "a%2Eb", `quote"s'and` + "`ticks", `back\slash`, "new\nline",
	"größe", "日本語", "select", "7", "-", "_id", "element", "null", "a[0]", strings.Repeat("長", 64),
}

// oddNames writes all the tables before it reads any, so that two that share a
// place give each other away.
func (k *kit) oddNames() {
	columns := []schema.Column{batchtest.Column("id", "bigint", false)}
	for _, name := range oddColumns {
		columns = append(columns, batchtest.Column(name, "varchar(140)", true))
	}
	var tables []*schema.Table
	var content [][]batchtest.Row
	var writers []writer.Writer
	s := k.sink()
	for i, name := range oddTables {
		t := schema.New(name[0], name[1], columns, []int{0})
		row := batchtest.Row{i}
		for _, c := range oddColumns {
			row = append(row, name[1]+" "+c)
		}
		tables = append(tables, t)
		content = append(content, []batchtest.Row{row})
		writers = append(writers, k.open(s, t, writer.Create))
	}
	for i, t := range tables {
		k.write(writers[i], t, content[i])
	}
	for i := range tables {
		k.commit(writers[i], batch.Position(oddTables[i][0]+"/"+oddTables[i][1]))
	}
	for i, t := range tables {
		k.visible(t, content[i])
		k.restart(t, writer.Create, batch.Position(oddTables[i][0]+"/"+oddTables[i][1]))
	}
}
