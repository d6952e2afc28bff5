package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// s3StageKey has the object of a commit say which stage it was made of: the stage's own
// object may outlive it, and the uploads are the commit's then.
const s3StageKey = "tablehaul-stage"

func (s *s3Store) commitKey(table string, n int64) string {
	return s.key(commitDir(table, n) + ".json")
}

func (s *s3Store) ownerKey(at stage) string { return s.key(stageDir(at)) }

// s3StageName is a name as a header can have it.
func s3StageName(name string) string { return url.PathEscape(name) }

func (s *s3Store) claim(ctx context.Context, at stage, n int64, entry []byte) error {
	key := s.commitKey(at.table, n)
	if err := s.owned(ctx, at); errors.Is(err, fs.ErrNotExist) {
		// Or claimed already, and the caller was not told.
		if mine, e := s.holds(ctx, key, entry); e == nil && mine {
			return nil
		}
		return takenAway(err)
	} else if err != nil {
		return err
	}
	s.step("stage found")
	if err := s.putFirst(ctx, key, entry, at); err != nil {
		return err
	}
	s.step("commit made")
	// Whoever has discarded it meanwhile may have aborted the uploads before.
	if err := s.owned(ctx, at); errors.Is(err, fs.ErrNotExist) {
		return errors.Join(takenAway(err), s.forget(context.WithoutCancel(ctx), at.table, n))
	}
	s.drop(at)
	// If this fails, it is left to a discard.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), s3AbortTime)
	defer cancel()
	_ = s.removeKey(ctx, s.ownerKey(at))
	return nil
}

// owned looks whether a stage is still there and not being discarded, which is an
// fs.ErrNotExist too.
func (s *s3Store) owned(ctx context.Context, at stage) error {
	owner, _, err := s.get(ctx, s.ownerKey(at))
	if err == nil && string(owner) == gone {
		err = fs.ErrNotExist
	}
	return err
}

// takenAway is what becomes of a run that was taken for dead.
func takenAway(err error) error {
	return hint.Wrap(fmt.Errorf("what this run has staged was taken away by another run, which took it for dead: %w", err),
		"run the same command again; if this machine was asleep or the store out of reach for long, that is why")
}

// putFirst puts an entry where none is yet.
func (s *s3Store) putFirst(ctx context.Context, key string, entry []byte, at stage) error {
	safe, err := s.keepsApart(ctx)
	if err != nil {
		return err
	}
	for range 3 {
		if !safe {
			err = s.putUnsafe(ctx, key, entry, at)
		} else {
			_, err = s.client.PutObject(ctx, s.entryInput(key, entry, at, true))
		}
		if err == nil || ctx.Err() != nil {
			return s.fail("write", key, err)
		}
		// An answer may have been lost: that of an attempt that the SDK has repeated, or
		// that of the last one.
		mine, e := s.holds(ctx, key, entry)
		// versitygw says that there is one some 60 ms before it shows it.
		for pause := s3SeenAfter; s3Conflict(err) && errors.Is(e, fs.ErrNotExist) && pause < 32*s3SeenAfter && ctx.Err() == nil; pause *= 2 {
			time.Sleep(pause)
			mine, e = s.holds(ctx, key, entry)
		}
		switch {
		case e == nil && mine:
			return nil
		case !s3Conflict(err):
			return s.fail("write", key, err)
		case e == nil:
			return errTaken
		case !errors.Is(e, fs.ErrNotExist):
			return e
		case s3Status(err) != http.StatusConflict: // it was there, and is forgotten
			return errTaken
		}
		// Others came at the same time, and nobody has won.
	}
	return hint.Transient(s.fail("write", key, err))
}

func (s *s3Store) entryInput(key string, entry []byte, at stage, first bool) *s3.PutObjectInput {
	in := s.putInput(key, entry)
	in.Metadata = map[string]string{s3StageKey: s3StageName(at.name)}
	if first {
		in.IfNoneMatch = &anyETag
	}
	return in
}

var anyETag = "*"

// s3SeenAfter is when to look first for what is said to be there, and cannot be seen.
const s3SeenAfter = 50 * time.Millisecond

// holds reports whether that is what an object holds.
func (s *s3Store) holds(ctx context.Context, key string, content []byte) (bool, error) {
	got, _, err := s.get(ctx, key)
	return err == nil && bytes.Equal(got, content), err
}

func (s *s3Store) entry(ctx context.Context, table string, n int64) ([]byte, error) {
	data, _, err := s.get(ctx, s.commitKey(table, n))
	return data, err
}

// settle does nothing: an upload that is completed leaves nothing behind.
func (s *s3Store) settle(context.Context, string, int64) error { return nil }

func (s *s3Store) forget(ctx context.Context, table string, n int64) error {
	return s.removeKey(ctx, s.commitKey(table, n))
}
