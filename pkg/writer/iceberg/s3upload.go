package iceberg

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/apache/iceberg-go/io/gocloud/blobfs"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"
)

// The parts of an upload that has not been completed stay in S3, and are paid for, until
// somebody aborts it. Azure and Google forget theirs after a week.

// Two parts of 8 MiB on their way are enough for one of several files.
const (
	uploadPart  = 8 << 20
	uploadParts = 2
)

// abortTime is how long an upload that is given up may take to be aborted.
const abortTime = 10 * time.Second

func uploadOptions(b *blobfs.FileIO) *blob.WriterOptions {
	o := &blob.WriterOptions{BufferSize: uploadPart, MaxConcurrency: uploadParts}
	var client *s3.Client
	if b.As(&client) {
		// The SDK aborts what has failed, but by the context of the upload, which is
		// cancelled where a file is given up.
		o.BeforeWrite = func(as func(any) bool) error {
			var m *transfermanager.Client
			if as(&m) {
				*m = *transfermanager.New(client, func(o *transfermanager.Options) {
					o.PartSizeBytes, o.Concurrency, o.FailTimeout = uploadPart, uploadParts, abortTime
				})
			}
			return nil
		}
	}
	return o
}

// abortUploads aborts the uploads of wanted objects below a prefix, which a process has
// left that was killed. It does nothing where there is no S3, and where that does not let
// us: the bucket's rules are left then (docs/catalogs.md).
func (s *storage) abortUploads(prefix string, wanted func(key string) bool) error {
	b, ok := s.files().(*blobfs.FileIO)
	var client *s3.Client
	if !ok || !b.As(&client) {
		return nil
	}
	ctx := context.Background()
	bucket, key := splitLocation(prefix)
	for pages := s3.NewListMultipartUploadsPaginator(client, &s3.ListMultipartUploadsInput{Bucket: &bucket, Prefix: &key}); pages.HasMorePages(); {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return unlessRefused(err)
		}
		for _, u := range page.Uploads {
			if !wanted(*u.Key) {
				continue
			}
			_, err := client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &bucket, Key: u.Key, UploadId: u.UploadId})
			if err = unlessRefused(err); err != nil {
				return err
			}
		}
	}
	return nil
}

// unlessRefused returns the error, nil if it is that the server does not do so, for us.
func unlessRefused(err error) error {
	var answer interface{ HTTPStatusCode() int }
	if !errors.As(err, &answer) {
		return err
	}
	switch status := answer.HTTPStatusCode(); {
	case status == http.StatusRequestTimeout, status == http.StatusTooManyRequests:
		return err
	case status == http.StatusNotImplemented, status >= 400 && status < 500:
		return nil
	}
	return err
}
