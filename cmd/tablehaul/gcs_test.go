package main

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/tablehaul/tablehaul/testdata/services"
)

// A google is fake-gcs-server behind one that gives out tokens for the signature of a
// service account, and looks at the token of each request.
type google struct {
	*httptest.Server
	key     *rsa.PrivateKey
	deleted atomic.Bool  // the account's key
	answer  atomic.Int32 // a status to answer requests with
	given   atomic.Int32 // tokens
}

func newGoogle(t *testing.T) *google {
	t.Helper()
	store, err := url.Parse(services.Env(t, "TABLEHAUL_TEST_GCS"))
	if err != nil {
		t.Fatal(err)
	}
	g := &google{}
	if g.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(store) }}
	g.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		status := int(g.answer.Load())
		switch {
		case r.URL.Path == "/token":
			g.token(w, r)
			return
		case r.Header.Get("Authorization") != "Bearer t0ken":
			status = http.StatusUnauthorized
		case status == 0:
			proxy.ServeHTTP(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"error":{"code":%d,"message":"Said so.","errors":[{"reason":"soSaid","message":"Said so."}]}}`, status)
	}))
	t.Cleanup(g.Close)
	return g
}

func (g *google) token(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	if g.deleted.Load() || !g.signed(r.FormValue("assertion")) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"error":"invalid_grant","error_description":"Invalid JWT Signature."}`)
		return
	}
	g.given.Add(1)
	fmt.Fprint(w, `{"access_token":"t0ken","token_type":"Bearer","expires_in":3600}`)
}

// signed checks who asks for a token, and for what.
func (g *google) signed(assertion string) bool {
	at := strings.LastIndexByte(assertion, '.')
	if at < 0 {
		return false
	}
	signature, err := base64.RawURLEncoding.DecodeString(assertion[at+1:])
	sum := sha256.Sum256([]byte(assertion[:at]))
	_, text, _ := strings.Cut(assertion[:at], ".")
	claims, e := base64.RawURLEncoding.DecodeString(text)
	return err == nil && e == nil && rsa.VerifyPKCS1v15(&g.key.PublicKey, crypto.SHA256, sum[:], signature) == nil &&
		strings.Contains(string(claims), "devstorage.read_write") && strings.Contains(string(claims), "haul@acme.example")
}

// keyFile writes the file of the service account's key, as Google's console does.
func (g *google) keyFile(t *testing.T, name string, key *rsa.PrivateKey) string {
	t.Helper()
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(map[string]string{
		"type": "service_account", "project_id": "acme", "private_key_id": "1", "client_email": "haul@acme.example", "token_uri": g.URL + "/token",
		"private_key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})),
	})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// TestGCS is TestAzure for Google's store.
func TestGCS(t *testing.T) {
	t.Parallel()
	s := newShop(t)
	g := newGoogle(t)
	dir := t.TempDir()
	lake := "gs://" + services.Env(t, "TABLEHAUL_TEST_GCS_BUCKET") + "/" + s.name
	there := "&gcs.service.host=" + url.QueryEscape(g.URL)
	sink := func(namespace, more string) string {
		return "iceberg+sql:" + filepath.Join(dir, "catalog.db") + "?warehouse=" + lake + "&catalog=x&namespace=" + namespace + more
	}
	none := []string{"GOOGLE_APPLICATION_CREDENTIALS=", "STORAGE_EMULATOR_HOST=", "HOME=" + dir}
	file := g.keyFile(t, "key.json", g.key)
	key := with(none, "GOOGLE_APPLICATION_CREDENTIALS="+file)
	s.sql("CREATE TABLE " + s.name + ".u LIKE " + s.name + ".t; INSERT INTO " + s.name + ".u SELECT * FROM " + s.name + ".t")
	succeed(t, key, "snapshot", s.source(), sink(s.name, there), "-q")
	if n := g.given.Load(); n != 1 {
		t.Errorf("a token was asked for %d times, want once for all tables", n)
	}
	s.sql("INSERT INTO " + s.name + ".t VALUES (3, 0)")
	succeed(t, key, "tail", s.source(), sink(s.name, there), "--until", "now", "-q")
	store := services.Env(t, "TABLEHAUL_TEST_GCS")
	s.want(s.read(services.Env(t, "TABLEHAUL_TEST_PYTHON"), "type=sql", "uri=sqlite:///"+filepath.Join(dir, "catalog.db"),
		"gcs.service.host="+store, "gcs.oauth2.token=x", "gcs.oauth2.token-expires-at=4000000000000"), "1:0 2:0 3:0")
	succeed(t, none, "snapshot", s.source(), sink("b", there+"&gcs.keypath="+file), "-q")
	succeed(t, none, "snapshot", s.source(), sink("c", there+"&gcs.oauth2.token=t0ken"), "-q")
	succeed(t, with(none, "STORAGE_EMULATOR_HOST="+store), "snapshot", s.source(), sink("d", ""), "-q")

	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	write := "write to " + lake + ": "
	for _, c := range []struct {
		name   string
		env    []string
		more   string
		secret string
		answer int
		want   []string
	}{
		{"nobody", none, there, "", 0, []string{"open " + lake, "there are no credentials for it", "hint: set GOOGLE_APPLICATION_CREDENTIALS"}},
		{"no file", with(none, "GOOGLE_APPLICATION_CREDENTIALS=/nowhere"), there, "", 0, []string{"open " + lake, "/nowhere: no such file", "hint: set GOOGLE_APPLICATION_CREDENTIALS"}},
		{"another key", with(none, "GOOGLE_APPLICATION_CREDENTIALS="+g.keyFile(t, "other.json", other)), there, "", 0, []string{write + "Google gives out no token for it: invalid_grant", "hint: check that the key"}},
		{"wrong token", none, there + "&gcs.oauth2.token=wr0ng", "wr0ng", 0, []string{write + "soSaid: Said so.", "hint: set GOOGLE_APPLICATION_CREDENTIALS"}},
		{"no right", key, there, "", http.StatusForbidden, []string{write + "soSaid: Said so.", "hint: grant this account the role Storage Object User"}},
		{"no bucket", key, there, "", http.StatusNotFound, []string{write + "soSaid: Said so.", "hint: create the bucket"}},
		{"out of reach", none, "&gcs.no-auth=true&gcs.service.host=127.0.0.1:1", "", 0, []string{write, "connection refused", "hint: check that the catalog and the warehouse are up"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g.answer.Store(int32(c.answer))
			complain(t, c.env, c.secret, c.want, "snapshot", s.source(), sink("e", c.more), "-q")
		})
	}
	g.answer.Store(0)
	g.deleted.Store(true)
	complain(t, key, "", []string{write + "Google gives out no token", "hint: check that the key"}, "snapshot", s.source(), sink("e", there), "-q")
}
