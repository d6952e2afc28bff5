package files

import (
	"context"
	"crypto/tls"
	"errors"
	"math/rand/v2"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/ratelimit"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
)

const (
	s3Attempts   = 10 // about a minute
	s3FirstPause = 200 * time.Millisecond
	s3LastPause  = 20 * time.Second
	// s3FewAttempts is for a server that has not answered yet, and so may not be there, and
	// for one that lets us wait.
	s3FewAttempts = 3
)

// An s3Retryer repeats what may pass: more often than the SDK does by itself, because a
// run of hours is at stake, and at any rate of failures, because there is no other server
// to go to.
type s3Retryer struct {
	*retry.Standard
	answered *atomic.Bool
}

var _ aws.RetryerV2 = s3Retryer{}

func newS3Retryer() s3Retryer {
	r := retry.NewStandard(func(o *retry.StandardOptions) {
		o.MaxAttempts = s3Attempts
		o.RateLimiter = ratelimit.None
		o.Backoff = retry.BackoffDelayerFunc(s3Pause)
		o.Retryables = append([]retry.IsErrorRetryable{retry.IsErrorRetryableFunc(s3Repeat)}, o.Retryables...)
	})
	return s3Retryer{r, new(atomic.Bool)}
}

// s3Pause is how long to wait after so many attempts, of which the first is number 1.
func s3Pause(attempts int, _ error) (time.Duration, error) {
	pause := min(s3FirstPause<<min(attempts-1, 20), s3LastPause)
	return pause/2 + rand.N(pause/2), nil
}

// s3FolderGone is what versitygw says if another client has removed the last object of a
// folder at the moment in which one is put there, or if there is a folder of that name.
const s3FolderGone = "ExistingObjectIsDirectory"

// s3Repeat is about those errors that the SDK judges otherwise.
func s3Repeat(err error) aws.Ternary {
	var bad *tls.CertificateVerificationError
	var answer interface{ HTTPStatusCode() int }
	switch {
	case errors.As(err, &bad):
		return aws.FalseTernary
	case errors.As(err, &answer) && answer.HTTPStatusCode() == http.StatusTooManyRequests, s3Code(err) == s3FolderGone:
		return aws.TrueTernary
	}
	return aws.UnknownTernary
}

// GetAttemptToken notes what comes of an attempt.
func (r s3Retryer) GetAttemptToken(ctx context.Context) (func(error) error, error) {
	release, err := r.Standard.GetAttemptToken(ctx)
	if err != nil {
		return nil, err
	}
	return func(err error) error {
		if err == nil {
			r.answered.Store(true)
		}
		return release(err)
	}, nil
}

// RetryDelay gives up soon where nobody has answered ever, or attempts take long.
func (r s3Retryer) RetryDelay(attempt int, err error) (time.Duration, error) {
	var op *net.OpError
	var late interface{ Timeout() bool }
	absent := errors.As(err, &op) && op.Op == "dial" && !r.answered.Load()
	if attempt >= s3FewAttempts && (absent || s3Code(err) == s3FolderGone || errors.As(err, &late) && late.Timeout()) {
		return 0, err
	}
	return r.Standard.RetryDelay(attempt, err)
}
