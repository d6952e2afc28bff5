package files

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awsmiddleware "github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

func (s *s3Store) replace(ctx context.Context, _, name string, data []byte) error {
	return s.put(ctx, s.key(name), data)
}

func (s *s3Store) put(ctx context.Context, key string, data []byte) error {
	_, err := s.client.PutObject(ctx, s.putInput(key, data))
	return s.fail("write", key, err)
}

func (s *s3Store) putInput(key string, data []byte) *s3.PutObjectInput {
	return &s3.PutObjectInput{Bucket: &s.bucket, Key: &key, Body: bytes.NewReader(data)}
}

// get returns what a small object holds, and how long it has been there by the server's
// clock.
func (s *s3Store) get(ctx context.Context, key string) ([]byte, time.Duration, error) {
	var err error
	for range s3Cuts {
		var out *s3.GetObjectOutput
		out, err = s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key})
		if err != nil {
			break
		}
		var data []byte
		if data, err = s3Body(out.Body); err == nil {
			now, ok := awsmiddleware.GetServerTime(out.ResultMetadata)
			if !ok || now.IsZero() {
				now = time.Now()
			}
			return data, now.Sub(aws.ToTime(out.LastModified)), nil
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, 0, s.fail("read", key, err)
}

func s3Body(body io.ReadCloser) ([]byte, error) {
	data, err := io.ReadAll(body)
	return data, errors.Join(err, body.Close())
}

// head asks for what there is to know of an object but its content. An answer to that has
// a status and no code, so that what is refused is asked for once more, for one with both.
func (s *s3Store) head(ctx context.Context, key string) (*s3.HeadObjectOutput, error) {
	out, err := s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &key})
	if status := s3Status(err); err != nil && status < http.StatusInternalServerError && status >= http.StatusMultipleChoices {
		if err = s.touch(ctx, key); err == nil { // it has come meanwhile
			out, err = s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucket, Key: &key})
		}
	}
	if err != nil {
		return nil, s.fail("look for", key, err)
	}
	return out, nil
}

// touch reads a byte of an object, if it has one.
func (s *s3Store) touch(ctx context.Context, key string) error {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucket, Key: &key, Range: aws.String("bytes=0-0")})
	if err != nil {
		if s3Status(err) == http.StatusRequestedRangeNotSatisfiable {
			return nil
		}
		return err
	}
	return out.Body.Close()
}

func (s *s3Store) removeKey(ctx context.Context, key string) error {
	_, err := s.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &s.bucket, Key: &key})
	if err != nil && s3Absent(err) {
		return nil
	}
	return s.fail("remove", key, err)
}

func (s *s3Store) remove(ctx context.Context, name string) error {
	key := s.key(name)
	if key == s.root {
		return errors.New("remove " + s.location(key) + ": that is everything")
	}
	if err := s.removeKey(ctx, key); err != nil {
		return err
	}
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: aws.String(key + "/")})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return s.fail("list", key, err)
		}
		var keys []string
		for _, o := range page.Contents {
			keys = append(keys, aws.ToString(o.Key))
		}
		if err := s.removeKeys(ctx, keys); err != nil {
			return err
		}
	}
	return nil
}

// removeKeys removes up to a thousand objects in one call, and those one by one that
// were not removed so: not all stores know the call, and some want other checksums of it.
func (s *s3Store) removeKeys(ctx context.Context, keys []string) error {
	if len(keys) > 1 {
		ids := make([]types.ObjectIdentifier, len(keys))
		for i := range keys {
			ids[i].Key = &keys[i]
		}
		out, err := s.client.DeleteObjects(ctx, &s3.DeleteObjectsInput{
			Bucket: &s.bucket, Delete: &types.Delete{Objects: ids, Quiet: aws.Bool(true)},
		})
		switch {
		case err == nil:
			keys = nil
			for _, e := range out.Errors {
				keys = append(keys, aws.ToString(e.Key))
			}
			keys = slices.DeleteFunc(keys, func(k string) bool { return k == "" })
		case !s3Unable(err) && s3Status(err) != http.StatusForbidden && s3Status(err) != http.StatusLengthRequired:
			return s.fail("remove", keys[0], err)
		}
	}
	for _, key := range keys {
		if err := s.removeKey(ctx, key); err != nil {
			return err
		}
	}
	return nil
}
