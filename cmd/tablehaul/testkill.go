package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
)

// testKill returns a function that, told of steps, has the process kill itself
// as TABLEHAUL_TEST_KILL says: "STEP:N" is the N-th time that STEP is passed. A
// step's name comes from whoever takes it: those of commits are listed at
// iceberg.Options. TABLEHAUL_TEST_STEPS names a file that the steps passed are
// written to, one a line. Both are for tests of crashes; the function is nil where
// neither variable is set.
func testKill(getenv func(string) string) (func(step string), error) {
	const name = "TABLEHAUL_TEST_KILL"
	var left atomic.Int64
	spec := getenv(name)
	at := strings.LastIndexByte(spec, ':')
	if spec != "" {
		n, err := strconv.ParseInt(spec[at+1:], 10, 64)
		if at < 1 || err != nil || n < 1 {
			return nil, fmt.Errorf("%s: want STEP:N, not %q", name, spec)
		}
		left.Store(n)
	}
	note, err := testSteps(getenv("TABLEHAUL_TEST_STEPS"))
	if err != nil || spec == "" {
		return note, err
	}
	return func(step string) {
		if note != nil {
			note(step)
		}
		if step == spec[:at] && left.Add(-1) == 0 {
			if self, err := os.FindProcess(os.Getpid()); err == nil {
				_ = self.Kill()
			}
			select {} // a signal to oneself may take a moment
		}
	}, nil
}

// testSteps returns a function that writes steps to a file, where one is asked for.
// It is open for as long as the process lives: a line that is written outlives it.
func testSteps(path string) (func(step string), error) {
	if path == "" {
		return nil, nil
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, err
	}
	return func(step string) { _, _ = f.WriteString(step + "\n") }, nil
}
