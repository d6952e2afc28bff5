package iceberg

import "github.com/tablehaul/tablehaul/pkg/writer"

// A tally counts files that are part of a table now.
type tally struct{ files, bytes int64 }

var _ writer.Counter = (*Writer)(nil)

func (t *tally) add(files []stagedData) {
	for _, f := range files {
		t.files++
		t.bytes += f.df.FileSizeBytes()
	}
}

// Written counts data files, and files of deleted rows.
func (w *Writer) Written() (files, bytes int64) { return w.written.files, w.written.bytes }
