package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// A sample is what one run of a child process cost.
type sample struct {
	WallS      float64 `json:"wall_s"`
	CPUS       float64 `json:"cpu_s"`        // user and system time of the child
	ServerCPUS float64 `json:"server_cpu_s"` // of the servers meanwhile
	PeakMiB    float64 `json:"peak_mib"`     // resident
	OutBytes   int64   `json:"out_bytes"`
	// Foreign is the share of all cores that others took meanwhile: the noise.
	Foreign float64 `json:"foreign"`
}

// runChild runs a command to its end and returns what it cost and printed. Servers are
// the processes that work for it meanwhile.
func runChild(ctx context.Context, argv, env []string, servers ...int) (sample, []byte, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr

	busy, server := busySeconds(), processSeconds(servers...)
	start := time.Now()
	if err := cmd.Start(); err != nil {
		return sample{}, nil, err
	}
	peak := watchPeak(cmd.Process.Pid)
	err := cmd.Wait()
	s := sample{WallS: time.Since(start).Seconds()}
	watched := peak()
	if cmd.ProcessState != nil {
		s.CPUS = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
		s.PeakMiB = peakMiB(cmd.ProcessState.SysUsage(), watched, residentPeak(os.Getpid()))
	}
	s.ServerCPUS = processSeconds(servers...) - server
	s.Foreign = max(0, (busySeconds()-busy-s.CPUS-s.ServerCPUS)/(s.WallS*float64(runtime.NumCPU())))
	if err != nil {
		return s, stdout.Bytes(), fmt.Errorf("%s: %w\n%s", strings.Join(argv, " "), err, tail(stderr.Bytes(), 2000))
	}
	return s, stdout.Bytes(), nil
}

// peakMiB picks the peak out of two readings. Rusage is exact, except that a
// process begins with its parent's high-water mark (fork shares its memory
// until exec), so a figure not above ours says nothing; then the one that was
// watched from outside is taken, which can miss the last moments.
func peakMiB(usage any, watchedKiB, ownKiB int64) float64 {
	kib := watchedKiB
	if r, ok := usage.(*syscall.Rusage); ok {
		max := r.Maxrss
		if runtime.GOOS == "darwin" {
			max /= 1024 // bytes there, KiB elsewhere
		}
		if max > ownKiB || watchedKiB == 0 {
			kib = max
		}
	}
	return float64(kib) / 1024
}

func tail(b []byte, n int) []byte {
	b = bytes.TrimSpace(b)
	return b[max(0, len(b)-n):]
}
