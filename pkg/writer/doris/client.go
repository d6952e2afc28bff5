// Package doris writes tables into Apache Doris: rows by Stream Load over HTTP, tables and
// positions over the port that speaks MySQL.
package doris

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// An httpClient speaks HTTP to a cluster: to a front end, and to the back end that it names. It
// may be used by several goroutines.
type httpClient struct {
	scheme         string // http or https
	frontends      []string
	backends       []string          // asked directly, in turn, if there are any
	addresses      map[string]string // where a back end is reached that the front end names so
	user, password string
	http           *http.Client

	mu   sync.Mutex
	last int // front end that has answered; and the back end that was asked last
	turn int
}

// expectTime is how long a front end may take to say that a body may come: one that has much
// to do takes its time, and one that is not waited for resets the connection.
const expectTime = time.Minute

// newClient makes one. The transport keeps connections, of which each load has one.
func newClient(scheme string, frontends []string, user, password string) *httpClient {
	return &httpClient{
		scheme: scheme, frontends: frontends, user: user, password: password,
		http: &http.Client{
			Transport: &http.Transport{
				DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
				TLSHandshakeTimeout:   10 * time.Second,
				ExpectContinueTimeout: expectTime,
				MaxIdleConnsPerHost:   16,
				IdleConnTimeout:       time.Minute,
			},
			// By hand: the address has the password in it, and Go does not send a body twice.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

func (c *httpClient) close() { c.http.CloseIdleConnections() }

// A request is one that is sent to a front end, and then to a back end if that is where it
// is to go.
type request struct {
	method, path string
	query        url.Values
	headers      map[string]string
	toBackend    bool // a front end sends it on
	anonymous    bool // it has no password with it
	// body begins the body anew for every attempt; nil if there is none. size is −1 if it is
	// not known.
	body func() (r io.Reader, size int64)
}

// errUnanswered is that nothing is known of what a request has done.
type unansweredError struct{ err error }

func (e *unansweredError) Error() string { return e.err.Error() }
func (e *unansweredError) Unwrap() error { return e.err }

// do sends a request to the front ends in turn, the one first that has answered last, until
// one does, and decodes the JSON of the reply into v. What is for a back end goes to those that
// are named, if any are, one after the other. A reply that was lost behind the body is an
// unansweredError.
func (c *httpClient) do(ctx context.Context, r request, v any) error {
	c.mu.Lock()
	hosts, first := c.frontends, c.last
	direct := len(c.backends) > 0 && r.toBackend
	if direct {
		c.turn++
		hosts, first = c.backends, c.turn
	}
	c.mu.Unlock()
	var unwell []string
	for i := range hosts {
		n := (first + i) % len(hosts)
		err := c.ask(ctx, hosts[n], r, v)
		var away *unreachedError
		var sick *sickError
		if ctx.Err() == nil && (errors.As(err, &away) && away.host == hosts[n] || errors.As(err, &sick) && sick.host == hosts[n] && len(hosts) > 1) {
			unwell = append(unwell, err.Error())
			continue
		}
		if !direct {
			c.mu.Lock()
			c.last = n
			c.mu.Unlock()
		}
		return err
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if direct {
		return noBackend(strings.Join(unwell, ", "))
	}
	return hint.Transient(hint.Wrap(fmt.Errorf("no front end answers: %s", strings.Join(unwell, ", ")), "%s", frontendRemedy))
}

// frontendRemedy is what can be done about a front end's HTTP port.
const frontendRemedy = "check that it is up, and its host and HTTP port (8030) in the URL"

// noBackend is that none of the back ends that the URL names is to be had.
func noBackend(why string) error {
	return hint.Transient(hint.Wrap(fmt.Errorf("no back end answers: %s", why), "check that it is up, and its host and HTTP port (8040) in benodes=… of the URL"))
}

// A sickError is that a host is not well, and has done nothing.
type sickError struct {
	host, says string
}

func (e *sickError) Error() string { return e.host + " answers " + e.says }

// An unreachedError is that a host could not be connected to.
type unreachedError struct {
	host string
	err  error
}

func (e *unreachedError) Error() string {
	var op *net.OpError
	if errors.As(e.err, &op) {
		return e.host + ": " + op.Err.Error()
	}
	return e.host + ": " + e.err.Error()
}

func (e *unreachedError) Unwrap() error { return e.err }

// ask sends a request to a host, and once more to where that sends it on.
func (c *httpClient) ask(ctx context.Context, host string, r request, v any) error {
	res, err := c.send(ctx, host, r)
	if err != nil {
		return err
	}
	if res.StatusCode == http.StatusTemporaryRedirect {
		to, err := url.Parse(res.Header.Get("Location"))
		_ = res.Body.Close()
		if err != nil || to.Host == "" {
			return fmt.Errorf("front end %s sends on to an address that is none", host) // which may hold the password
		}
		be := to.Host
		if at := c.addresses[be]; at != "" {
			be = at
		}
		if res, err = c.send(ctx, be, r); err != nil {
			var away *unreachedError
			if errors.As(err, &away) {
				return hint.Transient(hint.Wrap(fmt.Errorf("back end %w, which front end %s names", err, host),
					"if back ends have other addresses from here, name them by benodes=HOST:PORT,… in the URL, or map them by be=NAMED=REACHED"))
			}
			return err
		}
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return &unansweredError{fmt.Errorf("read the reply of %s: %w", host, err)}
	}
	switch {
	case res.StatusCode == http.StatusUnauthorized:
		return c.denied(host)
	case res.StatusCode >= 500:
		return hint.Transient(&sickError{host, fmt.Sprintf("%s: %.200s", res.Status, text)})
	case res.StatusCode != http.StatusOK:
		return &otherError{fmt.Sprintf("%s answers %s: %.200s", host, res.Status, text)}
	}
	if err := json.Unmarshal(text, v); err != nil {
		return &otherError{fmt.Sprintf("%s answers what cannot be read: %.200s", host, text)}
	}
	return nil
}

func (c *httpClient) denied(host string) error {
	return hint.Wrap(fmt.Errorf("%s does not let user %s in", host, c.user), "check the user in the URL, and its password in TABLEHAUL_DORIS_PASSWORD")
}

// An otherError is an answer of another kind than was asked for.
type otherError struct{ text string }

func (e *otherError) Error() string { return e.text }

func (c *httpClient) send(ctx context.Context, host string, r request) (*http.Response, error) {
	u := url.URL{Scheme: c.scheme, Host: host, Path: r.path, RawQuery: r.query.Encode()}
	var body io.Reader
	size := int64(0)
	if r.body != nil {
		body, size = r.body()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, u.String(), body)
	if err != nil {
		return nil, err
	}
	req.ContentLength = size
	if !r.anonymous {
		req.SetBasicAuth(c.user, c.password)
	}
	for k, v := range r.headers {
		// As they are: Doris looks for names with underscores.
		req.Header[k] = []string{v}
	}
	if r.body != nil {
		req.Header.Set("Expect", "100-continue")
	}
	res, err := c.http.Do(req)
	if err == nil {
		return res, nil
	}
	err = cause(err)
	var op *net.OpError
	switch {
	case ctx.Err() != nil:
		return nil, &unansweredError{ctx.Err()}
	case errors.As(err, &op) && op.Op == "dial":
		return nil, &unreachedError{host, err}
	}
	return nil, hint.Transient(&unansweredError{fmt.Errorf("%s has not answered: %w", host, err)})
}

// cause is what a url.Error wraps, whose text has the address in it.
func cause(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// path makes one of names, whatever is in them.
func path(names ...string) string { return "/" + strings.Join(slices.Clone(names), "/") }
