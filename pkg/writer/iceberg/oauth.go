package iceberg

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/apache/iceberg-go"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
)

// tokenTimeout is how long a token may take to come.
const tokenTimeout = time.Minute

// A tokens tells who we are to a REST catalog.
type tokens interface {
	// token returns one that is not stale, which was refused; if there is no
	// other, stale itself.
	token(ctx context.Context, stale string) (string, error)
}

// tokenSource takes the properties of authentication out of p. It returns nil if
// there are none.
func tokenSource(p iceberg.Properties, client *http.Client) tokens {
	token, credential := take(p, "token"), take(p, "credential")
	tokenFile, credentialFile := take(p, tokenFileProperty), take(p, credentialFileProperty)
	at := cmp.Or(take(p, "oauth2-server-uri"), take(p, "rest.authorization-url"), strings.TrimSuffix(p["uri"], "/")+"/v1/oauth/tokens")
	c := &clientCredentials{client: client, file: credentialFile, credential: credential}
	c.conf = clientcredentials.Config{
		TokenURL:       at,
		AuthStyle:      oauth2.AuthStyleInParams, // as the specification of the catalog has it
		Scopes:         []string{cmp.Or(take(p, "scope"), "catalog")},
		EndpointParams: url.Values{},
	}
	for _, name := range []string{"audience", "resource"} {
		if v := take(p, name); v != "" {
			c.conf.EndpointParams.Set(name, v)
		}
	}
	switch {
	case token != "":
		return fixedToken(token)
	case tokenFile != "":
		return fileToken(tokenFile)
	case credential != "" || credentialFile != "":
		return c
	}
	return nil
}

// A fixedToken is one for ever.
type fixedToken string

func (t fixedToken) token(context.Context, string) (string, error) { return string(t), nil }

// A fileToken is a file that somebody else keeps up to date.
type fileToken string

func (t fileToken) token(context.Context, string) (string, error) {
	text, err := os.ReadFile(string(t))
	if err != nil {
		return "", fmt.Errorf("read the token: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// clientCredentials gets tokens from an OAuth2 server, and others before they
// expire.
type clientCredentials struct {
	client     *http.Client
	conf       clientcredentials.Config
	file       string // holds the credential, read for each token
	credential string // ID:SECRET, or the secret alone

	mu   sync.Mutex
	last *oauth2.Token
}

func (c *clientCredentials) token(ctx context.Context, stale string) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last.Valid() && c.last.AccessToken != stale {
		return c.last.AccessToken, nil
	}
	credential := c.credential
	if credential == "" {
		text, err := os.ReadFile(c.file)
		if err != nil {
			return "", fmt.Errorf("read the credential: %w", err)
		}
		credential = strings.TrimSpace(string(text))
	}
	conf := &c.conf
	conf.ClientID, conf.ClientSecret = "", credential
	if id, secret, ok := strings.Cut(credential, ":"); ok {
		conf.ClientID, conf.ClientSecret = id, secret
	}
	t, err := conf.Token(context.WithValue(ctx, oauth2.HTTPClient, c.client))
	if err != nil {
		return "", tokenFailed(conf.TokenURL, err)
	}
	c.last = t
	return t.AccessToken, nil
}

// A tokenError is a server's answer that is no token.
type tokenError struct {
	at     string // the server
	status int
	text   string
}

// Error names the server without what its URL holds beside its place.
func (e *tokenError) Error() string {
	at := e.at
	if u, err := url.Parse(at); err == nil {
		at = (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
	}
	s := fmt.Sprintf("get a token from %s: %d %s", at, e.status, http.StatusText(e.status))
	if e.text != "" {
		s += ": " + e.text
	}
	return s
}

// refused reports whether it is the credential that the server does not like.
func (e *tokenError) refused() bool { return e.status >= 400 && e.status < 500 }

// tokenFailed puts the errors that servers answer into one form: that of OAuth, or
// that of Iceberg's REST catalogs.
func tokenFailed(at string, err error) error {
	var re *oauth2.RetrieveError
	if !errors.As(err, &re) {
		return fmt.Errorf("get a token: %w", err)
	}
	e := &tokenError{at: at, status: re.Response.StatusCode, text: re.ErrorCode}
	if re.ErrorDescription != "" {
		e.text += ": " + re.ErrorDescription
	}
	var answer struct {
		Error struct{ Message string }
	}
	if e.text == "" && json.Unmarshal(re.Body, &answer) == nil {
		e.text = answer.Error.Message
	}
	return e
}

// A bearer sends a token with each request. One that the catalog does not take any
// more, as after its restart with another key, is exchanged for another, once.
type bearer struct {
	base   http.RoundTripper
	source tokens
}

func (b *bearer) RoundTrip(r *http.Request) (*http.Response, error) {
	token, err := b.source.token(r.Context(), "")
	if err != nil {
		return nil, err
	}
	res, err := b.send(r, token)
	if err != nil || res.StatusCode != http.StatusUnauthorized || r.Body != nil && r.GetBody == nil {
		return res, err
	}
	// If there is no other, the catalog's answer tells more than why not.
	if other, err := b.source.token(r.Context(), token); err == nil && other != token {
		_, _ = io.Copy(io.Discard, res.Body)
		_ = res.Body.Close()
		return b.send(r, other)
	}
	return res, nil
}

func (b *bearer) send(r *http.Request, token string) (*http.Response, error) {
	r = r.Clone(r.Context())
	if r.GetBody != nil {
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		r.Body = body
	}
	r.Header.Set("Authorization", "Bearer "+token)
	return b.base.RoundTrip(r)
}
