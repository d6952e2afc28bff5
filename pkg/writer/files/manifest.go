package files

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/writer/kept"
)

// What lies beside the data of a table is in a folder that readers of folders leave out.
const (
	hidden       = "_tablehaul"
	manifestFile = hidden + "/manifest.json"
	successFile  = "_SUCCESS"
)

// manifestVersion is that of the manifest's form. It grows when an older program could not
// go on with what a newer one has left.
const manifestVersion = 1

// A head is what a commit says of the table, whatever its rows.
type head struct {
	Number    int64          `json:"number"` // of the commit; the first one is 1
	ID        string         `json:"id"`     // of the commit, which no other has
	Committed time.Time      `json:"committed"`
	Position  batch.Position `json:"position"`
	Tag       string         `json:"tag,omitempty"`

	kept.Table

	Generation  string   `json:"generation"` // a folder
	Location    string   `json:"location"`   // of the generation: what its files' paths begin with
	Format      Format   `json:"format"`
	Compression string   `json:"compression"`
	Header      bool     `json:"header,omitempty"`
	Folders     []string `json:"partitions,omitempty"` // the names, in the order of the path
	Partition   string   `json:"partition,omitempty"`  // as it was asked for
	Open        string   `json:"open,omitempty"`       // folder of the hour at which the last rows were written
}

// A file is a data file of a table.
type file struct {
	Path  string `json:"path"` // from the table's folder on
	Rows  int64  `json:"rows"`
	Bytes int64  `json:"bytes"`
	Min   *int64 `json:"min,omitempty"` // of the key's first column, if that is an integer
	Max   *int64 `json:"max,omitempty"`
	Token string `json:"token,omitempty"` // until it is published
}

// A manifest is what a table holds: the sum of its commits. Readers find in it the files
// whose rows are the table's, which are all there and whole.
type manifest struct {
	Version int `json:"version"`
	head
	Rows   int64    `json:"rows"`
	Bytes  int64    `json:"bytes"`
	Recent []string `json:"recent"` // ids of the last commits, this one's at the end
	// Old is the generation that was replaced, whose folder is still there.
	Old   string `json:"oldGeneration,omitempty"`
	Files []file `json:"files"`
}

// An entry is a commit: the manifest that it brings, and how the table gets there from the
// one before. All entries but the last have been gone through.
type entry struct {
	manifest
	Added   []file   `json:"added,omitempty"`   // as the manifest has them, with their tokens
	Whole   []string `json:"whole,omitempty"`   // folders that get the mark of what is whole
	Removed []string `json:"removed,omitempty"` // files and folders that are the table's no more
}

// recentIDs is how many ids a manifest has, and keptEntries how many entries stay: some, for
// those who look back.
const (
	recentIDs   = 64
	keptEntries = 16
)

// follow makes the entry that of the commit behind was: with files that are added, and
// without those that are removed, or without all if replaced is set.
func (e *entry) follow(was manifest, added []file, removed []string, replaced bool) {
	e.Version, e.Number, e.Added = manifestVersion, was.Number+1, added
	e.Recent = append(slices.Clone(was.Recent), e.ID)
	if n := len(e.Recent) - recentIDs; n > 0 {
		e.Recent = e.Recent[n:]
	}
	gone := make(map[string]bool, len(removed))
	for _, p := range removed {
		gone[p] = true
	}
	for _, f := range was.Files {
		switch {
		case !replaced && !gone[f.Path]:
			e.Files = append(e.Files, f)
		case e.Generation == was.Generation:
			e.Removed = append(e.Removed, f.Path)
		}
	}
	for _, f := range added {
		f.Token = ""
		e.Files = append(e.Files, f)
	}
	for _, f := range e.Files {
		e.Rows += f.Rows
		e.Bytes += f.Bytes
	}
	e.Old = was.Old
	switch {
	case e.Generation != was.Generation:
		// What was replaced stays, for those who read it, until the next one is.
		e.Whole = append(e.Whole, e.Generation)
		e.Old = was.Generation
		if was.Old != "" {
			e.Removed = append(e.Removed, was.Old)
		}
	case e.Open != "" && e.Open < was.Open: // of a run that has come to its commit late
		e.Open = was.Open
	case was.Open != "" && was.Open != e.Open:
		e.Whole = append(e.Whole, path.Join(was.Generation, was.Open))
	}
}

// knows reports whether the commit of that id is one of the last.
func (m manifest) knows(id string) bool { return slices.Contains(m.Recent, id) }

// check finds what keeps the commit of that number from being understood.
func (m manifest) check(number int64) error {
	switch {
	case m.Version > manifestVersion:
		return fmt.Errorf("it has the form %d, which a later version writes", m.Version)
	case m.Number != number:
		return fmt.Errorf("it says that it is number %d", m.Number)
	}
	return nil
}

// text writes the manifest, a line a file.
func (m manifest) text() ([]byte, error) {
	files := m.Files
	m.Files = []file{}
	text, err := json.Marshal(m)
	if err != nil {
		return nil, err
	}
	text = bytes.TrimSuffix(text, []byte("]}"))
	for i, f := range files {
		if i > 0 {
			text = append(text, ',')
		}
		line, err := json.Marshal(f)
		if err != nil {
			return nil, err
		}
		text = append(append(text, '\n'), line...)
	}
	return append(text, "\n]}\n"...), nil
}

// has reports whether all of these files are the table's.
func (m manifest) has(paths []string) bool {
	there := make(map[string]bool, len(m.Files))
	for _, f := range m.Files {
		there[f.Path] = true
	}
	return !slices.ContainsFunc(paths, func(p string) bool { return !there[p] })
}
