package main

import (
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A pty is a terminal that a command runs in, and whoever types at it.
type pty struct {
	t    *testing.T
	keys *os.File
	out  told
	done chan struct{}
}

// startAtTerminal starts the command with a terminal of its own, which is also its
// standard input. What it prints there is shown by seen.
func startAtTerminal(t *testing.T, cmd *exec.Cmd) *pty {
	t.Helper()
	keys, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	p := &pty{t: t, keys: keys, done: make(chan struct{})}
	raw, err := keys.SyscallConn() // Fd would make reads such as cannot be ended
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	if cerr := raw.Control(func(fd uintptr) {
		if err = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0); err == nil {
			n, err = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
		}
	}); cerr != nil || err != nil {
		t.Fatal(cerr, err)
	}
	screen, err := os.OpenFile("/dev/pts/"+strconv.Itoa(n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer screen.Close()
	cmd.Stdin = screen
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true, Ctty: 0}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(p.done)
		buf := make([]byte, 4096)
		for {
			n, err := keys.Read(buf)
			_, _ = p.out.Write(buf[:n])
			if err != nil {
				return // the other side is closed
			}
		}
	}()
	t.Cleanup(func() {
		keys.Close()
		<-p.done
	})
	return p
}

func (p *pty) seen() string { return p.out.String() }

// answer types a line once it is asked for, if the command has not ended before.
func (p *pty) answer(prompt, line string) {
	p.t.Helper()
	for start := time.Now(); !strings.Contains(p.seen(), prompt); time.Sleep(10 * time.Millisecond) {
		select {
		case <-p.done:
			return
		default:
		}
		if time.Since(start) > 3*time.Minute {
			p.t.Fatalf("nobody asks for %q: %q", prompt, p.seen())
		}
	}
	if _, err := io.WriteString(p.keys, line+"\n"); err != nil {
		p.t.Fatal(err)
	}
}
