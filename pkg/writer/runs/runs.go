// Package runs tells processes from each other, for sinks in which runs leave things that
// the next one removes: not while the run lives.
package runs

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"sync"
)

// Self is what a run says of itself, for Ended.
func Self() []byte { return []byte(Machine() + "\n" + Process() + "\n") }

// Ended reports whether the run that has said so of itself is known to be over. Of one on
// another machine it never is, nor of one of which nothing is known.
func Ended(self []byte) bool {
	lines := append(strings.Split(string(self), "\n"), "", "")
	return Over(lines[0], lines[1])
}

// Here reports whether the run that has said so of itself is, or was, one of this machine
// whose end is seen.
func Here(self []byte) bool {
	lines := append(strings.Split(string(self), "\n"), "", "")
	return SameMachine(lines[0], Machine()) && lines[1] != "" && sameNames(lines[1])
}

// sameNames reports whether a process is numbered as those that this one sees.
func sameNames(process string) bool {
	at := strings.LastIndexByte(Process(), ' ')
	return at >= 0 && strings.HasSuffix(process, Process()[at:])
}

// Over is Ended for a run of which Machine and Process were noted.
func Over(machine, process string) bool {
	if !SameMachine(machine, Machine()) {
		return false
	}
	theirs, ours := strings.Split(machine, " "), strings.Split(Machine(), " ")
	started := len(theirs) > 1 && theirs[1] != ours[1] // the machine has been started anew since
	return started || processGone(process)
}

// Machine tells the machine that a lock is known to: its name, which kernel runs
// since when, and the id that it keeps over a restart. Containers of one machine
// have names of their own, but one kernel; machines with disks in common may have
// one name.
var Machine = sync.OnceValue(func() string {
	name, _ := os.Hostname()
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	id, _ := os.ReadFile("/etc/machine-id")
	return name + " " + strings.TrimSpace(string(boot)) + " " + strings.TrimSpace(string(id))
})

// SameMachine reports whether the record that has this content is of a run on
// this machine.
func SameMachine(content, machine string) bool {
	line, _, _ := strings.Cut(content, "\n")
	theirs, ours := append(strings.Split(line, " "), "", ""), append(strings.Split(machine, " "), "", "")
	if boot := ours[1]; boot != "" && boot == theirs[1] {
		return true
	}
	// Started anew since, or a system that tells no more than its name.
	return ours[0] != "" && ours[0] == theirs[0] && ours[2] == theirs[2] && (ours[2] != "" || ours[1] == "")
}

// Process tells this process from others of its machine: its number, when it was
// started, and the set of numbers that it is one of, which containers have each of
// their own. It is "" where the system has no /proc.
var Process = sync.OnceValue(func() string {
	ns, err := os.Readlink("/proc/self/ns/pid")
	began := startTime(os.Getpid())
	if err != nil || began == "" {
		return ""
	}
	return fmt.Sprintf("%d %s %s", os.Getpid(), began, ns)
})

// processGone reports whether a process of this machine, as Process tells it, has
// ended. It must be sure of it.
func processGone(text string) bool {
	var pid int
	var began, ns string
	if n, _ := fmt.Sscan(text, &pid, &began, &ns); n != 3 || Process() == "" || !strings.HasSuffix(Process(), " "+ns) {
		return false
	}
	if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	now := startTime(pid)
	return now != "" && now != began
}

// startTime returns when a process was started, in ticks since the machine was.
func startTime(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	// The second field is a name that may hold anything, in brackets; proc(5) counts
	// the start as the 22nd.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	if len(fields) < 20 {
		return ""
	}
	return fields[19]
}
