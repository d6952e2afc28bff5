package main

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/sas"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/service"

	"github.com/tablehaul/tablehaul/testdata/services"
)

// An emulator is Azurite with the shop and a catalog in a file.
type emulator struct {
	*shop
	dir, host, account, key, lake string
}

func newEmulator(t *testing.T) *emulator {
	s := newShop(t)
	u, err := url.Parse(services.Env(t, "TABLEHAUL_TEST_AZURITE"))
	if err != nil {
		t.Fatal(err)
	}
	account := services.Env(t, "TABLEHAUL_TEST_AZURITE_ACCOUNT")
	return &emulator{
		s, t.TempDir(), u.Host, account, services.Env(t, "TABLEHAUL_TEST_AZURITE_KEY"),
		"abfss://" + services.Env(t, "TABLEHAUL_TEST_AZURITE_CONTAINER") + "@" + account + ".dfs.core.windows.net/" + s.name,
	}
}

func (e *emulator) sink(namespace, more string) string {
	return "iceberg+sql:" + filepath.Join(e.dir, "catalog.db") + "?warehouse=" + e.lake + "&catalog=x&namespace=" + namespace +
		"&adls.protocol=http&adls.endpoint=" + e.host + more
}

// connection is a connection string.
func (e *emulator) connection(key string) string {
	return "DefaultEndpointsProtocol=http;AccountName=" + e.account + ";AccountKey=" + key + ";BlobEndpoint=http://" + e.host + "/" + e.account + ";"
}

// signature is a shared access signature that is valid until then.
func (e *emulator) signature(until time.Time) string {
	e.t.Helper()
	cred, err := service.NewSharedKeyCredential(e.account, e.key)
	if err != nil {
		e.t.Fatal(err)
	}
	q, err := sas.AccountSignatureValues{
		Protocol: sas.ProtocolHTTPSandHTTP, StartTime: time.Now().Add(-2 * time.Hour), ExpiryTime: until,
		Permissions:   (&sas.AccountPermissions{Read: true, Add: true, Create: true, Write: true, Delete: true, List: true}).String(),
		ResourceTypes: (&sas.AccountResourceTypes{Service: true, Container: true, Object: true}).String(),
	}.SignWithSharedKey(cred)
	if err != nil {
		e.t.Fatal(err)
	}
	return q.Encode()
}

// noAzure are the variables without which there is nobody to be.
var noAzure = []string{
	"AZURE_STORAGE_ACCOUNT=", "AZURE_STORAGE_KEY=", "AZURE_STORAGE_SAS_TOKEN=", "AZURE_STORAGE_CONNECTION_STRING=",
}

func with(env []string, more ...string) []string { return append(env[:len(env):len(env)], more...) }

