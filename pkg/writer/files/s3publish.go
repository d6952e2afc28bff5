package files

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// publish completes an upload. Once it is completed, or aborted, there is none: what is
// under its key tells which. What is there already is left alone: some servers take a file
// away for a moment when its upload is completed once more.
func (s *s3Store) publish(ctx context.Context, table string, _ int64, name, token string) error {
	key := s.key(table + "/" + name)
	var t s3Token
	if err := json.Unmarshal([]byte(token), &t); err != nil || t.Upload == "" || len(t.Parts) == 0 {
		return fmt.Errorf("publish %s: the commit does not say what its upload is", s.location(key))
	}
	if _, err := s.head(ctx, key); err == nil {
		return nil
	}
	parts := make([]types.CompletedPart, len(t.Parts))
	for i, p := range t.Parts {
		parts[i] = types.CompletedPart{PartNumber: aws.Int32(int32(i) + 1), ETag: &p.ETag}
		if p.CRC32 != "" {
			parts[i].ChecksumCRC32 = &p.CRC32
		}
		if p.CRC64 != "" {
			parts[i].ChecksumCRC64NVME = &p.CRC64
		}
	}
	_, err := s.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
		Bucket: &s.bucket, Key: &key, UploadId: &t.Upload, MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
	})
	if err == nil || s3Status(err) == 0 {
		return s.fail("publish", key, err)
	}
	// Others may have been at it. Nobody else makes an object of that name.
	_, at := s.head(ctx, key)
	switch {
	case at == nil:
		return nil
	case s3Code(err) != "NoSuchUpload":
		return s.fail("publish", key, err)
	case errors.Is(at, fs.ErrNotExist):
		return hint.Wrap(fmt.Errorf("publish %s: the file is lost: its upload is gone, and was not completed, or it was removed since: %w", s.location(key), at),
			"see that no rule of the bucket aborts uploads sooner than after some days; what the commit had is to be moved once more")
	}
	return at
}
