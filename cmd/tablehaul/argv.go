package main

import (
	"os"
	"strings"
)

// arguments returns the command line, and takes its secrets out of what other users
// see of it: the process list shows the very bytes that a process was started with.
// They could be seen until here, some hundredths of a second; a warning says so.
func arguments() []string {
	args := make([]string, len(os.Args)-1)
	for i, arg := range os.Args[1:] {
		args[i] = strings.Clone(arg) // os.Args are those bytes
	}
	hide := newSecrets(args)
	for i, arg := range os.Args[1:] {
		if shown := hide.redact(args[i]); shown != args[i] {
			overwrite(arg, shown)
		}
	}
	return args
}
