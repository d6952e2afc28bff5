package kept

import (
	"strings"

	"github.com/google/uuid"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// replacing begins the ids of commits that have exchanged a table's content for another, whatever
// was there.
const replacing = "replace-"

// amending begins those of runs that have committed once and go on no further.
const amending = "amend-"

// NewID returns the id of a new commit, which no other has.
func NewID(replaces, amends bool) string {
	switch {
	case replaces:
		return replacing + uuid.NewString()
	case amends:
		return amending + uuid.NewString()
	}
	return uuid.NewString()
}

// Fenced is the error of a commit that another one, of that id, has preceded; elsewhere is how the other
// run could be sent to another place. Who has exchanged the content in Replace mode, or some of it in Amend
// mode, does not go on, and so is in nobody's way who begins anew because of it.
func Fenced(id, elsewhere string) error {
	err := hint.Wrap(writer.ErrFenced, "let only one run write to a table, or %s; run the same command again to go on from what the table holds now", elsewhere)
	if strings.HasPrefix(id, replacing) || strings.HasPrefix(id, amending) {
		err = hint.Transient(err)
	}
	return err
}
