package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// maxStarts ends a run whose processes do nothing but die.
const maxStarts = 80

// A product is the program under test: one process, started again when it dies.
type product struct {
	argv  []string
	dir   string // of the logs
	kills []string
	died  func(context.Context) // if set: a process was killed, and another one is about to start

	mu      sync.Mutex
	current *process
	held    bool // no new start
	all     []*process
	pairs   [][2]*process // that ran at once
}

// A process is one start of the program.
type process struct {
	cmd    *exec.Cmd
	struck atomic.Int32  // the last signal of ours, see send
	sent   atomic.Uint64 // all of them, as bits
	paired atomic.Bool
	done   chan struct{}
	exit   exit // once done
}

// await waits for a process that is to end by itself, and reports whether it has. One
// that has not in a minute is an error.
func (s *process) await(ctx context.Context) (ended bool, err error) {
	select {
	case <-s.done:
		return true, nil
	case <-ctx.Done():
		_ = s.end(syscall.SIGKILL, time.Second)
	case <-time.After(time.Minute):
		_ = s.end(syscall.SIGQUIT, time.Second)
		err = fmt.Errorf("has not ended in a minute: see %s", s.exit.log)
	}
	return false, err
}

func appendError(errs []error, err error) []error {
	if err != nil {
		errs = append(errs, err)
	}
	return errs
}

// send signals a process, and notes that it was us. One that was killed may not
// be gone yet: what it is sent after that makes no difference.
func (s *process) send(sig syscall.Signal) {
	if !s.ended() && s.struck.Load() != int32(syscall.SIGKILL) {
		s.struck.Store(int32(sig))
		s.sent.Or(1 << sig)
		_ = s.cmd.Process.Signal(sig)
	}
}

// follow starts the program on its task. step is the one to die at, or "".
func (p *product) follow(r role, step string, more ...string) (*process, error) {
	return p.spawn(r, step, slices.Concat(p.argv, more))
}

// spawn starts the program. Whatever becomes of the process is judged in the end.
func (p *product) spawn(r role, step string, argv []string) (*process, error) {
	s := &process{done: make(chan struct{})}
	p.mu.Lock()
	log := filepath.Join(p.dir, fmt.Sprintf("%02d.log", len(p.all)+1))
	p.all = append(p.all, s)
	p.mu.Unlock()
	if err := s.start(r, step, log, argv); err != nil {
		s.exit = exit{role: r, log: log, code: 1, said: err.Error()}
		close(s.done)
		return nil, err
	}
	return s, nil
}

func (s *process) start(r role, step, log string, argv []string) error {
	f, err := os.Create(log)
	if err != nil {
		return err
	}
	defer f.Close()
	began := time.Now()
	fmt.Fprintf(f, "# %s TABLEHAUL_TEST_KILL=%q %s\n", began.Format("15:04:05.000"), step, strings.Join(argv, " "))
	s.cmd = exec.Command(argv[0], argv[1:]...)
	s.cmd.Stdout, s.cmd.Stderr = f, f
	passed := strings.TrimSuffix(log, ".log") + ".steps"
	s.cmd.Env = append(os.Environ(), "TABLEHAUL_TEST_KILL="+step, "TABLEHAUL_TEST_STEPS="+passed)
	// Killed with us, whatever kills us.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.cmd.Start(); err != nil {
		return err
	}
	go func() {
		err := s.cmd.Wait()
		x := exit{role: r, log: log, step: step, began: began, ended: time.Now(), code: s.cmd.ProcessState.ExitCode()}
		if status, ok := s.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			x.signal = status.Signal()
		}
		said, e := os.ReadFile(log)
		_, said, _ = bytes.Cut(said, []byte("\n"))
		x.said = string(said)
		if e != nil || err != nil && x.code == 0 {
			x.code, x.said = 1, x.said+fmt.Sprint(errors.Join(e, err))
		}
		if steps, err := os.ReadFile(passed); err == nil {
			x.steps = slices.Collect(strings.Lines(string(steps)))
			for i, step := range x.steps {
				x.steps[i] = strings.TrimSuffix(step, "\n")
			}
		}
		x.struck, x.paired = syscall.Signal(s.struck.Load()), s.paired.Load()
		if s.sent.Load()&(1<<x.signal) != 0 {
			x.struck = x.signal // though another one came right behind it
		}
		s.exit = x
		close(s.done)
	}()
	return nil
}

