//go:build unix

package iceberg

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/writer"
)

// dieAt commits to a table and dies at a step; ARG is "STEP|ROWS|LAKE".
func dieAt(arg string) error {
	ctx := context.Background()
	step, rest, _ := strings.Cut(arg, "|")
	n, lake, _ := strings.Cut(rest, "|")
	s, err := Open(ctx, "iceberg:"+lake, Options{Step: func(name string) {
		if self, err := os.FindProcess(os.Getpid()); name == step && err == nil {
			_ = self.Kill()
			select {}
		}
	}})
	if err != nil {
		return err
	}
	tbl := accounts("t")
	w, err := s.Open(ctx, tbl, writer.Append)
	if err != nil {
		return err
	}
	if n != "0" {
		if err := w.Write(ctx, rows(tbl, 100, 110)); err != nil {
			return err
		}
	}
	if err := w.Commit(ctx, "p1"); err != nil {
		return err
	}
	fmt.Println("was to die at " + step)
	return nil
}

// Whatever step a run dies at, the next one that opens the table leaves no file that
// the table does not name, with rows or without, whether it was there or not.
func TestNothingIsLeftOfDeadCommits(t *testing.T) {
	kills(t)
	for _, step := range []string{"rows written", "files durable", "manifests written", "commit sent", "commit landed", "tidied"} {
		for _, n := range []string{"10", "0"} {
			for _, exists := range []bool{true, false} {
				name := fmt.Sprintf("at %s with %s rows, exists %v", step, n, exists)
				lake := t.TempDir()
				s := openSink(t, "iceberg:"+lake, Options{})
				tbl := accounts("t")
				if exists {
					load(t, s, tbl, writer.Create, 0, 10, "p0")
				}
				cmd, out := child(t, "die", step+"|"+n+"|"+lake)
				if line, _ := out.ReadString('\n'); line != "" {
					t.Fatalf("%s: child said %q", name, line)
				}
				_ = cmd.Wait()
				must(t, openTable(t, s, tbl, writer.Append).Close())
				if extra := unnamed(t, s, lake); len(extra) > 0 {
					t.Errorf("%s: left over: %q", name, extra)
				}
			}
		}
	}
}

// What a process leaves that dies in the midst of writing the names for readers
// without a catalog goes with the dead run.
func TestHalfAnAliasIsDiscarded(t *testing.T) {
	kills(t)
	lake := t.TempDir()
	s := openSink(t, "iceberg:"+lake, Options{})
	tbl := accounts("t")
	load(t, s, tbl, writer.Create, 0, 10, "p0")
	cmd, _ := child(t, "die", "commit landed|10|"+lake)
	_ = cmd.Wait()
	for _, name := range []string{".tmp-123", "v2.metadata.json.tmp"} {
		must(t, os.WriteFile(filepath.Join(lake, "shop", "t", "metadata", name), []byte("1"), 0o600))
	}
	must(t, openTable(t, s, tbl, writer.Append).Close())
	if extra := unnamed(t, s, lake); len(extra) > 0 {
		t.Errorf("left over: %q", extra)
	}
}

// unnamed lists the files of a lake that its catalog and its one table do not name.
func unnamed(t *testing.T, s *Sink, lake string) (extra []string) {
	t.Helper()
	named := map[string]bool{"catalog.db": true, "catalog.db-wal": true, "catalog.db-shm": true, "version-hint.text": true}
	tbl, err := s.cat.LoadTable(t.Context(), s.identifier(accounts("t")))
	if err == nil {
		for name := range tableFiles(t, tbl) {
			named[name] = true
		}
	}
	alias := regexp.MustCompile(`^v\d+\.metadata\.json$`)
	for _, f := range filesIn(t, lake) {
		if !named[path.Base(f)] && !alias.MatchString(path.Base(f)) {
			extra = append(extra, f)
		}
	}
	return extra
}

// tableFiles lists the files that the metadata of a table leads to, by name.
func tableFiles(t *testing.T, tbl *table.Table) map[string]bool {
	t.Helper()
	named := map[string]bool{path.Base(tbl.MetadataLocation()): true}
	for f := range tbl.Metadata().PreviousFiles() {
		named[path.Base(f.MetadataFile)] = true
	}
	for _, snap := range tbl.Metadata().Snapshots() {
		named[path.Base(snap.ManifestList)] = true
		ms, err := snap.Manifests(localFS{})
		must(t, err)
		for _, m := range ms {
			named[path.Base(m.FilePath())] = true
			for e, err := range m.Entries(localFS{}, false) {
				must(t, err)
				named[path.Base(e.DataFile().FilePath())] = true
			}
		}
	}
	return named
}

func TestUUIDIn(t *testing.T) {
	const id = "144aec3e-16d0-4ed5-8271-d2b5a1da173d"
	for name, want := range map[string]string{
		"s3://b/t/metadata/" + id + "-m1.avro":                   id,
		"metadata/snap-7955916461627058534-0-" + id + ".avro":    id,
		"00001-" + id + ".metadata.json":                         id,
		"00001-" + id + ".gz.metadata.json":                      id,
		"20260101T000000Z-0123456789ab-00000.parquet":            "",
		"stats-7955916461627058534-144aec3e-16d0-4ed5-8271.puf":  "",
		"snap--0-144aec3e_16d0-4ed5-8271-d2b5a1da173d-and-more-": "",
	} {
		if got := uuidIn(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
}
