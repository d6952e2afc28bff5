package iceberg

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strconv"
	"strings"
	"sync"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/catalog"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/table"
)

// A metadataCache holds the metadata of tables as it is in their metadata files,
// which never change. iceberg-go reads and parses the file three times for a
// commit; a stream commits often, and the file has all snapshots in it.
type metadataCache struct {
	mu        sync.Mutex
	tables    map[string]cachedMetadata // by identifier
	snapshots int
}

type cachedMetadata struct {
	location string
	meta     table.Metadata
}

// maxCachedSnapshots bounds the cache; a snapshot takes about 2 KiB.
const maxCachedSnapshots = 10_000

func cacheKey(ident table.Identifier) string { return strings.Join(ident, "\x00") }

func (m *metadataCache) get(ident table.Identifier, location string) table.Metadata {
	m.mu.Lock()
	defer m.mu.Unlock()
	if c := m.tables[cacheKey(ident)]; c.location == location {
		return c.meta
	}
	return nil
}

func (m *metadataCache) put(ident table.Identifier, location string, meta table.Metadata) {
	m.mu.Lock()
	defer m.mu.Unlock()
	key := cacheKey(ident)
	if old := m.tables[key]; old.meta != nil {
		m.snapshots -= len(old.meta.Snapshots())
		delete(m.tables, key)
	}
	n := len(meta.Snapshots())
	if m.tables == nil || m.snapshots+n > maxCachedSnapshots {
		m.tables, m.snapshots = make(map[string]cachedMetadata), 0
	}
	if n <= maxCachedSnapshots {
		m.tables[key] = cachedMetadata{location, meta}
		m.snapshots += n
	}
}

// location asks the database where the table's metadata file is; "" if it does
// not tell.
func (c *sqlCatalog) location(ctx context.Context, ident table.Identifier) string {
	var at sql.NullString
	err := c.db.QueryRowContext(ctx, `SELECT metadata_location FROM iceberg_tables WHERE catalog_name = ? AND table_namespace = ? AND table_name = ?`,
		c.name, namespaceKey(catalog.NamespaceFromIdent(ident)), catalog.TableNameFromIdent(ident)).Scan(&at)
	if err != nil {
		return ""
	}
	return at.String
}

// absent reports whether the database says that there is no such table.
func (c *sqlCatalog) absent(ctx context.Context, ident table.Identifier) bool {
	var one int
	err := c.db.QueryRowContext(ctx, `SELECT 1 FROM iceberg_tables WHERE catalog_name = ? AND table_namespace = ? AND table_name = ?`,
		c.name, namespaceKey(catalog.NamespaceFromIdent(ident)), catalog.TableNameFromIdent(ident)).Scan(&one)
	return errors.Is(err, sql.ErrNoRows)
}

// LoadTable reads the metadata file only if it is another than the last time.
func (c *sqlCatalog) LoadTable(ctx context.Context, ident table.Identifier) (*table.Table, error) {
	at := c.location(ctx, ident)
	if meta := c.cache.get(ident, at); meta != nil {
		return table.New(ident, meta, at, iceio.LoadFSFunc(c.props, at), c), nil
	}
	tbl, err := c.Catalog.LoadTable(ctx, ident)
	if err == nil {
		c.cache.put(ident, tbl.MetadataLocation(), tbl.Metadata())
	}
	return tbl, err
}

// CommitTable does what iceberg-go's does, without reading what is known.
func (c *sqlCatalog) CommitTable(ctx context.Context, ident table.Identifier, reqs []table.Requirement, updates []table.Update) (table.Metadata, string, error) {
	tbl, err := c.LoadTable(ctx, ident)
	if err != nil {
		return nil, "", err
	}
	before, meta := tbl.MetadataLocation(), tbl.Metadata()
	for _, r := range reqs {
		if err := r.Validate(meta); err != nil {
			return nil, "", err
		}
	}
	unalias(updates)
	if meta, err = table.UpdateTableMetadata(meta, updates, before); err != nil {
		return nil, "", err
	}
	number, _, _ := strings.Cut(path.Base(before), "-")
	n, err := strconv.Atoi(number)
	if err != nil || meta.Properties().Get(table.MetadataCompressionKey, table.MetadataCompressionDefault) != table.MetadataCompressionCodecNone {
		return c.Catalog.CommitTable(ctx, ident, reqs, updates)
	}
	st, at, err := c.writeMetadata(ctx, meta, n+1, tbl.Properties())
	if err != nil {
		return nil, "", err
	}
	res, err := c.db.ExecContext(ctx, `UPDATE iceberg_tables SET metadata_location = ?, previous_metadata_location = ?
		WHERE catalog_name = ? AND table_namespace = ? AND table_name = ? AND metadata_location = ?`,
		at, before, c.name, namespaceKey(catalog.NamespaceFromIdent(ident)), catalog.TableNameFromIdent(ident), before)
	if err != nil {
		switch c.location(ctx, ident) {
		case at: // it was only the reply that failed
			c.cache.put(ident, at, meta)
			return meta, at, nil
		case before:
			_ = st.remove(at)
		}
		return nil, "", err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		if err == nil {
			err = fmt.Errorf("%w: the table has been changed by another", table.ErrCommitFailed)
		}
		return nil, "", errors.Join(err, st.remove(at))
	}
	c.cache.put(ident, at, meta)
	return meta, at, nil
}

// writeMetadata writes a metadata file. before are the properties of the commits that it
// does not come from.
func (c *sqlCatalog) writeMetadata(ctx context.Context, meta table.Metadata, number int, before iceberg.Properties) (*storage, string, error) {
	provider, err := table.LoadLocationProvider(meta.Location(), meta.Properties())
	if err != nil {
		return nil, "", err
	}
	at, err := provider.NewTableMetadataFileLocation(number)
	if err != nil {
		return nil, "", err
	}
	at = metadataOf(at, meta, before)
	text, err := json.Marshal(meta)
	if err != nil {
		return nil, "", err
	}
	st, err := openStorage(ctx, c.props, at)
	if err != nil {
		return nil, "", err
	}
	if err = st.files().WriteFile(at, text); err != nil {
		_ = st.remove(at) // there may be half of it
	}
	return st, at, err
}
