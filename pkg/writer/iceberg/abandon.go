package iceberg

import (
	"slices"
	"strings"
	"sync"
)

// abandoned are files of a run that are not to be. They are removed before its record
// goes: an upload that was cut off, or whose answer was lost, may have made an object, and
// what cannot be removed now may be later, by the record.
type abandoned struct {
	mu        sync.Mutex // of its own: files are given up under Writer.mu and without
	locations []string
}

// abandon notes files that are to be removed before the run ends.
func (w *Writer) abandon(locations ...string) {
	w.abandoned.mu.Lock()
	defer w.abandoned.mu.Unlock()
	w.abandoned.locations = append(w.abandoned.locations, locations...)
}

// abandonStaged is abandon for what is staged, but for stock that a note names, if that
// is to be spared. The caller holds w.mu or is alone.
func (w *Writer) abandonStaged(noted bool) {
	for _, d := range w.staged {
		if noted || !d.noted {
			w.abandon(d.location)
		}
	}
	w.staged = nil
}

// removeAbandoned removes them. After an error all of them are tried again the next time.
func (w *Writer) removeAbandoned() error {
	w.abandoned.mu.Lock()
	defer w.abandoned.mu.Unlock()
	if len(w.abandoned.locations) == 0 {
		return nil
	}
	err := w.st.removeAll(w.abandoned.locations)
	if err == nil && w.prefix != "" {
		err = w.abortAgain()
	}
	if err == nil {
		w.abandoned.locations = nil
	}
	return err
}

// abortAgain aborts uploads of abandoned files: parts that were on their way when that was
// done first may have brought them back.
func (w *Writer) abortAgain() error {
	prefix, err := w.filePrefix(w.prefix)
	if err != nil {
		return err
	}
	return w.st.abortUploads(prefix, func(key string) bool {
		return slices.ContainsFunc(w.abandoned.locations, func(loc string) bool { return strings.HasSuffix(loc, "/"+key) })
	})
}
