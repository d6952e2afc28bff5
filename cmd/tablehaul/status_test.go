package main

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/move"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

var statusNow = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func standings() []standing {
	const old, recent = `{"file":"binlog.000002","pos":4}`, `{"file":"binlog.000007","pos":8801208}`
	held := func(name, source string, pos string, age time.Duration, rows int64) writer.Held {
		return writer.Held{Name: name, Source: source, Position: batch.Position(pos), Committed: statusNow.Add(-age), Rows: rows}
	}
	h := func(behind time.Duration, ahead, before int64) reader.Headroom {
		return reader.Headroom{AtEnd: ahead == 0, Behind: behind, Ahead: ahead, Before: before, Keep: 30 * 24 * time.Hour}
	}
	return []standing{
		{Held: held("lake.orders", "shop.orders", recent, 4*time.Second, 1_234_567), asked: true, headroom: h(0, 0, 5<<30)},
		{Held: held("lake.items", "shop.items", recent, 3*time.Minute, -1), asked: true, headroom: h(90*time.Second, 5000, -1)},
		{Held: held("lake.stuck", "shop.stuck", old, 20*24*time.Hour, 0), asked: true, headroom: h(20*24*time.Hour, 7<<30, 100)},
		{Held: held("lake.gone", "shop.gone", "x", time.Hour, 1), asked: true, headroom: reader.Headroom{Gone: true, Ahead: -1, Before: -1}},
		{Held: held("lake.other", "", "y", time.Hour, 1), asked: true, foreign: true},
		{Held: held("lake.odd", "shop.odd", "z", time.Hour, 1), asked: true, err: hint.Wrap(errors.New("no such place"), "copy it anew")},
	}
}

