package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

// foreignProperty in a snapshot's summary tells check.py that it is not the
// program's, and has no position.
const foreignProperty = "chaos"

// A tableState is what a catalog answers about a table, as far as it matters.
type tableState struct {
	Metadata struct {
		UUID      string           `json:"table-uuid"`
		Sequence  int64            `json:"last-sequence-number"`
		Current   int64            `json:"current-snapshot-id"`
		Snapshots []map[string]any `json:"snapshots"`
	} `json:"metadata"`
}

// compact commits as another engine's compaction does: a new snapshot on top of
// the current one, with the same rows. Here it even has the same files. It
// reports whether there was a table to do it to.
func compact(ctx context.Context, catalog, namespace, table string) (bool, error) {
	url := fmt.Sprintf("%s/v1/namespaces/%s/tables/%s", catalog, namespace, table)
	for range 20 { // the program may have committed meanwhile
		status, body, err := call(ctx, http.MethodGet, url, nil)
		if err != nil || status == http.StatusNotFound {
			return false, err
		}
		var t tableState
		d := json.NewDecoder(bytes.NewReader(body))
		d.UseNumber() // ids do not fit into floats
		if err := d.Decode(&t); err != nil {
			return false, fmt.Errorf("%s: %w", url, err)
		}
		update := t.compaction()
		if update == nil {
			return false, nil
		}
		status, body, err = call(ctx, http.MethodPost, url, update)
		switch {
		case err != nil:
			return false, err
		case status == http.StatusOK:
			return true, nil
		case status != http.StatusConflict:
			return false, fmt.Errorf("%s: status %d: %.300s", url, status, body)
		}
	}
	return false, nil
}

// compaction is the request that makes the commit, nil without a snapshot.
func (t *tableState) compaction() any {
	m := t.Metadata
	for _, s := range m.Snapshots {
		if fmt.Sprint(s["snapshot-id"]) != fmt.Sprint(m.Current) {
			continue
		}
		summary := map[string]any{"operation": "replace", foreignProperty: "compaction"}
		if old, ok := s["summary"].(map[string]any); ok && old["total-records"] != nil {
			summary["total-records"] = old["total-records"]
		}
		id := time.Now().UnixNano()
		snapshot := map[string]any{
			"snapshot-id": id, "parent-snapshot-id": m.Current, "sequence-number": m.Sequence + 1,
			"timestamp-ms": time.Now().UnixMilli(), "manifest-list": s["manifest-list"], "summary": summary, "schema-id": s["schema-id"],
		}
		return map[string]any{
			"requirements": []any{
				map[string]any{"type": "assert-table-uuid", "uuid": m.UUID},
				map[string]any{"type": "assert-ref-snapshot-id", "ref": "main", "snapshot-id": m.Current},
			},
			"updates": []any{
				map[string]any{"action": "add-snapshot", "snapshot": snapshot},
				map[string]any{"action": "set-snapshot-ref", "ref-name": "main", "type": "branch", "snapshot-id": id},
			},
		}
	}
	return nil
}

func call(ctx context.Context, method, url string, body any) (int, []byte, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return 0, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(text))
	if err != nil {
		return 0, nil, err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	return resp.StatusCode, answer, err
}
