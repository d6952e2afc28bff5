package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// An s3Proxy stands before a store. before answers a request itself, or returns false.
// after looks at an answer, and cuts the connection if it returns an error.
type s3Proxy struct {
	before func(http.ResponseWriter, *http.Request) bool
	after  func(*http.Response) error
}

var errCutHere = errors.New("cut")

// start returns the URL of the proxy.
func (p s3Proxy) start(t *testing.T, o s3Options) s3Options {
	t.Helper()
	back, err := url.Parse(o.endpoint)
	storeMust(t, err)
	pass := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(back)
			r.Out.Host = r.In.Host // which is signed
		},
		ModifyResponse: p.after,
		ErrorHandler:   func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
		ErrorLog:       log.New(io.Discard, "", 0),
	}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.before == nil || !p.before(w, r) {
			pass.ServeHTTP(w, r)
		}
	}))
	t.Cleanup(server.Close)
	o.endpoint = server.URL
	return o
}

// s3Answer answers as S3 does.
func s3Answer(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>what is meant by it</Message></Error>`, code)
}

func TestS3Throttled(t *testing.T) {
	t.Parallel()
	var asked, refused atomic.Int32
	s := s3At(t, s3Proxy{before: func(w http.ResponseWriter, _ *http.Request) bool {
		n := asked.Add(1)
		switch {
		case n%9 == 3:
			s3Answer(w, http.StatusServiceUnavailable, "SlowDown")
		case n%9 == 6:
			s3Answer(w, http.StatusTooManyRequests, "TooManyRequests")
		case n%9 == 8:
			s3Answer(w, http.StatusInternalServerError, "InternalError")
		default:
			return false
		}
		refused.Add(1)
		return true
	}}.start(t, s3Place(t)))
	storeCommit(t, s)
	storeMust(t, s.remove(t.Context(), storeTable))
	storeLarge(t, s)
	storeTaken(t, s3At(t, s3Options{bucket: s.bucket, prefix: s.root + "/2", endpoint: s.options.endpoint, pathStyle: true}))
	if refused.Load() < 10 {
		t.Errorf("%d requests of %d were refused", refused.Load(), asked.Load())
	}
}

// What is refused for good comes as an error that may pass, after as many attempts as
// were asked for.
func TestS3BusyForGood(t *testing.T) {
	t.Setenv("AWS_MAX_ATTEMPTS", "2")
	for status, code := range map[int]string{503: "SlowDown", 429: "TooManyRequests", 500: "InternalError", 408: "RequestTimeout"} {
		var asked atomic.Int32
		s := s3At(t, s3Proxy{before: func(w http.ResponseWriter, _ *http.Request) bool {
			asked.Add(1)
			s3Answer(w, status, code)
			return true
		}}.start(t, s3Place(t)))
		_, err := s.entry(t.Context(), storeTable, 1)
		if !hint.IsTransient(err) || errors.Is(err, fs.ErrNotExist) || asked.Load() != 2 || !strings.Contains(err.Error(), code+": what is meant by it") {
			t.Errorf("%d: asked %d times: %v", status, asked.Load(), err)
		}
	}
}

// s3Cut cuts the answers to requests that have been granted: to all, or the first.
func s3Cut(first bool, of func(*http.Request) bool) (p s3Proxy, cuts *atomic.Int32) {
	cuts = new(atomic.Int32)
	return s3Proxy{after: func(r *http.Response) error {
		if r.StatusCode < 300 && of(r.Request) && (cuts.Add(1) == 1 || !first) {
			return errCutHere
		}
		return nil
	}}, cuts
}

func s3IsClaim(r *http.Request) bool {
	return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/commits/")
}

// A commit whose answer is lost is made, and made once.
func TestS3ClaimAnswerLost(t *testing.T) {
	for _, first := range []bool{true, false} {
		if !first {
			t.Setenv("AWS_MAX_ATTEMPTS", "1") // no second one that is refused
		}
		o := s3Place(t)
		p, cuts := s3Cut(first, s3IsClaim)
		s := s3At(t, p.start(t, o))
		at, other := storeRun(t, s, "a"), storeRun(t, s, "b")
		name, token := storeFile(t, s, at, 1, []byte("x"))
		storeMust(t, s.claim(t.Context(), at, 1, []byte("mine")))
		if cuts.Load() != 1 {
			t.Errorf("%d answers were lost", cuts.Load())
		}
		if err := s.claim(t.Context(), other, 1, []byte("other")); !errors.Is(err, errTaken) {
			t.Errorf("got %v, want %v", err, errTaken)
		}
		storeMust(t, s.publish(t.Context(), storeTable, 1, name, token))
		storeContent(t, s, storeTable+"/"+name, []byte("x"))
	}
}

// Answers to other requests are lost: of uploads that are begun twice one is left.
func TestS3AnswersLost(t *testing.T) {
	t.Parallel()
	for what, of := range map[string]func(*http.Request) bool{
		"begin":    func(r *http.Request) bool { return r.URL.Query().Has("uploads") && r.Method == http.MethodPost },
		"part":     func(r *http.Request) bool { return r.URL.Query().Has("partNumber") },
		"complete": func(r *http.Request) bool { return r.URL.Query().Has("uploadId") && r.Method == http.MethodPost },
		"hold": func(r *http.Request) bool {
			return r.Method == http.MethodPut && strings.Contains(r.URL.Path, "/staging/")
		},
		"delete": func(r *http.Request) bool { return r.Method == http.MethodDelete },
	} {
		p, cuts := s3Cut(true, of)
		s := s3At(t, p.start(t, s3Place(t)))
		at := storeRun(t, s, "a")
		name, token := storeFile(t, s, at, 1, []byte("x"))
		if left := s3Uploads(t, s); len(left) != 1 {
			t.Errorf("%s: uploads: got %v, want one", what, left)
		}
		storeMust(t, s.claim(t.Context(), at, 1, []byte("mine")))
		storeMust(t, s.publish(t.Context(), storeTable, 1, name, token))
		storeContent(t, s, storeTable+"/"+name, []byte("x"))
		if cuts.Load() == 0 {
			t.Errorf("%s: no answer was lost", what)
		}
	}
}

// S3 may say that completing has failed after it has said that all is well.
func TestS3FailedWell(t *testing.T) {
	t.Parallel()
	var times atomic.Int32
	s := s3At(t, s3Proxy{before: func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost || !r.URL.Query().Has("uploadId") || times.Add(1) > 2 {
			return false
		}
		s3Answer(w, http.StatusOK, "InternalError")
		return true
	}}.start(t, s3Place(t)))
	at := storeRun(t, s, "a")
	name, token := storeFile(t, s, at, 1, []byte("x"))
	storeMust(t, s.claim(t.Context(), at, 1, []byte("e")))
	storeMust(t, s.publish(t.Context(), storeTable, 1, name, token))
	storeContent(t, s, storeTable+"/"+name, []byte("x"))
	if times.Load() != 3 {
		t.Errorf("asked %d times, want 3", times.Load())
	}
}

type s3Torn struct {
	io.Reader
	io.Closer
}

// Answers come in pieces: each breaks off somewhere.
func TestS3Torn(t *testing.T) {
	t.Parallel()
	var torn atomic.Int64
	s := s3At(t, s3Proxy{after: func(r *http.Response) error {
		if r.Request.Method == http.MethodGet && r.ContentLength > 50_000 && torn.Add(1) > 0 {
			r.Body = s3Torn{io.MultiReader(io.LimitReader(r.Body, 40_000+r.ContentLength/2), &failing{}), r.Body}
		}
		return nil
	}}.start(t, s3Place(t)))
	storeRead(t, s)
	if torn.Load() < 10 {
		t.Errorf("%d answers were torn", torn.Load())
	}
}

type failing struct{}

func (*failing) Read([]byte) (int, error) { return 0, errCutHere }

// Stores that do not know If-None-Match refuse it, or do not heed it.
func TestS3WithoutConditions(t *testing.T) {
	t.Parallel()
	for what, p := range map[string]s3Proxy{
		"refused": {before: func(w http.ResponseWriter, r *http.Request) bool {
			if r.Header.Get("If-None-Match") == "" {
				return false
			}
			s3Answer(w, http.StatusNotImplemented, "NotImplemented")
			return true
		}},
		"not heeded": {after: func(r *http.Response) error {
			if r.StatusCode == http.StatusPreconditionFailed && r.Request.Header.Get("If-None-Match") != "" {
				r.StatusCode, r.Status, r.ContentLength, r.Body = 200, "200 OK", 0, http.NoBody
				r.Header = http.Header{"Etag": {`"0"`}}
			}
			return nil
		}},
	} {
		o := p.start(t, s3Place(t))
		var mu sync.Mutex
		var warned []string
		o.warn = func(text string) {
			mu.Lock()
			defer mu.Unlock()
			warned = append(warned, text)
		}
		s := s3At(t, o)
		storeTaken(t, s)
		storeMust(t, s.remove(t.Context(), "db"))
		storeClaimAgain(t, s)
		if len(warned) != 1 || !strings.Contains(warned[0], "only one run") {
			t.Errorf("%s: warned of %q", what, warned)
		}
		if found, err := s.list(t.Context(), ""); err != nil || len(found) != 1 {
			t.Errorf("%s: there is %v (%v)", what, found, err)
		}
	}
}

// Some stores do not know a call, or do not let everybody.
func TestS3Unable(t *testing.T) {
	var warned []string
	o := s3Place(t)
	front := s3Proxy{before: func(w http.ResponseWriter, r *http.Request) bool {
		switch {
		case r.Method == http.MethodGet && r.URL.Query().Has("uploads"):
			s3Answer(w, http.StatusForbidden, "AccessDenied")
		case r.Method == http.MethodPost && r.URL.Query().Has("delete"):
			s3Answer(w, http.StatusBadRequest, "MissingContentMD5")
		default:
			return false
		}
		return true
	}}.start(t, o)
	front.warn = func(text string) { warned = append(warned, text) }
	s := s3At(t, front)
	storeRemove(t, s)
	at := storeRun(t, s, "a")
	storeFile(t, s, at, 1, []byte("x"))
	for range 2 {
		storeMust(t, s.discard(t.Context(), at))
	}
	if left := s3Uploads(t, s3At(t, o)); len(left) > 0 {
		t.Errorf("it has left what it knew of: %v", left)
	}
	if len(warned) != 1 || !strings.Contains(warned[0], "list uploads") {
		t.Errorf("warned of %q", warned)
	}
}

func TestS3Refused(t *testing.T) {
	o := s3Place(t)
	t.Setenv("AWS_CONFIG_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", t.TempDir()+"/none")
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	nowhere, nobody := o, o
	nowhere.bucket = "no-such-bucket"
	nobody.endpoint = "http://127.0.0.1:1"
	expired := s3Proxy{before: func(w http.ResponseWriter, _ *http.Request) bool {
		s3Answer(w, http.StatusBadRequest, "ExpiredToken")
		return true
	}}.start(t, o)
	region := s3Proxy{before: func(w http.ResponseWriter, _ *http.Request) bool {
		s3Answer(w, http.StatusMovedPermanently, "PermanentRedirect")
		return true
	}}.start(t, o)
	for name, c := range map[string]struct {
		o                  s3Options
		id, secret, remedy string
		passes             bool
	}{
		"no bucket":      {nowhere, "test", "testsecret", "create the bucket", false},
		"another secret": {o, "test", "s3cret", "check AWS_ACCESS_KEY_ID", false},
		"another key":    {o, "n0body", "s3cret", "check AWS_ACCESS_KEY_ID", false},
		"no keys":        {o, "", "", "set AWS_ACCESS_KEY_ID", false},
		"expired":        {expired, "test", "s3cret", "get new credentials", false},
		"region":         {region, "test", "s3cret", "region", false},
		"nobody there":   {nobody, "test", "s3cret", "check that the store is up", true},
	} {
		t.Setenv("AWS_ACCESS_KEY_ID", c.id)
		t.Setenv("AWS_SECRET_ACCESS_KEY", c.secret)
		s := s3At(t, c.o)
		at := stage{table: storeTable, name: "a"}
		for what, do := range map[string]func() error{
			"open":    func() error { _, err := s.open(t.Context(), "f"); return err },
			"entry":   func() error { _, err := s.entry(t.Context(), storeTable, 1); return err },
			"list":    func() error { _, err := s.list(t.Context(), ""); return err },
			"remove":  func() error { return s.remove(t.Context(), "f") },
			"replace": func() error { return s.replace(t.Context(), "", "f", nil) },
			"create":  func() error { _, err := s.create(t.Context(), at, "part-a-00001.bin"); return err },
			"claim":   func() error { return s.claim(t.Context(), at, 1, []byte("e")) },
			"discard": func() error { return s.discard(t.Context(), at) },
		} {
			err := do()
			if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, errTaken) || hint.IsTransient(err) != c.passes || !strings.Contains(hint.Of(err), c.remedy) {
				t.Errorf("%s: %s: got %v (hint %q, may pass: %v)", name, what, err, hint.Of(err), hint.IsTransient(err))
			}
			if err != nil && (strings.Contains(err.Error(), "s3cret") || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "operation error")) {
				t.Errorf("%s: %s: it says %v", name, what, err)
			}
		}
	}
}

// A file that grows slowly and one that is given up hold no others up.
func TestS3ManyFiles(t *testing.T) {
	t.Parallel()
	s := s3At(t, s3Place(t))
	at := storeRun(t, s, "a")
	content := bytes.Repeat([]byte("0123456789abcdef"), s3PartSize/16+1)
	var wg sync.WaitGroup
	tokens := make([]string, 12)
	for i := range tokens {
		wg.Go(func() {
			out, err := s.create(t.Context(), at, fmt.Sprintf("part-a-%05d.bin", i))
			if err == nil {
				_, err = out.Write(content)
			}
			switch {
			case err != nil:
				t.Error(err)
			case i%3 == 0:
				out.abort()
			default:
				if tokens[i], err = out.finish(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	storeMust(t, s.claim(t.Context(), at, 1, []byte("e")))
	for i, token := range tokens {
		name := fmt.Sprintf("part-a-%05d.bin", i)
		if token == "" {
			storeGone(t, s, storeTable+"/"+name)
			continue
		}
		storeMust(t, s.publish(t.Context(), storeTable, 1, name, token))
		storeContent(t, s, storeTable+"/"+name, content)
	}
	if left := s3Uploads(t, s); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}
