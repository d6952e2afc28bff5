package mysql

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/tablehaul/tablehaul/pkg/finding"
)

// supported tells, of series of servers, until when their makers mend them, by
// their own announcements. Of MySQL's innovation releases each ends with the next.
var supported = map[bool]map[string]string{
	false: { // MySQL
		"5.5": "2018-12-31", "5.6": "2021-02-28", "5.7": "2023-10-31", "8.0": "2026-04-30", "8.1": "2023-10-25", "8.2": "2024-01-16", "8.3": "2024-04-30", "8.4": "2032-04-30",
		"9.0": "2024-10-15", "9.1": "2025-01-21", "9.2": "2025-04-15", "9.3": "2025-07-22", "9.4": "2025-10-21", "9.5": "2026-01-20", "9.6": "2026-04-21", "9.7": "2034-04-30",
	},
	true: { // MariaDB
		"10.2": "2022-05-23", "10.3": "2023-05-25", "10.4": "2024-06-18", "10.5": "2025-06-24", "10.6": "2026-07-06", "10.7": "2023-02-09", "10.8": "2023-05-20", "10.9": "2023-08-22",
		"10.10": "2023-11-17", "10.11": "2028-02-16", "11.0": "2024-06-06", "11.1": "2024-08-21", "11.2": "2024-11-21", "11.4": "2029-05-29", "11.8": "2028-06-04", "12.3": "2029-06-30",
	},
}

// The series that the tests of this program run against.
const (
	testedMySQL   = "9.7"
	testedMariaDB = "10.11"
)

// oldest is the first series that there is any hope for.
var oldest = map[bool][2]int{false: {5, 7}, true: {10, 2}}

func (c *checkup) versions(context.Context) error {
	maria := c.s.control.maria
	product, tested := "MySQL", testedMySQL
	if maria {
		product, tested = "MariaDB", testedMariaDB
	}
	c.found = append(c.found, judgeVersion(product, c.vars["version"], maria, tested, time.Now())...)
	for _, proxy := range []string{"proxysql", "maxscale", "vitess"} {
		if strings.Contains(strings.ToLower(c.vars["version_comment"]+c.vars["version"]), proxy) {
			c.add(finding.Finding{
				Level: finding.Warning, Check: "proxy", Thing: "there is a proxy before the server: " + proxy,
				Why: "its connections may go to servers that differ, and end when they are idle", Remedy: "name the server itself as SOURCE",
			})
		}
	}
	return nil
}

func judgeVersion(product, version string, maria bool, tested string, now time.Time) []finding.Finding {
	version = strings.TrimPrefix(version, "5.5.5-") // MariaDB's before 11, for old clients
	var major, minor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		major = 0
	}
	series := fmt.Sprintf("%d.%d", major, minor)
	f := finding.Finding{Check: "version", Thing: product + " " + version}
	least := oldest[maria]
	ends, known := supported[maria][series]
	end, _ := time.Parse(time.DateOnly, ends)
	switch {
	case series == tested:
		return nil
	case major < least[0] || major == least[0] && minor < least[1]:
		f.Level, f.Why = finding.Error, fmt.Sprintf("it is older than %d.%d", least[0], least[1])
	case known && now.After(end):
		f.Level, f.Why = finding.Warning, "its makers have ended their support on "+ends
	case known:
		f.Level, f.Why = finding.Note, fmt.Sprintf("this program is tested with %s", tested)
	default:
		f.Level, f.Why = finding.Note, fmt.Sprintf("this series is not known to this version of the program, which is tested with %s", tested)
	}
	f.Remedy = "upgrade to " + product + " " + tested
	if f.Level == finding.Note {
		f.Remedy = "try it with a copy first, and compare"
	}
	return []finding.Finding{f}
}
