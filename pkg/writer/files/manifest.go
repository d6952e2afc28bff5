package files

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tablehaul/tablehaul/pkg/batch"
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

	Source string `json:"source"`           // the source's table, as schema.Table.String
	Shape  string `json:"shape,omitempty"`  // schema.Table.Shape
	Filter string `json:"filter,omitempty"` // schema.Table.Filter
	// RowsAdded is the mode by which rows were added to others, which may be there twice.
	RowsAdded string `json:"rowsAdded,omitempty"`

	Generation  int      `json:"generation"`
	Location    string   `json:"location"` // of the generation: what its files' paths begin with
	Format      Format   `json:"format"`
	Compression string   `json:"compression"`
	Header      bool     `json:"header,omitempty"`
	Columns     []column `json:"columns"`
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

// An entry is a commit: what has become of the table since the one before.
type entry struct {
	head
	Replaced bool     `json:"replaced,omitempty"` // none of the earlier files is the table's any more
	Added    []file   `json:"addedFiles,omitempty"`
	Removed  []string `json:"removedFiles,omitempty"`
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
	Old   int    `json:"oldGeneration,omitempty"`
	Files []file `json:"files"`
}

// recentIDs is how many ids a manifest has; entries are forgotten earlier.
const (
	recentIDs   = 64
	keptEntries = 32
)

// after returns the manifest as of later commits.
func (m manifest) after(entries ...*entry) manifest {
	for _, e := range entries {
		m = m.next(e)
	}
	return m
}

func (m manifest) next(e *entry) manifest {
	next := manifest{Version: manifestVersion, head: e.head, Old: m.Old}
	next.Recent = append(slices.Clone(m.Recent), e.ID)
	if n := len(next.Recent) - recentIDs; n > 0 {
		next.Recent = next.Recent[n:]
	}
	if !e.Replaced {
		gone := make(map[string]bool, len(e.Removed))
		for _, path := range e.Removed {
			gone[path] = true
		}
		for _, f := range m.Files {
			if !gone[f.Path] {
				next.Files = append(next.Files, f)
			}
		}
	}
	for _, f := range e.Added {
		f.Token = ""
		next.Files = append(next.Files, f)
	}
	if e.Generation != m.Generation {
		next.Old = m.Generation
	}
	for _, f := range next.Files {
		next.Rows += f.Rows
		next.Bytes += f.Bytes
	}
	return next
}

// knows reports whether the commit of that id is one of the last.
func (m manifest) knows(id string) bool { return slices.Contains(m.Recent, id) }

// goneBy returns what commits have taken out of the table, which now is as in the manifest
// now, and is to be removed. A generation that was replaced stays, for those who read it,
// until the next one is.
func (m manifest) goneBy(now manifest, entries []*entry) (paths []string) {
	there := make(map[string]bool, len(now.Files))
	for _, f := range now.Files {
		there[f.Path] = true
	}
	was := m
	for _, e := range entries {
		next := was.next(e)
		gone := e.Removed
		switch {
		case e.Generation != was.Generation && was.Old > 0:
			gone = append(slices.Clone(gone), generation(was.Old))
		case e.Generation == was.Generation && e.Replaced:
			for _, f := range was.Files {
				gone = append(gone, f.Path)
			}
		}
		for _, p := range gone {
			if !there[p] {
				paths = append(paths, p)
			}
		}
		was = next
	}
	return paths
}

func parseManifest(data []byte) (m manifest, err error) {
	if err = json.Unmarshal(data, &m); err == nil && m.Version > manifestVersion {
		err = fmt.Errorf("it has the form %d, which a later version writes", m.Version)
	}
	if err == nil && m.Number == 0 {
		err = errors.New("it is of no commit")
	}
	return m, err
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
