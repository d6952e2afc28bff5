package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A broker is the bench's own Kafka.
type broker struct {
	addr string
	run  string // runs Kafka's own tools
	pid  int
	stop bool // it was started by this run
}

// kafkaPlace is that of the bench's own Kafka: tests use another.
func (e *env) kafkaPlace() []string {
	return []string{"--port", "23192", "--data", filepath.Join(e.cache, "bench", "kafka")}
}

func (e *env) startKafka(ctx context.Context) error {
	place := e.kafkaPlace()
	_, err := e.service(ctx, "kafka", append([]string{"status"}, place...)...)
	running := err == nil
	if _, err := e.service(ctx, "kafka", append([]string{"start"}, place...)...); err != nil {
		return err
	}
	out, err := e.service(ctx, "kafka", append([]string{"env"}, place...)...)
	if err != nil {
		return err
	}
	settings := parseSettings(out)
	e.kafka = broker{addr: settings["TABLEHAUL_TEST_KAFKA"], run: settings["TABLEHAUL_TEST_KAFKA_RUN"], stop: !running}
	pid, err := os.ReadFile(settings["TABLEHAUL_TEST_KAFKA_PID"])
	if err != nil {
		return err
	}
	e.kafka.pid, err = strconv.Atoi(strings.TrimSpace(string(pid)))
	return err
}

// makeTopic makes a topic that is empty, as tail does; removeTopic removes it.
func (b broker) makeTopic(ctx context.Context, topic string) error {
	return b.admin(func(cl *kadm.Client) error {
		_, err := cl.CreateTopic(ctx, topicPartitions, -1, nil, topic)
		return err
	})
}

func (b broker) removeTopic(ctx context.Context, topic string) error {
	return b.admin(func(cl *kadm.Client) error {
		_, err := cl.DeleteTopic(ctx, topic)
		return err
	})
}

func (b broker) admin(f func(*kadm.Client) error) error {
	cl, err := kadm.NewOptClient(kgo.SeedBrokers(b.addr))
	if err != nil {
		return err
	}
	defer cl.Close()
	if err := f(cl); err != nil {
		return fmt.Errorf("ask Kafka: %w", err)
	}
	return nil
}
