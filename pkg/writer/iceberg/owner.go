package iceberg

import (
	"errors"
	"io"
	"strconv"
	"strings"

	iceio "github.com/apache/iceberg-go/io"

	"github.com/tablehaul/tablehaul/pkg/writer/runs"
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
	return runs.Over(t.machine, t.process)
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
