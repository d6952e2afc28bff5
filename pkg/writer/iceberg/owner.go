package iceberg

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"sync"

	iceio "github.com/apache/iceberg-go/io"
)

// The marks that a record can end with.
const (
	sentMark = "a commit was sent"
	leftMark = "ended"
)

// A recordText is what a record says.
type recordText struct {
	machine, process string
	attempts         []string
	base             int64 // 0 if it does not tell, as those of earlier versions
	made             []string
	sent, left       bool
}

func parseRecord(text string) recordText {
	lines := append(strings.Split(text, "\n"), "", "", "", "", "")
	base, _ := strconv.ParseInt(lines[3], 10, 64)
	return recordText{
		machine: lines[0], process: lines[1], attempts: strings.Fields(lines[2]), base: base, made: strings.Fields(lines[4]),
		sent: strings.HasSuffix(text, sentMark), left: strings.HasSuffix(text, leftMark),
	}
}

// ended reports whether the run can be told to be over.
func (t recordText) ended() bool {
	if t.sent || t.left {
		return t.left
	}
	if !sameMachine(t.machine, machine()) {
		return false
	}
	theirs, ours := strings.Split(t.machine, " "), strings.Split(machine(), " ")
	started := len(theirs) > 1 && theirs[1] != ours[1] // the machine has been started anew since
	return started || processGone(t.process)
}

// machine tells the machine that a lock is known to: its name, which kernel runs
// since when, and the id that it keeps over a restart. Containers of one machine
// have names of their own, but one kernel; machines with disks in common may have
// one name.
var machine = sync.OnceValue(func() string {
	name, _ := os.Hostname()
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	id, _ := os.ReadFile("/etc/machine-id")
	return name + " " + strings.TrimSpace(string(boot)) + " " + strings.TrimSpace(string(id))
})

// sameMachine reports whether the record that has this content is of a run on
// this machine.
func sameMachine(content, machine string) bool {
	line, _, _ := strings.Cut(content, "\n")
	theirs, ours := append(strings.Split(line, " "), "", ""), append(strings.Split(machine, " "), "", "")
	if boot := ours[1]; boot != "" && boot == theirs[1] {
		return true
	}
	// Started anew since, or a system that tells no more than its name.
	return ours[0] != "" && ours[0] == theirs[0] && ours[2] == theirs[2] && (ours[2] != "" || ours[1] == "")
}

// process tells this process from others of its machine: its number, when it was
// started, and the set of numbers that it is one of, which containers have each of
// their own. It is "" where the system has no /proc.
var process = sync.OnceValue(func() string {
	ns, err := os.Readlink("/proc/self/ns/pid")
	began := startTime(os.Getpid())
	if err != nil || began == "" {
		return ""
	}
	return fmt.Sprintf("%d %s %s", os.Getpid(), began, ns)
})

// processGone reports whether a process of this machine, as process tells it, has
// ended. It must be sure of it.
func processGone(text string) bool {
	var pid int
	var began, ns string
	if n, _ := fmt.Sscan(text, &pid, &began, &ns); n != 3 || process() == "" || !strings.HasSuffix(process(), " "+ns) {
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

// readAll returns the content of a small file.
func readAll(files iceio.IO, location string) (string, error) {
	f, err := files.Open(location)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(f)
	return string(text), errors.Join(err, f.Close())
}