// TestAzure finds credentials in all places, and tells what is wrong with them in one
// error that names the container.
func TestAzure(t *testing.T) {
	t.Parallel()
	e := newEmulator(t)
	key := with(noAzure, "AZURE_STORAGE_KEY="+e.key)
	succeed(t, key, "snapshot", e.source(), e.sink(e.name, ""), "-q")
	e.sql("INSERT INTO " + e.name + ".t VALUES (3, 0)")
	succeed(t, key, "tail", e.source(), e.sink(e.name, ""), "--until", "now", "-q")
	e.want(e.read(services.Env(t, "TABLEHAUL_TEST_PYTHON"), "type=sql", "uri=sqlite:///"+filepath.Join(e.dir, "catalog.db"),
		"adls.connection-string="+e.connection(e.key)), "1:0 2:0 3:0")

	good, old := e.signature(time.Now().Add(time.Hour)), e.signature(time.Now().Add(-time.Hour))
	succeed(t, with(noAzure, "AZURE_STORAGE_SAS_TOKEN="+good), "snapshot", e.source(), e.sink("b", ""), "-q")
	succeed(t, with(noAzure, "AZURE_STORAGE_CONNECTION_STRING="+e.connection(e.key)), "snapshot", e.source(), e.sink("c", ""), "-q")
	succeed(t, noAzure, "snapshot", e.source(), e.sink("d", "&adls.account-key="+url.QueryEscape(e.key)), "-q")
	succeed(t, noAzure, "snapshot", e.source(), e.sink("e", "&adls.sas-token."+e.account+".dfs.core.windows.net="+url.QueryEscape(good)), "-q")

	const wrong = "d3IwbmcgYW5kIHNlY3JldA=="
	sig := func(s string) string { v, _ := url.ParseQuery(s); return v.Get("sig") }
	const check = "hint: check AZURE_STORAGE_KEY"
	for name, c := range map[string]struct {
		env    []string
		more   string
		secret string
		want   []string
	}{
		"wrong key":               {with(noAzure, "AZURE_STORAGE_KEY="+wrong), "", wrong, []string{"write to " + e.lake + ": AuthorizationFailure: ", check}},
		"wrong key in the URL":    {noAzure, "&adls.auth.shared-key.account.key=" + wrong, wrong, []string{"write to " + e.lake + ": AuthorizationFailure: ", check}},
		"no key at all":           {with(noAzure, "AZURE_STORAGE_KEY=s3cret!"), "", "s3cret", []string{"open " + e.lake, "is not in base64", check}},
		"expired":                 {with(noAzure, "AZURE_STORAGE_SAS_TOKEN="+old), "", sig(old), []string{"write to " + e.lake + ": Authorization", check}},
		"wrong connection":        {with(noAzure, "AZURE_STORAGE_CONNECTION_STRING="+e.connection(wrong)), "", wrong, []string{"write to " + e.lake + ": AuthorizationFailure: ", check}},
		"half a connection":       {with(noAzure, "AZURE_STORAGE_CONNECTION_STRING=AccountKey="+wrong), "", wrong, []string{"open " + e.lake, "cannot be read", check}},
		"key of another account":  {with(noAzure, "AZURE_STORAGE_ACCOUNT=another", "AZURE_STORAGE_KEY="+e.key), "", e.key, []string{"write to " + e.lake + ": there is neither a key nor a signature", "hint: set AZURE_STORAGE_KEY"}},
		"out of reach":            {with(noAzure, "AZURE_STORAGE_SAS_TOKEN="+good), "&adls.endpoint=127.0.0.1:1", sig(good), []string{"write to " + e.lake + ": ", "connection refused", "hint: check that the catalog and the warehouse are up"}},
		"nobody":                  {noAzure, "", "", []string{"write to " + e.lake + ": there is neither a key nor a signature for it", "hint: set AZURE_STORAGE_KEY"}},
		"nobody, and no identity": {with(noAzure, "IDENTITY_ENDPOINT=http://127.0.0.1:1", "IDENTITY_HEADER=x"), "&adls.protocol=https", "", []string{"write to " + e.lake + ": there are no credentials for it", "hint: set AZURE_STORAGE_KEY"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // some wait between their attempts
			complain(t, c.env, c.secret, c.want, "snapshot", e.source(), e.sink("f", c.more), "-q")
		})
	}
	nowhere := strings.Replace(e.sink("f", ""), "://lake@", "://nowhere@", 1)
	complain(t, key, e.key, []string{"write to abfss://nowhere@", "ContainerNotFound: ", "hint: create the container"}, "snapshot", e.source(), nowhere, "-q")
}

// TestAzureToken asks the machine for a token, as a program in Azure does, and is
// believed over HTTPS only.
func TestAzureToken(t *testing.T) {
	t.Parallel()
	e := newEmulator(t)
	cert, key := serverCertificate(t, e.dir)
	addr, _ := services.Private(t, "azurite", "--cert", cert, "--key", key)
	asked := 0
	identity := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("X-IDENTITY-HEADER") != "t1cket" || r.URL.Query().Get("resource") != "https://storage.azure.com" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		asked++
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write([]byte(`{"access_token":"` + azureToken() + `","expires_on":"` + expiresOn() + `","resource":"https://storage.azure.com","token_type":"Bearer"}`))
	}))
	defer identity.Close()
	env := with(noAzure, "SSL_CERT_FILE="+cert, "IDENTITY_ENDPOINT="+identity.URL, "IDENTITY_HEADER=t1cket")
	e.host = addr
	e.sql("CREATE TABLE " + e.name + ".u LIKE " + e.name + ".t; INSERT INTO " + e.name + ".u SELECT * FROM " + e.name + ".t")
	succeed(t, env, "snapshot", e.source(), e.sink("a", "&adls.protocol=https"), "-q")
	if asked != 1 {
		t.Errorf("a token was asked for %d times, want once for all tables", asked)
	}
	complain(t, with(env, "SSL_CERT_FILE="+os.DevNull), "", []string{"write to " + e.lake + ": ", "certificate", "SSL_CERT_FILE"},
		"snapshot", e.source(), e.sink("b", "&adls.protocol=https"), "-q")
}
