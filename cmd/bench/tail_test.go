package main

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/replication"
)

func TestAppendValues(t *testing.T) {
	got := string(appendValues(nil, []byte("7\t\\N\tZürich\t\t1.50")))
	if want := "('7',NULL,'Zürich','','1.50')"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	// appendValues escapes nothing: no value may need it.
	for _, c := range cases {
		if c.row == nil {
			continue // the server makes the rows
		}
		if text := appendChunk(nil, c, 20_000, 0); strings.ContainsAny(strings.ReplaceAll(string(text), `\N`, ""), `'\`) {
			t.Errorf("%s: rows hold a quote or a backslash", c.name)
		}
	}
}

func TestLastNumber(t *testing.T) {
	const server = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
	for set, want := range map[string]int64{"": 0, server + ":5": 5, server + ":1-3:11-47": 47} {
		if got, err := lastNumber(set); got != want || err != nil {
			t.Errorf("%q: got %d, %v, want %d", set, got, err, want)
		}
	}
	if _, err := lastNumber("nonsense"); err == nil {
		t.Error("nonsense is taken")
	}
}

func TestNewLag(t *testing.T) {
	start := time.Now()
	at := func(number int64, seconds float64) marker {
		return marker{Number: number, At: start.Add(time.Duration(seconds * float64(time.Second)))}
	}
	markers := []marker{at(20, 1), at(40, 2), at(60, 3), at(80, 4)}
	l, err := newLag(markers, []marker{at(10, 1), at(45, 5), at(80, 9)})
	if err != nil {
		t.Fatal(err)
	}
	if l.P50 != 4.5 || l.Max != 6 || l.Markers != 4 || l.RowsPerS < lagRate*0.99 || l.RowsPerS > lagRate*1.01 {
		t.Errorf("got %+v, want waits of 4, 3, 6, 5 s", l)
	}
	if _, err := newLag(markers, []marker{at(79, 9)}); err == nil {
		t.Error("a marker that never came is taken")
	}
}

func TestWatchLake(t *testing.T) {
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "metadata"), 0o755); err != nil {
		t.Fatal(err)
	}
	commit := func(version, transaction string) {
		t.Helper()
		text := `{"properties": {"tablehaul.position": "{\"gtid\":\"3e11fa47-71ca-11e1-9e33-c80aa9429562:1-` + transaction + `\"}"}}`
		for name, text := range map[string]string{"v" + version + ".metadata.json": text, "version-hint.text": version} {
			// The hint comes last when it is really written; here the watch tries again.
			if err := os.WriteFile(filepath.Join(folder, "metadata", name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	w, ended := watchLake(folder, committed), make(chan error, 1)
	commit("1", "9")
	if err := w.waitFor(t.Context(), 9, time.Minute, ended); err != nil {
		t.Fatal(err)
	}
	if err := w.waitFor(t.Context(), 10, 3*watchEvery, ended); err == nil {
		t.Error("a transaction that did not come is in sight")
	}
	commit("2", "12")
	if err := w.waitFor(t.Context(), 10, time.Minute, ended); err != nil {
		t.Fatal(err)
	}
	ended <- context.Canceled
	if err := w.waitFor(t.Context(), 99, time.Minute, ended); err == nil {
		t.Error("that the product ended is not noticed")
	}
	if seen := w.end(); len(seen) != 2 || seen[0].Number != 9 || seen[1].Number != 12 {
		t.Errorf("got %v, want transactions 9 and 12", seen)
	}
}

func TestEventCounter(t *testing.T) {
	c := &eventCounter{file: "b.1", span: logRange{to: logPoint{file: "b.2", pos: 500}}}
	at := func(pos uint32, e replication.Event) *replication.BinlogEvent {
		return &replication.BinlogEvent{Header: &replication.EventHeader{LogPos: pos}, Event: e}
	}
	rows := &replication.RowsEvent{Rows: make([][]any, 3)}
	for _, e := range []*replication.BinlogEvent{
		at(900, rows), at(0, &replication.RotateEvent{NextLogName: []byte("b.2")}), at(499, rows),
	} {
		if err := c.HandleEvent(e); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.HandleEvent(at(500, &replication.XIDEvent{})); err != errLogEnd || !c.done || c.sum.Rows != 6 {
		t.Errorf("got %v after %d rows, want the end after 6", err, c.sum.Rows)
	}
}

func TestBesideLags(t *testing.T) {
	b, start := &besides{}, time.Now()
	var seen []marker
	for i := range 60 {
		phase := []string{"before", "before", "snapshot", "backfill", "between", "after"}[i/10]
		at := start.Add(time.Duration(i) * time.Second)
		b.marks, b.phases = append(b.marks, marker{Number: int64(i), At: at}), append(b.phases, phase)
		took := time.Second
		if phase == "backfill" {
			took = 3 * time.Second
		}
		seen = append(seen, marker{Number: int64(i), At: at.Add(took)})
	}
	l, err := b.lags(seen)
	if err != nil {
		t.Fatal(err)
	}
	if l.Before.Markers != 10 || l.Before.P50 != 1 || l.Snapshot.Markers != 10 || l.Backfill.Max != 3 || l.After.P50 != 1 {
		t.Errorf("got %+v %+v %+v %+v", l.Before, l.Snapshot, l.Backfill, l.After)
	}
	if _, err := b.lags(seen[:30]); err == nil {
		t.Error("rows that are not in the lake are not missed")
	}
}
