package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/kafka"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

var _ writer.Checker = (*Sink)(nil)

// Check looks at topics, rights and limits. Nothing is written, and no run is disturbed.
func (s *Sink) Check(ctx context.Context, tables []*schema.Table, mode writer.Mode, p finding.Purpose) ([]finding.Finding, error) {
	if p.Before { // Open tries it all
		return nil, nil
	}
	s.mu.Lock()
	_, err := s.admin(ctx)
	s.mu.Unlock()
	if err != nil {
		return []finding.Finding{{Level: finding.Error, Check: "sink", Thing: "the brokers cannot be asked", Why: err.Error(), Remedy: hint.Of(err)}}, ctx.Err()
	}
	byTopic := make(map[string][]string)
	var topics []string
	var found []finding.Finding
	for _, t := range tables {
		name, err := s.topicOf(t)
		if err == nil {
			err = refusedMode(mode)
		}
		if err != nil {
			found = append(found, finding.Finding{Level: finding.Error, Check: "sink-table", Thing: err.Error(), Remedy: hint.Of(err), Tables: []string{t.String()}})
			continue
		}
		if byTopic[name] == nil {
			topics = append(topics, name)
		}
		byTopic[name] = append(byTopic[name], t.String())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	found = append(found, s.checkJob(ctx)...)
	more, err := s.checkTopic(ctx, s.positions, 1, compacted, nil)
	if err != nil {
		return nil, err
	}
	found = append(found, more...)
	for _, name := range topics {
		if more, err = s.checkTopic(ctx, name, s.partitions, s.url.Config(), byTopic[name]); err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return append(found, s.checkSizes(tables)...), nil
}

// checkJob asks for the right to the transactional id, by looking at its transaction.
func (s *Sink) checkJob(ctx context.Context) []finding.Finding {
	all, err := s.adm.DescribeTransactions(ctx, s.job)
	if err == nil {
		err = all[s.job].Err
	}
	if !errors.Is(err, kerr.TransactionalIDAuthorizationFailed) {
		return nil // it need not be known, nor need brokers know the question
	}
	return []finding.Finding{{
		Level: finding.Error, Check: "kafka-rights", Thing: "the user may not use the transactional id " + s.job, Why: "messages and positions are written in transactions",
		Remedy: "kafka-acls --add --allow-principal User:… --operation Write --operation Describe --transactional-id '" + s.job + "'",
	}}
}

// checkTopic looks at one topic, or whether it could be made.
func (s *Sink) checkTopic(ctx context.Context, name string, partitions int32, config map[string]*string, tables []string) ([]finding.Finding, error) {
	t, err := s.look(ctx, name)
	if err != nil {
		return []finding.Finding{{Level: finding.Error, Check: "kafka-topic", Thing: err.Error(), Remedy: hint.Of(err), Tables: tables}}, ctx.Err()
	}
	if t == nil {
		made, err := s.adm.ValidateCreateTopics(ctx, partitions, int16(s.replication), config, name)
		if err == nil {
			err = made[name].Err
		}
		if err == nil {
			return nil, nil
		}
		err = cannotCreate(err)
		return []finding.Finding{{
			Level: finding.Error, Check: "kafka-topic", Thing: "topic " + name + " is not there and cannot be made", Why: err.Error(), Remedy: hint.Of(err), Tables: tables,
		}}, ctx.Err()
	}
	var found []finding.Finding
	rights, err := s.checkRights(ctx, t, tables)
	if err != nil {
		return nil, err
	}
	found = append(found, rights...)
	if name == s.positions {
		if err := s.mayHold(t); err != nil {
			found = append(found, finding.Finding{Level: finding.Error, Check: "kafka-positions", Thing: err.Error(), Remedy: hint.Of(err)})
		}
		return found, nil
	}
	if partitions > 0 && t.partitions != partitions {
		found = append(found, finding.Finding{
			Level: finding.Warning, Check: "kafka-partitions", Thing: s.otherPartitions(name, t.partitions, t.partitions),
			Why: "it stays as it is", Remedy: "partitions=" + fmt.Sprint(t.partitions), Tables: tables,
		})
	}
	if strings.Contains(t.config["cleanup.policy"], "compact") {
		found = append(found, finding.Finding{
			Level: finding.Note, Check: "kafka-compacted", Thing: "topic " + name + " is compacted", Why: "of the changes of a row the last alone stays",
			Remedy: "kafka-configs --alter --topic " + name + " --add-config cleanup.policy=delete", Tables: tables,
		})
	}
	return found, nil
}

// checkRights compares what the user may do with what is needed.
func (s *Sink) checkRights(ctx context.Context, t *topic, tables []string) ([]finding.Finding, error) {
	all, err := s.adm.ListTopics(kadm.WithAuthorizedOps(ctx), t.name)
	if err != nil {
		return nil, fmt.Errorf("look at topic %s: %w", t.name, kafka.Explain(err))
	}
	may := all[t.name].AuthorizedOperations
	if len(may) == 0 {
		return nil, nil // brokers that do not tell
	}
	need := []kadm.ACLOperation{kadm.OpWrite}
	if t.name == s.positions {
		need = append(need, kadm.OpRead)
	}
	var found []finding.Finding
	for _, op := range need {
		if slices.Contains(may, op) || slices.Contains(may, kadm.OpAll) {
			continue
		}
		found = append(found, finding.Finding{
			Level: finding.Error, Check: "kafka-rights", Thing: fmt.Sprintf("the user has no right to %s topic %s", strings.ToLower(op.String()), t.name),
			Remedy: fmt.Sprintf("kafka-acls --add --allow-principal User:… --operation %s --topic %s", op, t.name), Tables: tables,
		})
	}
	return found, nil
}

// checkSizes tells of tables whose rows may be larger than a topic takes.
func (s *Sink) checkSizes(tables []*schema.Table) []finding.Finding {
	long := make(map[int32][]string)
	for _, t := range tables {
		name, err := s.topicOf(t)
		if err != nil {
			continue
		}
		if slices.ContainsFunc(t.Columns, func(c schema.Column) bool {
			return strings.HasPrefix(c.Native, "long") || strings.HasPrefix(c.Native, "medium") && !strings.HasPrefix(c.Native, "mediumint") || c.Type.Kind == schema.JSON
		}) {
			long[s.limit(name)] = append(long[s.limit(name)], t.String())
		}
	}
	var found []finding.Finding
	for limit, tables := range long {
		found = append(found, finding.Finding{
			Level: finding.Note, Check: "kafka-message-size", Thing: fmt.Sprintf("their rows may be larger than a message may be there, %d bytes", limit),
			Why: map[string]string{
				tooLargeFail: "one that is ends the run, or the table's part in it", tooLargeSkip: "one that is is left out", tooLargeKey: "one that is is sent as its key alone",
			}[s.tooLarge],
			Remedy: "config.max.message.bytes=16777216 for a topic that is made, kafka-configs for one that is there; or too-large=skip or key", Tables: tables,
		})
	}
	return found
}
