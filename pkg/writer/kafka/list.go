package kafka

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/kafka"
	"github.com/tablehaul/tablehaul/pkg/message"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

var (
	_ writer.Lister    = (*Sink)(nil)
	_ writer.Describer = (*Sink)(nil)
)

// List returns the tables of the job that hold a position, beside whatever run it has.
func (s *Sink) List(ctx context.Context) ([]writer.Held, error) {
	all, err := s.peek(ctx)
	if err != nil {
		return nil, err
	}
	var held []writer.Held
	for _, table := range slices.Sorted(maps.Keys(all)) {
		if h := all[table]; h.Position != "" {
			held = append(held, writer.Held{Name: s.called(h.Topic, table), Source: table, Position: h.Position, Shape: h.Shape, Committed: h.Committed, Rows: -1})
		}
	}
	return held, nil
}

// called is a table's name: its topic's, if it has one of its own.
func (s *Sink) called(topic, table string) string {
	if strings.Contains(s.url.Topic, "{table}") {
		return topic
	}
	return topic + "/" + table
}

// peek returns what the job's tables hold, without being in a run's way.
func (s *Sink) peek(ctx context.Context) (map[string]heldTable, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	there, err := s.look(ctx, s.positions)
	if there == nil || err != nil {
		return nil, err
	}
	adm, err := s.admin(ctx)
	if err != nil {
		return nil, err
	}
	end, err := endOf(ctx, adm, s.positions, adm.ListCommittedOffsets)
	if end == 0 || err != nil {
		return nil, err
	}
	held, err := s.readPositions(ctx, func(offset int64, _ string) bool { return offset+1 >= end })
	if err != nil {
		return nil, kafka.Explain(err)
	}
	return held, nil
}

// endOf returns where a topic of one partition ends, as ends has it; 0 of one that holds nothing.
func endOf(ctx context.Context, adm *kadm.Client, topic string, ends func(context.Context, ...string) (kadm.ListedOffsets, error)) (int64, error) {
	ask := func(what func(context.Context, ...string) (kadm.ListedOffsets, error)) (int64, error) {
		all, err := what(ctx, topic)
		if err == nil {
			err = all.Error()
		}
		if err != nil {
			return 0, fmt.Errorf("look at topic %s: %w", topic, kafka.Explain(err))
		}
		at, _ := all.Lookup(topic, 0)
		return at.Offset, nil
	}
	start, err := ask(adm.ListStartOffsets)
	if err != nil {
		return 0, err
	}
	end, err := ask(ends)
	if err != nil || start >= end {
		return 0, err
	}
	return end, nil
}

// peeked is what peek has told this Sink first: for many tables it is asked once.
func (s *Sink) peeked(ctx context.Context) (map[string]heldTable, error) {
	s.peeking.Lock()
	defer s.peeking.Unlock()
	if s.peek1 == nil {
		held, err := s.peek(ctx)
		if err != nil {
			return nil, err
		}
		s.peek1 = &held
	}
	return *s.peek1, nil
}

// Describe implements writer.Describer.
func (s *Sink) Describe(ctx context.Context, t *schema.Table, mode writer.Mode) (writer.Description, error) {
	d := writer.Description{Name: t.String(), Fate: writer.New}
	refuse := func(err error) (writer.Description, error) {
		var te *schema.TableError
		if errors.As(err, &te) {
			err = te.Err
		}
		d.Fate, d.Detail, d.Remedy = writer.Refused, err.Error(), hint.Of(err)
		return d, nil
	}
	name, err := s.topicOf(t)
	if err != nil {
		return refuse(err)
	}
	d.Name = s.called(name, t.String())
	if err := refusedMode(mode); err != nil {
		return refuse(err)
	}
	if _, err := message.NewEncoder(s.format, t, partitions(1), s.messages); err != nil {
		return refuse(err)
	}
	held, err := s.peeked(ctx)
	if err != nil {
		return d, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	there, err := s.look(ctx, name)
	if err != nil {
		return d, err
	}
	h := held[t.String()]
	err = cmp.Or(lost(t, name, there, h, mode), reshaped(t, h, mode))
	if err == nil && there != nil {
		_, err = s.over(ctx, t, name, known(held, t.String(), name), mode)
	}
	if te := (*schema.TableError)(nil); errors.As(err, &te) {
		return refuse(err)
	}
	if err != nil {
		return d, err
	}
	d.Fate = fate(h, mode)
	switch {
	case there != nil:
		d.Detail = fmt.Sprintf("topic %s is there, with %d partitions", name, there.partitions)
	case s.partitions > 0:
		d.Detail = fmt.Sprintf("topic %s is made, with %d partitions", name, s.partitions)
	default:
		d.Detail = fmt.Sprintf("topic %s is made, with as many partitions as the brokers choose", name)
	}
	return d, nil
}

// fate is what becomes of a table that holds this.
func fate(h heldTable, mode writer.Mode) writer.Fate {
	switch {
	case h.Position == "":
		return writer.New
	case mode == writer.Create:
		return writer.Whole
	case mode == writer.Follow:
		return writer.Followed
	case mode == writer.Replace:
		return writer.Replaced
	}
	return writer.Added
}
