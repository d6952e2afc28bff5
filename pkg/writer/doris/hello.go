package doris

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// helloTime is how long an address may take to answer at the start.
const helloTime = 10 * time.Second

// isDoris tells Doris from other servers that speak MySQL's protocol: it may deny the statement,
// yet knows it.
func (s *Sink) isDoris(ctx context.Context) error {
	_, err := s.store.sql.read(ctx, "SHOW FRONTENDS")
	if refusedWith(err, "error in your SQL syntax") {
		return hint.Wrap(fmt.Errorf("%s speaks MySQL's protocol, and is no Doris", strings.Join(s.at.sql, ", ")), "query-port=… in the URL is that of Doris's front ends (9030)")
	}
	if hint.IsTransient(err) || ctx.Err() != nil {
		return err
	}
	return nil
}

// hello asks all addresses once: a load is patient with one that does not answer, and so it
// would be long until a wrong one is told of. One that others stand in for is a warning.
func (s *Sink) hello(ctx context.Context) error {
	backends, err := s.helloFrontends(ctx)
	if err != nil {
		return err
	}
	named := len(s.at.benodes) > 0
	if named {
		backends = s.at.benodes
	}
	down := each(backends, func(host string) error {
		conn, err := (&net.Dialer{Timeout: helloTime}).DialContext(ctx, "tcp", host)
		if err != nil {
			return &unreachedError{host, err}
		}
		return conn.Close()
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case len(down) == 0:
	case len(down) < len(backends):
		s.opts.Warn(fmt.Sprintf("of %d back ends some do not answer: %s", len(backends), join(down)))
	case named:
		return hint.Wrap(fmt.Errorf("no back end answers: %s", join(down)), "check that it is up, and its host and HTTP port (8040) in benodes=… of the URL")
	default: // the front ends may send loads to other addresses than they list
		s.opts.Warn(fmt.Sprintf("no back end that the front ends name answers here: %s. If they have other addresses from here, name them by benodes=HOST:PORT,… in the URL, or map them by be=NAMED=REACHED", join(down)))
	}
	return nil
}

// helloFrontends asks the front ends for their back ends, and returns those, by the addresses
// at which they are reached.
func (s *Sink) helloFrontends(ctx context.Context) (backends []string, err error) {
	c := s.store.httpClient
	var mu sync.Mutex
	down := each(c.frontends, func(host string) error {
		list, err := c.backendsOf(ctx, host)
		mu.Lock()
		defer mu.Unlock()
		for _, b := range list {
			if !slices.Contains(backends, b) {
				backends = append(backends, b)
			}
		}
		return err
	})
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case len(down) == len(c.frontends) && len(down) == 1:
		return nil, down[0]
	case len(down) == len(c.frontends):
		return nil, hint.Wrap(fmt.Errorf("no front end can be used: %s", join(down)), "%s", hint.Of(down[0]))
	case len(down) > 0:
		s.opts.Warn(fmt.Sprintf("of %d front ends some cannot be used: %s", len(c.frontends), join(down)))
	}
	return backends, nil
}

// backendsOf asks a front end for the back ends that are up.
func (c *httpClient) backendsOf(ctx context.Context, host string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, helloTime)
	defer cancel()
	var reply struct {
		Code *int
		Msg  string
		Data struct {
			Backends []struct {
				IP   string `json:"ip"`
				Port int    `json:"http_port"`
			}
		}
	}
	err := c.ask(ctx, host, request{method: http.MethodGet, path: "/api/backends", query: url.Values{"is_alive": {"true"}}}, &reply)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		err = fmt.Errorf("%s has not answered for %s", host, helloTime)
	case err == nil && reply.Code == nil:
		err = fmt.Errorf("%s answers otherwise than a front end of Doris", host)
	}
	if err != nil {
		if hint.Of(err) == "" {
			err = hint.Wrap(err, "%s", httpRemedy(err))
		}
		return nil, err
	}
	var list []string
	for _, b := range reply.Data.Backends {
		at := net.JoinHostPort(b.IP, fmt.Sprint(b.Port))
		if to := c.addresses[at]; to != "" {
			at = to
		}
		list = append(list, at)
	}
	return list, nil
}

// httpRemedy is what can be done where a front end's HTTP port cannot be used.
func httpRemedy(err error) string {
	text := err.Error()
	switch {
	case strings.Contains(text, "HTTP response to HTTPS client"), strings.Contains(text, "not look like a TLS handshake"):
		return "it speaks without TLS: leave tls and tls-ca out of the URL"
	case strings.Contains(text, "HTTPS server"):
		return "it wants TLS: tls=true or tls-ca=FILE in the URL"
	case strings.Contains(text, "certificate"):
		return "tls-ca=FILE in the URL names the authority that its certificate is of"
	}
	return "check that it is up, and its host and HTTP port (8030) in the URL"
}

// each asks all hosts at a time, and returns the errors.
func each(hosts []string, ask func(host string) error) []error {
	errs := make([]error, len(hosts))
	var all sync.WaitGroup
	for i, h := range hosts {
		all.Go(func() { errs[i] = ask(h) })
	}
	all.Wait()
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}

func join(errs []error) string {
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = err.Error()
	}
	return strings.Join(texts, ", ")
}
