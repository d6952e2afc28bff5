package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	// Small reads are served from windows of the object: of those that read Parquet one is
	// at the footer. One that follows another is twice as large, for who reads on and on.
	s3Window     = 256 << 10
	s3MaxWindow  = 4 << 20
	s3MaxWindows = 3
	// s3Cuts is how often in a row an answer may be cut short without a byte.
	s3Cuts = 5
	// s3Stall is how long an answer may stand still.
	s3Stall = time.Minute
)

// An s3Input is an object that is being read, as it was when it was opened.
type s3Input struct {
	s      *s3Store
	ctx    context.Context
	cancel context.CancelFunc
	key    string
	etag   *string
	size   int64

	mu      sync.Mutex
	windows []s3Piece // that used last is last
}

type s3Piece struct {
	at   int64
	data []byte
}

func (s *s3Store) open(ctx context.Context, name string) (input, error) {
	key := s.key(name)
	if strings.Contains("/"+name, "/"+hidden+"/") {
		// What is there is small, and replaced at any time: it is read at once.
		data, _, err := s.get(ctx, key)
		if err != nil {
			return nil, err
		}
		return s3Whole{bytes.NewReader(data)}, nil
	}
	out, err := s.head(ctx, key)
	if err != nil {
		return nil, err
	}
	in := &s3Input{s: s, key: key, etag: out.ETag, size: aws.ToInt64(out.ContentLength)}
	in.ctx, in.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return in, nil
}

// An s3Whole is an object that has been read already.
type s3Whole struct{ *bytes.Reader }

func (w s3Whole) length() int64 { return w.Size() }
func (w s3Whole) Close() error  { return nil }

func (in *s3Input) length() int64 { return in.size }

func (in *s3Input) Close() error {
	in.cancel()
	return nil
}

// ReadAt implements io.ReaderAt.
func (in *s3Input) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read %s: a negative offset", in.s.location(in.key))
	}
	if off >= in.size {
		return 0, io.EOF
	}
	var end error
	if rest := in.size - off; int64(len(p)) > rest {
		p, end = p[:rest], io.EOF
	}
	if len(p) >= s3Window {
		if err := in.fetch(p, off); err != nil {
			return 0, err
		}
		return len(p), end
	}
	n := 0
	for n < len(p) {
		w, err := in.window(off + int64(n))
		if err != nil {
			return n, err
		}
		n += copy(p[n:], w.data[off+int64(n)-w.at:])
	}
	return n, end
}

// window returns a piece of the object that an offset is in.
func (in *s3Input) window(off int64) (s3Piece, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	size := int64(s3Window)
	for i, w := range in.windows {
		end := w.at + int64(len(w.data))
		if w.at <= off && off < end {
			in.windows = append(slices.Delete(in.windows, i, i+1), w)
			return w, nil
		}
		if end == off {
			size = min(2*int64(len(w.data)), s3MaxWindow)
		}
	}
	// Near the end it begins before what is asked for: a footer is read from behind.
	w := s3Piece{at: max(0, min(off, in.size-size))}
	w.data = make([]byte, min(size, in.size-w.at))
	if err := in.fetch(w.data, w.at); err != nil {
		return w, err
	}
	if len(in.windows) == s3MaxWindows {
		in.windows = slices.Delete(in.windows, 0, 1)
	}
	in.windows = append(in.windows, w)
	return w, nil
}

// fetch reads from the server, and goes on behind what it has got when it is cut short.
func (in *s3Input) fetch(p []byte, off int64) error {
	var err error
	for tries := 0; tries < s3Cuts; tries++ {
		var n int
		n, err = in.ask(p, off)
		if n > 0 {
			tries = 0
		}
		p, off = p[n:], off+int64(n)
		if len(p) == 0 {
			return nil
		}
		if in.ctx.Err() != nil || !errors.Is(err, errCut) { // the SDK has tried again
			break
		}
	}
	if s3Status(err) == http.StatusPreconditionFailed {
		return fmt.Errorf("read %s: it was replaced while it was read", in.s.location(in.key))
	}
	return in.s.fail("read", in.key, err)
}

// errCut says that an answer has begun and not come to its end.
var errCut = errors.New("the answer was cut short")

// ask asks for a range once, and returns how much of it has come.
func (in *s3Input) ask(p []byte, off int64) (int, error) {
	ctx, cancel := context.WithCancel(in.ctx)
	defer cancel()
	out, err := in.s.client.GetObject(ctx, &s3.GetObjectInput{
		Bucket: &in.s.bucket, Key: &in.key, IfMatch: in.etag,
		Range: aws.String(fmt.Sprintf("bytes=%d-%d", off, off+int64(len(p))-1)),
	})
	if err != nil {
		return 0, err
	}
	defer out.Body.Close()
	if got := aws.ToInt64(out.ContentLength); got != int64(len(p)) {
		return 0, fmt.Errorf("the store sends %d bytes instead of %d", got, len(p))
	}
	stalled := time.AfterFunc(s3Stall, cancel)
	defer stalled.Stop()
	n := 0
	for n < len(p) && err == nil {
		var m int
		m, err = out.Body.Read(p[n:])
		n += m
		stalled.Reset(s3Stall)
	}
	if n < len(p) {
		return n, fmt.Errorf("%w: %w", errCut, io.ErrUnexpectedEOF)
	}
	return n, nil
}
