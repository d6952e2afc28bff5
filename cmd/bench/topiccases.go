package main

import "github.com/tablehaul/tablehaul/pkg/message"

// A topicCase is what makes a case one of topics: the log of its table is written into a
// topic in some format, or what that has left there goes into a lake.
type topicCase struct {
	format string
	dump   bool
	held   topicReport // what the topic holds, once it does
}

// topicPartitions is how many partitions a topic has.
const topicPartitions = 4

// topicFigures are those that only cases of topics have.
type topicFigures struct {
	Messages     int64   `json:"messages"`
	Bytes        int64   `json:"bytes"` // of their keys and values, as they are before compression
	MessagesPerS float64 `json:"messages_per_s"`
}

func (c *topicCase) figures(r *result) *topicFigures {
	f := &topicFigures{Messages: c.held.Messages, Bytes: c.held.Bytes}
	if r.RowsPerS != nil {
		f.MessagesPerS = round(*r.RowsPerS * float64(f.Messages) / float64(r.Rows))
	}
	return f
}

// topicCases are those of topics: the rows of tail/…/narrow-insert, in and out of each
// format.
func topicCases() (list []*benchCase) {
	narrow := func(way, format string, goals ...goal) *benchCase {
		return &benchCase{
			name: way + "/" + format + "/narrow", table: "narrow_insert", rows: 2_000_000,
			ddl: sbtestDDL, row: sbtestRow, goals: append(goals, goal{name: "peak_mib", limit: 600}),
			log:   &logCase{stages: []stage{stageInsert}, reads: readTopic, sums: narrowSums},
			topic: &topicCase{format: format, dump: way == "dump"},
		}
	}
	for _, f := range message.Formats {
		list = append(list, narrow("collect", f))
	}
	for _, f := range message.Formats {
		cpu := goal{name: "cpu_us_per_row", limit: 6}
		if f == "arrow" {
			cpu.limit = 2
		}
		list = append(list, narrow("dump", f, cpu))
	}
	return list
}
