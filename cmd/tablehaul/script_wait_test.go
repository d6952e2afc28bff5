package main

import (
	"bytes"
	"context"
	"errors"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// hangs is when what a script waits for comes no more, on however busy a machine.
const hangs = 5 * time.Minute

// A background is a command that goes on while the script does.
type background struct {
	*exec.Cmd
	stdout, stderr told
	ended          chan struct{} // closed once err is how
	err            error
}

// start starts a command in the background.
func (s *script) start(args []string) {
	s.t.Helper()
	b := &background{Cmd: s.command(s.t.Context(), args), ended: make(chan struct{})}
	b.WaitDelay = 10 * time.Second // for what it has started itself
	b.Stdout, b.Stderr = &b.stdout, &b.stderr
	s.check(b.Start())
	s.background = b
	go func() {
		b.err = b.Wait()
		close(b.ended)
	}()
}

// running returns what was started.
func (s *script) running() *background {
	s.t.Helper()
	if s.background == nil {
		s.fail("nothing was started")
	}
	return s.background
}

// await waits for its end.
func (s *script) await(code string) {
	s.t.Helper()
	b := s.running()
	select {
	case <-b.ended:
	case <-time.After(hangs):
		s.fail("it does not end")
	}
	s.background = nil
	s.stdout, s.stderr = bytes.NewBufferString(b.stdout.String()), bytes.NewBufferString(b.stderr.String())
	s.ended(b.err, b.Cmd, code)
}

// says waits until it has printed to stderr what matches.
func (s *script) says(pattern string) {
	s.t.Helper()
	re, b := regexp.MustCompile("(?m)"+pattern), s.running()
	for end := time.Now().Add(hangs); !re.MatchString(b.stderr.String()); time.Sleep(50 * time.Millisecond) {
		select {
		case <-b.ended:
			if !re.MatchString(b.stderr.String()) {
				s.fail("it has ended without")
			}
		default:
		}
		if time.Now().After(end) {
			s.fail("it does not come")
		}
	}
}

// eventually repeats a command until it does well and what it prints matches.
func (s *script) eventually(pattern string, args []string) {
	s.t.Helper()
	re := regexp.MustCompile("(?m)" + pattern)
	ctx, cancel := context.WithTimeout(s.t.Context(), hangs)
	defer cancel()
	for ; ; time.Sleep(100 * time.Millisecond) {
		var err error
		if args[0] == "rows" {
			err = s.rows(args[1], args[2:])
		} else {
			err = s.command(ctx, args).Run()
		}
		if err == nil && re.MatchString(s.stdout.String()) {
			return
		}
		if ctx.Err() != nil {
			s.fail("it does not come: " + errorText(err))
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return "the last one did what it was to"
	}
	return err.Error()
}

// rows prints columns of a table's rows.
func (s *script) rows(folder string, columns []string) error {
	s.stdout, s.stderr = new(bytes.Buffer), new(bytes.Buffer)
	out, err := readTableRows(s.t, s.dir, folder, strings.Join(columns, ", "))
	s.stdout.WriteString(out)
	return err
}

func (s *script) ended(err error, cmd *exec.Cmd, want string) {
	s.t.Helper()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.check(err)
	}
	if got := strconv.Itoa(cmd.ProcessState.ExitCode()); got != want {
		s.fail("exit code " + got)
	}
}

// abort ends what is left in the background, and tells what it was at.
func (b *background) abort() string {
	if b == nil {
		return ""
	}
	_ = b.Process.Signal(syscall.SIGQUIT) // prints where each goroutine is
	select {
	case <-b.ended:
	case <-time.After(10 * time.Second):
		_ = b.Process.Kill()
		<-b.ended
	}
	return "\n[stdout of what was started]\n" + b.stdout.String() + "[its stderr]\n" + ours(b.stderr.String())
}

// ours leaves out goroutines that run none of the project's code.
func ours(text string) string {
	said, dump, _ := strings.Cut(text, "\ngoroutine ")
	for _, g := range strings.Split(dump, "\n\ngoroutine ") {
		if strings.Contains(g, "/tablehaul/pkg/") {
			said += "\ngoroutine " + g + "\n"
		}
	}
	return said
}
