package main

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
)

// planning reads what every reader has to before it knows which files there are: the
// metadata file, the list of manifests, and the manifests. It tells how long that takes
// and how much it is.
func planning(ctx context.Context, lake string) (took time.Duration, size int64, err error) {
	start := time.Now()
	dir := filepath.Join(lake, "bench", "t", "metadata")
	number, err := os.ReadFile(filepath.Join(dir, "version-hint.text"))
	if err != nil {
		return 0, 0, err
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(number)))
	if err != nil {
		return 0, 0, err
	}
	file := filepath.Join(dir, "v"+strconv.Itoa(n)+".metadata.json")
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, 0, err
	}
	meta, err := table.ParseMetadataBytes(text)
	if err != nil {
		return 0, 0, err
	}
	size = int64(len(text))
	files, err := iceio.LoadFS(ctx, nil, "file://"+file)
	if err != nil {
		return 0, 0, err
	}
	snap := meta.CurrentSnapshot()
	manifests, err := snap.Manifests(files)
	if err != nil {
		return 0, 0, err
	}
	for _, m := range manifests {
		for _, err := range m.Entries(files, true) {
			if err != nil {
				return 0, 0, err
			}
		}
		size += m.Length()
	}
	took = time.Since(start)
	var info fs.FileInfo
	if info, err = os.Stat(strings.TrimPrefix(snap.ManifestList, "file://")); err == nil {
		size += info.Size()
	}
	return took, size, err
}
