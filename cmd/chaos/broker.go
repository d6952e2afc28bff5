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

const kafka = "kafka"

// A broker is a private Kafka of one server, with a proxy before it. Who connects by the
// proxy is sent there again by all that the broker says of itself; it listens to others at
// its own address.
type broker struct {
	*server
	tcp *tcpProxy
	cl  *kgo.Client
}

// broker starts the private Kafka.
func (e *env) broker(ctx context.Context) (_ *broker, err error) {
	s := &server{env: e, service: kafka}
	port, err := strconv.Atoi(e.ports[kafka])
	if err != nil {
		return nil, err
	}
	s.addr = fmt.Sprintf("127.0.0.1:%d", port)
	b := &broker{server: s}
	if b.tcp, err = newTCPProxy(fmt.Sprintf("127.0.0.1:%d", port+1)); err != nil {
		return nil, err
	}
	settings := fmt.Sprintf("listeners=PLAINTEXT://%s,PROXY://%s,CONTROLLER://127.0.0.1:%d\n"+
		"advertised.listeners=PLAINTEXT://%s,PROXY://%s\n"+
		"listener.security.protocol.map=PLAINTEXT:PLAINTEXT,PROXY:PLAINTEXT,CONTROLLER:PLAINTEXT\n",
		s.addr, b.tcp.target, port-1, s.addr, b.tcp.addr())
	file := filepath.Join(e.cache, "kafka.properties")
	if err := os.WriteFile(file, []byte(settings), 0o644); err != nil {
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
	s.pid = settingsOf(out, "TABLEHAUL_TEST_KAFKA_PID")
	b.cl, err = kgo.NewClient(kgo.SeedBrokers(s.addr), kgo.RequestTimeoutOverhead(5*time.Second))
	return b, err
}

func settingsOf(out []byte, name string) string { return settings(out)[name] }

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
	if b.cl != nil {
		b.cl.Close()
	}
	b.tcp.close()
}
