package kafka

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// Two runs of one job fence each other for as long as both begin anew. One that meets the other
// more often than rivalMost within rivalTime leaves it the job.
const (
	rivalMost = 5
	rivalTime = 10 * time.Minute
)

// A fencedError is a writer.ErrFenced that names the job.
type fencedError struct {
	cause error
	job   string
	late  time.Duration // how long the transaction may take that took longer; 0: it did not
}

func (e *fencedError) Error() string {
	if e.late > 0 {
		return fmt.Sprintf("a transaction of the job %s has taken longer than %s (%v)", e.job, e.late, e.cause)
	}
	return fmt.Sprintf("another run of the job %s has begun (%v)", e.job, e.cause)
}

func (e *fencedError) Unwrap() []error { return []error{writer.ErrFenced, e.cause} }

// overtaken is the error of a session whose producer the brokers take no more. They say the same of
// one that was given up since its transaction, which has begun at started, took too long.
func (s *Sink) overtaken(err error, started *time.Time) error {
	e := &fencedError{cause: err, job: s.job}
	remedy := "give each run its own job=NAME, or stop one"
	if started != nil && time.Since(*started) >= s.opts.TransactionTimeout {
		e.late, remedy = s.opts.TransactionTimeout, "a longer transaction-timeout=; or another run of the job has begun meanwhile: give each its own job=NAME"
	}
	return hint.Transient(hint.Wrap(e, "%s", remedy))
}

// count notes that another run was met, if that is what a session died of. The caller holds s.mu.
func (s *Sink) count(err error) {
	if e := (*fencedError)(nil); errors.As(err, &e) && e.late == 0 {
		s.rival = append(s.rival, time.Now())
	}
}

// rivals returns an error if the other run does not go away. The caller holds s.mu.
func (s *Sink) rivals() error {
	s.rival = slices.DeleteFunc(s.rival, func(at time.Time) bool { return time.Since(at) > rivalTime })
	if len(s.rival) <= rivalMost {
		return nil
	}
	err := fmt.Errorf("another run of the job %s has begun, %d times within %s", s.job, len(s.rival), time.Since(s.rival[0]).Round(time.Second))
	return hint.Wrap(err, "two runs of the job %s go on side by side: stop one, or give one its own job=NAME", s.job)
}
