package files

import (
	"context"
	"io/fs"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func (s *s3Store) list(ctx context.Context, dir string) ([]info, error) {
	folder, delimiter := s.folder(dir), "/"
	var found []info
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: &folder, Delimiter: &delimiter})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return nil, s.fail("list", folder, err)
		}
		for _, p := range page.CommonPrefixes {
			if name := strings.TrimSuffix(strings.TrimPrefix(aws.ToString(p.Prefix), folder), "/"); name != "" {
				found = append(found, info{name: name, folder: true})
			}
		}
		for _, o := range page.Contents {
			// Tools mark folders by objects that end with a slash.
			if name := strings.TrimPrefix(aws.ToString(o.Key), folder); name != "" && !strings.HasSuffix(name, "/") {
				found = append(found, info{name, false, aws.ToInt64(o.Size)})
			}
		}
	}
	slices.SortFunc(found, func(a, b info) int { return strings.Compare(a.name, b.name) })
	return found, nil
}

func (s *s3Store) there(ctx context.Context, dir string) error {
	folder := s.folder(dir)
	page, err := s.client.ListObjectsV2(ctx, &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: &folder, MaxKeys: aws.Int32(1)})
	switch {
	case err != nil:
		return s.fail("list", folder, err)
	case len(page.Contents) == 0:
		return &s3Error{"no key begins so", []error{fs.ErrNotExist}}
	}
	return nil
}
