package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/parquet/file"
)

// lakeReport counts what a snapshot has left in an empty lake: the rows by the
// table's current Iceberg metadata, which the rows of the Parquet files must
// equal, and the bytes of those files.
func lakeReport(dir string) (report, error) {
	r, err := parquetReport(dir)
	if err != nil {
		return r, err
	}
	rows, err := icebergRows(dir)
	if err != nil {
		return r, err
	}
	if rows != r.Rows {
		return r, fmt.Errorf("the table's metadata counts %d rows, its files hold %d", rows, r.Rows)
	}
	return r, nil
}

// icebergRows reads the record count of the current snapshot out of the newest
// metadata file below dir, where only one table may be.
func icebergRows(dir string) (int64, error) {
	newest, newestVersion := "", -1
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if name, ok := strings.CutSuffix(filepath.Base(path), ".metadata.json"); ok && err == nil {
			if v := metadataVersion(name); v > newestVersion {
				newest, newestVersion = path, v
			}
		}
		return err
	})
	if err != nil {
		return 0, err
	}
	if newest == "" {
		return 0, fmt.Errorf("no Iceberg metadata in %s", dir)
	}
	return recordCount(newest)
}

// recordCount reads the record count of the current snapshot out of a metadata file.
func recordCount(path string) (int64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	var metadata struct {
		Current   int64 `json:"current-snapshot-id"`
		Snapshots []struct {
			ID      int64             `json:"snapshot-id"`
			Summary map[string]string `json:"summary"`
		} `json:"snapshots"`
	}
	if err := json.Unmarshal(text, &metadata); err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	for _, s := range metadata.Snapshots {
		if s.ID == metadata.Current {
			return strconv.ParseInt(s.Summary["total-records"], 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no current snapshot", path)
}

// metadataVersion reads the number that metadata files begin with: "00002-…"
// or "v2"; 0 if there is none.
func metadataVersion(name string) int {
	name, _, _ = strings.Cut(strings.TrimPrefix(name, "v"), "-")
	v, _ := strconv.Atoi(name)
	return v
}

// parquetReport counts the rows, by their footers, and bytes of the Parquet
// files below dir.
func parquetReport(dir string) (report, error) {
	var r report
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".parquet") {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		f, err := file.OpenParquetFile(path, false)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		r.Rows += f.NumRows()
		r.Bytes += info.Size()
		return f.Close()
	})
	return r, err
}
