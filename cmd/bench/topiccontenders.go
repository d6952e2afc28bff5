package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// topicContenders are those of a case of topics, the product first.
func (e *env) topicContenders(ctx context.Context, c *benchCase, rows int64) ([]*contender, error) {
	if !e.wants("product") {
		return nil, errors.New("nobody else writes the topic: the case needs the product")
	}
	conn, err := connect(ctx, e.addr, "")
	if err != nil {
		return nil, err
	}
	ranges, err := findRanges(conn, c, rows)
	conn.Close()
	if err != nil {
		return nil, err
	}
	log := ranges[0]
	topic, err := e.fillTopic(ctx, c, rows, log)
	if err != nil {
		return nil, err
	}
	if c.topic.dump {
		return e.dumpContenders(ctx, c, rows, topic), nil
	}
	return e.collectContenders(ctx, c, rows, log), nil
}

// fillTopic has the product write the log into a topic that is kept, unless that holds it
// already: the product knows by its position.
func (e *env) fillTopic(ctx context.Context, c *benchCase, rows int64, log logRange) (string, error) {
	// Another log than that which the topic was written from is another topic.
	topic := fmt.Sprintf("bench-%s-%d-%08x", c.topic.format, rows, crc32.ChecksumIEEE([]byte(log.from.gtid+" "+log.to.gtid)))
	p := topicPart{addr: e.kafka.addr, topic: topic, format: c.topic.format}
	if _, _, err := runChild(ctx, e.collectCommand(c, rows, log, topic, "&config.retention.ms=-1"), nil); err != nil {
		return "", fmt.Errorf("fill topic %s: %w", topic, err)
	}
	held, err := e.count(ctx, p)
	if err == nil && held.Rows != rows {
		err = fmt.Errorf("topic %s has %d rows of %d", topic, held.Rows, rows)
	}
	c.topic.held = held
	return topic, err
}

// collectCommand is how the product is told to write the log into a topic.
func (e *env) collectCommand(c *benchCase, rows int64, log logRange, topic, more string) []string {
	return []string{
		e.product, "tail", "mysql://root@" + e.addr + "/" + logDatabase(rows),
		fmt.Sprintf("kafka://%s/%s?format=%s&partitions=%d%s", e.kafka.addr, topic, c.topic.format, topicPartitions, more),
		"--tables", c.table, "--start", "gtid:" + log.from.gtid, "--until", "gtid:" + log.to.gtid, "--quiet",
	}
}

// count looks at all messages of a topic, in a child.
func (e *env) count(ctx context.Context, p topicPart) (r topicReport, err error) {
	_, stdout, err := runChild(ctx, append([]string{e.self}, p.args("count")...), nil)
	if err == nil {
		err = json.Unmarshal(stdout, &r)
	}
	return r, err
}

// collectContenders write the log into a topic: the product; and, as many messages of the
// same size as it has written, Kafka's own producer.
func (e *env) collectContenders(ctx context.Context, c *benchCase, rows int64, log logRange) []*contender {
	// No run has had the name: what it would have written is known by its position.
	fresh := func() string { return fmt.Sprintf("bench-run-%d", time.Now().UnixNano()) }
	var topic string
	list := []*contender{{
		name: "product",
		argv: func(string) []string {
			topic = fresh()
			return e.collectCommand(c, rows, log, topic, "")
		},
		check: func(string, []byte) (report, error) {
			r, err := e.count(ctx, topicPart{addr: e.kafka.addr, topic: topic, format: c.topic.format})
			return report{Rows: r.Rows, Bytes: r.Bytes}, errors.Join(err, e.kafka.removeTopic(ctx, topic))
		},
	}}
	if e.mysqlbinlog != nil {
		list = append(list, e.rawLog(log, rows))
	}
	if e.wants("producer-perf") {
		held := c.topic.held
		list = append(list, &contender{
			name: "producer-perf", rival: true,
			prepare: func(string) [][]string {
				topic = fresh()
				return [][]string{append([]string{e.self}, topicPart{addr: e.kafka.addr, topic: topic}.args("topic")...)}
			},
			argv: func(string) []string {
				return []string{
					e.kafka.run, "org.apache.kafka.tools.ProducerPerformance", "--bootstrap-server", e.kafka.addr, "--topic", topic,
					"--num-records", strconv.FormatInt(held.Messages, 10), "--record-size", strconv.FormatInt(held.Bytes/held.Messages, 10),
					"--throughput", "-1", "--command-property", "compression.type=lz4", "acks=all",
				}
			},
			check: func(_ string, stdout []byte) (report, error) {
				err := e.kafka.removeTopic(ctx, topic)
				if want := fmt.Sprintf("%d records sent", held.Messages); !strings.Contains(lastLine(stdout), want) {
					err = errors.Join(err, fmt.Errorf("want %s, got %s", want, lastLine(stdout)))
				}
				return report{Rows: rows, Bytes: held.Bytes}, err
			},
		})
	}
	return list
}

func lastLine(text []byte) string {
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return lines[len(lines)-1]
}

// dumpContenders read a topic: the product into a lake; Kafka's own consumer and franz-go
// look at no message.
func (e *env) dumpContenders(ctx context.Context, c *benchCase, rows int64, topic string) []*contender {
	held := c.topic.held
	list := []*contender{{
		name: "product",
		argv: func(out string) []string {
			return []string{
				e.product, "dump", "kafka://" + e.kafka.addr + "/" + topic, "iceberg:" + filepath.Join(out, "lake"), "--until", "end", "--quiet",
			}
		},
		check: func(out string, _ []byte) (report, error) { return e.compareLake(ctx, c, rows, out) },
	}}
	if e.wants("consumer-perf") {
		list = append(list, &contender{
			name: "consumer-perf", rival: true,
			argv: func(string) []string {
				return []string{
					e.kafka.run, "org.apache.kafka.tools.ConsumerPerformance", "--bootstrap-server", e.kafka.addr, "--topic", topic,
					"--num-records", strconv.FormatInt(held.Messages, 10), "--command-property", "isolation.level=read_committed",
				}
			},
			check: func(_ string, stdout []byte) (report, error) {
				// start, end, MB, MB/s, messages, …
				fields := strings.Split(lastLine(stdout), ", ")
				if len(fields) < 5 || fields[4] != strconv.FormatInt(held.Messages, 10) {
					return report{}, fmt.Errorf("want %d messages, got %s", held.Messages, fields)
				}
				return report{Rows: rows, Bytes: held.Bytes}, nil
			},
		})
	}
	if e.wants("franz-go") {
		list = append(list, &contender{
			name: "franz-go",
			argv: func(string) []string {
				return slices.Insert(topicPart{addr: e.kafka.addr, topic: topic}.args("fetch"), 0, e.self)
			},
			check: func(_ string, stdout []byte) (report, error) {
				var r topicReport
				err := json.Unmarshal(stdout, &r)
				if r.Messages == held.Messages {
					r.Rows = rows
				}
				return report{Rows: r.Rows, Bytes: r.Bytes}, err
			},
		})
	}
	return list
}
