package iceberg

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"

	"github.com/apache/iceberg-go"
)

// look opens a catalog in a file without making or changing anything: one that is
// not there is as good as empty, and so is one that a run has left before it made it.
func look(ctx context.Context, t target) (tableCatalog, string, error) {
	file, root := t.path, t.props["warehouse"]
	if t.kind == embedded {
		root = "file://" + filepath.ToSlash(t.path)
		file = filepath.Join(t.path, "catalog.db")
	}
	props := maps.Clone(t.props)
	if props == nil {
		props = iceberg.Properties{}
	}
	props["warehouse"] = root
	dsn := sqliteDSN(file)
	st, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && st.Size() == 0:
		dsn = "file::memory:?" + sqlitePragmas
	case err != nil:
		return nil, "", err
	default:
		props["init_catalog_tables"] = "false" // would be written
		// A commit that was left in its midst has to be undone before anything can be read.
		if _, err := os.Stat(file + "-journal"); errors.Is(err, fs.ErrNotExist) {
			dsn += "&mode=ro"
		}
	}
	c, err := openSQL(ctx, t.name, dsn, props)
	if err != nil {
		return nil, "", err
	}
	return c, root, nil
}
