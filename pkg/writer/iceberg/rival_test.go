package iceberg

import (
	"errors"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// Of two runs one gives way, whoever looks and however often.
func TestRivals(t *testing.T) {
	elder, younger := newSession(), newSession()
	if elder.name >= younger.name {
		younger.name = elder.name + "1"
	}
	for range 3 {
		if err := elder.fenced(younger.commitID(false, false), false); !errors.Is(err, writer.ErrFenced) || !hint.IsTransient(err) {
			t.Errorf("the elder: got %v, want an error that may pass", err)
		}
		if err := younger.fenced(elder.commitID(false, false), false); !errors.Is(err, writer.ErrFenced) || hint.IsTransient(err) || hint.Of(err) == "" {
			t.Errorf("the younger: got %v, want one that stays", err)
		}
	}
	for i, want := range []bool{true, false, false} {
		if err := younger.fenced(elder.commitID(false, false), true); hint.IsTransient(err) != want {
			t.Errorf("the younger where commits land late, time %d: got %v", i+1, err)
		}
	}
	for range 2 { // who replaces a table's content does not come again
		if err := younger.fenced(elder.commitID(true, false), false); !errors.Is(err, writer.ErrFenced) || !hint.IsTransient(err) {
			t.Errorf("the younger, after a replacement: got %v, want an error that may pass", err)
		}
	}
	for _, id := range []string{"", "6f1c0a9e-0000-4000-8000-000000000000"} {
		if err := elder.fenced(id, true); !errors.Is(err, writer.ErrFenced) || hint.IsTransient(err) {
			t.Errorf("a commit %q: got %v", id, err)
		}
	}
}
