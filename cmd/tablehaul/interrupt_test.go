package main

import (
	"bufio"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestInterrupt sends signals to runs that would never end.
func TestInterrupt(t *testing.T) {
	const stopping = "tablehaul: stopping"
	// Under nohup the tests would hand on that SIGHUP is ignored.
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	t.Cleanup(func() { signal.Stop(hangups) })
	for _, c := range []struct {
		name, source string
		signal       os.Signal
		twice        bool
	}{
		{"SIGINT", "hang=b", os.Interrupt, false},
		{"SIGTERM", "hang=b", syscall.SIGTERM, false},
		{"SIGHUP", "hang=b", syscall.SIGHUP, false},
		{"twice", "deaf=b", os.Interrupt, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			cmd := exec.Command("tablehaul", "snapshot", "fake://h/shop?tables=a:10,b:1000&"+c.source, "folder:"+dir, "--json")
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			stderr, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			timeout := time.AfterFunc(3*time.Minute, func() { _ = cmd.Process.Kill() })
			defer timeout.Stop()

			var messages strings.Builder
			noted := make(chan struct{})
			go func() {
				defer close(noted)
				for sc := bufio.NewScanner(stderr); sc.Scan(); {
					messages.WriteString(sc.Text() + "\n")
					if c.twice && strings.HasPrefix(sc.Text(), stopping) {
						_ = cmd.Process.Signal(c.signal)
					}
				}
			}()
			last := ""
			for sc := bufio.NewScanner(stdout); sc.Scan(); last = sc.Text() {
				// By the first progress event b hangs, with rows staged.
				if strings.Contains(sc.Text(), `"event":"progress"`) && !strings.Contains(last, `"event":"progress"`) {
					_ = cmd.Process.Signal(c.signal)
				}
			}
			_, _ = io.Copy(io.Discard, stdout)
			<-noted
			err = cmd.Wait()
			if cmd.ProcessState.ExitCode() != exitInterrupted {
				t.Errorf("ended with %v after %v, want exit code %d", err, time.Since(began), exitInterrupted)
			}
			if !strings.Contains(messages.String(), stopping) {
				t.Errorf("stderr: %s", &messages)
			}
			if c.twice {
				return
			}
			if !strings.Contains(messages.String(), "tablehaul: interrupted") {
				t.Errorf("stderr: %s", &messages)
			}
			if !strings.Contains(last, `"status":"interrupted","exit":130`) || !strings.Contains(last, `"state":"unfinished"`) {
				t.Errorf("last line: %s", last)
			}
			if left, err := filepath.Glob(filepath.Join(dir, "*.staged")); err != nil || len(left) > 0 {
				t.Errorf("left behind: %v %v", left, err)
			}
			if _, err := os.Stat(filepath.Join(dir, "shop.a")); err != nil {
				t.Errorf("a table that was whole is gone: %v", err)
			}
		})
	}
}
