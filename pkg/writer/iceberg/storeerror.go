package iceberg

import (
	"cmp"
	"encoding/json"
	"encoding/xml"
	"errors"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"
	"github.com/Azure/azure-sdk-for-go/sdk/azidentity"
	"golang.org/x/oauth2"
	"google.golang.org/api/googleapi"
)

// A storeAnswer is what a store of Azure's or Google's has said instead of doing what
// it was asked for.
type storeAnswer struct {
	azure         bool
	status        int // of HTTP
	code, message string
}

func (a storeAnswer) String() string { return a.code + ": " + a.message }

// answerOf finds the answer in an error.
func answerOf(err error) (storeAnswer, bool) {
	var az *azcore.ResponseError
	var g *googleapi.Error
	switch {
	case errors.As(err, &az):
		a := storeAnswer{azure: true, status: az.StatusCode, code: cmp.Or(az.ErrorCode, strconv.Itoa(az.StatusCode))}
		a.message = cmp.Or(azureMessage(az.RawResponse), http.StatusText(az.StatusCode))
		return a, true
	case errors.As(err, &g):
		a := storeAnswer{status: g.Code, code: strconv.Itoa(g.Code), message: cmp.Or(g.Message, strings.TrimSpace(g.Body), http.StatusText(g.Code))}
		if len(g.Errors) > 0 && g.Errors[0].Reason != "" {
			a.code = g.Errors[0].Reason
		}
		return a, true
	}
	return storeAnswer{}, false
}

// azureMessage is the first line of what the server says, behind which are the
// number of the request and the time.
func azureMessage(resp *http.Response) string {
	if resp == nil {
		return ""
	}
	var body struct{ Message string }
	text, err := runtime.Payload(resp)
	if err != nil || xml.Unmarshal(text, &body) != nil {
		return ""
	}
	line, _, _ := strings.Cut(body.Message, "\n")
	return strings.TrimSpace(line)
}

// busy reports whether the same request may be granted later.
func (a storeAnswer) busy() bool {
	return a.status >= 500 || a.status == http.StatusRequestTimeout || a.status == http.StatusTooManyRequests
}

// What an operator can do about the stores of Azure and Google.
const (
	azureKeys = "AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING"
	gcsKeys   = "set GOOGLE_APPLICATION_CREDENTIALS to the file with a service account's key, or gcs.keypath= in the sink's URL"
)

// storeRemedy returns it; "" if the error is none of theirs.
func storeRemedy(err error) string {
	switch {
	case noAzureToken(err):
		return "set " + azureKeys + ", or check what Azure's programs take here: AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, for one"
	case noGoogleKeys(err):
		return gcsKeys
	case googleTokenRefused(err):
		return "check that the key of the service account has not been deleted, and the clock of this machine"
	}
	a, ok := answerOf(err)
	switch {
	case !ok || a.busy():
		return ""
	case a.azure && a.code == "ContainerNotFound":
		return "create the container, or name another warehouse"
	case a.azure && a.code == "AuthorizationPermissionMismatch":
		return "grant this user the role Storage Blob Data Contributor, or a signature the rights to read, add, create, write, delete and list"
	case a.azure && (a.status == http.StatusUnauthorized || a.status == http.StatusForbidden):
		return "check " + azureKeys + ", when it expires and what it allows"
	case a.status == http.StatusUnauthorized:
		return gcsKeys + "; the token that was sent is not accepted"
	case a.status == http.StatusForbidden:
		return "grant this account the role Storage Object User on the bucket"
	case a.status == http.StatusNotFound:
		return "create the bucket, or name another warehouse"
	}
	return ""
}

// noAzureToken reports whether there is neither a key nor a signature, and no token
// either, or none that may be sent.
func noAzureToken(err error) bool {
	var refused *azidentity.AuthenticationFailedError
	return errors.Is(err, errNoAzureToken) || errors.As(err, &refused) || strings.Contains(err.Error(), "failed to acquire a token") || strings.Contains(err.Error(), withoutTLS)
}

var errNoAzureToken = errors.New("no token of Azure's")

// withoutTLS is in the error of a token that was not sent.
const withoutTLS = "not permitted for non-TLS protected"

func noGoogleKeys(err error) bool {
	var e *gcsKeyError
	return errors.As(err, &e)
}

func googleTokenRefused(err error) bool {
	var e *oauth2.RetrieveError
	return errors.As(err, &e) && e.Response != nil && e.Response.StatusCode < 500
}

// plainStore puts an error of theirs in plain words; it returns nil if it is none.
func plainStore(err error) error {
	var token *oauth2.RetrieveError
	// First who we are: a refusal of that has an answer in it too.
	switch {
	case noAzureToken(err) && strings.Contains(err.Error(), withoutTLS):
		return plainError{"there is neither a key nor a signature for it, and tokens are sent over HTTPS only", errors.Join(errNoAzureToken, err)}
	case noAzureToken(err) && os.Getenv("AZURE_CLIENT_ID") == "":
		return plainError{"there are no credentials for it", errors.Join(errNoAzureToken, err)}
	case noAzureToken(err):
		return plainError{"Azure gives out no token for it", errors.Join(errNoAzureToken, err)}
	case noGoogleKeys(err):
		return plainError{"there are no credentials for it that can be used: " + err.Error(), err}
	case errors.As(err, &token) && googleTokenRefused(err):
		return plainError{"Google gives out no token for it: " + reason(token), err}
	}
	if a, ok := answerOf(err); ok {
		return plainError{a.String(), err}
	}
	return nil
}

// reason is what a server says with which a token was asked for.
func reason(e *oauth2.RetrieveError) string {
	var body struct {
		Code string `json:"error"`
		Text string `json:"error_description"`
	}
	if json.Unmarshal(e.Body, &body) != nil || body.Code == "" {
		return e.Response.Status
	}
	return strings.TrimSpace(body.Code + " " + body.Text)
}

// withoutDump shortens an error in which Azure's SDK has put a whole answer, of many
// lines, to what it says.
func withoutDump(err error) error {
	var az *azcore.ResponseError
	if !errors.As(err, &az) {
		return err
	}
	a, _ := answerOf(err)
	text := strings.Replace(err.Error(), strings.TrimSpace(az.Error()), a.String(), 1)
	if text == err.Error() {
		return err
	}
	return plainError{strings.TrimSpace(text), err}
}
