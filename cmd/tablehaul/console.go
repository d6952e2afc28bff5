package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"

	"github.com/tablehaul/tablehaul/pkg/progress"
)

// errInterrupted is the cause of a context that a signal has ended.
var errInterrupted = errors.New("interrupted")

// isCancelled reports whether err is that of a context that has ended, which some
// tell by its cause.
func isCancelled(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, errInterrupted)
}

// A console is where messages for people go: past the progress display while
// there is one, so that neither garbles the other.
type console struct {
	stderr io.Writer

	mu      sync.Mutex
	printer noter
	warned  map[string]bool
}

// A noter prints lines past what it shows.
type noter interface{ Note(line string) }

// Note prints a line.
func (c *console) Note(line string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.printer != nil {
		c.printer.Note(line)
		return
	}
	fmt.Fprintln(c.stderr, line)
}

// maxWarned is how many warnings are remembered, in runs that go on for years.
const maxWarned = 1000

// warn tells the operator of something that need not stop the run, once: a run
// that begins anew finds the same again.
func (c *console) warn(msg string) {
	c.mu.Lock()
	told := c.warned[msg]
	if c.warned == nil || len(c.warned) >= maxWarned {
		c.warned = map[string]bool{}
	}
	c.warned[msg] = true
	c.mu.Unlock()
	if !told {
		c.Note("tablehaul: warning: " + progress.Printable(msg))
	}
}

// Write prints what a library logs.
func (c *console) Write(p []byte) (int, error) {
	if text := strings.TrimRight(string(p), "\n"); text != "" {
		c.Note("tablehaul: " + progress.Printable(text))
	}
	return len(p), nil
}

// use has notes go by a printer, or, if nil, to stderr again.
func (c *console) use(p noter) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.printer = p
}

// interruptible returns a context that SIGINT, SIGTERM or SIGHUP ends. A second signal
// ends the process at once: whoever sends it does not want to wait for staged
// files to be removed, which the next run does as well.
func (c *console) interruptible(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	signals := make(chan os.Signal, 2)
	// A shell starts its background jobs with SIGINT ignored, so that Ctrl-C
	// meant for another program leaves them alone. That is not undone here.
	// Nor is nohup, for SIGHUP, which comes when a terminal is closed.
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	signal.Notify(signals, syscall.SIGTERM)
	quit := make(chan struct{})
	go func() {
		select {
		case <-signals:
		case <-quit:
			return
		}
		cancel(errInterrupted)
		c.Note("tablehaul: stopping: what is half done goes, or is kept for the next run (once more to stop at once)")
		select {
		case <-signals:
			os.Exit(exitInterrupted)
		case <-quit:
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(quit)
		cancel(nil)
	}
}
