// Package kafka tells how a URL names the topics of a Kafka cluster, and connects to
// it. Readers and writers of topics share it.
package kafka

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// A URL is kafka://USER:PASSWORD@HOST:PORT,HOST:PORT/TOPIC?PARAMETER=VALUE, taken apart.
type URL struct {
	Brokers        []string // HOST:PORT each
	User, Password string
	Topic          string // as it stands there: a name, a pattern or a template
	params         url.Values
}

// DefaultPort is that of a broker whose port is not given.
const DefaultPort = "9092"

// connection are the parameters that say how brokers are reached.
var connection = []string{
	"tls", "tls-ca", "tls-cert", "tls-key", "tls-server-name", "sasl", "user", "password-file", "token-file", "client-id",
}

// ParseURL takes a URL apart. Beside those of the connection it may have the parameters
// that are known to the caller.
func ParseURL(s string, known ...string) (*URL, error) {
	u, err := parseURL(s)
	if err != nil {
		return nil, fmt.Errorf("bad Kafka URL: %w", err)
	}
	all := append(slices.Clone(connection), known...)
	for k, v := range u.params {
		if len(v) > 1 {
			return nil, fmt.Errorf("bad Kafka URL: %s is given twice", k)
		}
		if slices.Contains(all, k) || strings.HasPrefix(k, configPrefix) && slices.Contains(known, configPrefix) {
			continue
		}
		err := fmt.Errorf("bad Kafka URL: unknown parameter %q", k)
		if near := hint.Nearest(k, all); near != "" {
			return nil, hint.Wrap(err, "did you mean %s?", near)
		}
		return nil, hint.Wrap(err, "known parameters: %s", strings.Join(all, ", "))
	}
	return u, nil
}

// Positions is where writers of topics keep how far these are, unless they are told
// another topic. No pattern of those that are read stands for it.
const Positions = "tablehaul-positions"

// TooLargeHeader is the header of a message without a value that stands for one that was
// too large for its topic. Its own value is how large that was, in bytes.
const TooLargeHeader = "tablehaul-too-large"

// configPrefix begins parameters that are a topic's own configuration. A caller that
// knows it knows all of them.
const configPrefix = "config."

func parseURL(s string) (*URL, error) {
	rest, ok := strings.CutPrefix(s, "kafka://")
	if !ok {
		return nil, errors.New("want kafka://HOST:PORT,…/TOPIC")
	}
	rest, query, _ := strings.Cut(rest, "?")
	hosts, topic, _ := strings.Cut(rest, "/")
	u := &URL{}
	var err error
	if u.params, err = url.ParseQuery(query); err != nil {
		return nil, err
	}
	if u.Topic, err = url.PathUnescape(topic); err != nil {
		return nil, err
	}
	if at := strings.LastIndexByte(hosts, '@'); at >= 0 {
		user, password, _ := strings.Cut(hosts[:at], ":")
		if u.User, err = url.PathUnescape(user); err == nil {
			u.Password, err = url.PathUnescape(password)
		}
		if err != nil {
			return nil, errors.New("the user or the password is not escaped as it has to be in a URL")
		}
		hosts = hosts[at+1:]
	}
	for _, h := range strings.Split(hosts, ",") {
		if h == "" {
			return nil, errors.New("a broker has no host")
		}
		if _, _, err := net.SplitHostPort(h); err != nil {
			if h = net.JoinHostPort(strings.Trim(h, "[]"), DefaultPort); strings.Count(h, ":") > 1 && h[0] != '[' {
				return nil, fmt.Errorf("%q is no HOST:PORT", h)
			}
		}
		u.Brokers = append(u.Brokers, h)
	}
	return u, nil
}

// Param returns a parameter, "" if it is not given.
func (u *URL) Param(name string) string { return u.params.Get(name) }

// Config returns the topics' own configuration: the parameters that begin with config.
func (u *URL) Config() map[string]*string {
	all := map[string]*string{}
	for k, v := range u.params {
		if name, ok := strings.CutPrefix(k, configPrefix); ok {
			all[name] = &v[0]
		}
	}
	return all
}
