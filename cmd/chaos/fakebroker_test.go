package main

import (
	"context"
	"fmt"
	"net"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// TestFakeBroker has a kfake in the middle of a transaction be stopped and started, and read
// in fetches that are smaller than a transaction that was aborted.
func TestFakeBroker(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	data := t.TempDir()
	client := func(opts ...kgo.Opt) (cl *kgo.Client, stop func()) {
		t.Helper()
		c, err := newFake(data, func(network, _ string) (net.Listener, error) { return net.Listen(network, "127.0.0.1:0") })
		if err == nil {
			cl, err = kgo.NewClient(append(opts, kgo.SeedBrokers(c.ListenAddrs()...), kgo.DefaultProduceTopic("t"), kgo.ProducerBatchCompression(kgo.NoCompression()))...)
		}
		if err != nil {
			t.Fatal(err)
		}
		return cl, func() { c.Close(); cl.Close() }
	}
	tell := func(cl *kgo.Client, values ...string) {
		t.Helper()
		err := cl.BeginTransaction()
		for i := 0; i < len(values) && err == nil; i++ {
			err = cl.ProduceSync(ctx, kgo.StringRecord(values[i]+string(make([]byte, 1000)))).FirstErr()
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	end := func(cl *kgo.Client, commit kgo.TransactionEndTry) {
		t.Helper()
		if err := cl.EndTransaction(ctx, commit); err != nil {
			t.Fatal(err)
		}
	}

	cl, stop := client(kgo.TransactionalID("job"))
	if _, err := kadm.NewClient(cl).CreateTopic(ctx, 1, 1, nil, "t"); err != nil {
		t.Fatal(err)
	}
	tell(cl, "a")
	end(cl, kgo.TryCommit)
	tell(cl, "x", "x", "x", "x", "x", "x")
	stop()
	cl, stop = client(kgo.TransactionalID("job")) // ends what the one before has begun
	tell(cl, "b")
	end(cl, kgo.TryCommit)
	stop()

	cl, stop = client(kgo.ConsumeTopics("t"), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxBytes(3000), kgo.FetchMaxPartitionBytes(3000))
	defer stop()
	var got []string
	for !slices.Contains(got, "b") {
		fetches := cl.PollFetches(ctx)
		if err := fetches.Err(); err != nil {
			t.Fatal(fmt.Errorf("behind %q: %w", got, err))
		}
		fetches.EachRecord(func(r *kgo.Record) { got = append(got, string(r.Value[:1])) })
	}
	if want := []string{"a", "b"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
