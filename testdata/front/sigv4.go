package front

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
)

// signed checks a request's signature: it signs what the request says to be signed
// once more, by the signer of AWS's SDK, and compares.
func (f *Front) signed(r *http.Request) error {
	got := r.Header.Get("Authorization")
	_, list, ok := strings.Cut(got, "SignedHeaders=")
	if !strings.HasPrefix(got, "AWS4-HMAC-SHA256 Credential=") || !ok {
		return errors.New("the request is not signed")
	}
	list, _, _ = strings.Cut(list, ",")
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return err
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	sum := sha256.Sum256(body)
	hash := hex.EncodeToString(sum[:])
	if sent := r.Header.Get("X-Amz-Content-Sha256"); sent != "" && sent != hash {
		return errors.New("the hash of the body is another")
	}
	at, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || time.Since(at).Abs() > 5*time.Minute {
		return errors.New("the signature is too old or has no date")
	}
	again, err := http.NewRequestWithContext(r.Context(), r.Method, "http://"+r.Host+r.URL.RequestURI(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	again.ContentLength = 0
	again.Host = r.Host
	for name := range strings.SplitSeq(list, ";") {
		switch name {
		case "host":
		case "content-length":
			again.ContentLength = int64(len(body))
		default:
			again.Header[http.CanonicalHeaderKey(name)] = r.Header.Values(name)
		}
	}
	who := aws.Credentials{AccessKeyID: f.Key, SecretAccessKey: f.Secret, SessionToken: f.Session}
	if err := v4.NewSigner().SignHTTP(r.Context(), who, again, hash, f.Service, f.Region, at); err != nil {
		return err
	}
	if want := again.Header.Get("Authorization"); got != want {
		return fmt.Errorf("the signature does not match: got %s, want %s", shorten(got), shorten(want))
	}
	return nil
}

// shorten leaves the signature itself out.
func shorten(s string) string {
	s, _, _ = strings.Cut(s, "Signature=")
	return s
}
