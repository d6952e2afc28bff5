package main

import (
	"context"
	"io"
)

// A filesJob has plain files written by what the other jobs kill.
type filesJob struct {
	copy  *copyJob
	tail  tailJob
	topic *topicJob // nil until a run wants one
}

func beginFiles(ctx context.Context, e *env) (job, error) {
	j := &filesJob{copy: newCopyJob(e), tail: tailJob{e}}
	return j, j.copy.walk(ctx, &filesPlan{command: "snapshot", store: local, format: "parquet"}, "--partition", "lines: p_line=line")
}

// run does what a seed decides.
func (j *filesJob) run(ctx context.Context, seed uint64) (r *result, err error) {
	f, e := newFilesPlan(seed), j.tail.env
	switch f.command {
	case "snapshot":
		s := &j.copy.steps
		return j.copy.play(ctx, f.copyPlan(seed, s.first, s.names))
	case "tail":
		r, err = j.tail.play(ctx, f.tailPlan(seed, e.opts.xa))
	default:
		if j.topic == nil {
			t, err := beginTopic(ctx, e)
			if err != nil {
				return nil, err
			}
			j.topic, _ = t.(*topicJob)
		}
		r, err = j.topic.play(ctx, f.topicPlan(seed, e.opts.xa))
	}
	if err == nil {
		j.copy.steps.count(r.exits)
	}
	return r, err
}

func (j *filesJob) sum(w io.Writer) error {
	if j.topic != nil {
		j.topic.broker.close()
	}
	return j.copy.sum(w)
}
