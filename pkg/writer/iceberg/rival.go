package iceberg

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A session is one use of a Sink, from Open to Close. Its name begins the ids of
// its commits, and says when it began, so that of two that write to the same
// tables both know which is the elder.
type session struct {
	name string

	mu   sync.Mutex
	lost map[string]bool // elder sessions that have been in our way
}

const rivalTime = "20060102T150405,000000Z"

func newSession() *session {
	var b [4]byte
	_, _ = rand.Read(b[:]) // never fails
	return &session{name: time.Now().UTC().Format(rivalTime) + "-" + hex.EncodeToString(b[:]), lost: map[string]bool{}}
}

// replacing begins the second part of the ids of commits that have exchanged a
// table's content for another, whatever was there.
const replacing = "replace-"

// amending begins that of runs that have committed once and go on no further.
const amending = "amend-"

// commitID returns the id of a new commit.
func (s *session) commitID(replaces, amends bool) string {
	kind := ""
	switch {
	case replaces:
		kind = replacing
	case amends:
		kind = amending
	}
	return s.name + "." + kind + uuid.NewString()
}

// fenced is the error of a commit that another one, of that id, has preceded.
//
// Of two runs that go on writing one must give way, and not both: the younger
// does. The elder is told that it may try again from what the table holds. Where a
// commit may land after its sender has died, so is the younger, once. Who has
// replaced the content, or amended it, does not go on, and is in nobody's way.
func (s *session) fenced(id string, late bool) error {
	const advice = "let only one run write to a table; run the same command again to go on from what the table holds now"
	other, rest, _ := strings.Cut(id, ".")
	at, _, _ := strings.Cut(other, "-")
	began, err := time.Parse(rivalTime, at)
	if err != nil {
		return hint.Wrap(writer.ErrFenced, advice)
	}
	text := fmt.Errorf("%w: one that began at %s", writer.ErrFenced, began.Format("2006-01-02 15:04:05 UTC"))
	passes := true
	switch {
	case strings.HasPrefix(rest, replacing):
		text = fmt.Errorf("%w, which has replaced its content", text)
	case strings.HasPrefix(rest, amending):
		text = fmt.Errorf("%w, which has redone some of its rows", text)
	default:
		passes = false
	}
	fatal := hint.Wrap(text, advice)
	s.mu.Lock()
	defer s.mu.Unlock()
	if other >= s.name || passes || late && !s.lost[other] {
		s.lost[other] = true
		return hint.Transient(fatal)
	}
	return fatal
}
