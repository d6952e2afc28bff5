package calendar

import (
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

func TestDays(t *testing.T) {
	day := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	last := time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)
	for ; !day.After(last); day = day.AddDate(0, 0, 1) {
		y, m, d := day.Date()
		if got, want := Days(y, int(m), d), int(day.Unix()/86400); got != want {
			t.Fatalf("%s: got %d, want %d", day.Format(time.DateOnly), got, want)
		}
		if !IsDate(y, int(m), d) {
			t.Fatalf("%s is no date", day.Format(time.DateOnly))
		}
	}
	for _, d := range [][3]int{{0, 0, 0}, {2021, 0, 1}, {2021, 1, 0}, {2021, 13, 1}, {2021, 2, 29}, {1900, 2, 29}, {2021, 4, 31}} {
		if IsDate(d[0], d[1], d[2]) {
			t.Errorf("%v is a date", d)
		}
	}
}

// TestRules has each policy meet what no calendar holds, in a key, in the key of a changelog and
// elsewhere.
func TestRules(t *testing.T) {
	table := batchtest.Shape("d", "t", "k date key", "d date", "n int")
	log, err := schema.Changelog(table)
	if err != nil {
		t.Fatal(err)
	}
	null := schema.New("d", "t", []schema.Column{table.Columns[1]}, nil)
	null.Columns[0].Nullable = true
	zero, noon, bad := Date{}, Date{Micros: 43200e6}, Date{Year: 2021, Month: 2, Day: 31}
	for _, c := range []struct {
		policy Policy
		in     *schema.Table
		column int
		want   string // of zero, noon and bad, and of the epoch itself: null, epoch, kept or refused
	}{
		{Epoch, table, 0, "epoch refused refused refused"},
		{Epoch, log, 0, "epoch refused refused refused"},
		{Epoch, table, 1, "epoch epoch epoch kept"},
		{Epoch, log, 1, "epoch epoch epoch kept"},
		{Null, table, 0, "refused refused refused kept"},
		{Null, log, 0, "refused refused refused kept"},
		{Null, log, 1, "null null null kept"},
		{Null, null, 0, "null null null kept"},
		{Fail, null, 0, "refused refused refused kept"},
	} {
		var tally Tally
		rule := c.policy.Of(c.in, c.column, &tally)
		var got []string
		changed := int64(0)
		for _, d := range []Date{zero, noon, bad} {
			b, err := batch.NewBuilder(null, memory.DefaultAllocator)
			if err != nil {
				t.Fatal(err)
			}
			became := "null"
			if err := rule.Bad(b.Columns[0], func() { became = "epoch" }, d); err != nil {
				became = "refused"
				if !strings.Contains(err.Error(), d.String()) || hint.Of(err) == "" {
					t.Errorf("got %v (hint %q)", err, hint.Of(err))
				}
			} else {
				changed++
			}
			got = append(got, became)
		}
		if err := rule.Epoch(); err != nil {
			got = append(got, "refused")
		} else {
			got = append(got, "kept")
		}
		if got := strings.Join(got, " "); got != c.want {
			t.Errorf("%s, column %d of %v: got %s, want %s", c.policy, c.column, c.in.Key, got, c.want)
		}
		tally.Changed(func(_ string, n int64) { changed -= n })
		if changed != 0 {
			t.Errorf("%s: %d changes are not counted", c.policy, changed)
		}
	}
	if got := noon.String(); got != "0000-00-00 12:00:00" {
		t.Errorf("got %s", got)
	}
}
