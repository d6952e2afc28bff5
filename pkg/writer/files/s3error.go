package files

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// An s3Error says what a server answered, or why there is no answer, without the words of
// the SDK, which name the request and leave the object out.
type s3Error struct {
	text   string
	causes []error
}

func (e *s3Error) Error() string   { return e.text }
func (e *s3Error) Unwrap() []error { return e.causes }

// fail puts an error in plain words, says whether it may pass, and what can be done.
func (s *s3Store) fail(verb, key string, err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("%s %s: %w", verb, s.location(key), context.Canceled)
	}
	return fmt.Errorf("%s %s: %w", verb, s.location(key), s3Plain(err))
}

func s3Plain(err error) error {
	var known *s3Error
	if errors.As(err, &known) {
		return err
	}
	plain := &s3Error{err.Error(), []error{err}}
	var api interface {
		ErrorCode() string
		ErrorMessage() string
	}
	var request *url.Error
	switch {
	case s3NoKeys(err):
		plain.text = s3KeyText(err)
	case errors.As(err, &api):
		plain.text = strings.TrimSuffix(api.ErrorCode()+": "+api.ErrorMessage(), ": ")
	case errors.As(err, &request):
		plain.text = request.Err.Error()
	}
	if s3Absent(err) {
		plain.causes = append(plain.causes, fs.ErrNotExist)
	}
	var e error = plain
	if s3Passes(err) {
		e = hint.Transient(e)
	}
	if remedy := s3Remedy(err); remedy != "" {
		e = hint.Wrap(e, "%s", remedy)
	}
	return e
}

// s3Code returns the code of an answer, and s3Status its status; "" and 0 if there is none.
func s3Code(err error) string {
	var api interface{ ErrorCode() string }
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func s3Status(err error) int {
	var answer interface{ HTTPStatusCode() int }
	if errors.As(err, &answer) {
		return answer.HTTPStatusCode()
	}
	return 0
}

// s3Absent reports whether there is no such object. That there is no such bucket, upload
// or, to versitygw, user, has the same status.
func s3Absent(err error) bool {
	code := s3Code(err)
	return code == "NoSuchKey" || code == "NotFound"
}

// s3Conflict reports whether there is an object where none was to be.
func s3Conflict(err error) bool {
	status := s3Status(err)
	return status == http.StatusPreconditionFailed || status == http.StatusConflict && s3Code(err) != s3FolderGone
}

// s3Unable reports whether the server does not know what was asked for.
func s3Unable(err error) bool {
	status := s3Status(err)
	return status == http.StatusNotImplemented || status == http.StatusMethodNotAllowed ||
		status == http.StatusBadRequest && !slices.Contains(s3Refusals, s3Code(err))
}

// s3NoKeys reports whether the SDK has found no credentials. What it has asked for some may
// have answered with a status.
func s3NoKeys(err error) bool {
	return s3Code(err) == "" && strings.Contains(err.Error(), s3Keyless)
}

const s3Keyless = "get credentials: "

// s3KeyText says why there are none, if it is not that none were named.
func s3KeyText(err error) string {
	const text = "there are no credentials for it"
	_, why, _ := strings.Cut(err.Error(), s3Keyless)
	why = strings.TrimPrefix(why, "failed to refresh cached credentials, ")
	if why == "" || strings.Contains(why, "IMDS") {
		return text
	}
	return text + ": " + why
}

// s3Passes reports whether asking again may help.
func s3Passes(err error) bool {
	var bad *tls.CertificateVerificationError
	var op *net.OpError
	var dns *net.DNSError
	var request *url.Error
	switch status := s3Status(err); {
	case s3NoKeys(err), errors.As(err, &bad), status == http.StatusNotImplemented:
		return false
	case status >= 500, status == http.StatusRequestTimeout, status == http.StatusTooManyRequests:
		return true
	case slices.Contains([]string{"SlowDown", "RequestTimeout", "InternalError", "ServiceUnavailable", "OperationAborted", "ConditionalRequestConflict"}, s3Code(err)):
		return true
	}
	return errors.As(err, &op) || errors.As(err, &dns) || errors.As(err, &request) ||
		errors.Is(err, context.DeadlineExceeded) || errors.Is(err, io.ErrUnexpectedEOF)
}

// s3Refusals are codes for that it is not us who may do that. XAdminUserNotFound is
// versitygw's word for a key that it does not know.
var s3Refusals = []string{
	"AccessDenied", "AllAccessDisabled", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "ExpiredTokenException",
	"InvalidToken", "TokenRefreshRequired", "Forbidden", "XAdminUserNotFound",
}

// s3Remedy returns what an operator can do, or "".
func s3Remedy(err error) string {
	var bad *tls.CertificateVerificationError
	var op *net.OpError
	var dns *net.DNSError
	code, status := s3Code(err), s3Status(err)
	switch {
	case s3NoKeys(err):
		return "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or whatever else AWS's programs take here"
	case strings.HasPrefix(code, "ExpiredToken"), code == "TokenRefreshRequired":
		return "get new credentials: the token in AWS_SESSION_TOKEN, or that of the profile, has expired"
	case code == "RequestTimeTooSkewed":
		return "set the clock of this machine"
	case slices.Contains(s3Refusals, code), status == http.StatusForbidden, status == http.StatusUnauthorized:
		return "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and the rights on the bucket: to list it, and to read, write and delete objects"
	case code == "AuthorizationHeaderMalformed", code == "IllegalLocationConstraintException", status == http.StatusMovedPermanently, status == http.StatusTemporaryRedirect:
		return "name the bucket's region by AWS_REGION or by region= in the URL"
	case code == "InvalidBucketName":
		return "check the bucket in the URL: names have 3 to 63 lower-case letters, digits, dots and hyphens"
	case code == "NoSuchBucket":
		return "create the bucket, or name another"
	case code == "QuotaExceeded", code == "InsufficientStorage", status == http.StatusInsufficientStorage:
		return "free some space in the store, and run the same command again"
	case errors.As(err, &bad):
		return "name the file with the certificate of its CA by AWS_CA_BUNDLE"
	case errors.As(err, &op), errors.As(err, &dns):
		return "check that the store is up, and endpoint= in the URL"
	}
	return ""
}
