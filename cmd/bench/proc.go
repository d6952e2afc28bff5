package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// watchPeak reads a process's high-water mark now and then; the function
// returned ends that and gives the last reading in KiB.
func watchPeak(pid int) func() int64 {
	stop, peak := make(chan struct{}), make(chan int64)
	go func() {
		tick := time.NewTicker(25 * time.Millisecond)
		defer tick.Stop()
		last := int64(0)
		for {
			select {
			case <-stop:
				peak <- last
				return
			case <-tick.C:
				last = max(last, residentPeak(pid))
			}
		}
	}()
	return func() int64 { close(stop); return <-peak }
}

// residentPeak is VmHWM in KiB, or 0 where it cannot be had.
func residentPeak(pid int) int64 {
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return parseHWM(string(status))
}

func parseHWM(status string) int64 {
	_, after, _ := strings.Cut(status, "VmHWM:")
	fields := strings.Fields(after)
	if len(fields) == 0 {
		return 0
	}
	kib, _ := strconv.ParseInt(fields[0], 10, 64)
	return kib
}

// clockTick is Linux's USER_HZ on every platform that Go supports.
const clockTick = 100

// processSeconds is the CPU time that processes have taken so far.
func processSeconds(pids ...int) (sum float64) {
	for _, pid := range pids {
		stat, _ := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		sum += parseProcessStat(string(stat))
	}
	return sum
}

func parseProcessStat(stat string) float64 {
	// The name in parentheses may hold anything; utime and stime are the 12th
	// and 13th fields after it.
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseFloat(fields[11], 64)
	system, _ := strconv.ParseFloat(fields[12], 64)
	return (user + system) / clockTick
}

// busySeconds is the time that all cores together were not idle.
func busySeconds() float64 {
	stat, _ := os.ReadFile("/proc/stat")
	return parseBusy(string(stat))
}

func parseBusy(stat string) float64 {
	line, _, _ := strings.Cut(stat, "\n")
	busy := 0.0
	for i, f := range strings.Fields(line) {
		// cpu user nice system idle iowait irq softirq steal; what follows
		// (guest) is counted in user already.
		if i == 0 || i == 4 || i == 5 || i > 8 {
			continue
		}
		v, _ := strconv.ParseFloat(f, 64)
		busy += v
	}
	return busy / clockTick
}
