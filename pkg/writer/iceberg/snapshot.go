package iceberg

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/iceberg-go"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
)

// stage adds to tx the snapshot that publishes the staged files. It may take up to
// three, of which collapse makes one.
func (w *Writer) stage(ctx context.Context, tbl *table.Table, tx *table.Transaction, fs iceio.IO, note iceberg.Properties) error {
	var stock, data, deletes []iceberg.DataFile
	for _, d := range w.staged {
		switch d.content {
		case stockContent:
			stock = append(stock, d.df)
		case dataContent:
			data = append(data, d.df)
		default:
			deletes = append(deletes, d.df)
		}
	}
	if len(deletes) == 0 {
		return w.publish(ctx, tbl, tx, fs, append(stock, data...), note)
	}
	if len(stock) > 0 || w.replace {
		// Deletes by key reach files of older snapshots only.
		if err := w.publish(ctx, tbl, tx, fs, stock, note); err != nil {
			return err
		}
	}
	return tx.NewRowDelta(maps.Clone(note)).AddRows(data...).AddDeletes(deletes...).Commit(ctx)
}

// publish adds a snapshot with the files, be there any or none. If the content is
// to be exchanged they take the place of all others.
func (w *Writer) publish(ctx context.Context, tbl *table.Table, tx *table.Transaction, fs iceio.IO, files []iceberg.DataFile, note iceberg.Properties) error {
	summary := maps.Clone(note)
	if w.replace {
		data, deletes, err := liveFiles(tbl, fs)
		if err != nil {
			return err
		}
		if len(data)+len(deletes) > 0 && w.layout.version >= 3 && len(files) > 0 {
			// iceberg-go wants to be told the numbers of the rows of files that take
			// the place of others, but not those of new ones.
			err := tx.ReplaceFiles(ctx, data, nil, deletes, summary, table.WithoutAutoNameMapping())
			if err != nil {
				return err
			}
			return tx.NewRowDelta(maps.Clone(note)).AddRows(files...).Commit(ctx)
		}
		if len(data)+len(deletes) > 0 {
			return tx.ReplaceFiles(ctx, data, files, deletes, summary, table.WithoutAutoNameMapping())
		}
	}
	if len(files) > 0 && w.layout.version >= 3 { // as above
		return tx.NewRowDelta(summary).AddRows(files...).Commit(ctx)
	}
	if len(files) > 0 {
		return tx.AddDataFiles(ctx, files, summary, table.WithoutAutoNameMapping(), table.WithoutDuplicateCheck())
	}
	// A commit of properties alone asserts nothing that a snapshot changes, so
	// a stale writer would overwrite the position: an empty snapshot is fenced.
	sc, err := table.SchemaToArrowSchema(w.schema, nil, true, false)
	if err != nil {
		return err
	}
	none, err := array.NewRecordReader(sc, nil)
	if err != nil {
		return err
	}
	defer none.Release()
	return tx.Append(ctx, none, summary)
}

// collapse leaves of the snapshots that a commit adds the last alone, as the
// successor of what came before the first: what the others hold, the last lists
// too, with the lower sequence number by which deletes apply to it. Nobody ever
// sees stock without the changes that make it whole. It returns the manifest lists
// of the others, which nothing names then.
func collapse(updates []table.Update) (kept []table.Update, orphans []string, err error) {
	var added []*table.Snapshot
	at := 0 // the last one's update
	for i, u := range updates {
		if u.Action() == table.UpdateAddSnapshot {
			snap, err := addedSnapshot(u)
			if err != nil {
				return nil, nil, err
			}
			added, at = append(added, snap), i
		}
	}
	if len(added) < 2 {
		return updates, nil, nil
	}
	last := added[len(added)-1]
	last.ParentSnapshotID = added[0].ParentSnapshotID
	for _, s := range added[:len(added)-1] {
		orphans = append(orphans, s.ManifestList)
		if s.Summary != nil && s.Summary.Operation == table.OpOverwrite && last.Summary != nil {
			last.Summary.Operation = table.OpOverwrite
		}
		if s.AddedRows != nil && last.AddedRows != nil { // rows are numbered on from one to the next
			*last.AddedRows += *s.AddedRows
		}
	}
	last.FirstRowID = added[0].FirstRowID
	kept = slices.DeleteFunc(slices.Clone(updates[:at]), func(u table.Update) bool {
		return u.Action() == table.UpdateAddSnapshot || u.Action() == table.UpdateSetSnapshotRef
	})
	return append(append(kept, table.NewAddSnapshotUpdate(last)), updates[at+1:]...), orphans, nil
}

// addedSnapshot returns the snapshot of an add-snapshot update, whose type is
// iceberg-go's own, by the form that it has on the wire.
func addedSnapshot(u table.Update) (*table.Snapshot, error) {
	text, err := json.Marshal(u)
	if err != nil {
		return nil, err
	}
	var wire struct {
		Snapshot *table.Snapshot `json:"snapshot"`
	}
	if err := json.Unmarshal(text, &wire); err != nil {
		return nil, err
	}
	if wire.Snapshot == nil {
		return nil, errors.New("an update that adds no snapshot")
	}
	return wire.Snapshot, nil
}

// liveFiles lists the data files and the delete files of the current snapshot.
func liveFiles(tbl *table.Table, fs iceio.IO) (data, deletes []iceberg.DataFile, err error) {
	snap := tbl.CurrentSnapshot()
	if snap == nil {
		return nil, nil, nil
	}
	manifests, err := snap.Manifests(fs)
	if err != nil {
		return nil, nil, err
	}
	for _, m := range manifests {
		for e, err := range m.Entries(fs, true) {
			if err != nil {
				return nil, nil, err
			}
			if e.DataFile().ContentType() == iceberg.EntryContentData {
				data = append(data, e.DataFile())
			} else {
				deletes = append(deletes, e.DataFile())
			}
		}
	}
	return data, deletes, nil
}

// A noteIO remembers the files that are created through it, and has the record tell
// their UUIDs before, with those of what else the commit makes or leaves behind.
type noteIO struct {
	iceio.WriteFileIO
	record *stagingRecord
	beside []string
	mu     sync.Mutex // manifests of data and of deletes are written at once
	made   []string
	told   string
}

func (n *noteIO) open(context.Context) (iceio.IO, error) { return n, nil }

// Create notes the name and passes it on.
func (n *noteIO) Create(name string) (iceio.FileWriter, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.made = append(n.made, name)
	if id := uuidIn(name); id != n.told {
		if err := n.record.makes(append(n.beside, id)...); err != nil {
			return nil, err
		}
		n.told = id
	}
	return n.WriteFileIO.Create(name)
}

// removeMade deletes metadata files of an attempt that has not landed. What fails is
// tried again before the run ends.
func (w *Writer) removeMade(files []string) {
	for _, f := range files {
		if w.st.remove(f) != nil {
			w.abandon(f)
		}
	}
}
