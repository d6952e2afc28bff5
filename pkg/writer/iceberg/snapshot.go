package iceberg

import (
	"context"
	"maps"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/iceberg-go"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
)

// stage adds to tx the snapshot that publishes the staged files.
func (w *Writer) stage(ctx context.Context, tbl *table.Table, tx *table.Transaction, fs iceio.IO, note iceberg.Properties) error {
	files := make([]iceberg.DataFile, len(w.staged))
	for i, d := range w.staged {
		files[i] = d.df
	}
	summary := maps.Clone(note)
	if w.replace {
		data, deletes, err := liveFiles(tbl, fs)
		if err != nil {
			return err
		}
		if len(data)+len(deletes) > 0 {
			return tx.ReplaceFiles(ctx, data, files, deletes, summary, table.WithoutAutoNameMapping())
		}
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

// A noteIO remembers the files that are created through it.
type noteIO struct {
	iceio.WriteFileIO
	made []string
}

func (n *noteIO) open(context.Context) (iceio.IO, error) { return n, nil }

// Create notes the name and passes it on.
func (n *noteIO) Create(name string) (iceio.FileWriter, error) {
	n.made = append(n.made, name)
	return n.WriteFileIO.Create(name)
}

// removeMade deletes metadata files of an attempt that has not landed. What
// fails stays behind as an orphan, which no reader sees.
func (w *Writer) removeMade(files []string) {
	for _, f := range files {
		_ = w.st.remove(f)
	}
}
