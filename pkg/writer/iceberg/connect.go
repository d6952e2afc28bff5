package iceberg

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/iceberg-go"
	sqlcat "github.com/apache/iceberg-go/catalog/sql"
	"github.com/apache/iceberg-go/config"
	iceio "github.com/apache/iceberg-go/io"
	_ "github.com/uptrace/bun/driver/sqliteshim" // the driver that .iceberg-go.yaml files name
	_ "modernc.org/sqlite"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// openCatalog connects to t's catalog. root is the location below which new
// tables go, "" if the catalog decides.
func openCatalog(ctx context.Context, t target) (c tableCatalog, root string, err error) {
	durableLocalFiles()
	registerStores()
	if t.look && (t.kind == embedded || t.kind == sqlite) {
		return look(ctx, t)
	}
	switch t.kind {
	case embedded:
		return openEmbedded(ctx, t)
	case sqlite:
		root = strings.TrimSuffix(t.props["warehouse"], "/")
		c, err = openSQL(ctx, t.name, sqliteDSN(t.path), t.props)
		return c, root, err
	case rest:
		envProps(t.props)
		return openREST(ctx, t.props)
	default:
		return openNamed(ctx, t)
	}
}

func openEmbedded(ctx context.Context, t target) (tableCatalog, string, error) {
	root := "file://" + filepath.ToSlash(t.path)
	if u, err := url.Parse(root); err != nil || u.JoinPath("x").String() != root+"/x" {
		err := fmt.Errorf("lake %q: its path holds characters that Iceberg's readers take differently", t.path)
		return nil, "", hint.Wrap(err, "choose a path of ASCII letters, digits and . _ - / for the lake")
	}
	var made dirSet
	if err := errors.Join(made.make(t.path), made.sync()); err != nil {
		return nil, "", err
	}
	c, err := openSQL(ctx, t.name, sqliteDSN(filepath.Join(t.path, "catalog.db")), iceberg.Properties{"warehouse": root})
	return c, root, err
}

// sqliteDSN names a database file so that several processes can share it. The
// journal stays SQLite's default: WAL would keep readers on read-only mounts
// and network disks out.
func sqliteDSN(path string) string {
	u := url.URL{Path: filepath.ToSlash(path)}
	return "file:" + u.EscapedPath() + "?" + sqlitePragmas
}

const sqlitePragmas = "_pragma=busy_timeout(60000)&_txlock=immediate"

const defaultCatalogName = "default"

func openSQL(ctx context.Context, name, dsn string, props iceberg.Properties) (*sqlCatalog, error) {
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		return nil, err
	}
	// One connection: SQLite has one writer anyway, and waiting in Go is fairer
	// than its busy loop.
	db.SetMaxOpenConns(1)
	c, err := newSQLCatalog(ctx, db, name, props)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return c, nil
}

func newSQLCatalog(ctx context.Context, db *sql.DB, name string, props iceberg.Properties) (*sqlCatalog, error) {
	c := &sqlCatalog{db: db, props: props}
	// Once for the tables, and once more when the name its rows go by is known.
	cat, err := sqlcat.NewCatalog(defaultCatalogName, db, sqlcat.SQLite, props)
	if err != nil {
		return nil, err
	}
	if c.name, err = catalogName(ctx, db, name); err != nil {
		return nil, err
	}
	if c.name != defaultCatalogName {
		if cat, err = sqlcat.NewCatalog(c.name, db, sqlcat.SQLite, props); err != nil {
			return nil, err
		}
	}
	c.Catalog = cat
	var n int
	err = db.QueryRowContext(ctx, `SELECT count(*) FROM pragma_table_info('iceberg_tables') WHERE name = 'iceberg_type'`).Scan(&n)
	c.v0 = n == 0
	return c, err
}

