package iceberg

import (
	"context"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
	"github.com/google/uuid"
)

// Manifests, lists of them and metadata files have a UUID in their names. A run's
// record tells the UUIDs before there is a file with them, so that who finds the run
// dead finds what it has made and no table names.

// uuidIn returns the UUID in the name of a metadata file, "" if there is none.
func uuidIn(name string) string {
	const size = 36
	for name = path.Base(name); len(name) >= size; {
		if uuid.Validate(name[:size]) == nil {
			return name[:size]
		}
		at := strings.IndexByte(name, '-')
		if at < 0 {
			break
		}
		name = name[at+1:]
	}
	return ""
}

// commitUUID returns the UUID in a commit's id, see session.commitID.
func commitUUID(id string) string {
	_, rest, _ := strings.Cut(id, ".")
	if id = strings.TrimPrefix(rest, replacing); uuid.Validate(id) != nil {
		return ""
	}
	return id
}

// metadataOf names the metadata file of a commit of ours after the commit: that of changes
// or of upkeep which the properties from before do not have.
func metadataOf(location string, meta table.Metadata, before iceberg.Properties) string {
	id := ""
	for _, name := range []string{commitProperty, upkeepProperty} {
		if now := meta.Properties()[name]; now != before[name] {
			id = commitUUID(now)
		}
	}
	if old := uuidIn(location); id != "" && old != "" {
		return strings.TrimSuffix(location, path.Base(location)) + strings.Replace(path.Base(location), old, id, 1)
	}
	return location
}

// announce sees to it that there is a record before a commit makes its files: nothing
// may be staged. Its folder, made by now, is made durable by now too, for it may be gone
// when others are.
func (w *Writer) announce(ctx context.Context) error {
	if err := w.begin(ctx); err != nil {
		return err
	}
	return w.st.dirs.sync()
}

// makes adds UUIDs to the record. It need not survive more than the process.
func (r *stagingRecord) makes(ids ...string) error {
	r.mu.Lock()
	for _, id := range ids {
		if id != "" && !slices.Contains(r.made, id) {
			r.made = append(r.made, id)
		}
	}
	r.mu.Unlock()
	return r.again()
}

// discardMade deletes the metadata files that a dead run has made. named has the names
// of those that the table has.
func (w *Writer) discardMade(run *deadRun, named map[string]bool) error {
	if len(run.text.made) == 0 {
		return nil
	}
	folder := w.location + "/metadata"
	names, _, err := listStaging(w.st, folder)
	if err != nil {
		return err
	}
	for _, name := range names {
		ours := strings.HasSuffix(name, ".avro") || strings.HasSuffix(name, ".metadata.json")
		if !ours || named[name] || !slices.Contains(run.text.made, uuidIn(name)) {
			continue
		}
		if err := w.st.remove(folder + "/" + name); err != nil {
			return err
		}
	}
	return nil
}

// discardAliases deletes what a run leaves that dies in syncHint.
func discardAliases(location string) error {
	dir, err := localPath(location)
	if err != nil {
		return err
	}
	d, err := os.Open(filepath.Join(dir, "metadata"))
	if err != nil {
		return err
	}
	defer d.Close()
	if err := lockFile(d); err != nil { // nobody is at it
		return err
	}
	names, err := d.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasPrefix(name, ".tmp-") || strings.HasSuffix(name, ".metadata.json.tmp") {
			if err := os.Remove(filepath.Join(d.Name(), name)); err != nil {
				return err
			}
		}
	}
	return nil
}
