package kept

import (
	"strings"

	"github.com/google/uuid"
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

// Replaced reports whether a commit, by its id, has exchanged a table's content in Replace mode.
// Who made it does not go on, and so is in nobody's way who has to begin anew because of it.
func Replaced(id string) bool { return strings.HasPrefix(id, replacing) }
