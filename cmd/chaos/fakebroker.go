package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
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
	c, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.DataDir(words[2]), kfake.ClusterID("kfake"),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) {
			l, err := net.Listen(network, words[0])
			return advertised{l, addr}, err
		}))
	if err != nil {
		return err
	}
	<-ctx.Done()
	c.Close()
	return nil
}
