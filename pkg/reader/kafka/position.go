package kafka

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader"
)

// A position is text such as kafka:CLUSTER;orders@ID:0=12,1=40;users@ID:0=3: for each
// partition of each topic the offset of the message that comes next. The ID tells a topic
// from one that has been made anew under its name; it is left out where brokers know none.
// Names of topics have none of these signs. A mark may follow (mark.go).

// A part is one partition.
type part struct {
	topic     string
	partition int32
}

func (p part) String() string { return p.topic + "/" + strconv.Itoa(int(p.partition)) }

func compareParts(a, b part) int {
	return cmp.Or(strings.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
}

// offsets are those of the next messages.
type offsets map[part]int64

const scheme = "kafka:"

// parsePosition reads a position. That of "" is empty, of no cluster.
func parsePosition(pos batch.Position) (cluster string, o offsets, err error) {
	o = offsets{}
	if pos == "" {
		return "", o, nil
	}
	text, _ := cutMark(pos)
	rest, ok := strings.CutPrefix(text, scheme)
	if !ok {
		return "", nil, fmt.Errorf("%q is no position in topics", pos)
	}
	cluster, rest, _ = strings.Cut(rest, ";")
	for text := range strings.SplitSeq(rest, ";") {
		topic, parts, _ := strings.Cut(text, ":")
		topic, _, _ = strings.Cut(topic, "@")
		for p := range strings.SplitSeq(parts, ",") {
			if p == "" {
				continue
			}
			number, offset, _ := strings.Cut(p, "=")
			n, err := strconv.ParseInt(number, 10, 32)
			if err != nil {
				return "", nil, fmt.Errorf("position %q: %w", pos.Excerpt(), err)
			}
			at, err := strconv.ParseInt(offset, 10, 64)
			if err != nil {
				return "", nil, fmt.Errorf("position %q: %w", pos.Excerpt(), err)
			}
			o[part{topic, int32(n)}] = at
		}
	}
	return cluster, o, nil
}

// idsOf returns the IDs of a position's topics, as far as it tells them.
func idsOf(pos batch.Position) map[string]string {
	ids := map[string]string{}
	offsets, _ := cutMark(pos)
	for text := range strings.SplitSeq(offsets, ";") {
		name, _, _ := strings.Cut(text, ":")
		if topic, id, ok := strings.Cut(name, "@"); ok {
			ids[topic] = id
		}
	}
	return ids
}

// position writes offsets, with the IDs of their topics.
func (o offsets) position(cluster string, ids map[string]string) batch.Position {
	b := []byte(scheme + cluster)
	last := ""
	for i, p := range slices.SortedFunc(maps.Keys(o), compareParts) {
		if i == 0 || p.topic != last {
			b = append(append(b, ';'), p.topic...)
			if id := ids[p.topic]; id != "" {
				b = append(append(b, '@'), id...)
			}
			b, last = append(b, ':'), p.topic
		} else {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, int64(p.partition), 10)
		b = strconv.AppendInt(append(b, '='), o[p], 10)
	}
	return batch.Position(b)
}

// merge is reader.Share's Merge for the parts in own.
func merge(own func(part) bool, held, known, next batch.Position) (batch.Position, error) {
	marked, err := parseMark(held)
	if err != nil {
		return "", err
	}
	knew, err := parseMark(known)
	if err != nil {
		return "", err
	}
	if marked.ID != knew.ID {
		return "", reader.ErrRedone
	}
	cluster, to, err := parsePosition(next)
	if err != nil {
		return "", err
	}
	_, was, err := parsePosition(known)
	if err != nil {
		return "", err
	}
	_, is, err := parsePosition(held)
	if err != nil {
		return "", err
	}
	for p, at := range to {
		if !own(p) {
			continue // what others have committed stands
		}
		a, okA := is[p]
		b, okB := was[p]
		if a != b || okA != okB {
			return "", fmt.Errorf("%s: %w", p, reader.ErrOvertaken)
		}
		// A table that was ahead of the others when the parts were taken, because a run
		// ended between two commits, stays so until these have come to it.
		is[p] = max(a, at)
	}
	ids := idsOf(held)
	maps.Copy(ids, idsOf(next))
	_, mark := cutMark(held)
	return withMark(is.position(cluster, ids), mark), nil
}
