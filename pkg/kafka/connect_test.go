package kafka

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// TestExplainTransient tells what is worth another try from what is not. A broker that
// knows one topic of a request no more does not attempt the others, and either may be
// what a run hears of first.
func TestExplainTransient(t *testing.T) {
	for err, want := range map[error]bool{
		kerr.UnknownTopicOrPartition: true, kerr.OperationNotAttempted: true, kerr.NotLeaderForPartition: true,
		kerr.TopicAuthorizationFailed: false, kerr.InvalidTransactionTimeout: false,
	} {
		if got := hint.IsTransient(Explain(fmt.Errorf("write to topic t: %w", err))); got != want {
			t.Errorf("%v: got %v, want %v", err, got, want)
		}
	}
}

// TestConnectStops has a broker take a connection and say nothing: who is to stop does not
// wait for it.
func TestConnectStops(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		if c, err := l.Accept(); err == nil {
			defer c.Close()
			cancel()
			<-t.Context().Done()
		}
	}()
	ended := make(chan error, 1)
	go func() {
		_, err := Connect(ctx, kgo.SeedBrokers(l.Addr().String()), kgo.RequestTimeoutOverhead(15*time.Minute))
		ended <- err
	}()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	case <-time.After(time.Minute):
		t.Error("it waits for a broker that says nothing")
	}
}