func TestWriteStatus(t *testing.T) {
	var b strings.Builder
	if err := writeStatus(&b, false, statusNow, "iceberg:lake", "mysql://h", standings(), nil); err != nil {
		t.Fatal(err)
	}
	want := `
TABLE             SOURCE       ROWS  COMMITTED               POSITION           LAG   BEHIND    SPARE
lake.orders  shop.orders  1,234,567    4 s ago  binlog.000007:8801208          none      0 B  5.0 GiB
lake.items    shop.items          ?  3 min ago  binlog.000007:8801208         1 min  4.9 KiB        ?
lake.stuck    shop.stuck          0   20 d ago        binlog.000002:4          20 d  7.0 GiB    100 B
lake.gone      shop.gone          1    1 h ago                      x      log gone
lake.other                        1    1 h ago                      y  other source
lake.odd        shop.odd          1    1 h ago                      z       unknown
6 tables, 1,234,570 rows, 5 positions; at most 20 d behind; the source keeps its log for 30 d
?: not told by the table's metadata (ROWS, COMMITTED) or by the source's log (LAG, BEHIND, SPARE)
unknown: the source could not be asked, or does not know the position; the error says why
`[1:]
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestStatusDropped: a table that is no more is behind of nothing, and several in one table have one count.
func TestStatusDropped(t *testing.T) {
	long := reader.Headroom{Behind: 29 * 24 * time.Hour, Ahead: 7 << 30, Before: 100, Keep: 30 * 24 * time.Hour}
	tables := []standing{
		{Held: writer.Held{Name: "lake.o", Source: "shop.a", Position: "p", Rows: 5, Merged: true}, asked: true, headroom: reader.Headroom{AtEnd: true}},
		{Held: writer.Held{Name: "lake.o", Source: "shop.b", Position: "q", Rows: 5, Merged: true}, asked: true, dropped: true},
	}
	var b, out strings.Builder
	if err := writeStatus(&b, false, statusNow, "iceberg:lake", "mysql://h", tables, nil); err != nil {
		t.Fatal(err)
	}
	want := `
TABLE   SOURCE  ROWS  COMMITTED  POSITION      LAG  BEHIND  SPARE
lake.o  shop.a     -          ?         p     none     0 B    0 B
lake.o  shop.b     -          ?         q  dropped
2 tables, 5 rows, 2 positions
-: merged tables count their rows together: lake.o has 5 rows
?: not told by the table's metadata (ROWS, COMMITTED) or by the source's log (LAG, BEHIND, SPARE)
dropped: the table is no more at the source; its rows stay
`[1:]
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	p := &program{console: &console{stderr: &out}}
	if err := p.judge(tables, "-"); err != nil || out.String() != "" {
		t.Errorf("got %v, %q of a table that is no more", err, out.String())
	}
	tables[1].dropped, tables[1].headroom = false, long
	if err := p.judge(tables, "-"); err != nil || !strings.Contains(out.String(), "behind by more than half") {
		t.Errorf("got %v, %q", err, out.String())
	}
}

func TestJudge(t *testing.T) {
	var out strings.Builder
	p := &program{console: &console{stderr: &out}}
	err := p.judge(standings()[:5], "copy them anew")
	if !errors.Is(err, move.ErrIncomplete) || !strings.HasSuffix(err.Error(), "the position of 1 table: lake.gone") || hint.Of(err) == "" {
		t.Errorf("got %v", err)
	}
	want := "tablehaul: warning: 1 table is not from this source: lake.other\n" +
		"tablehaul: warning: 1 table is behind by more than half of the time for which the source keeps its log (30 d): lake.stuck\n"
	if out.String() != want {
		t.Errorf("got %s", &out)
	}
	if err := p.judge(standings()[:2], "copy them anew"); err != nil {
		t.Error(err)
	}
	anew := standings()[3:4]
	anew[0].headroom.Why = hint.Wrap(errors.New("its topic was made again"), "drop it")
	if err := p.judge(anew, "copy them anew"); !errors.Is(err, move.ErrIncomplete) || !strings.HasSuffix(err.Error(), "lake.gone: its topic was made again") || hint.Of(err) != "drop it" {
		t.Errorf("made again: got %v", err)
	}
	// What is not known may be worse than what is.
	err = p.judge(standings(), "copy them anew")
	if err == nil || errors.Is(err, move.ErrIncomplete) || err.Error() != "find the position of lake.odd in the log: no such place" || hint.Of(err) != "copy it anew" {
		t.Errorf("got %v", err)
	}
	if !strings.Contains(out.String(), "warning: the log no longer holds what follows the position of 1 table: lake.gone (copy them anew)") {
		t.Errorf("got %s", &out)
	}
}

func TestWriteStatusJSON(t *testing.T) {
	var b strings.Builder
	failed := hint.Wrap(errors.New("open mysql://h: refused"), "start it")
	known := standings()[5:]
	known = append(known, standing{Held: known[0].Held})
	if err := writeStatus(&b, true, statusNow, "iceberg:lake", "mysql://h", known, failed); err != nil {
		t.Fatal(err)
	}
	want := `{"event":"status","time":"2026-07-01T12:00:00.000Z","sink":"iceberg:lake","source":"mysql://h","tables":[` +
		`{"table":"lake.odd","source_table":"shop.odd","position":"z","committed":"2026-07-01T11:00:00.000Z","age_seconds":3600,"rows":1,"state":"unknown","error":"no such place","hint":"copy it anew"},` +
		`{"table":"lake.odd","source_table":"shop.odd","position":"z","committed":"2026-07-01T11:00:00.000Z","age_seconds":3600,"rows":1}],` +
		`"error":"open mysql://h: refused","hint":"start it"}` + "\n"
	if got := b.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestStatusLegend(t *testing.T) {
	rows := [][]string{{"TABLE", "", "ROWS"}, {"?", "", "5"}}
	if got := statusLegend(rows); len(got) != 0 {
		t.Errorf("got %q, want none: a table may be named so", got)
	}
	rows = append(rows, []string{"a", "", "?", "1 s ago", "p", "unknown", "", ""})
	got := statusLegend(rows)
	if len(got) != 2 || !strings.HasPrefix(got[0], "?: ") || !strings.HasPrefix(got[1], "unknown: ") {
		t.Errorf("got %q, want a word about ? and one about unknown", got)
	}
}
