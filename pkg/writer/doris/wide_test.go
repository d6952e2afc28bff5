package doris

import (
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
	"github.com/tablehaul/tablehaul/pkg/writer/doris/doristest"
)

// TestComments has a table of more comments than a value of the table of positions may have in
// it. They are Doris's all the same, and stay where a column is altered.
func TestComments(t *testing.T) {
	c, s := started(t, doristest.Options{})
	shape := []string{"id bigint key"}
	row := batchtest.Row{1}
	for i := range 400 {
		shape, row = append(shape, fmt.Sprintf("c%d varchar(10)", i)), append(row, "x")
	}
	table := batchtest.Shape("shop", "wide", shape...)
	for i := range table.Columns {
		table.Columns[i].Comment = strings.Repeat("長", 1000)
	}
	commit(t, s, table, writer.Create, row)
	ddl := func() int { // comments that Doris has
		columns, _, err := s.writer(table, writer.Create).theirs(t.Context(), nil)
		must(t, err)
		n := 0
		for _, c := range columns {
			n += utf8.RuneCountInString(c.Comment) / 1000
		}
		return n
	}
	if n := ddl(); n != 401 {
		t.Errorf("%d comments", n)
	}
	if n := len(query(t, c, doristest.Options{}, "SELECT state FROM shop.tablehaul_positions WHERE name = 'wide'")); n > 100<<10 {
		t.Errorf("the row of positions has %d bytes", n)
	}
	shape[1] = "c0 varchar(20)"
	longer := batchtest.Shape("shop", "wide", shape...)
	for i := range longer.Columns {
		longer.Columns[i].Comment = table.Columns[i].Comment
	}
	row[0], row[1] = 2, strings.Repeat("y", 80)
	commit(t, s, longer, writer.Evolve, row)
	if n := ddl(); n != 401 {
		t.Errorf("%d comments after a column was altered", n)
	}
	if got := query(t, c, doristest.Options{}, "SELECT count(*) FROM shop.wide"); got != "2" {
		t.Errorf("%s rows", got)
	}
}

// TestEarly has rows wait for their commit longer than Doris keeps them: that is told of before
// more are loaded.
func TestEarly(t *testing.T) {
	_, s := started(t, doristest.Options{})
	table := batchtest.Shape("shop", "log", "t varchar(100)")
	commit(t, s, table, writer.Create, batchtest.Row{"a"})
	w, err := s.open(t.Context(), table, writer.Append)
	must(t, err)
	defer w.Close()
	s.loadSize.Store(1)
	must(t, put(t, w, table, []batchtest.Row{{"b"}}, nil))
	w.began = time.Now().Add(-time.Hour)
	if err := put(t, w, table, []batchtest.Row{{"c"}}, nil); err == nil || !strings.Contains(err.Error(), "1h0m0s ago") || !strings.Contains(hint.Of(err), "--mode replace") {
		t.Errorf("got %v, %q", err, hint.Of(err))
	}
}

// commit writes a row of a table, and commits it.
func commit(t *testing.T, s *Sink, table *schema.Table, mode writer.Mode, row batchtest.Row) {
	t.Helper()
	w, err := s.Open(t.Context(), table, mode)
	must(t, err)
	must(t, put(t, w, table, []batchtest.Row{row}, nil))
	must(t, w.Commit(t.Context(), batch.Position("p")))
	must(t, w.Close())
}
