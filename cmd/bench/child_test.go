package main

import (
	"context"
	"math"
	"os"
	"strings"
	"syscall"
	"testing"
)

func TestParseProc(t *testing.T) {
	stat := "4242 (my (odd) sqld) S 1 4242 4242 0 -1 4194304 9999 0 12 0 731 69 0 0 20 0 45 0 77 123456 789"
	if got, want := parseProcessStat(stat), 8.0; got != want {
		t.Errorf("processStat: got %v, want %v", got, want)
	}
	if got := parseProcessStat(""); got != 0 {
		t.Errorf("processStat of nothing: got %v", got)
	}
	cpu := "cpu  100 20 30 40000 500 6 7 8 50 0\ncpu0 1 2 3 4 5\n"
	if got, want := parseBusy(cpu), 1.71; math.Abs(got-want) > 1e-9 {
		t.Errorf("busy: got %v, want %v", got, want)
	}
	if got, want := parseHWM("Name:\tx\nVmHWM:\t   12345 kB\nVmRSS:\t 1 kB\n"), int64(12345); got != want {
		t.Errorf("VmHWM: got %v, want %v", got, want)
	}
	if got := parseHWM("Name:\tzombie\n"); got != 0 {
		t.Errorf("VmHWM of a zombie: got %v", got)
	}
}

func TestPeakPicksTheReadingThatSaysSomething(t *testing.T) {
	usage := &syscall.Rusage{}
	for _, c := range []struct {
		max, watched, own int64
		want              float64
		why               string
	}{
		{300 << 10, 290 << 10, 30 << 10, 300, "above the parent: rusage is exact"},
		{30 << 10, 9 << 10, 30 << 10, 9, "the parent's own mark says nothing of the child"},
		{30 << 10, 0, 31 << 10, 30, "nothing watched: an upper bound is better than none"},
	} {
		usage.Maxrss = c.max
		if got := peakMiB(usage, c.watched, c.own); got != c.want {
			t.Errorf("%s: got %v, want %v", c.why, got, c.want)
		}
	}
}

// TestRunChild runs this test's binary as the child, which burns CPU and memory.
func TestRunChild(t *testing.T) {
	if os.Getenv("BENCH_TEST_CHILD") != "" {
		block := make([]byte, 200<<20)
		for n := range 10 {
			for i := 0; i < len(block); i += 64 {
				block[i] += byte(n)
			}
		}
		os.Stdout.WriteString("told\n")
		os.Exit(int(block[64] - 45))
	}
	argv := []string{os.Args[0], "-test.run=^TestRunChild$"}
	s, stdout, err := runChild(t.Context(), argv, []string{"BENCH_TEST_CHILD=1"}, os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if string(stdout) != "told\n" {
		t.Errorf("stdout: got %q", stdout)
	}
	// The race detector keeps three times as much again.
	if s.PeakMiB < 200 || s.PeakMiB > 1000 {
		t.Errorf("peak: got %v MiB, want a little over 200", s.PeakMiB)
	}
	if s.CPUS <= 0 || s.WallS <= 0 {
		t.Errorf("times: got %+v", s)
	}

	_, _, err = runChild(t.Context(), []string{"sh", "-c", "echo the reason >&2; exit 3"}, nil, 0)
	if err == nil || !strings.Contains(err.Error(), "the reason") || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("failing child: got %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err = runChild(ctx, []string{"sleep", "60"}, nil, 0); err == nil {
		t.Error("a cancelled run ends without an error")
	}
}
