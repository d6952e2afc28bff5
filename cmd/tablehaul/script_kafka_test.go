package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tablehaul/tablehaul/testdata/services"
)

// kafka tells a script for Kafka of the server, and of a topic's name that nobody else has.
func (s *script) kafka(addr string) {
	s.env = append(s.env, "HOST="+addr, fmt.Sprintf("TOPIC=script-%d", time.Now().UnixNano()))
}

// topic makes a topic, which goes when the script ends.
func (s *script) topic(name string, partitions string) {
	s.t.Helper()
	n, err := strconv.Atoi(partitions)
	s.check(err)
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.getenv("HOST")))
	s.check(err)
	adm := kadm.NewClient(cl)
	_, err = adm.CreateTopic(s.t.Context(), int32(n), 1, nil, name)
	s.check(err)
	s.t.Cleanup(func() {
		defer adm.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
		defer cancel()
		if topics, err := adm.ListTopics(ctx); err == nil {
			for t := range topics {
				if strings.HasPrefix(t, name) { // with that of its bad messages
					_, _ = adm.DeleteTopics(ctx, t)
				}
			}
		}
	})
}

// produce has Kafka's own console producer send a file's lines, each as a message.
func (s *script) produce(topic, file string) {
	s.t.Helper()
	in, err := os.Open(filepath.Join(s.dir, file))
	s.check(err)
	defer in.Close()
	cmd := s.command(s.t.Context(), []string{services.Env(s.t, "TABLEHAUL_TEST_KAFKA_RUN"), "org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", s.getenv("HOST"), "--topic", topic})
	cmd.Stdin = in
	s.ended(cmd.Run(), cmd, "0")
}

// consume has Kafka's own console consumer print so many messages of a topic, each behind
// its headers.
func (s *script) consume(topic, count string) {
	s.t.Helper()
	cmd := s.command(s.t.Context(), []string{
		services.Env(s.t, "TABLEHAUL_TEST_KAFKA_RUN"), "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", s.getenv("HOST"),
		"--topic", topic, "--from-beginning", "--max-messages", count, "--timeout-ms", "60000", "--property", "print.headers=true",
	})
	s.ended(cmd.Run(), cmd, "0")
}

// messages has Kafka's own console consumer print the messages of a topic, of which there are so
// many. That there are no more it could tell by waiting alone, so this is asked of the broker.
func (s *script) messages(topic, count string) {
	s.t.Helper()
	want, err := strconv.Atoi(count)
	s.check(err)
	if got := s.committed(topic); got != want {
		s.fail(fmt.Sprint(got, " messages"))
	}
	cmd := s.command(s.t.Context(), []string{
		services.Env(s.t, "TABLEHAUL_TEST_KAFKA_RUN"), "org.apache.kafka.tools.consumer.ConsoleConsumer", "--bootstrap-server", services.Env(s.t, "TABLEHAUL_TEST_KAFKA"),
		"--topic", topic, "--from-beginning", "--isolation-level", "read_committed", "--max-messages", count, "--timeout-ms", "60000",
	})
	s.ended(cmd.Run(), cmd, "0")
	if got := strings.Count(s.stdout.String(), "\n"); got != want {
		s.fail(fmt.Sprint(got, " messages printed"))
	}
}

// committed counts the messages of a topic up to the ends that it has now, without those of
// transactions that were given up.
func (s *script) committed(topic string) (count int) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), 3*time.Minute)
	defer cancel()
	cl, err := kgo.NewClient(kgo.SeedBrokers(services.Env(s.t, "TABLEHAUL_TEST_KAFKA")), kgo.ConsumeTopics(topic),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.KeepControlRecords(), kgo.FetchMaxWait(100*time.Millisecond))
	s.check(err)
	defer cl.Close()
	listed, err := kadm.NewClient(cl).ListCommittedOffsets(ctx, topic)
	s.check(err)
	s.check(listed.Error())
	ends := map[int32]int64{}
	listed.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			ends[o.Partition] = o.Offset
		}
	})
	for len(ends) > 0 {
		fetched := cl.PollFetches(ctx)
		s.check(fetched.Err())
		fetched.EachRecord(func(r *kgo.Record) {
			if !r.Attrs.IsControl() {
				count++
			}
			if r.Offset >= ends[r.Partition]-1 {
				delete(ends, r.Partition)
			}
		})
	}
	return count
}
