package files

import (
	"context"
	"io"
	"os"
	"sync"
	"time"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// A resent output keeps what is written to a file in a temporary one of this machine as
// well, until the file is finished: if writing fails for a reason that may pass, as when the
// DataNode dies to which a block goes, the file is begun anew and all of it sent again. The
// client of HDFS does not go on with another DataNode in the middle of a block.
type resent struct {
	create func(ctx context.Context) (output, error) // begins the file, also if there is one
	ctx    context.Context                           // of what is sent again: that of create holds for its call
	cancel context.CancelFunc
	size   int64

	mu   sync.Mutex
	out  output
	copy *os.File // nil if there is none to be had, or none any more
}

// Sending again is tried so often, with pauses that double.
const (
	resendTimes = 6
	resendPause = 500 * time.Millisecond
)

// resend begins a file.
func resend(ctx context.Context, create func(ctx context.Context) (output, error)) (output, error) {
	out, err := create(ctx)
	if err != nil {
		return nil, err
	}
	r := &resent{create: create, out: out}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	if f, err := os.CreateTemp("", "tablehaul-sent-*"); err == nil {
		_ = os.Remove(f.Name()) // where this is refused, closeCopy does it
		r.copy = f
	}
	return r, nil
}

func (r *resent) now() (output, *os.File) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.out, r.copy
}

// Write writes to both files.
func (r *resent) Write(b []byte) (int, error) {
	out, file := r.now()
	if file != nil {
		if _, err := file.WriteAt(b, r.size); err != nil {
			r.closeCopy() // no room: the file has to do without
		}
	}
	r.size += int64(len(b))
	_, err := out.Write(b)
	if err != nil {
		err = r.again(err, func(output) error { return nil })
	}
	if err != nil {
		return 0, err
	}
	return len(b), nil
}

func (r *resent) finish() (string, error) {
	out, _ := r.now()
	token, err := out.finish()
	if err != nil {
		err = r.again(err, func(out output) (err error) {
			token, err = out.finish()
			return err
		})
	}
	if err == nil {
		r.cancel()
		r.closeCopy()
	}
	return token, err
}

// again begins the file anew, brings it as far as it is to be, and does what comes then,
// until that goes well.
func (r *resent) again(cause error, then func(output) error) error {
	pause := resendPause
	for range resendTimes {
		old, file := r.now()
		if file == nil || r.ctx.Err() != nil || !hint.IsTransient(cause) {
			return cause
		}
		old.abort()
		select {
		case <-time.After(pause):
		case <-r.ctx.Done():
			return cause
		}
		pause *= 2
		out, err := r.create(r.ctx)
		if err != nil {
			cause = err
			continue
		}
		r.mu.Lock()
		r.out = out
		r.mu.Unlock()
		if r.ctx.Err() != nil { // and abort has not seen this one
			out.abort()
			return cause
		}
		if _, err = io.Copy(onlyWriter{out}, io.NewSectionReader(file, 0, r.size)); err == nil {
			err = then(out)
		}
		if err == nil {
			return nil
		}
		cause = err
	}
	return cause
}

type onlyWriter struct{ io.Writer }

func (r *resent) abort() {
	r.cancel()
	out, _ := r.now()
	out.abort()
	r.closeCopy()
}

func (r *resent) closeCopy() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.copy != nil {
		_ = r.copy.Close()
		_ = os.Remove(r.copy.Name())
		r.copy = nil
	}
}
