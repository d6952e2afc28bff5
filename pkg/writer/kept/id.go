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

// NewID returns the id of a new commit, which no other has.
func NewID(replaces bool) string {
	if replaces {
		return replacing + uuid.NewString()
	}
	return uuid.NewString()
}

// Fenced is the error of a commit that another one, of that id, has preceded; elsewhere is how the other
// run could be sent to another place. Who has exchanged the content in Replace mode does not go on, and
// so is in nobody's way who begins anew because of it.
func Fenced(id, elsewhere string) error {
	err := hint.Wrap(writer.ErrFenced, "let only one run write to a table, or %s; run the same command again to go on from what the table holds now", elsewhere)
	if strings.HasPrefix(id, replacing) {
		err = hint.Transient(err)
	}
	return err
}
