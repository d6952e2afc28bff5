package doris

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// A location is a sink's URL, taken apart.
type location struct {
	scheme    string
	user      string
	frontends []string // host:port of HTTP
	sql       []string // host:port of MySQL's protocol
	db        string   // "" is each table's own
	benodes   []string
	addresses map[string]string
	tls       bool
	roots     *x509.CertPool // whose certificates are believed; nil is the system's
}

const wantURL = "want doris://USER@FE:8030[,FE2:8030]/[DATABASE]"

// CheckURL finds what is wrong with a sink's URL without asking anybody.
func CheckURL(text string) error {
	_, err := parseURL(text)
	return err
}

func parseURL(text string) (location, error) {
	l := location{user: "root", addresses: map[string]string{}}
	scheme, rest, ok := strings.Cut(text, "://")
	rest, query, _ := strings.Cut(rest, "?")
	hosts, path, _ := strings.Cut(rest, "/")
	if at := strings.LastIndexByte(hosts, '@'); at >= 0 {
		user, err := url.PathUnescape(hosts[:at])
		if err != nil || strings.Contains(user, ":") {
			return l, hint.Wrap(errors.New("it has a password in it, or a user that cannot be read"), "the password comes from TABLEHAUL_DORIS_PASSWORD; other signs of the user's name as %%XX")
		}
		l.user, hosts = user, hosts[at+1:]
	}
	if strings.Contains(path, "@") { // the password would be taken for hosts, and shown
		return l, hint.Wrap(errors.New("there is a / before the @"), "the password comes from TABLEHAUL_DORIS_PASSWORD; other signs of the user's name as %%XX")
	}
	l.scheme = strings.ToLower(scheme)
	switch {
	case !ok:
		return l, hint.Wrap(errors.New("there is no :// in it"), wantURL)
	case hosts == "":
		return l, hint.Wrap(errors.New("it names no front end"), wantURL)
	}
	var err error
	if l.db, err = databaseOf(strings.TrimSuffix(path, "/")); err != nil {
		return l, err
	}
	port, err := l.parameters(query)
	if err != nil {
		return l, err
	}
	for h := range strings.SplitSeq(hosts, ",") {
		host, _, err := net.SplitHostPort(h)
		if err != nil {
			host, h = strings.Trim(h, "[]"), net.JoinHostPort(strings.Trim(h, "[]"), "8030")
		}
		if host == "" {
			return l, hint.Wrap(errors.New("it names a front end without a host"), wantURL)
		}
		l.frontends = append(l.frontends, h)
		l.sql = append(l.sql, net.JoinHostPort(host, port))
	}
	return l, nil
}

// databaseForm is that of names of databases, in Doris's own words but for letters of any script.
var databaseForm = regexp.MustCompile(`^\pL[\pL0-9_-]{0,63}$`)

// databaseOf reads a database's name: it is taken as it is, so Doris has to take it.
func databaseOf(path string) (string, error) {
	db, err := url.PathUnescape(path)
	switch {
	case err != nil:
		return "", fmt.Errorf("the name of the database: %w", err)
	case strings.Contains(db, "/"):
		return "", hint.Wrap(fmt.Errorf("more than a database is behind the hosts: %s", db), wantURL)
	case slices.Contains([]string{"information_schema", "mysql", "__internal_schema"}, strings.ToLower(db)):
		return "", hint.Wrap(fmt.Errorf("database %s is Doris's own", db), "name another one, which is made if it is not there")
	case db != "" && !databaseForm.MatchString(db):
		return "", hint.Wrap(fmt.Errorf("no database can be called %q", db), "want letters, digits, _ and -, at most 64, a letter first")
	}
	return db, nil
}

// parameters reads what stands behind the question mark; the port is that of MySQL's protocol.
func (l *location) parameters(query string) (port string, err error) {
	values, err := url.ParseQuery(query)
	if err != nil {
		return "", fmt.Errorf("what stands behind the question mark cannot be read: %w", err)
	}
	port = "9030"
	for name := range values {
		v := values.Get(name)
		switch name {
		case "query-port":
			if n, err := strconv.ParseUint(v, 10, 16); err != nil || n == 0 {
				return "", fmt.Errorf("query-port=%s is no port", v)
			}
			port = v
		case "benodes":
			l.benodes = slices.DeleteFunc(strings.Split(v, ","), func(host string) bool { return host == "" })
		case "be":
			for _, pair := range values[name] {
				named, reached, ok := strings.Cut(pair, "=")
				if !ok {
					return "", hint.Wrap(fmt.Errorf("be=%s maps no address", pair), "want be=NAMED:8040=REACHED:8040")
				}
				l.addresses[named] = reached
			}
		case "tls-ca":
			if l.roots, err = rootsOf(v); err != nil {
				return "", err
			}
			l.tls = true
		case "tls":
			l.tls = v == "true"
			if v != "true" && v != "false" {
				return "", errors.New("tls is true or false")
			}
		default:
			return "", hint.Wrap(fmt.Errorf("parameter %q is not known", name), "known ones: be, benodes, query-port, tls, tls-ca")
		}
	}
	return port, nil
}

// rootsOf reads certificates of authorities.
func rootsOf(file string) (*x509.CertPool, error) {
	pem, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("tls-ca: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("tls-ca: %s has no certificate in PEM", file)
	}
	return roots, nil
}

// clients are those by which a cluster is spoken to.
func (l location) clients(password string) (*httpClient, *sqlClient) {
	scheme := "http"
	var secure *tls.Config
	if l.tls {
		scheme, secure = "https", &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: l.roots}
	}
	h := newClient(scheme, l.frontends, l.user, password)
	h.http.Transport.(*http.Transport).TLSClientConfig = secure
	h.backends, h.addresses = l.benodes, l.addresses
	return h, &sqlClient{turn: make(chan struct{}, 1), hosts: l.sql, user: l.user, password: password, tls: secure}
}
