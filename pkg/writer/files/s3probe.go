package files

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"sync"

	"github.com/google/uuid"
)

// s3Safe is what is known of servers: whether they honour If-None-Match.
var s3Safe struct {
	sync.Mutex
	of map[string]bool // by s3Store.where
}

// keepsApart reports whether the server lets one of several make an object, and says once
// if it does not. It is asked the first time, by making an object twice.
func (s *s3Store) keepsApart(ctx context.Context) (bool, error) {
	s3Safe.Lock()
	safe, known := s3Safe.of[s.where]
	s3Safe.Unlock()
	if !known {
		var err error
		if safe, err = s.probe(ctx); err != nil {
			return false, err
		}
		s3Safe.Lock()
		if s3Safe.of == nil {
			s3Safe.of = make(map[string]bool)
		}
		s3Safe.of[s.where] = safe
		s3Safe.Unlock()
	}
	if !safe {
		s.warn("the store of " + s.location("") + " does not know If-None-Match, by which runs that write the same table are kept apart: let only one run at a time write a table there")
	}
	return safe, nil
}

func (s *s3Store) probe(ctx context.Context) (bool, error) {
	key := s.key(hidden + "-probe-" + uuid.NewString())
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s3AbortTime)
		defer cancel()
		_ = s.removeKey(ctx, key)
	}()
	for range 2 {
		in := s.putInput(key, []byte("probe"))
		in.IfNoneMatch = &anyETag
		_, err := s.client.PutObject(ctx, in)
		switch {
		case err == nil:
		case s3Conflict(err): // even the first time, if its answer was lost
			return true, nil
		case s3Unable(err): // if it is the condition that it does not like
			return false, s.put(ctx, key, []byte("probe"))
		default:
			return false, s.fail("write", key, err)
		}
	}
	return false, nil
}

// putUnsafe puts an entry where none is yet, if nobody else does so at the same time.
func (s *s3Store) putUnsafe(ctx context.Context, key string, entry []byte, at stage) error {
	_, err := s.head(ctx, key)
	switch {
	case err == nil:
		return s3Taken{}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	_, err = s.client.PutObject(ctx, s.entryInput(key, entry, at, false))
	return err
}

// An s3Taken is what a server answers that knows of conditions.
type s3Taken struct{}

func (s3Taken) Error() string       { return errTaken.Error() }
func (s3Taken) HTTPStatusCode() int { return http.StatusPreconditionFailed }
