package iceberg

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/apache/iceberg-go"
)

// The kinds of catalog that a URL can name.
type catalogKind int

const (
	embedded catalogKind = iota // one folder with catalog.db and the tables
	rest
	sqlite
	named // of .iceberg-go.yaml
)

// A target is a parsed sink URL.
type target struct {
	kind  catalogKind
	path  string             // embedded: the folder; sqlite: the database file
	name  string             // named: the catalog; else the name rows of a SQL catalog carry, "" for the default
	ns    []string           // "" means each table's own database
	props iceberg.Properties // for the catalog and its file IO
	look  bool               // nothing is to be made
}

// parseURL reads the sink's URL. Errors do not repeat it, because it may hold
// what its user should have kept in the environment.
func parseURL(s string) (target, error) {
	scheme, rest_, ok := strings.Cut(s, ":")
	if !ok {
		return target{}, errors.New("bad Iceberg URL: no scheme")
	}
	if scheme == "iceberg" && !strings.HasPrefix(rest_, "//") {
		return parseEmbedded(rest_)
	}
	if scheme == "iceberg+sql" {
		return parseSQL(rest_)
	}
	u, err := url.Parse(s)
	if err != nil {
		var ue *url.Error
		if errors.As(err, &ue) { // its text repeats the URL
			err = ue.Err
		}
		return target{}, fmt.Errorf("bad Iceberg URL: %w", err)
	}
	t := target{props: queryProps(u.Query()), ns: namespaceOf(strings.Trim(u.Path, "/"))}
	switch scheme {
	case "iceberg":
		t.kind, t.name = named, u.Host
	case "iceberg+rest", "iceberg+rests":
		t.kind = rest
		base := url.URL{Scheme: "http", Host: u.Host}
		if scheme == "iceberg+rests" {
			base.Scheme = "https"
		}
		// A catalog below a path of its server is told by ?uri=.
		if t.props["uri"] == "" {
			t.props["uri"] = base.String()
		}
		if u.User != nil {
			return target{}, errors.New("bad Iceberg URL: credentials do not belong in it; set ICEBERG_REST_TOKEN or ICEBERG_REST_CREDENTIAL")
		}
	default:
		return target{}, fmt.Errorf("bad Iceberg URL: scheme %q is not one of iceberg, iceberg+rest, iceberg+rests, iceberg+sql", scheme)
	}
	if u.Host == "" {
		return target{}, fmt.Errorf("bad Iceberg URL: %s:// wants a name behind it", scheme)
	}
	switch ns := namespaceOf(take(t.props, "namespace")); {
	case t.ns == nil:
		t.ns = ns
	case ns != nil:
		return target{}, errors.New("bad Iceberg URL: both its path and ?namespace= name a namespace")
	}
	return t, checkURLProperties(t.kind, t.props)
}

// parseEmbedded reads PATH[?namespace=NS]. The path is a plain one, as typed in
// a shell; only what follows its last question mark is a query.
func parseEmbedded(s string) (target, error) {
	path, query, _ := strings.Cut(s, "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		return target{}, fmt.Errorf("bad Iceberg URL: %w", err)
	}
	if path == "" {
		return target{}, errors.New("bad Iceberg URL: want iceberg:FOLDER")
	}
	// A shell expands ~ at the start of a word only, which this is not.
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		home, err := os.UserHomeDir()
		if err != nil {
			return target{}, err
		}
		path = filepath.Join(home, rest)
	}
	t := target{kind: embedded, props: queryProps(q)}
	if t.path, err = absolute(path); err != nil {
		return target{}, err
	}
	t.ns = namespaceOf(take(t.props, "namespace"))
	t.name = take(t.props, "catalog")
	return t, checkURLProperties(t.kind, t.props)
}

// parseSQL reads [sqlite:]FILE?warehouse=LOCATION[&namespace=NS][&catalog=NAME]…
func parseSQL(s string) (target, error) {
	path, query, _ := strings.Cut(s, "?")
	q, err := url.ParseQuery(query)
	if err != nil {
		return target{}, fmt.Errorf("bad Iceberg URL: %w", err)
	}
	path = strings.TrimPrefix(path, "sqlite:")
	path = strings.TrimPrefix(path, "file:")
	if strings.HasPrefix(path, "//") { // file:///a, sqlite:////a
		path = path[2:]
		for strings.HasPrefix(path, "//") {
			path = path[1:]
		}
	}
	if path == "" || strings.Contains(path, "://") || strings.HasPrefix(path, "postgres") || strings.HasPrefix(path, "mysql") {
		return target{}, errors.New("bad Iceberg URL: want iceberg+sql:FILE?warehouse=…, FILE being a SQLite database")
	}
	t := target{kind: sqlite, props: queryProps(q)}
	if t.path, err = absolute(path); err != nil {
		return target{}, err
	}
	t.ns = namespaceOf(take(t.props, "namespace"))
	t.name = take(t.props, "catalog")
	if err := checkURLProperties(t.kind, t.props); err != nil { // ?warehous= before its lack
		return target{}, err
	}
	if t.props["warehouse"] == "" {
		return target{}, errors.New("bad Iceberg URL: iceberg+sql wants ?warehouse=, the folder or s3:// location of the tables")
	}
	if !strings.Contains(t.props["warehouse"], "://") {
		dir, err := absolute(strings.TrimPrefix(t.props["warehouse"], "file:"))
		if err != nil {
			return target{}, err
		}
		t.props["warehouse"] = "file://" + filepath.ToSlash(dir)
	}
	return t, nil
}

// absolute also takes ~/ for the home folder, which shells leave alone behind a
// scheme.
func absolute(path string) (string, error) {
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		home, err := os.UserHomeDir()
		if err != nil {
			return "", err
		}
		path = filepath.Join(home, rest)
	}
	return filepath.Abs(path)
}

func queryProps(q url.Values) iceberg.Properties {
	p := make(iceberg.Properties, len(q))
	for k, v := range q {
		p[k] = v[len(v)-1]
	}
	return p
}

func namespaceOf(s string) []string {
	if s == "" {
		return nil
	}
	return strings.Split(s, "/")
}

func take(p iceberg.Properties, key string) string {
	v := p[key]
	delete(p, key)
	return v
}

// Properties that name a file with the secret in it, which is read again when it
// is needed again.
const (
	tokenFileProperty      = "token-file"
	credentialFileProperty = "credential-file"
)

// envProps are properties of a REST catalog that are secrets, and so come from the
// environment, unless the URL names one. S3's credentials are read by its SDK from
// AWS_*.
func envProps(p iceberg.Properties) {
	secrets := []struct{ key, env string }{
		{"token", "ICEBERG_REST_TOKEN"},
		{tokenFileProperty, "ICEBERG_REST_TOKEN_FILE"},
		{"credential", "ICEBERG_REST_CREDENTIAL"},
		{credentialFileProperty, "ICEBERG_REST_CREDENTIAL_FILE"},
	}
	for _, s := range secrets {
		if p[s.key] != "" {
			return
		}
	}
	for _, s := range secrets {
		if v := os.Getenv(s.env); v != "" {
			p[s.key] = v
			return
		}
	}
}
