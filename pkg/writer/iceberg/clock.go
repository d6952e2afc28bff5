package iceberg

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/apache/iceberg-go/table"
)

// A clock may be set back, or be behind those of others that write to a table. The
// format wants the times of a table's metadata in order, within a minute, and
// iceberg-go and catalogs refuse a commit that comes earlier. So a snapshot is never
// of an earlier time than the table shows already.

// lastTime returns the latest time, in ms, that an update of the table must not be
// earlier than.
func lastTime(meta table.Metadata) int64 {
	last := meta.LastUpdatedMillis()
	for e := range meta.SnapshotLogs() {
		last = max(last, e.TimestampMs)
	}
	for e := range meta.PreviousFiles() {
		last = max(last, e.TimestampMs)
	}
	return last
}

// presentable returns the metadata with no time in it that is yet to come, so that
// iceberg-go lets a commit be staged on it. What the commit says is put right by
// inOrder.
func presentable(meta table.Metadata) (table.Metadata, error) {
	now := time.Now().UnixMilli()
	if lastTime(meta) <= now {
		return meta, nil
	}
	text, err := json.Marshal(meta)
	if err != nil {
		return nil, err
	}
	fields := make(map[string]any)
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber() // ids do not fit into a float
	if err := d.Decode(&fields); err != nil {
		return nil, err
	}
	bring(fields, "last-updated-ms", now)
	for _, log := range []string{"snapshot-log", "metadata-log"} {
		entries, _ := fields[log].([]any)
		for _, e := range entries {
			bring(e, "timestamp-ms", now)
		}
	}
	if text, err = json.Marshal(fields); err != nil {
		return nil, err
	}
	return table.ParseMetadataBytes(text)
}

// bring lowers a time of a JSON object to now if it is later.
func bring(object any, field string, now int64) {
	if m, ok := object.(map[string]any); ok {
		if n, ok := m[field].(json.Number); ok {
			if at, err := n.Int64(); err == nil && at > now {
				m[field] = now
			}
		}
	}
}

// inOrder sees to it that no snapshot that is added is of a time before last.
func inOrder(updates []table.Update, last int64) error {
	for i, u := range updates {
		if u.Action() != table.UpdateAddSnapshot {
			continue
		}
		snap, err := addedSnapshot(u)
		if err != nil {
			return err
		}
		if snap.TimestampMs < last {
			snap.TimestampMs = last
			updates[i] = table.NewAddSnapshotUpdate(snap)
		}
	}
	return nil
}
