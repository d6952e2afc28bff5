package kafka

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/message"
)

// A barrier is where the partitions of a topic meet: that a table was emptied is told in
// each of them, and is about rows that came before it in all. A partition that has come
// there waits until all have, whether the table is known by then or not: its first rows
// may be in a partition that is behind.
type barrier struct {
	db, table string
	change    message.Change
	waiting   map[part]bool
	// limit is how far the partitions reached when the first came there. The message was
	// written to all before any of them was committed: a partition that gets so far
	// without it has begun behind it.
	limit offsets
	// apart says that some of the partitions are not the share's. It never opens then: see
	// errApart.
	apart bool
}

// wait has the partition of the message at hand wait.
func (l *log) wait(db, table string, c message.Change) error {
	name := l.cur.topic + "/" + db + "." + table
	b := l.barriers[name]
	if b == nil {
		ctx, cancel := context.WithTimeout(context.Background(), askTime)
		defer cancel()
		limit, err := l.share.feed.written(ctx, []string{l.cur.topic})
		if err != nil {
			return err
		}
		c.GTID, c.Pos = bytes.Clone(c.GTID), bytes.Clone(c.Pos)
		b = &barrier{db: db, table: table, change: c, waiting: map[part]bool{}, limit: limit}
		for p := range limit {
			b.apart = b.apart || !l.share.own(p)
		}
		l.barriers[name] = b
	}
	b.waiting[l.cur.part] = true
	l.stopped = true
	return nil
}

// settle opens the barriers that all partitions have come to.
func (l *log) settle() error {
	opened := false
	for name, b := range l.barriers {
		if b.apart {
			if err := l.stand(b); err != nil {
				return err
			}
			continue
		}
		all := true
		for p, limit := range b.limit {
			pr := l.parts[p]
			all = all && (b.waiting[p] || pr.done || pr.next >= limit)
		}
		if !all {
			continue
		}
		delete(l.barriers, name)
		if err := l.empty(b.db, b.table, b.change); err != nil {
			return err
		}
		// All are behind it before anything else comes: a position in between would have
		// the table emptied again by the next run.
		for p := range b.waiting {
			l.parts[p].waits = false
			l.parts[p].next++
		}
		l.moving = true
		l.goOn(slices.Collect(maps.Keys(b.waiting)))
		opened = true
	}
	if opened {
		return nil
	}
	return l.crossed()
}

// crossed is an error if the partitions of a topic wait for each other, some at one barrier
// and some at another: who emptied the tables wrote to the topic at the same time.
func (l *log) crossed() error {
	tables := map[string][]string{} // by topic
	for name, b := range l.barriers {
		if topic, _, _ := strings.Cut(name, "/"); !b.apart {
			tables[topic] = append(tables[topic], b.db+"."+b.table)
		}
	}
	for _, pr := range l.parts {
		if !pr.done && !pr.waits {
			delete(tables, pr.topic)
		}
	}
	for topic, names := range tables {
		slices.Sort(names)
		err := fmt.Errorf("%s were emptied at the same time, and partitions of %s tell of it in different orders", strings.Join(names, " and "), topic)
		return hint.Wrap(err, "--tables %s --until end brings the first of them past that by itself; then go on with all", names[0])
	}
	return nil
}

// stand sees to a barrier whose partitions several processes share. None of them gets past
// it: whoever has the topic's first partition waits for the others', and all else leave the
// group for a while, so that in the end one process has all of them.
func (l *log) stand(b *barrier) error {
	if first := slices.MinFunc(slices.Collect(maps.Keys(b.limit)), compareParts); !l.share.own(first) {
		return errApart
	}
	return nil
}

// goOn has partitions read on that have waited.
func (l *log) goOn(waited []part) {
	from := map[string]map[int32]kgo.EpochOffset{}
	again := map[string][]int32{}
	for _, p := range waited {
		pr := l.parts[p]
		if pr.end >= 0 && pr.next >= pr.end {
			l.ended(pr)
			continue
		}
		if from[p.topic] == nil {
			from[p.topic] = map[int32]kgo.EpochOffset{}
		}
		from[p.topic][p.partition] = kgo.EpochOffset{Epoch: -1, Offset: pr.next}
		again[p.topic] = append(again[p.topic], p.partition)
	}
	l.cl.SetOffsets(from)
	l.cl.ResumeFetchPartitions(again)
}
