package files

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

const (
	s3PartSize = 16 << 20
	// An upload has 10,000 parts at most, so that later ones are larger.
	s3PartsOfSize = 1000
	// s3Ahead is how many parts of a file are on their way while the next one gathers.
	s3Ahead = 2
	// s3AbortTime is how long it may take to give something up that has no more context.
	s3AbortTime = 10 * time.Second
)

// s3SizeOf returns the size of a part, by its number from 0 on.
func s3SizeOf(part int) int64 { return s3PartSize << (part / s3PartsOfSize) }

// An s3Token is what completing an upload takes.
type s3Token struct {
	Upload string   `json:"upload"`
	Parts  []s3Sent `json:"parts"`
}

// An s3Sent is a part as the server has acknowledged it.
type s3Sent struct {
	ETag  string `json:"etag"`
	CRC32 string `json:"crc32,omitempty"` // where the upload has such checksums
	CRC64 string `json:"crc64,omitempty"`
}

// An s3Output is an upload that is going on. Its own context outlives that of create.
type s3Output struct {
	s           *s3Store
	ctx         context.Context
	cancel      context.CancelFunc
	at          stage
	key, upload string
	ahead       chan struct{} // holds a token for each part on its way
	part        s3Part        // that gathers
	next        int           // its number, from 0 on

	mu      sync.Mutex
	sent    []s3Sent
	err     error // that a part has met with
	aborted bool
	flying  sync.WaitGroup // the parts on their way: none joins once it is aborted
}

func (s *s3Store) create(ctx context.Context, at stage, name string) (output, error) {
	key := s.key(at.table + "/" + name)
	out, err := s.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{Bucket: &s.bucket, Key: &key})
	if err != nil {
		return nil, s.fail("begin to upload", key, err)
	}
	if tries, ok := retry.GetAttemptResults(out.ResultMetadata); ok && len(tries.Results) > 1 {
		// An answer that was lost may have left an upload. If that cannot be looked for
		// it stays, unseen, as those of killed programs do without a discard.
		_ = s.abortUploads(ctx, key, func(k, id string) bool { return k == key && id != *out.UploadId })
	}
	s.keep(at, key, *out.UploadId)
	f := &s3Output{s: s, at: at, key: key, upload: *out.UploadId, ahead: make(chan struct{}, s3Ahead)}
	f.ctx, f.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return f, nil
}

// Write implements io.Writer.
func (f *s3Output) Write(p []byte) (int, error) {
	written := 0
	for {
		if err := f.failed(); err != nil {
			return written, err
		}
		written += f.part.add(p[written:], s3SizeOf(f.next))
		if written == len(p) {
			return written, nil
		}
		if err := f.send(); err != nil { // the part is full
			return written, err
		}
	}
}

// failed returns why the file cannot be gone on with.
func (f *s3Output) failed() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = f.s.fail("upload", f.key, f.ctx.Err())
	}
	return f.err
}

func (f *s3Output) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.err == nil {
		f.err = err
	}
}

// take puts a token into a channel, or returns why the file cannot be gone on with.
func (f *s3Output) take(from chan struct{}) error {
	select {
	case from <- struct{}{}:
		return nil
	case <-f.ctx.Done():
		return f.failed()
	}
}

// send sends the part that has gathered on its way, once there is room for it.
func (f *s3Output) send() error {
	if err := f.take(f.ahead); err != nil {
		return err
	}
	if err := f.take(f.s.sending); err != nil {
		<-f.ahead
		return err
	}
	f.mu.Lock()
	given := f.aborted
	if !given {
		f.sent = append(f.sent, s3Sent{})
		f.flying.Add(1)
	}
	f.mu.Unlock()
	if given {
		<-f.s.sending
		<-f.ahead
		return f.failed()
	}
	part, n := f.part, f.next
	f.s.copyPart(f.at, f.upload, n, &part)
	f.part, f.next = s3Part{}, f.next+1
	go func() {
		defer f.flying.Done()
		defer func() { <-f.s.sending; <-f.ahead }()
		defer part.free()
		f.sendPart(&part, n)
	}()
	return nil
}

// sendPart sends a part.
func (f *s3Output) sendPart(part *s3Part, n int) {
	out, err := f.s.client.UploadPart(f.ctx, &s3.UploadPartInput{
		Bucket: &f.s.bucket, Key: &f.key, UploadId: &f.upload, PartNumber: aws.Int32(int32(n) + 1),
		Body: part, ContentLength: &part.size,
	})
	if err == nil && aws.ToString(out.ETag) == "" {
		err = errors.New("the store does not say what it has got")
	}
	if err != nil {
		gone := s3Code(err) == "NoSuchUpload"
		if err = f.s.fail("upload", f.key, err); gone {
			err = takenAway(err)
		}
		f.fail(err)
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent[n] = s3Sent{*out.ETag, aws.ToString(out.ChecksumCRC32), aws.ToString(out.ChecksumCRC64NVME)}
}

func (f *s3Output) finish() (string, error) {
	if err := f.failed(); err != nil {
		return "", err
	}
	if f.part.size > 0 || f.next == 0 { // an empty file has one part
		if err := f.send(); err != nil {
			return "", err
		}
	}
	f.flying.Wait()
	if err := f.failed(); err != nil {
		return "", err
	}
	f.cancel()
	token, err := json.Marshal(s3Token{f.upload, f.sent})
	return string(token), err
}

// abort waits for what is on its way: the server would keep a part that comes afterwards.
func (f *s3Output) abort() {
	f.cancel()
	f.mu.Lock()
	again := f.aborted
	f.aborted = true
	f.mu.Unlock()
	if again {
		return
	}
	f.flying.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(f.ctx), s3AbortTime)
	defer cancel()
	// What stays is discarded with the stage.
	if f.s.abortUpload(ctx, f.key, f.upload) == nil {
		f.s.lose(f.at, f.upload)
	}
}
