package iceberg

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/apache/iceberg-go/table"
)

// syncHint makes an embedded lake's table readable by its folder alone, as DuckDB's
// iceberg_scan and Spark's HadoopTables do: metadata/version-hint.text names a
// number N, and vN.metadata.json is the current metadata under that name.
func (s *Sink) syncHint(ctx context.Context, ident table.Identifier, location string) error {
	dir, err := localPath(location)
	if err != nil {
		return err
	}
	dir = filepath.Join(dir, "metadata")
	// Whoever holds the folder asks the catalog anew, so the last one writes
	// what is current, in whatever order commits got here.
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := lockFile(d); err != nil {
		return err
	}
	tbl, err := s.cat.LoadTable(ctx, ident)
	if err != nil {
		return err
	}
	current, err := localPath(tbl.MetadataLocation())
	if err != nil || filepath.Dir(current) != dir {
		return err
	}
	number, _, ok := strings.Cut(filepath.Base(current), "-")
	n, err := strconv.Atoi(number)
	if !ok || err != nil {
		return fmt.Errorf("metadata file %s has no version number", current)
	}
	alias := filepath.Join(dir, fmt.Sprintf("v%d.metadata.json", n))
	hintFile := filepath.Join(dir, "version-hint.text")
	if have, err := os.ReadFile(hintFile); err == nil && string(have) == strconv.Itoa(n) && sameFile(alias, current) {
		return nil
	}
	if !sameFile(alias, current) {
		if err := linkOver(current, alias); err != nil {
			return err
		}
	}
	if err := writeAtomic(hintFile, []byte(strconv.Itoa(n))); err != nil {
		return err
	}
	// Readers that took the number just before still find their file.
	_ = os.Remove(filepath.Join(dir, fmt.Sprintf("v%d.metadata.json", n-keepAliases)))
	return nil
}

// keepAliases is how many versions of a table keep their second name.
const keepAliases = 10

func sameFile(a, b string) bool {
	sa, errA := os.Stat(a)
	sb, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(sa, sb)
}

// linkOver makes name a second name of file, whatever it was before.
func linkOver(file, name string) error {
	tmp := name + ".tmp"
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Link(file, tmp); err != nil {
		// No hard links here: a copy does, metadata files never change.
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		return writeAtomic(name, text)
	}
	return os.Rename(tmp, name)
}

// writeAtomic puts a file in place whole, and durably.
func writeAtomic(name string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), ".tmp-*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return syncDir(filepath.Dir(name))
}
