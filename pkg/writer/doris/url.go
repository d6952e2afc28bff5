package doris

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"

	"github.com/go-mysql-org/go-mysql/client"

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
	l.scheme = strings.ToLower(scheme)
	db, err := url.PathUnescape(strings.TrimSuffix(path, "/"))
	if !ok || hosts == "" || err != nil || strings.Contains(db, "/") {
		return l, hint.Wrap(errors.New("it is not whole"), wantURL)
	}
	l.db = db
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
			port = v
		case "benodes":
			l.benodes = strings.Split(v, ",")
		case "be":
			for _, pair := range values[name] {
				named, reached, ok := strings.Cut(pair, "=")
				if !ok {
					return "", hint.Wrap(fmt.Errorf("be=%s maps no address", pair), "want be=NAMED:8040=REACHED:8040")
				}
				l.addresses[named] = reached
			}
		case "tls":
			l.tls = v == "true"
			if v != "true" && v != "false" {
				return "", errors.New("tls is true or false")
			}
		default:
			return "", hint.Wrap(fmt.Errorf("parameter %q is not known", name), "known ones: be, benodes, query-port, tls")
		}
	}
	return port, nil
}

// clients are those by which a cluster is spoken to.
func (l location) clients(password string) (*httpClient, *sqlClient) {
	scheme := "http"
	var options []client.Option
	if l.tls {
		scheme = "https"
		options = append(options, func(c *client.Conn) error {
			c.SetTLSConfig(&tls.Config{MinVersion: tls.VersionTLS12, ServerName: strings.Split(l.frontends[0], ":")[0]})
			return nil
		})
	}
	h := newClient(scheme, l.frontends, l.user, password)
	h.backends, h.addresses = l.benodes, l.addresses
	return h, &sqlClient{turn: make(chan struct{}, 1), hosts: l.sql, user: l.user, password: password, options: options}
}
