package main

import (
	"fmt"
	"os"
	"strings"
	"time"
)

// readCurves reads what runs have printed.
func readCurves(files []string) ([]curve, error) {
	var out []curve
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			var n int
			var commit, slowest, planning float64
			var kib int64
			switch _, err := fmt.Sscanf(line, "%d %f %f %f %d", &n, &commit, &slowest, &planning, &kib); {
			case strings.HasPrefix(line, "commits"):
			case err != nil:
				out = append(out, curve{name: line})
			case len(out) == 0:
				return nil, fmt.Errorf("%s: a point of no curve: %s", file, line)
			default:
				c := &out[len(out)-1]
				c.points = append(c.points, point{n, millis(commit), millis(slowest), millis(planning), kib << 10})
			}
		}
	}
	return out, nil
}

func millis(v float64) time.Duration { return time.Duration(v * float64(time.Millisecond)) }
