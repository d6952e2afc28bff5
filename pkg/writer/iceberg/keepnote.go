package iceberg

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/iceberg-go"

	"github.com/tablehaul/tablehaul/pkg/writer"
)

// A keptPlan is the content of RUN.plan.
type keptPlan struct {
	Table  string `json:"table"`  // fingerprint
	Layout string `json:"layout"` // of the files
	Note   string `json:"note"`
}

// A keptNote is the content of RUN.00000. The files are told by a manifest, which
// holds all that a commit has to know of them.
type keptNote struct {
	Origins  []int  `json:"origins"`
	Manifest []byte `json:"manifest"`

	number int
	files  []iceberg.DataFile
}

// fingerprint tells tables apart whose staged files are not each other's: their
// columns, with the ids that files name them by, and where they come from.
func (w *Writer) fingerprint() string {
	fields, _ := json.Marshal(w.schema.Fields()) // that are read from JSON themselves
	return fmt.Sprintf("%s %d %s %s", w.src, formatVersion, w.src.Shape(), fields)
}

// layoutPrint tells layouts apart whose files do not go into one table. They name the
// spec and the sort order by their ids.
func (w *Writer) layoutPrint() string {
	text, _ := json.Marshal([]any{w.layout.spec, w.layout.order}) // that are read from JSON themselves
	return string(text)
}

func (w *Writer) writePlan(note string) error {
	text, err := json.Marshal(keptPlan{w.fingerprint(), w.layoutPrint(), note})
	if err != nil {
		return err
	}
	return w.writeNote(w.keep.run+".plan", text)
}

// writeNote puts a file beside the record. The caller holds w.mu, or the right to
// write a note.
func (w *Writer) writeNote(name string, text []byte) error {
	w.keep.notes = append(w.keep.notes, name)
	if err := w.st.dirs.sync(); err != nil {
		return err // the names of data files come first
	}
	return w.st.files().WriteFile(w.stagingFolder()+"/"+name, text)
}

// noteWhole writes down which origins are safe, if there are new ones.
func (w *Writer) noteWhole() error {
	k := w.keep
	k.writing <- struct{}{}
	defer func() { <-k.writing }()
	w.mu.Lock()
	files, origins := k.ready(w.staged)
	n, entries := k.next, make([]iceberg.ManifestEntry, len(files))
	for i, f := range files {
		id := int64(1) // of no snapshot yet
		entries[i] = iceberg.NewManifestEntry(iceberg.EntryStatusADDED, &id, nil, nil, w.staged[f].df)
	}
	w.mu.Unlock()
	if len(files) == 0 || n < 0 { // an origin without rows is read again as quickly
		return nil
	}
	// Another run may have taken this one for dead, and goes on with the notes' numbers.
	if err := w.record.alive(); err != nil {
		return err
	}
	var manifest bytes.Buffer
	if _, err := iceberg.WriteManifest("", &manifest, formatVersion, w.layout.spec, w.schema, 1, entries); err != nil {
		return err
	}
	text, err := json.Marshal(keptNote{Origins: origins, Manifest: manifest.Bytes()})
	if err != nil {
		return err
	}
	if err := w.writeNote(fmt.Sprintf("%s.%05d", k.run, n), text); err != nil {
		return err
	}
	w.mu.Lock()
	if k.next < 0 { // abandoned meanwhile
		w.mu.Unlock()
		return nil
	}
	k.next++
	for _, f := range files { // staged has only grown meanwhile
		w.staged[f].noted = true
	}
	for _, o := range origins {
		k.origins[o].noted = true
	}
	w.mu.Unlock()
	w.sink.step("stock kept")
	return nil
}

// forget removes what is kept, when it is committed or abandoned.
func (k *keeping) forget(st *storage, folder string) error {
	if k == nil {
		return nil
	}
	var locations []string
	for _, name := range k.notes {
		locations = append(locations, folder+"/"+name)
	}
	return st.removeAll(locations)
}

// keptBy returns what a dead run has kept if it is of use: for a table that it fits,
// and that has not got it already.
func (w *Writer) keptBy(run *deadRun, named map[string]bool) (*keptRun, error) {
	fresh := w.mode == writer.Create || w.follows()
	if run.orphan || !w.keepable() || !(fresh && w.pos == "" || w.mode == writer.Replace) {
		return nil, nil
	}
	if !slices.ContainsFunc(run.beside, func(name string) bool { return noteNumber(run.name, name) >= 0 }) {
		return nil, nil
	}
	text, err := readAll(w.st.files(), w.stagingFolder()+"/"+run.name+".plan")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var plan keptPlan
	_ = json.Unmarshal([]byte(text), &plan) // one that was being written is no plan
	if why := w.misfits(plan); why != "" {
		w.sink.warn(fmt.Sprintf("%s is copied from its beginning, though an earlier run has got on with it: %s", w.src, why))
		return nil, nil
	}
	all, err := w.readNotes(run)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	k := &keptRun{run: run, plan: plan.Note}
	seen := make(map[int]bool)
	for _, n := range all {
		there := true
		for _, o := range n.Origins {
			there = there && !seen[o] // else two processes have taken the run for theirs
			seen[o] = true
		}
		for _, f := range n.files {
			if named[path.Base(f.FilePath())] {
				return nil, nil // the run has died after its commit
			}
			there = there && w.isThere(f)
		}
		if !there {
			// Its origins may have rows in files of other notes too.
			return nil, nil
		}
		k.notes = append(k.notes, n)
	}
	return k, nil
}

// misfits tells what keeps files of the plan from going into the table.
func (w *Writer) misfits(plan keptPlan) string {
	switch {
	case plan.Table != w.fingerprint():
		return "its columns have changed since"
	case plan.Layout != w.layoutPrint():
		return "it is to be partitioned or sorted otherwise now"
	}
	return ""
}

// isThere reports whether a file is as long as it was when it was noted.
func (w *Writer) isThere(f iceberg.DataFile) bool {
	r, err := w.st.files().Open(f.FilePath())
	if err != nil {
		return false
	}
	defer r.Close()
	info, err := r.Stat()
	return err == nil && info.Size() == f.FileSizeBytes()
}

// noteNumber returns the number of a run's note, −1 if the file of that name is none.
func noteNumber(run, name string) int {
	n, err := strconv.Atoi(strings.TrimPrefix(name, run+"."))
	if err != nil {
		return -1
	}
	return n
}

// readNotes returns the notes of a dead run. One that was being written when the
// run died cannot be read, and its files were not to be counted on.
func (w *Writer) readNotes(run *deadRun) ([]keptNote, error) {
	var notes []keptNote
	for _, name := range run.beside {
		number := noteNumber(run.name, name)
		if number < 0 {
			continue
		}
		text, err := readAll(w.st.files(), w.stagingFolder()+"/"+name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		n := keptNote{number: number}
		if json.Unmarshal([]byte(text), &n) != nil {
			continue
		}
		spec := int32(w.layout.spec.ID()) //nolint:gosec // the format's; if the run's was another, nobody asks for it
		file := iceberg.NewManifestFile(formatVersion, "", int64(len(n.Manifest)), spec, 1).Build()
		entries, err := iceberg.ReadManifest(file, bytes.NewReader(n.Manifest), true)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", name, err)
		}
		for _, e := range entries {
			n.files = append(n.files, e.DataFile())
		}
		notes = append(notes, n)
	}
	return notes, nil
}
