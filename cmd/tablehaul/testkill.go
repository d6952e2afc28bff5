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
// iceberg.Options. It is for tests of crashes, and nil where the variable is not
// set.
func testKill(getenv func(string) string) (func(step string), error) {
	const name = "TABLEHAUL_TEST_KILL"
	spec := getenv(name)
	if spec == "" {
		return nil, nil
	}
	at := strings.LastIndexByte(spec, ':')
	n, err := strconv.ParseInt(spec[at+1:], 10, 64)
	if at < 1 || err != nil || n < 1 {
		return nil, fmt.Errorf("%s: want STEP:N, not %q", name, spec)
	}
	var left atomic.Int64
	left.Store(n)
	return func(step string) {
		if step == spec[:at] && left.Add(-1) == 0 {
			if self, err := os.FindProcess(os.Getpid()); err == nil {
				_ = self.Kill()
			}
			select {} // a signal to oneself may take a moment
		}
	}, nil
}
