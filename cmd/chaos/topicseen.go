package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// seen is what a consumer of what is committed sees in the topics of a run: each change
// once, those of a key in one partition and in order.
type seen struct {
	changes  int
	doubled  int
	findings []string

	once map[string]bool   // table, place in the log and kind of each change
	last map[string]change // by table and partition
	rows map[string]bool   // of stock, by table, partition and key, since the table was emptied there
	home map[string]string // the partition of each key
}

// A change is what a message tells of one row.
type change struct {
	table, op, pos string
	key            string // of the row; "" if the message does not have it by itself
}

func newSeen() *seen {
	return &seen{once: map[string]bool{}, last: map[string]change{}, rows: map[string]bool{}, home: map[string]string{}}
}

// fault notes the first few.
func (s *seen) fault(format string, args ...any) {
	s.doubled++
	if len(s.findings) < 8 {
		s.findings = append(s.findings, "topic: "+fmt.Sprintf(format, args...))
	}
}

// take looks at the next change of a partition.
func (s *seen) take(where string, c change) {
	s.changes++
	here := c.table + " " + where
	switch {
	case c.op == "t":
		for k := range s.rows {
			if strings.HasPrefix(k, here+" ") {
				delete(s.rows, k)
			}
		}
	case c.key != "":
		if home := s.home[c.table+" "+c.key]; home != "" && home != where {
			s.fault("%s: the key %s is in %s and in %s", c.table, c.key, home, where)
		}
		s.home[c.table+" "+c.key] = where
	}
	if c.pos == "" {
		if c.op == "r" && c.key != "" {
			if s.rows[here+" "+c.key] {
				s.fault("%s: the row %s is there twice", here, c.key)
			}
			s.rows[here+" "+c.key] = true
		}
		return
	}
	id := c.table + " " + c.op + " " + c.pos
	if c.op == "t" {
		id += " " + where // it is in all of them
	}
	if s.once[id] {
		s.fault("%s: the change %s at %s is there twice", here, c.op, c.pos)
	} else if last := s.last[here]; c.pos < last.pos {
		s.fault("%s: the change %s at %s comes behind that at %s", here, c.op, c.pos, last.pos)
	}
	s.once[id] = true
	s.last[here] = c
}

// see reads the topics of a run from beginning to end.
//
// It writes them down as well, for whoever looks into a run that has failed.
func (w *topicWorld) see(ctx context.Context) (_ *seen, err error) {
	f, err := os.Create(filepath.Join(w.dir, "messages"))
	if err != nil {
		return nil, err
	}
	text := bufio.NewWriter(f)
	defer func() { err = errors.Join(err, text.Flush(), f.Close()) }()
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	from, left, err := w.filled(ctx)
	if err != nil {
		return nil, err
	}
	keyless := map[string]bool{}
	for _, t := range w.bank.tables() {
		keyless[t.Name] = t.Key == nil
	}
	s := newSeen()
	if len(from) == 0 {
		return s, nil
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(w.broker.addr), kgo.ConsumePartitions(from),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords())
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			return nil, fmt.Errorf("read topics: %w", err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			r := it.Next()
			where := fmt.Sprintf("%s/%d", r.Topic, r.Partition)
			if r.Offset >= left[where]-1 {
				delete(left, where)
			}
			if r.Attrs.IsControl() || r.Value == nil {
				continue
			}
			changes, err := changesIn(w.plan.format, r.Key, r.Value)
			if err != nil {
				return nil, fmt.Errorf("message at offset %d of %s: %w", r.Offset, where, err)
			}
			for _, c := range changes {
				if keyless[c.table] {
					c.key = "" // which is that of all
				}
				fmt.Fprintln(text, where, r.Offset, c.table, c.op, c.pos, c.key)
				s.take(where, c)
			}
		}
	}
	return s, nil
}

// filled returns where the partitions of a run's topics begin that hold something, and, as
// TOPIC/PARTITION, where they end.
func (w *topicWorld) filled(ctx context.Context) (from map[string]map[int32]kgo.Offset, left map[string]int64, err error) {
	adm := kadm.NewClient(w.broker.cl)
	topics, err := adm.ListTopics(ctx)
	if err != nil {
		return nil, nil, err
	}
	var names []string
	for _, name := range topics.Names() {
		if name == w.topic || strings.HasPrefix(name, w.topic+".") {
			names = append(names, name)
		}
	}
	ends, err := adm.ListCommittedOffsets(ctx, names...)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return nil, nil, err
	}
	from = map[string]map[int32]kgo.Offset{}
	left = map[string]int64{}
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			if from[o.Topic] == nil {
				from[o.Topic] = map[int32]kgo.Offset{}
			}
			from[o.Topic][o.Partition] = kgo.NewOffset().At(0)
			left[fmt.Sprintf("%s/%d", o.Topic, o.Partition)] = o.Offset
		}
	})
	return from, left, nil
}

// changesIn reads a message, with nothing of the program's own.
func changesIn(format string, key, value []byte) ([]change, error) {
	if format == "arrow" {
		return arrowChanges(value)
	}
	type message struct {
		Table  string
		Source struct{ Table string }
		Own    *struct{ Op, Pos string } `json:"_tablehaul"`
	}
	var m struct {
		message
		Payload *message
	}
	if err := json.Unmarshal(value, &m); err != nil {
		return nil, err
	}
	if p := m.Payload; p != nil {
		if p.Own == nil {
			p.Own = m.Own
		}
		m.message = *p
	}
	c := change{table: m.Table + m.Source.Table, key: string(key)}
	if m.Own == nil || c.table == "" {
		return nil, fmt.Errorf("it does not tell what it is: %.200s", value)
	}
	c.op, c.pos = m.Own.Op, m.Own.Pos
	return []change{c}, nil
}

func arrowChanges(value []byte) (list []change, err error) {
	r, err := ipc.NewReader(bytes.NewReader(value))
	if err != nil {
		return nil, err
	}
	defer r.Release()
	text, _ := r.Schema().Metadata().GetValue("tablehaul")
	var told struct {
		Table string
		Key   []string
	}
	if err := json.Unmarshal([]byte(text), &told); err != nil {
		return nil, err
	}
	column := func(b arrow.RecordBatch, name string) arrow.Array { return b.Column(b.Schema().FieldIndices(name)[0]) }
	for r.Next() {
		b := r.RecordBatch()
		ops, pos := column(b, "_op").(*array.String), column(b, "_pos")
		for i := range int(b.NumRows()) {
			c := change{table: told.Table, op: ops.Value(i)}
			if !pos.IsNull(i) {
				c.pos = pos.ValueStr(i)
			}
			for _, name := range told.Key {
				c.key += column(b, name).ValueStr(i) + "|"
			}
			list = append(list, c)
		}
	}
	if err := r.Err(); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	return list, nil
}
