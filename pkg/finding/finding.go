// Package finding says what a check of a source or a sink has found, and what
// can be done about it. docs/check.md lists all findings by name.
package finding

import (
	"cmp"
	"slices"
	"time"
)

// A Level says how bad a finding is.
type Level uint8

// The levels.
const (
	Note    Level = iota // good to know
	Warning              // the run goes on, but something is not as one would wish
	Error                // what was asked for cannot be done, or not rightly
)

// String returns the level as the JSON contract writes it.
func (l Level) String() string { return [...]string{"note", "warning", "error"}[l] }

// A Finding is one thing that a check has found.
type Finding struct {
	Level Level
	// Check is the finding's name in docs/check.md, such as "binlog-format". There
	// may be several of one name.
	Check string
	// Thing is what was found: "binlog_format is STATEMENT".
	Thing string
	// Why is what follows from it.
	Why string
	// Remedy is to be pasted: SQL for the source, a flag, or a line of a
	// configuration. A few findings have words there.
	Remedy string
	// Tables are those that it is about, if it is about some alone, as database.table
	// or database.table.column.
	Tables []string
}

// Text is the finding but for its remedy and its tables, as one sentence.
func (f Finding) Text() string {
	if f.Why == "" {
		return f.Thing
	}
	return f.Thing + ": " + f.Why
}

// Sort puts the worst first; findings of one level stay as they are.
func Sort(list []Finding) {
	slices.SortStableFunc(list, func(a, b Finding) int { return cmp.Compare(b.Level, a.Level) })
}

// Count returns how many findings are of the level.
func Count(list []Finding, l Level) int {
	n := 0
	for _, f := range list {
		if f.Level == l {
			n++
		}
	}
	return n
}

// A Purpose is what is going to be done, and so what a check has to look at.
type Purpose struct {
	Snapshot bool // tables are copied
	Tail     bool // the log is followed
	// Before says that the check comes before a run: it then asks as little as
	// possible, leaves notes out, and what the run itself is going to try.
	Before bool
	// Parallel is how many parts of tables are read at once.
	Parallel int
	// AsIs says that the sink takes values as they are, in types of the source's.
	AsIs bool
}

// CopySpeed is a cautious guess, in bytes a second as the source stores them, of
// how fast tables are copied. Where time is told by it, that is said.
const CopySpeed = 20 << 20

// CopyTime is about how long it takes to copy so many bytes.
func CopyTime(bytes int64) time.Duration {
	return time.Duration(float64(bytes) / CopySpeed * float64(time.Second))
}
