package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/tablehaul/tablehaul/pkg/kafka"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// ErrHidden is that the user may not read where positions are kept, if there are any.
var ErrHidden = fmt.Errorf("the user has no right to read topic %s", kafka.Positions)

// Brought returns the tables that runs have brought to topics of a URL's cluster that match, each with its
// last commit and its topic for a name. Runs of all jobs count that keep positions where it is usual: of
// others, and of programs that are not this one, nothing is known.
func Brought(ctx context.Context, url string, match func(topic string) bool) ([]writer.Held, error) {
	u, err := kafka.ParseURL(url)
	if err != nil {
		return nil, err
	}
	opts, err := u.Options()
	if err != nil {
		return nil, err
	}
	cl, err := kafka.Connect(ctx, opts...)
	if err != nil {
		return nil, err
	}
	adm := kadm.NewClient(cl)
	defer adm.Close()
	// Of a commit that is under way some partitions tell before others: it is waited for.
	end, err := endOf(ctx, adm, kafka.Positions, adm.ListEndOffsets)
	switch {
	case errors.Is(err, kerr.UnknownTopicOrPartition):
		return nil, nil
	case errors.Is(err, kerr.TopicAuthorizationFailed):
		return nil, ErrHidden
	}
	if end == 0 || err != nil {
		return nil, err
	}
	held := map[string]writer.Held{}
	err = scanPositions(ctx, u, kafka.Positions, func(offset int64, _, table string, h heldTable) bool {
		if table != "" && h.Position != "" && match(h.Topic) && !h.Committed.Before(held[table].Committed) {
			held[table] = writer.Held{Name: h.Topic, Source: table, Position: h.Position, Shape: h.Shape, Committed: h.Committed, Rows: -1}
		}
		return offset+1 >= end
	})
	if errors.Is(err, kerr.TopicAuthorizationFailed) {
		return nil, ErrHidden
	}
	if err != nil {
		return nil, kafka.Explain(err)
	}
	return slices.Collect(maps.Values(held)), nil
}
