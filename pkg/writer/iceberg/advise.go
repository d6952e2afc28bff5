package iceberg

import (
	"context"
	"crypto/tls"
	"errors"
	"io/fs"
	"net"
	"net/url"
	"slices"
	"strings"
	"syscall"

	"github.com/apache/iceberg-go/catalog"
	restcat "github.com/apache/iceberg-go/catalog/rest"
	iceio "github.com/apache/iceberg-go/io"

	"github.com/tablehaul/tablehaul/pkg/hdfs"
	"github.com/tablehaul/tablehaul/pkg/hint"
)

// fileGone is what is wrong with a lake that has lost files, and the first remedy.
const fileGone = "the catalog names a file that is gone, as after a folder was removed or the lake was moved: bring it back"

// advise adds what an operator can do about the errors that they can do
// something about, and marks those that may pass.
func advise(err error) error {
	if err != nil && transient(err) {
		err = hint.Transient(err)
	}
	err = withoutDump(err)
	var at *fs.PathError
	switch {
	case err == nil, errors.Is(err, context.Canceled):
		return err
	case isSpill(err):
		var s *spillError
		errors.As(err, &s)
		return hint.Wrap(err, "free some space in %s, or name another folder by TMPDIR, and run the same command again", s.dir)
	case diskFull(err):
		return hint.Wrap(err, "free some space, or name a lake elsewhere, and run the same command again")
	case readOnly(err):
		return hint.Wrap(err, "let this user write to the lake's folder, or name another")
	case errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.EISDIR):
		return hint.Wrap(err, "name a folder for the lake: there is a file in the way")
	case storeRemedy(err) != "":
		return hint.Wrap(err, "%s", storeRemedy(err))
	case errors.As(err, &at) && at.Op == "mkdir":
		return hint.Wrap(err, "name a folder on a disk, where one can be made")
	case errors.Is(err, fs.ErrNotExist):
		return hint.Wrap(err, fileGone+", or name another lake")
	case badCredential(err):
		return hint.Wrap(err, "set ICEBERG_REST_CREDENTIAL to CLIENT_ID:SECRET as that server knows them, and scope= and audience= in the sink's URL if it wants others")
	case errors.Is(err, restcat.ErrUnauthorized), errors.Is(err, restcat.ErrOAuthError):
		return hint.Wrap(err, "set ICEBERG_REST_TOKEN or ICEBERG_REST_CREDENTIAL to what the catalog accepts")
	case badCertificate(err):
		return hint.Wrap(err, "name the file with the certificate of its CA by SSL_CERT_FILE (AWS_CA_BUNDLE for S3), or for a catalog by ssl.cabundle= in the sink's URL")
	case noKeys(err):
		return hint.Wrap(err, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE, or whatever else AWS's programs take here")
	case errors.Is(err, restcat.ErrForbidden):
		return hint.Wrap(err, "grant this user the right to create and write tables in the catalog")
	case errors.Is(err, catalog.ErrNoSuchNamespace):
		return hint.Wrap(err, "create the namespace in the catalog, or name another in the sink's URL")
	case errors.Is(err, iceio.ErrIOSchemeNotFound):
		return hint.Wrap(err, "warehouses can lie on a local disk, on S3 (s3://), Azure (abfss://), Google Cloud Storage (gs://) or HDFS (hdfs://)")
	case errors.Is(err, context.DeadlineExceeded), unreachable(err):
		return hint.Wrap(err, "check that the catalog and the warehouse are up, and the host and port in the sink's URL")
	}
	return adviseS3(err)
}

// adviseS3 does what advise does for answers of S3.
func adviseS3(err error) error {
	switch code := apiCode(err); code {
	case "AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "Forbidden",
		"XAdminUserNotFound": // versitygw's word for a key that it does not know
		return hint.Wrap(err, "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN and the rights on the bucket")
	case "AuthorizationHeaderMalformed", "PermanentRedirect", "IllegalLocationConstraintException":
		return hint.Wrap(err, "name the bucket's region by AWS_REGION or by s3.region= in the sink's URL")
	case "NoSuchBucket":
		return hint.Wrap(err, "create the bucket, or name another warehouse")
	}
	return err
}

func diskFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG) ||
		strings.Contains(err.Error(), "database or disk is full")
}

func readOnly(err error) bool {
	return errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission) ||
		strings.Contains(err.Error(), "attempt to write a readonly database") ||
		strings.Contains(err.Error(), "unable to open database file")
}

// localCause reports whether this machine's disk is to blame, so that nothing
// has reached the catalog and asking it again is of no use. A REST catalog that
// complains about its own disk may use the same words.
func localCause(err error) bool {
	return (diskFull(err) || readOnly(err)) && !errors.Is(err, restcat.ErrRESTError)
}

// badCredential reports whether a token was refused, and not merely late.
func badCredential(err error) bool {
	var te *tokenError
	return errors.As(err, &te) && te.refused()
}

func badCertificate(err error) bool {
	var ce *tls.CertificateVerificationError
	return errors.As(err, &ce)
}

var errNoKeys = errors.New("no credentials")

// noKeys reports whether AWS's SDK has found no credentials.
func noKeys(err error) bool {
	return errors.Is(err, errNoKeys) || strings.Contains(err.Error(), "get credentials") || strings.Contains(err.Error(), "failed to refresh cached credentials")
}

func unreachable(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	return errors.As(err, &op) || errors.As(err, &dns)
}

// unconnected reports whether a request did not even begin to be sent.
func unconnected(err error) bool {
	var op *net.OpError
	var dns *net.DNSError
	return errors.As(err, &op) && op.Op == "dial" || errors.As(err, &dns) || badCertificate(err) || err != nil && noAzureToken(err)
}

// transient reports whether asking again may help.
func transient(err error) bool {
	if localCause(err) || errors.Is(err, context.Canceled) || badCredential(err) || badCertificate(err) {
		return false
	}
	if a, ok := answerOf(err); ok {
		return a.busy()
	}
	if storeRemedy(err) != "" {
		return false
	}
	var ue *url.Error
	return hdfs.Passing(err) || unreachable(err) || errors.As(err, &ue) || errors.Is(err, context.DeadlineExceeded) ||
		errors.Is(err, restcat.ErrServerError) || errors.Is(err, restcat.ErrServiceUnavailable) ||
		errors.Is(err, restcat.ErrCommitStateUnknown) || slices.Contains(busyCodes, apiCode(err)) ||
		strings.Contains(err.Error(), "database is locked")
}

// busyCodes are what an object store answers that is overloaded or being started.
var busyCodes = []string{"InternalError", "SlowDown", "ServiceUnavailable", "RequestTimeout", "503"}

// A plainError says what a server answered without the words of the libraries in
// between, which name the request and leave the bucket out.
type plainError struct {
	text string
	error
}

func (e plainError) Error() string { return e.text }
func (e plainError) Unwrap() error { return e.error }

// plain puts an error of a store in plain words, where it is of a kind that is known.
func plain(err error) error {
	var api interface {
		ErrorCode() string
		ErrorMessage() string
	}
	if p := plainStore(err); p != nil {
		return p
	}
	switch {
	case errors.As(err, &api):
		return plainError{api.ErrorCode() + ": " + api.ErrorMessage(), err}
	case noKeys(err):
		return plainError{"there are no credentials for it", errors.Join(errNoKeys, err)}
	}
	return err
}

// apiCode returns the code of an error that the AWS SDK passes on.
func apiCode(err error) string {
	var api interface{ ErrorCode() string }
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}
