//go:build unix

package main

import "syscall"

// noCoreDumps keeps the memory, and with it passwords, out of files. Whoever sets
// GOTRACEBACK=crash asks for a dump and gets it.
func noCoreDumps(getenv func(string) string) {
	var limit syscall.Rlimit
	if getenv("GOTRACEBACK") == "crash" || syscall.Getrlimit(syscall.RLIMIT_CORE, &limit) != nil {
		return
	}
	limit.Cur = 0
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &limit) // lowering a limit is always allowed
}
