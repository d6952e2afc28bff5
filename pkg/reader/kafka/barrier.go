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

// behind is what has come to a partition behind the message that it waits at.
type behind struct {
	records []*kgo.Record
	size    int
	again   bool // it was too much to be kept, and is to be fetched again
}

func (b *behind) keep(records []*kgo.Record, most int) {
	for _, r := range records {
		b.size += len(r.Key) + len(r.Value)
	}
	if b.again = b.again || b.size > most; b.again {
		b.records = nil
		return
	}
	b.records = append(b.records, records...)
}

// room is how many bytes are kept of each partition that waits: all may.
func (l *log) room() int { return int(l.share.feed.opts.Memory) / 2 / len(l.parts) }

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
func (l *log) settle(ctx context.Context) error {
	opened := false
	for name, b := range l.barriers {
		if b.apart {
			if err := l.stand(b); err != nil {
				return err
			}
			continue
		}
		if !l.met(b) {
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
		if err := l.goOn(ctx, slices.Collect(maps.Keys(b.waiting))); err != nil {
			return err
		}
		opened = true
	}
	if opened {
		return nil
	}
	return l.crossed()
}

// met reports whether all partitions have come to a barrier. One that was to end before it goes
// on to it, or the next run would meet it there behind rows that this one has brought.
func (l *log) met(b *barrier) bool {
	all := true
	var early []part
	for p, limit := range b.limit {
		pr := l.parts[p]
		if b.waiting[p] || pr.next >= limit {
			continue
		}
		if all = false; pr.done {
			pr.done, pr.end, pr.behind = false, limit, behind{again: true}
			l.open++
			early = append(early, p)
		}
	}
	l.fetch(early)
	return all
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
func (l *log) goOn(ctx context.Context, waited []part) error {
	var on []part
	for _, p := range waited {
		if pr := l.parts[p]; pr.end >= 0 && pr.next >= pr.end {
			l.ended(pr)
		} else {
			on = append(on, p)
		}
	}
	kept := make(map[*progress][]*kgo.Record, len(on))
	for _, p := range on {
		kept[l.parts[p]] = l.parts[p].behind.records
	}
	l.fetch(on)
	for pr, records := range kept {
		if err := l.takeAll(ctx, pr, records); err != nil {
			return err
		}
	}
	return nil
}

// fetch has partitions fetched on that were paused, behind what is kept of them.
func (l *log) fetch(paused []part) {
	from := map[string]map[int32]kgo.EpochOffset{}
	resume := map[string][]int32{}
	for _, p := range paused {
		pr := l.parts[p]
		resume[p.topic] = append(resume[p.topic], p.partition)
		if pr.behind.again {
			if from[p.topic] == nil {
				from[p.topic] = map[int32]kgo.EpochOffset{}
			}
			from[p.topic][p.partition] = kgo.EpochOffset{Epoch: -1, Offset: pr.next}
		}
		pr.behind = behind{}
	}
	l.cl.SetOffsets(from)
	l.cl.ResumeFetchPartitions(resume)
}