// supervise keeps one process running until ctx ends, and leaves it then.
func (p *product) supervise(ctx context.Context) error {
	for n := 0; ctx.Err() == nil; n++ {
		step := ""
		if n < len(p.kills) {
			step = p.kills[n]
		}
		for p.isHeld() && ctx.Err() == nil {
			sleep(ctx, 20*time.Millisecond)
		}
		s, err := p.follow(follows, step)
		if err != nil {
			return err
		}
		p.setCurrent(s)
		select {
		case <-ctx.Done():
			return nil
		case <-s.done:
		}
		if p.count() >= maxStarts {
			return fmt.Errorf("%d starts, the last one ended with %v", maxStarts, s.exit)
		}
		pause := 20 * time.Millisecond
		if s.exit.signal == 0 {
			pause = 200 * time.Millisecond
		} else if p.died != nil {
			p.died(ctx)
		}
		sleep(ctx, pause)
	}
	return nil
}

func (p *product) isHeld() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.held
}

func (p *product) hold(on bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.held = on
}

func (p *product) setCurrent(s *process) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.current = s
}

func (p *product) running() *process {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.current
}

func (p *product) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.all)
}

// exits tells how all processes have ended, in the order of their starts, and
// waits for those that have not.
func (p *product) exits() []exit {
	p.mu.Lock()
	all := slices.Clone(p.all)
	p.mu.Unlock()
	out := make([]exit, len(all))
	for i, s := range all {
		<-s.done
		out[i] = s.exit
	}
	return out
}

// ended reports whether the process has ended.
func (s *process) ended() bool {
	select {
	case <-s.done:
		return true
	default:
		return false
	}
}

// end signals a process and waits for it, killing it if it takes too long.
func (s *process) end(sig syscall.Signal, patience time.Duration) error {
	if s == nil || s.ended() {
		return nil
	}
	s.send(sig)
	select {
	case <-s.done:
		return nil
	case <-time.After(patience):
	}
	// What it was at is in the log then.
	_ = s.cmd.Process.Signal(syscall.SIGQUIT)
	sleep(context.Background(), 500*time.Millisecond)
	_ = s.cmd.Process.Kill()
	<-s.done
	return fmt.Errorf("did not end within %v of %v: see %s", patience, sig, s.exit.log)
}

// twins runs a second process beside the current one until one of them ends: it
// must be one only. With asleep the first one is stopped for so long, while the
// second goes ahead.
func (p *product) twins(ctx context.Context, asleep, patience time.Duration) error {
	p.hold(true)
	defer p.hold(false)
	first := p.running()
	if asleep > 0 {
		_ = first.cmd.Process.Signal(syscall.SIGSTOP)
	}
	second, err := p.follow(twins, "")
	if err != nil {
		return err
	}
	first.paired.Store(true)
	second.paired.Store(true)
	p.mu.Lock()
	p.pairs = append(p.pairs, [2]*process{first, second})
	p.mu.Unlock()
	if asleep > 0 {
		sleep(ctx, asleep)
		_ = first.cmd.Process.Signal(syscall.SIGCONT)
	}
	defer func() { _ = second.end(syscall.SIGKILL, time.Second) }()
	select {
	case <-first.done:
	case <-second.done:
	case <-time.After(patience):
		if first.ended() {
			return nil
		}
		return fmt.Errorf("two processes ran side by side for %v", patience)
	case <-ctx.Done():
		return nil
	}
	// Time for the other to end as well, which it must not: see judge.
	sleep(ctx, 600*time.Millisecond)
	return nil
}
