package kafka

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

func TestCheckBad(t *testing.T) {
	for _, c := range []struct {
		url, policy string
		ok          bool
	}{
		{"kafka://h/shop", "fail", true},
		{"kafka://h/shop.*", "skip", true},
		{"kafka://h/shop.*", "topic:bad.shop", true},
		{"kafka://h/shop", "topic:shop-bad", true},
		{"kafka://h/shop.*", "topic:shop.bad", false},
		{"kafka://h/web,shop", "topic:shop", false},
		{"kafka://h/shop", "topic:a b", false},
	} {
		if err := CheckBad(c.url, c.policy); (err == nil) != c.ok {
			t.Errorf("%s, %s: got %v", c.url, c.policy, err)
		}
	}
	if _, err := Open(t.Context(), "kafka://127.0.0.1:1/shop*", Options{Bad: BadPolicy{Topic: "shop-bad"}}); err == nil || !strings.Contains(err.Error(), "read and copied again") {
		t.Errorf("got %v", err)
	}
}

// TestBadLarge has a bad message that is larger than brokers usually take.
func TestBadLarge(t *testing.T) {
	p := newPlace(t, 1)
	most := kadm.StringPtr("3000000")
	large := []kadm.AlterConfig{{Op: kadm.SetConfig, Name: "max.message.bytes", Value: most}}
	if _, err := p.adm.AlterTopicConfigs(t.Context(), large, p.topic); err != nil {
		t.Fatal(err)
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(p.brokers), kgo.ProducerBatchMaxBytes(3_000_000), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	value := make([]byte, 2_000_000)
	rand.Read(value)
	if err := cl.ProduceSync(t.Context(), &kgo.Record{Topic: p.topic, Value: value}).FirstErr(); err != nil {
		t.Fatal(err)
	}
	for p.end(0) < 1 {
		time.Sleep(5 * time.Millisecond)
	}
	dead := p.topic + "-dead"
	t.Cleanup(func() { _, _ = p.adm.DeleteTopics(context.Background(), dead) })
	copied := func() error {
		_, _, err := p.read(p.take(p.feed(Options{UntilEnd: true, Bad: BadPolicy{Topic: dead}})), nil)
		return err
	}
	if err := copied(); !errors.Is(err, kerr.MessageTooLarge) || !strings.Contains(hint.Of(err), "max.message.bytes") {
		t.Errorf("got %v (%s), want that it is too large", err, hint.Of(err))
	}
	if _, err := p.adm.AlterTopicConfigs(t.Context(), large, dead); err != nil {
		t.Fatal(err)
	}
	err = copied()
	for deadline := time.Now().Add(2 * time.Minute); err != nil && time.Now().Before(deadline); err = copied() {
		time.Sleep(50 * time.Millisecond) // brokers come to know it one after the other
	}
	if err != nil {
		t.Fatal(err)
	}
	to, err := kgo.NewClient(kgo.SeedBrokers(p.brokers), kgo.ConsumeTopics(dead))
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	if r := to.PollFetches(t.Context()).Records(); len(r) != 1 || !slices.Equal(r[0].Value, value) {
		t.Errorf("got %d records", len(r))
	}
}
