// Package front is a server for tests that stands before a REST catalog and asks
// who comes: by OAuth2 tokens, which it gives out and which expire, or by
// signatures of AWS's SigV4. The catalogs that can be had for tests ask nobody.
package front

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A Front is such a server. Its settings may be changed until it is started.
type Front struct {
	// Credential is the ID:SECRET that gets a token. With none of it and no Key
	// everybody is let in.
	Credential string
	// Scope and Audience are what a request for a token must name.
	Scope, Audience string
	// Life is how long a token is good for; 0 means an hour.
	Life time.Duration
	// Key, Secret, Session, Region and Service are what requests must be signed for.
	Key, Secret, Session, Region, Service string
	// Prefix is put before the paths of all calls but that for the configuration,
	// which tells clients so.
	Prefix string
	// Deny, if set, tells whether a request is forbidden to whoever it comes from.
	Deny func(*http.Request) bool
	// After, if set, is told of each request that the catalog has answered, and of the
	// status: 0 hands the answer on, Cut ends the connection without one, and any other
	// status is that of an answer which takes its place.
	After func(r *http.Request, status int) int
	// Answer, if set, may change what the catalog answers. After comes behind it.
	Answer func(*http.Response) error
	// TLS has the server speak HTTPS, with a certificate that nobody knows.
	TLS bool

	// URL is where it listens, and Server how, once started.
	URL    string
	Server *httptest.Server

	mu     sync.Mutex
	good   map[string]time.Time // tokens, and when they expire
	issued int
	denied int
}

// Start starts a server before the catalog at that URL. It ends with the test.
func (f *Front) Start(t testing.TB, catalog string) *Front {
	t.Helper()
	f.good = make(map[string]time.Time)
	proxy := passTo(t, catalog)
	proxy.ModifyResponse = f.after
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) }
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/oauth/tokens", f.token)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if status, err := f.check(r); err != nil {
			f.count(&f.denied)
			answer(w, status, err.Error())
			return
		}
		if f.Prefix != "" && !f.unprefix(w, r) {
			return
		}
		proxy.ServeHTTP(w, r)
	})
	f.Server = httptest.NewUnstartedServer(mux)
	if f.TLS {
		f.Server.StartTLS()
	} else {
		f.Server.Start()
	}
	t.Cleanup(f.Server.Close)
	f.URL = f.Server.URL
	return f
}

// passTo passes requests on to the server at a URL.
func passTo(t testing.TB, server string) *httputil.ReverseProxy {
	t.Helper()
	back, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	return &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(back)
		r.Out.Host = r.In.Host // which is signed
	}}
}

// Cut ends the connection without an answer, in place of a status.
const Cut = -1

// after exchanges an answer of the catalog, if that is asked for. What stands between
// a catalog and the world answers in HTML, and only the catalog itself in JSON.
func (f *Front) after(res *http.Response) error {
	if f.Answer != nil {
		if err := f.Answer(res); err != nil {
			return err
		}
	}
	if f.After == nil {
		return nil
	}
	status := f.After(res.Request, res.StatusCode)
	if status == 0 {
		return nil
	}
	_ = res.Body.Close()
	if status == Cut {
		return errors.New("no answer")
	}
	text, kind := "<html><h1>"+http.StatusText(status)+"</h1></html>", "text/html"
	if status == http.StatusInternalServerError {
		text, kind = `{"error":{"message":"the answer was lost","type":"InternalServerError","code":500}}`, "application/json"
	}
	res.StatusCode, res.Status = status, fmt.Sprintf("%d %s", status, http.StatusText(status))
	res.Header = http.Header{"Content-Type": {kind}, "Content-Length": {strconv.Itoa(len(text))}}
	res.Body, res.ContentLength = io.NopCloser(strings.NewReader(text)), int64(len(text))
	return nil
}

// Revoke makes every token that was given out a bad one.
func (f *Front) Revoke() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.good)
}

// Issued tells how many tokens were given out, and Denied how many requests were
// not let in.
func (f *Front) Issued() int { return f.read(&f.issued) }

// Denied tells how many requests were not let in.
func (f *Front) Denied() int { return f.read(&f.denied) }

func (f *Front) count(n *int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*n++
}

func (f *Front) read(n *int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return *n
}

func (f *Front) token(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := strings.Cut(f.Credential, ":")
	get := r.PostFormValue
	refused := func(status int, code, text string) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":%q,"error_description":%q}`, code, text)
	}
	switch {
	case get("grant_type") != "client_credentials":
		refused(http.StatusBadRequest, "unsupported_grant_type", "want client_credentials")
	case f.Credential == "" || get("client_id") != id || get("client_secret") != secret:
		refused(http.StatusUnauthorized, "invalid_client", "no such client, or another secret")
	case f.Scope != "" && get("scope") != f.Scope:
		refused(http.StatusBadRequest, "invalid_scope", "want "+f.Scope)
	case f.Audience != "" && get("audience") != f.Audience:
		refused(http.StatusBadRequest, "invalid_request", "want the audience "+f.Audience)
	default:
		life := f.Life
		if life == 0 {
			life = time.Hour
		}
		f.mu.Lock()
		f.issued++
		token := fmt.Sprintf("token-%d-of-this-test", f.issued)
		f.good[token] = time.Now().Add(life)
		f.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"access_token":%q,"token_type":"bearer","expires_in":%d,"issued_token_type":"urn:ietf:params:oauth:token-type:access_token"}`,
			token, int(life.Seconds()))
	}
}

// check tells whether a request is let in, and with what status it is not.
func (f *Front) check(r *http.Request) (int, error) {
	if f.Key != "" {
		if err := f.signed(r); err != nil {
			return http.StatusForbidden, err
		}
	}
	if f.Credential != "" {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		f.mu.Lock()
		until := f.good[token]
		f.mu.Unlock()
		if !ok || !time.Now().Before(until) {
			return http.StatusUnauthorized, fmt.Errorf("a token is wanted that is good")
		}
	}
	if f.Deny != nil && f.Deny(r) {
		return http.StatusForbidden, fmt.Errorf("that is forbidden here")
	}
	return 0, nil
}

// unprefix leads a request to where the catalog has it. It returns false if the
// request has got its answer.
func (f *Front) unprefix(w http.ResponseWriter, r *http.Request) bool {
	if r.URL.Path == "/v1/config" {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, `{"defaults":{},"overrides":{"prefix":%q}}`, f.Prefix)
		return false
	}
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), "/v1/"+f.Prefix+"/")
	if !ok {
		answer(w, http.StatusNotFound, "no prefix "+f.Prefix)
		return false
	}
	u, err := url.Parse("/v1/" + path)
	if err != nil {
		answer(w, http.StatusBadRequest, err.Error())
		return false
	}
	r.URL.Path, r.URL.RawPath = u.Path, u.RawPath
	return true
}

// answer is an error as the specification of the catalog has it.
func answer(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"error":{"message":%q,"type":"RESTException","code":%d}}`, text, status)
}