// catalogName returns the name that the rows of the database go by: a lake that
// PyIceberg or Spark made may use another than ours.
func catalogName(ctx context.Context, db *sql.DB, want string) (string, error) {
	if want != "" {
		return want, nil
	}
	rows, err := db.QueryContext(ctx, `SELECT catalog_name FROM iceberg_tables UNION SELECT catalog_name FROM iceberg_namespace_properties`)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var n string
		if err := rows.Scan(&n); err != nil {
			return "", err
		}
		names = append(names, n)
	}
	switch {
	case rows.Err() != nil:
		return "", rows.Err()
	case len(names) == 0, slices.Contains(names, defaultCatalogName):
		return defaultCatalogName, nil
	case len(names) == 1:
		return names[0], nil
	}
	return "", hint.Wrap(fmt.Errorf("the database holds several catalogs: %s", strings.Join(names, ", ")),
		"name one with ?catalog=")
}

// openNamed opens a catalog of the file that iceberg-go's tools use.
func openNamed(ctx context.Context, t target) (tableCatalog, string, error) {
	path := ""
	if dir := os.Getenv("GOICEBERG_HOME"); dir != "" {
		path = filepath.Join(dir, ".iceberg-go.yaml")
	}
	text, err := config.LoadConfigFile(path)
	if err != nil {
		return nil, "", err
	}
	conf, err := config.ParseConfig(text, t.name)
	if err != nil {
		return nil, "", fmt.Errorf("read .iceberg-go.yaml: %w", err)
	}
	if conf == nil {
		return nil, "", hint.Wrap(fmt.Errorf("catalog %q is not in .iceberg-go.yaml", t.name),
			"add it to the file in your home folder or in $GOICEBERG_HOME; for a lake in a folder write iceberg:FOLDER")
	}
	if p := conf.AwsProfile; p != "" && p != os.Getenv("AWS_PROFILE") {
		return nil, "", hint.Wrap(fmt.Errorf("catalog %q wants the AWS profile %q", t.name, p), "set AWS_PROFILE to it")
	}
	props := iceberg.Properties{"uri": conf.URI, "warehouse": conf.Warehouse}
	if conf.Credential != "" {
		props["credential"] = conf.Credential
	}
	if r := conf.RestOptions; r != nil && r.SigV4Enabled {
		props["rest.sigv4-enabled"], props["rest.signing-name"], props["rest.signing-region"] = "true", r.SigningName, r.SigningRegion
	}
	for k, v := range t.props {
		props[k] = v
	}
	switch kind := strings.ToLower(conf.CatalogType); kind {
	case "rest", "http", "https", "":
		envProps(props)
		return openREST(ctx, props)
	case "sql":
		dsn := strings.TrimPrefix(conf.URI, "sql://")
		if !strings.EqualFold(conf.SQLDialect, "sqlite") { // whatever of its drivers the file names
			return nil, "", fmt.Errorf("catalog %q wants the SQL dialect %q, which is not built in", t.name, conf.SQLDialect)
		}
		if !strings.Contains(dsn, "busy_timeout") {
			dsn += map[bool]string{true: "&", false: "?"}[strings.Contains(dsn, "?")] + sqlitePragmas
		}
		c, err := openSQL(ctx, t.name, dsn, props)
		root := strings.TrimSuffix(conf.Warehouse, "/")
		if !strings.Contains(root, "://") && root != "" {
			root = "file://" + filepath.ToSlash(strings.TrimPrefix(root, "file:"))
		}
		return c, root, err
	default:
		return nil, "", hint.Wrap(fmt.Errorf("catalog %q is of type %q, which is not built in", t.name, kind),
			"name a REST catalog, as AWS has for Glue; see docs/catalogs.md")
	}
}

// defaultRegion gives S3-compatible servers, which do not care, the region that
// the SDK insists on.
func defaultRegion(p iceberg.Properties) {
	if p[iceio.S3EndpointURL] != "" && p[iceio.S3Region] == "" && os.Getenv("AWS_REGION") == "" && os.Getenv("AWS_DEFAULT_REGION") == "" {
		p[iceio.S3Region] = "us-east-1"
	}
}
