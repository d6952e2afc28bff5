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

// One of fenceWords stands in the error of a run that another one has overtaken.
var fenceWords = []string{"another run has committed to the table", "another run has moved the table's position"}

// maxStarts ends a run whose processes do nothing but die.
const maxStarts = 80

// A product is the program under test: one process, started again when it dies.
type product struct {
	argv  []string
	dir   string // of the logs
	kills []string

	mu      sync.Mutex
	current *process
	held    bool // no new start
	starts  int
	exits   []exit
}

// An exit tells how a process ended.
type exit struct {
	log    string
	code   int    // -1: killed
	step   string // that it was to die at
	struck bool   // by us
	said   string
}

func (x exit) killed() bool { return x.code == -1 }
func (x exit) fenced() bool {
	return slices.ContainsFunc(fenceWords, func(w string) bool { return strings.Contains(x.said, w) })
}

func (x exit) crashed() bool {
	return strings.Contains(x.said, "panic:") || strings.Contains(x.said, "fatal error:") || strings.Contains(x.said, "DATA RACE")
}

// emptied reports whether it has left a table behind, or ended, because of a
// TRUNCATE while the table was copied.
func (x exit) emptied() bool { return strings.Contains(x.said, "ERROR 1412") }

// interrupted reports whether it has ended as an interrupted process may. One
// that has just begun may die of the signal itself.
func (x exit) interrupted() bool {
	return !x.crashed() && (x.killed() || x.code == 0 || x.code == 130 || x.code == 3 && x.emptied())
}

// last is the last thing it said.
func (x exit) last() string {
	lines := strings.Split(strings.TrimSpace(x.said), "\n")
	for i := len(lines) - 1; i > 0; i-- {
		if line := strings.TrimSpace(lines[i]); line != "" && !strings.HasPrefix(line, "hint:") {
			return line
		}
	}
	return lines[0]
}

func (x exit) String() string {
	return fmt.Sprintf("exit %d of %s: %.300s", x.code, filepath.Base(x.log), x.last())
}

// A process is one start of the program.
type process struct {
	cmd    *exec.Cmd
	struck atomic.Bool
	done   chan struct{}
	exit   exit // once done
}

func (s *process) kill() {
	s.struck.Store(true)
	_ = s.cmd.Process.Kill()
}

// spawn starts the program. step is the one to die at, or "".
func (p *product) spawn(step string, more ...string) (*process, error) {
	p.mu.Lock()
	p.starts++
	log := filepath.Join(p.dir, fmt.Sprintf("%02d.log", p.starts))
	p.mu.Unlock()
	f, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	argv := append(append([]string{}, p.argv...), more...)
	fmt.Fprintf(f, "# %s TABLEHAUL_TEST_KILL=%q %s\n", time.Now().Format("15:04:05.000"), step, strings.Join(argv, " "))
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr = f, f
	cmd.Env = append(os.Environ(), "TABLEHAUL_TEST_KILL="+step)
	// Killed with us, whatever kills us.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &process{cmd: cmd, done: make(chan struct{})}
	go func() {
		err := cmd.Wait()
		said, _ := os.ReadFile(log)
		_, said, _ = bytes.Cut(said, []byte("\n"))
		s.exit = exit{log: log, code: cmd.ProcessState.ExitCode(), step: step, struck: s.struck.Load(), said: string(said)}
		if err != nil && cmd.ProcessState.ExitCode() == 0 {
			s.exit.said += err.Error()
		}
		close(s.done)
	}()
	return s, nil
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
		s, err := p.spawn(step)
		if err != nil {
			return err
		}
		p.setCurrent(s)
		select {
		case <-ctx.Done():
			return nil
		case <-s.done:
		}
		p.note(s.exit)
		if p.count() >= maxStarts {
			return fmt.Errorf("%d starts, the last one ended with %v", maxStarts, s.exit)
		}
		pause := 20 * time.Millisecond
		if !s.exit.killed() {
			pause = 200 * time.Millisecond
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
	return p.starts
}

func (p *product) note(x exit) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.exits = append(p.exits, x)
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
	s.struck.Store(true)
	_ = s.cmd.Process.Signal(sig)
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

// twins runs a second process beside the current one until one of them ends. It
// must be one only, and it must say why. With asleep the first one is stopped
// for so long, while the second goes ahead.
func (p *product) twins(ctx context.Context, asleep, patience time.Duration) error {
	p.hold(true)
	defer p.hold(false)
	first := p.running()
	if asleep > 0 {
		_ = first.cmd.Process.Signal(syscall.SIGSTOP)
	}
	second, err := p.spawn("")
	if err != nil {
		return err
	}
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
	sleep(ctx, 600*time.Millisecond)
	var errs []error
	for _, s := range []*process{first, second} {
		if s.ended() && (s.exit.crashed() || !s.exit.killed() && (!s.exit.fenced() || s.exit.code == 0)) {
			errs = append(errs, fmt.Errorf("of two processes at once, one ended without the fence's words: %v", s.exit))
		}
	}
	if first.ended() && second.ended() && !first.exit.killed() {
		errs = append(errs, fmt.Errorf("of two processes at once both ended: %v; %v", first.exit, second.exit))
	}
	return errors.Join(errs...)
}
