package progress

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// serverID finds the UUIDs that name servers.
var serverID = regexp.MustCompile(`\b([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)

// topicsOnly finds what stands around the offsets of topics: the cluster, and the topics' IDs.
var topicsOnly = regexp.MustCompile(`^kafka:[^;]*;|@[^:;]*`)

// maxPosition is how long a short position is at most.
const maxPosition = 48

// ShortPosition returns what a person wants to see of a position on a line: the
// place in a log file, or the transactions, with the servers' names cut, or topics'
// offsets. Only its source can read a position; one that looks unlike those known is cut.
func ShortPosition(pos string) string {
	var p struct {
		GTID, File string
		Pos        uint64
	}
	switch err := json.Unmarshal([]byte(pos), &p); {
	case err == nil && p.File != "":
		pos = fmt.Sprintf("%s:%d", p.File, p.Pos)
	case err == nil && p.GTID != "":
		// The rest of a long set is what other servers did long ago.
		sets := strings.Split(serverID.ReplaceAllString(p.GTID, "$1…"), ",")
		pos = sets[0]
		if n := len(sets) - 1; n > 0 {
			pos += fmt.Sprintf(" +%d", n)
		}
	case strings.HasPrefix(pos, "kafka:"):
		pos, _, _ = strings.Cut(pos, ";!") // behind it, what was read from a stock
		pos = topicsOnly.ReplaceAllString(pos, "")
	case strings.HasPrefix(pos, `{"merged":`): // those of several tables
		pos = "merged"
	}
	return cut(Printable(pos), maxPosition)
}
