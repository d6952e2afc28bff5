package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// The brokers that there are.
const (
	kafka  = "kafka"
	kfaked = "kfake"
)

// A broker is a private Kafka of one server, with a proxy before it. Who connects by the
// proxy is sent there again by all that the broker says of itself; it listens to others at
// its own address.
type broker struct {
	brokerService
	addr string
	tcp  *tcpProxy
	cl   *kgo.Client
}

// broker starts the private Kafka, or what stands in for it.
func (e *env) broker(ctx context.Context) (b *broker, err error) {
	if e.opts.broker == kfaked {
		b, err = e.fakeBroker(ctx)
	} else {
		b, err = e.realBroker(ctx)
	}
	if err == nil {
		b.cl, err = kgo.NewClient(kgo.SeedBrokers(b.addr), kgo.RequestTimeoutOverhead(5*time.Second))
	}
	return b, err
}

func (e *env) fakeBroker(ctx context.Context) (b *broker, err error) {
	b = &broker{addr: "127.0.0.1:" + e.ports[kafka]}
	if b.tcp, err = newTCPProxy(b.addr); err != nil {
		return nil, err
	}
	data := filepath.Join(e.cache, kfaked)
	if err := os.RemoveAll(data); err != nil {
		return nil, err
	}
	f := &fakeBroker{addr: b.addr, advertised: b.tcp.addr(), data: data}
	b.brokerService = f
	return b, f.start(ctx)
}

func (e *env) realBroker(ctx context.Context) (_ *broker, err error) {
	s := &server{env: e, service: kafka}
	port, err := strconv.Atoi(e.ports[kafka])
	if err != nil {
		return nil, err
	}
	s.addr = fmt.Sprintf("127.0.0.1:%d", port)
	b := &broker{brokerService: s, addr: s.addr}
	if b.tcp, err = newTCPProxy(fmt.Sprintf("127.0.0.1:%d", port+1)); err != nil {
		return nil, err
	}
	config := fmt.Sprintf("listeners=PLAINTEXT://%s,PROXY://%s,CONTROLLER://127.0.0.1:%d\n"+
		"advertised.listeners=PLAINTEXT://%s,PROXY://%s\n"+
		"listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXY:PLAINTEXT,CONTROLLER:PLAINTEXT\n",
		s.addr, b.tcp.target, port-1, s.addr, b.tcp.addr())
	file := filepath.Join(e.cache, "kafka.properties")
	if err := os.WriteFile(file, []byte(config), 0o644); err != nil {
		return nil, err
	}
	s.options = []string{"--config", file}
	// One that an earlier call has left knows another proxy.
	if err := s.stop(ctx); err != nil {
		return nil, err
	}
	e.servers[kafka] = s
	if err := s.start(ctx); err != nil {
		return nil, err
	}
	out, err := e.service(ctx, kafka, append([]string{"env"}, s.place()...)...)
	if err != nil {
		return nil, err
	}
	s.pid = settings(out)["TABLEHAUL_TEST_KAFKA_PID"]
	return b, nil
}

// expire has a group forget the members of a client, as it does by itself once they have
// been silent for the time that a session lasts, 45 s. With "" it forgets all.
func (b *broker) expire(ctx context.Context, group, client string) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	groups, err := kadm.NewClient(b.cl).DescribeGroups(ctx, group)
	if err != nil {
		return 0, fmt.Errorf("look at group %s: %w", group, err)
	}
	leave := kmsg.NewPtrLeaveGroupRequest()
	leave.Group = group
	for _, m := range groups[group].Members {
		if client == "" || m.ClientID == client {
			gone := kmsg.NewLeaveGroupRequestMember()
			gone.MemberID = m.MemberID
			leave.Members = append(leave.Members, gone)
		}
	}
	if len(leave.Members) == 0 {
		return 0, nil
	}
	if _, err := leave.RequestWith(ctx, b.cl); err != nil {
		return 0, fmt.Errorf("take members out of group %s: %w", group, err)
	}
	return len(leave.Members), nil
}

// clear removes what a run has left.
func (b *broker) clear(ctx context.Context, prefix string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	adm := kadm.NewClient(b.cl)
	topics, err := adm.ListTopics(ctx)
	if err != nil {
		return fmt.Errorf("list topics: %w", err)
	}
	var names []string
	for _, name := range topics.Names() {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		return nil
	}
	gone, err := adm.DeleteTopics(ctx, names...)
	return errors.Join(err, gone.Error())
}

func (b *broker) close() {
	if b == nil {
		return
	}
	if f, ok := b.brokerService.(*fakeBroker); ok {
		_ = f.crash()
	}
	if b.cl != nil {
		b.cl.Close()
	}
	b.tcp.close()
}
