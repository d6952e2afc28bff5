package doris

import (
	"cmp"
	"context"
	"encoding/json"
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

// How long a front end may take to answer at the start, and a back end to be connected to.
const (
	helloTime = 10 * time.Second
	dialTime  = 3 * time.Second
)

// isDoris tells Doris from other servers that speak MySQL's protocol: it may deny the statement,
// or not be able to answer it now, yet knows it.
func (s *Sink) isDoris(ctx context.Context) error {
	_, err := s.store.sql.read(ctx, "SHOW FRONTENDS")
	if refusedWith(err, "error in your SQL syntax") {
		return hint.Wrap(fmt.Errorf("%s speaks MySQL's protocol, and is no Doris", strings.Join(s.at.sql, ", ")), "query-port=… in the URL is that of Doris's front ends (9030)")
	}
	return ctx.Err()
}

// hello asks all addresses once: a load is patient with one that does not answer, and so it
// would be long until a wrong one is told of. One that others stand in for is a warning.
func (s *Sink) hello(ctx context.Context) error {
	backends, told, err := s.helloFrontends(ctx)
	if err != nil {
		return err
	}
	named := len(s.at.benodes) > 0
	if named {
		backends = s.at.benodes
	}
	down := each(backends, func(host string) error {
		conn, err := (&net.Dialer{Timeout: dialTime}).DialContext(ctx, "tcp", host)
		if err != nil {
			return &unreachedError{host, err}
		}
		return conn.Close()
	})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case len(backends) == 0 && told:
		s.opts.Warn("the front ends know of no back end that is alive: loads wait for one")
	case len(down) == 0:
	case len(down) < len(backends):
		s.opts.Warn(fmt.Sprintf("of %d back ends some do not answer: %s", len(backends), join(down)))
	case named:
		return noBackend(join(down))
	default: // the front ends may send loads to other addresses than they list
		s.opts.Warn(fmt.Sprintf("no back end that the front ends name answers here: %s. If they have other addresses from here, name them by benodes=HOST:PORT,… in the URL, or map them by be=NAMED=REACHED", join(down)))
	}
	return nil
}

// helloFrontends asks the front ends for their back ends, and returns those, by the addresses
// at which they are reached, and whether any has told.
func (s *Sink) helloFrontends(ctx context.Context) (backends []string, told bool, err error) {
	c := s.store.httpClient
	var mu sync.Mutex
	down := each(c.frontends, func(host string) error {
		list, tells, err := c.backendsOf(ctx, host)
		mu.Lock()
		defer mu.Unlock()
		told = told || tells
		for _, b := range list {
			if !slices.Contains(backends, b) {
				backends = append(backends, b)
			}
		}
		return err
	})
	switch {
	case ctx.Err() != nil:
		return nil, false, ctx.Err()
	case len(down) == len(c.frontends):
		err := down[0]
		if len(down) > 1 {
			err = hint.Wrap(fmt.Errorf("no front end can be used: %s", join(down)), "%s", hint.Of(down[0]))
		}
		if slices.ContainsFunc(down, hint.IsTransient) {
			err = hint.Transient(err)
		}
		return nil, false, err
	case len(down) > 0:
		s.opts.Warn(fmt.Sprintf("of %d front ends some cannot be used: %s", len(c.frontends), join(down)))
	}
	return backends, told, nil
}

// A listing is what a front end answers, be it that data is a text of what is wrong.
type listing struct {
	Code *int
	Data json.RawMessage
}

// backendsOf asks a front end for the back ends that are up. That it does not tell is no error:
// it is asked for something else then that shows what it is.
func (c *httpClient) backendsOf(ctx context.Context, host string) (list []string, told bool, err error) {
	asker := ctx
	ctx, cancel := context.WithTimeout(ctx, helloTime)
	defer cancel()
	var reply listing
	err = c.ask(ctx, host, request{method: http.MethodGet, path: "/api/backends", query: url.Values{"is_alive": {"true"}}}, &reply)
	if other := new(otherError); errors.As(err, &other) || err == nil && (reply.Code == nil || *reply.Code != 0) {
		reply = listing{}
		err = c.ask(ctx, host, request{method: http.MethodGet, path: "/api/information_schema/get_load_state", query: url.Values{"label": {"tablehaul"}}}, &reply)
		switch {
		case err == nil && reply.Code == nil:
			err = fmt.Errorf("%s answers otherwise than a front end of Doris", host)
		case err == nil && *reply.Code == http.StatusUnauthorized:
			err = c.denied(host)
		case err == nil:
			return nil, false, nil
		}
	}
	if errors.Is(err, context.DeadlineExceeded) && asker.Err() == nil {
		err = hint.Transient(fmt.Errorf("%s has not answered for %s", host, helloTime))
	}
	if away := new(unreachedError); errors.As(err, &away) {
		err = hint.Transient(err)
	}
	if err != nil {
		if hint.Of(err) == "" {
			err = hint.Wrap(err, "%s", cmp.Or(tlsRemedy(err.Error()), frontendRemedy))
		}
		return nil, false, err
	}
	var data struct {
		Backends []struct {
			IP   string `json:"ip"`
			Port int    `json:"http_port"`
		}
	}
	if json.Unmarshal(reply.Data, &data) != nil {
		return nil, false, nil // in another form: they are found out by loads
	}
	for _, b := range data.Backends {
		at := net.JoinHostPort(b.IP, fmt.Sprint(b.Port))
		if to := c.addresses[at]; to != "" {
			at = to
		}
		list = append(list, at)
	}
	return list, true, nil
}

// tlsRemedy is what can be done where a host and this program do not agree on TLS; "" is that
// they do, as far as the words of an error tell.
func tlsRemedy(words string) string {
	has := func(list ...string) bool {
		return slices.ContainsFunc(list, func(w string) bool { return strings.Contains(words, w) })
	}
	switch {
	case has("HTTP response to HTTPS client", "not look like a TLS handshake", "does not support SSL", "does not support TLS"):
		return "it speaks without TLS: leave tls and tls-ca out of the URL"
	case has("HTTPS server"):
		return "it wants TLS: tls=true or tls-ca=FILE in the URL"
	case has("certificate"):
		return "tls-ca=FILE in the URL names the authority that its certificate is of"
	}
	return ""
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
