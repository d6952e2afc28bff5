package main

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/message"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// TestSeen tells a topic with each fault from those that are as they should be.
func TestSeen(t *testing.T) {
	type message struct {
		where string
		change
	}
	put := func(where, table, op, pos, key string) message { return message{where, change{table, op, pos, key}} }
	for name, c := range map[string]struct {
		messages []message
		want     string // in what is found; "" nothing is
	}{
		"in order": {[]message{
			put("t/0", "a", "c", "f:1", "1"), put("t/0", "a", "u", "f:2", "1"), put("t/1", "a", "c", "f:1.5", "2"), put("t/1", "b", "c", "f:1", "1"),
		}, ""},
		"a key that changes": {[]message{put("t/0", "a", "d", "f:1", "1"), put("t/0", "a", "c", "f:1", "2")}, ""},
		"emptied everywhere": {[]message{put("t/0", "a", "t", "f:1", ""), put("t/1", "a", "t", "f:1", "")}, ""},
		"copied again":       {[]message{put("t/0", "a", "r", "", "1"), put("t/0", "a", "t", "", ""), put("t/0", "a", "r", "", "1")}, ""},
		"twice":              {[]message{put("t/0", "a", "c", "f:1", "1"), put("t/0", "a", "c", "f:1", "1")}, "is there twice"},
		"twice, apart":       {[]message{put("t/0", "a", "c", "f:1", ""), put("t/1", "a", "c", "f:1", "")}, "is there twice"},
		"out of order":       {[]message{put("t/0", "a", "c", "f:2", "1"), put("t/0", "a", "u", "f:1", "1")}, "comes behind"},
		"a key in two":       {[]message{put("t/0", "a", "c", "f:1", "1"), put("t/1", "a", "u", "f:2", "1")}, "is in t/0 and in t/1"},
		"stock twice":        {[]message{put("t/0", "a", "r", "", "1"), put("t/0", "a", "r", "", "1")}, "is there twice"},
	} {
		s := newSeen()
		for _, m := range c.messages {
			s.take(m.where, m.change)
		}
		got := strings.Join(s.findings, "; ")
		if !strings.Contains(got, c.want) || (c.want == "") != (got == "") {
			t.Errorf("%s: found %q, want %q", name, got, c.want)
		}
	}
}

// TestChangesIn reads a change out of a message of each format.
func TestChangesIn(t *testing.T) {
	table := batchtest.Shape("d", "a", "id int key", "v varchar(20)")
	log, err := schema.Changelog(table)
	if err != nil {
		t.Fatal(err)
	}
	log.RowKey = table.Key
	rows := batchtest.Build(memory.DefaultAllocator, log, []batchtest.Row{{int64(7), "x", "c", nil, nil, "f:1"}})
	defer rows.Release()
	for _, format := range message.Formats {
		for _, schemas := range []bool{false, format == "debezium-json"} {
			e, err := message.NewEncoder(format, log, message.Partitions{Count: 1, Of: func([]byte) int32 { return 0 }}, message.Options{Schemas: schemas})
			if err != nil {
				t.Fatal(err)
			}
			records, err := e.Encode(nil, rows)
			if err != nil || len(records) != 1 {
				t.Fatalf("%s: got %d messages, %v", format, len(records), err)
			}
			got, err := changesIn(format, records[0].Key, records[0].Value)
			if err != nil || len(got) != 1 || got[0].table != "a" || got[0].op != "c" || got[0].pos != "f:1" || !strings.Contains(got[0].key, "7") {
				t.Errorf("%s: got %+v, %v", format, got, err)
			}
		}
	}
}
