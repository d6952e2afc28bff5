package main

import (
	"fmt"
	"os"
	"runtime/pprof"
)

// profile writes a CPU profile of the run to the file that TABLEHAUL_CPUPROFILE
// names, for `make bench` and for whoever wonders where the time goes. It is no
// flag, as it is nothing for everyday use.
func profile() (stop func(), err error) {
	path := os.Getenv("TABLEHAUL_CPUPROFILE")
	if path == "" {
		return func() {}, nil
	}
	f, err := os.Create(path)
	if err != nil {
		return nil, fmt.Errorf("TABLEHAUL_CPUPROFILE: %w", err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		f.Close()
		return nil, fmt.Errorf("TABLEHAUL_CPUPROFILE: %w", err)
	}
	return func() {
		pprof.StopCPUProfile()
		if err := f.Close(); err != nil {
			fmt.Fprintln(os.Stderr, "tablehaul: TABLEHAUL_CPUPROFILE:", err)
		}
	}, nil
}
