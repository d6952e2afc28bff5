package main

import (
	"context"
	"fmt"
	"math"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// brokerService is what a broker can do beside being talked to.
type brokerService interface {
	start(ctx context.Context) error
	stop(ctx context.Context) error
	crash() error
}

// A fakeBroker is a kfake in a process of its own, which can be killed. It takes a moment
// to start where Kafka takes many seconds.
type fakeBroker struct {
	addr, advertised, data string
	cmd                    *exec.Cmd
}

// fakeEnv has this program be a fakeBroker: ADDRESS ADVERTISED FOLDER.
const fakeEnv = "TABLEHAUL_CHAOS_KFAKE"

func (f *fakeBroker) start(ctx context.Context) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	f.cmd = exec.Command(self)
	f.cmd.Env = append(os.Environ(), fakeEnv+"="+strings.Join([]string{f.addr, f.advertised, f.data}, " "))
	f.cmd.Stderr = os.Stderr
	f.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := f.cmd.Start(); err != nil {
		return err
	}
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); sleep(ctx, 20*time.Millisecond) {
		if c, err := net.Dial("tcp", f.addr); err == nil {
			return c.Close()
		}
	}
	return fmt.Errorf("kfake does not listen at %s", f.addr)
}

func (f *fakeBroker) end(sig syscall.Signal) error {
	if f.cmd == nil {
		return nil
	}
	err := f.cmd.Process.Signal(sig)
	_ = f.cmd.Wait() // a signal is how it ends
	f.cmd = nil
	return err
}

func (f *fakeBroker) stop(context.Context) error { return f.end(syscall.SIGTERM) }
func (f *fakeBroker) crash() error               { return f.end(syscall.SIGKILL) }

// An advertised is a listener that says to be elsewhere, which kfake tells its clients.
type advertised struct {
	net.Listener
	addr net.Addr
}

func (a advertised) Addr() net.Addr { return a.addr }

// serveFake is the process of a fakeBroker.
func serveFake(spec string) error {
	words := strings.Fields(spec)
	if len(words) != 3 {
		return fmt.Errorf("%s=%q: want ADDRESS ADVERTISED FOLDER", fakeEnv, spec)
	}
	addr, err := net.ResolveTCPAddr("tcp", words[1])
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	c, err := newFake(words[2], func(network, _ string) (net.Listener, error) {
		l, err := net.Listen(network, words[0])
		return advertised{l, addr}, err
	})
	if err != nil {
		return err
	}
	<-ctx.Done()
	c.Close()
	return nil
}

// newFake starts a kfake of one broker.
//
// Once a fetch as a whole has reached its size, kfake does not tell any more which of the
// transactions in it were aborted: clients take them for committed. That of a partition does
// no harm, and is the only one that is left.
func newFake(data string, listen func(network, addr string) (net.Listener, error)) (*kfake.Cluster, error) {
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(data), kfake.ClusterID("kfake"), kfake.ListenFn(listen))
	if err != nil {
		return nil, err
	}
	c.ControlKey(int16(kmsg.Fetch), func(r kmsg.Request) (kmsg.Response, error, bool) {
		r.(*kmsg.FetchRequest).MaxBytes = math.MaxInt32
		c.KeepControl()
		return nil, nil, false
	})
	return c, nil
}

// spareFake has a kfake stopped where Kafka is killed. One that was killed takes transactions that
// were open for aborted, but writes no mark of that: clients then leave out what the same
// producer commits next, up to the mark of its next abort. kfake.SyncWrites is no help: the
// files are as whole as the system keeps them for any process that is killed.
func spareFake(timeline []event) {
	for i := range timeline {
		if timeline[i].fault == brokerKill {
			timeline[i].fault = brokerStop
		}
	}
}
