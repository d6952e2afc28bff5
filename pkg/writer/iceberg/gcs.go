package iceberg

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	gcs "cloud.google.com/go/storage"
	iceio "github.com/apache/iceberg-go/io"
	"github.com/apache/iceberg-go/io/gocloud/blobfs"
	"gocloud.dev/blob/gcsblob"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/google"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/option"
)

// gcsScope is the right to read and write objects.
const gcsScope = "https://www.googleapis.com/auth/devstorage.read_write"

// gcsAttempts is how often a request is made that a server is too busy for, or cannot be
// reached with.
const gcsAttempts = 5

// gcsClients are the clients of this process by what they differ in, so that one
// token does for all tables and commits.
var gcsClients struct {
	sync.Mutex
	m map[gcsAccess]*gcs.Client
}

// gcsAccess is how a server is reached, and as whom.
type gcsAccess struct {
	endpoint            string
	anonymous           bool
	keyFile, key, kind  string
	token, tokenExpires string // that a catalog hands out
}

func gcsAccessOf(props map[string]string) gcsAccess {
	a := gcsAccess{
		endpoint: cmp.Or(props[iceio.GCSServiceHost], props[iceio.GCSEndpoint]),
		keyFile:  props[iceio.GCSKeyPath], key: props[iceio.GCSJSONKey],
		kind:  cmp.Or(props[iceio.GCSCredType], string(google.ServiceAccount)),
		token: props[iceio.GCSOAuthToken], tokenExpires: props[iceio.GCSOAuthExpiresAt],
	}
	a.anonymous, _ = strconv.ParseBool(props[iceio.GCSNoAuth])
	// As Google's own programs, an emulator is not told who we are.
	if host := os.Getenv("STORAGE_EMULATOR_HOST"); host != "" && a.endpoint == "" {
		a.endpoint = host
		a.anonymous = a.anonymous || a.token+a.key+a.keyFile == ""
	}
	if a.endpoint != "" && !strings.Contains(a.endpoint, "://") {
		a.endpoint = "http://" + a.endpoint
	}
	if u, err := url.Parse(a.endpoint); err == nil && a.endpoint != "" && strings.Trim(u.Path, "/") == "" {
		a.endpoint = u.JoinPath("storage/v1").String() + "/"
	}
	return a
}

// openGCS opens the bucket of gs://BUCKET/….
func openGCS(ctx context.Context, u *url.URL, props map[string]string) (iceio.IO, error) {
	client, err := gcsAccessOf(props).client(context.WithoutCancel(ctx))
	if err != nil {
		return nil, err
	}
	bucket, err := gcsblob.OpenBucket(ctx, nil, u.Host, &gcsblob.Options{Client: client})
	if err != nil {
		return nil, err
	}
	return blobfs.New(ctx, bucket, blobfs.DefaultObjectLocationExtractor(u.Host, u.Scheme)), nil
}

func (a gcsAccess) client(ctx context.Context) (*gcs.Client, error) {
	if a.token != "" { // there will be another before long
		return a.newClient(ctx)
	}
	gcsClients.Lock()
	defer gcsClients.Unlock()
	if c := gcsClients.m[a]; c != nil {
		return c, nil
	}
	c, err := a.newClient(ctx)
	if err != nil {
		return nil, err
	}
	if gcsClients.m == nil {
		gcsClients.m = make(map[gcsAccess]*gcs.Client)
	}
	gcsClients.m[a] = c
	return c, nil
}

func (a gcsAccess) newClient(ctx context.Context) (*gcs.Client, error) {
	tokens, err := a.tokens(ctx)
	if err != nil {
		return nil, err
	}
	var transport http.RoundTripper = gcsTransport{storeTransport()}
	if tokens != nil {
		transport = &oauth2.Transport{Source: tokens, Base: transport}
	}
	opts := []option.ClientOption{option.WithHTTPClient(&http.Client{Transport: transport}), option.WithoutAuthentication(), gcs.WithJSONReads()}
	if a.endpoint != "" {
		opts = append(opts, option.WithEndpoint(a.endpoint))
	}
	c, err := gcs.NewClient(ctx, opts...)
	if err != nil {
		return nil, err
	}
	// What is written twice is the same file, of a name that nobody else uses.
	c.SetRetry(gcs.WithPolicy(gcs.RetryAlways), gcs.WithMaxAttempts(gcsAttempts), gcs.WithErrorFunc(func(err error) bool {
		var last *lastAttempt
		return gcs.ShouldRetry(err) && !errors.As(err, &last)
	}))
	return c, nil
}

// tokens returns what tells who we are; nil if nobody is to be told.
func (a gcsAccess) tokens(ctx context.Context) (oauth2.TokenSource, error) {
	switch {
	case a.anonymous:
		return nil, nil
	case a.token != "":
		t := &oauth2.Token{AccessToken: a.token}
		if ms, err := strconv.ParseInt(a.tokenExpires, 10, 64); err == nil {
			t.Expiry = time.UnixMilli(ms)
		}
		return oauth2.StaticTokenSource(t), nil
	}
	text := []byte(a.key)
	if a.key == "" && a.keyFile != "" {
		var err error
		if text, err = os.ReadFile(a.keyFile); err != nil {
			return nil, fmt.Errorf("read %s: %w", iceio.GCSKeyPath, err)
		}
	}
	var c *google.Credentials
	var err error
	if len(text) > 0 {
		c, err = google.CredentialsFromJSONWithType(ctx, text, google.CredentialsType(a.kind), gcsScope)
	} else {
		c, err = google.FindDefaultCredentials(ctx, gcsScope)
	}
	if err != nil {
		return nil, &gcsKeyError{err}
	}
	return c.TokenSource, nil
}

// A gcsKeyError is that there are no credentials, or none that can be read.
type gcsKeyError struct{ error }

func (e *gcsKeyError) Unwrap() error { return e.error }

// gcsTransport makes errors of two kinds of answers. What is forbidden gocloud.dev
// would take for a file that is not there. And an upload that a server is too busy for
// would be tried again until its context ends, which that of a file does not.
type gcsTransport struct{ http.RoundTripper }

func (t gcsTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.RoundTripper.RoundTrip(req)
	last := gcsAttempt(req) >= gcsAttempts
	switch {
	case err != nil:
	case resp.StatusCode == http.StatusForbidden,
		last && (storeAnswer{status: resp.StatusCode}).busy():
		err = googleapi.CheckResponse(resp)
		_ = resp.Body.Close()
		resp = nil
	}
	if err != nil && last {
		err = &lastAttempt{err}
	}
	return resp, err
}

// A lastAttempt is an error after which a request is not repeated.
type lastAttempt struct{ error }

func (e *lastAttempt) Unwrap() error { return e.error }

// gcsAttempt returns which attempt a request is, as Google's library tells its server.
func gcsAttempt(req *http.Request) int {
	for _, text := range req.Header.Values("X-Goog-Api-Client") {
		_, count, _ := strings.Cut(text, "gccl-attempt-count/")
		count, _, _ = strings.Cut(count, " ")
		if n, err := strconv.Atoi(count); err == nil {
			return n
		}
	}
	return 1
}
