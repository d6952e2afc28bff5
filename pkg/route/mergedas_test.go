package route

import (
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// Who goes on in another way than a merged table was begun in is told.
func TestAsMade(t *testing.T) {
	table := batchtest.Shape("d", "t", "id int key")
	for _, c := range []struct {
		held, source string
		shard        []string
		level        finding.Level
		want, remedy string
	}{
		{"d.t", "", []string{"_db", "_table"}, 0, "", ""},
		{"a/d.t", "a", []string{"_db", "_table"}, 0, "", ""},
		{"a/d.t", "b", []string{"_db", "_table"}, 0, "", ""}, // of two sources
		{"d.t", "", nil, finding.Error, "told apart in another way", "give --shard-columns=_db,_table"},
		{"d.t", "", []string{"x", "y"}, finding.Error, "told apart in another way", "give --shard-columns=_db,_table"},
		{"d.t", "a", []string{"_db", "_table"}, finding.Warning, "rows of d.t already", "name the source as it was"},
		{"a/d.t", "", []string{"_db", "_table"}, finding.Warning, "rows of a/d.t already", "name the source as it was"},
	} {
		r, err := Parse([]string{`(.+/)?d\.t -> lake.t`}, c.shard)
		if err != nil {
			t.Fatal(err)
		}
		r = r.From(c.source)
		m := &Merged{routes: r, of: map[string][]string{c.held: {"lake.t"}}, shard: map[string][2]string{"lake.t": {"_db", "_table"}}, alone: map[string]bool{}}
		found := m.Check([]*schema.Table{table})
		switch {
		case c.want == "" && len(found) == 0:
		case c.want == "" || len(found) != 1 || found[0].Level != c.level || !strings.Contains(found[0].Thing, c.want) || !strings.Contains(found[0].Remedy, c.remedy):
			t.Errorf("%+v: %+v", c, found)
		}
	}
}
