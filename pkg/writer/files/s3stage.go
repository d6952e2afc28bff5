package files

import (
	"context"
	"errors"
	"io/fs"
	"net/http"
	"path"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func (s *s3Store) stages(ctx context.Context, table string) ([]stageInfo, error) {
	found, err := s.list(ctx, path.Dir(stageDir(stage{table: table, name: "-"})))
	if err != nil || len(found) == 0 {
		return nil, err
	}
	var stages []stageInfo
	for _, f := range found {
		if f.folder {
			continue
		}
		owner, idle, err := s.get(ctx, s.ownerKey(stage{table: table, name: f.name}))
		if errors.Is(err, fs.ErrNotExist) {
			continue // claimed meanwhile
		}
		if err != nil {
			return nil, err
		}
		stages = append(stages, stageInfo{f.name, owner, idle})
	}
	claimed, err := s.claimed(ctx, table) // after that, so as not to miss one
	return slices.DeleteFunc(stages, func(i stageInfo) bool {
		if !claimed[s3StageName(i.name)] {
			return false
		}
		// Who claimed it was about to remove this, and may have died.
		_ = s.removeKey(ctx, s.ownerKey(stage{table: table, name: i.name}))
		return true
	}), err
}

// hold makes the object of the stage, or makes it anew. One that was taken away does not
// come back: its uploads are gone.
func (s *s3Store) hold(ctx context.Context, at stage, owner []byte) error {
	key := s.ownerKey(at)
	if s.over(at) {
		return nil
	}
	if s.alive(at) {
		_, err := s.head(ctx, key)
		if errors.Is(err, fs.ErrNotExist) {
			return takenAway(err)
		}
		if err != nil {
			return err
		}
	}
	if err := s.put(ctx, key, owner); err != nil {
		return err
	}
	s.keep(at, "", "")
	return nil
}

// renew is hold.
func (s *s3Store) renew(ctx context.Context, at stage, owner []byte) error {
	return s.hold(ctx, at, owner)
}

// discard aborts the uploads first: who dies in between leaves the object, by which
// others find them. Those of a stage that was claimed are the commit's.
func (s *s3Store) discard(ctx context.Context, at stage) error {
	claimed, err := s.claimed(ctx, at.table)
	if err != nil {
		return err
	}
	if !claimed[s3StageName(at.name)] {
		// First of all it says so, to an owner who is about to claim it.
		if err := s.put(ctx, s.ownerKey(at), []byte(gone)); err != nil {
			return err
		}
		if err := s.abortStage(ctx, at); err != nil {
			return err
		}
		if err := s.removeRevealed(ctx, at); err != nil {
			return err
		}
	}
	s.step("uploads aborted")
	s.bury(at)
	return s.removeKey(ctx, s.ownerKey(at))
}

// abortStage aborts the uploads of a stage: those that this store knows of, and those
// that the server knows of.
func (s *s3Store) abortStage(ctx context.Context, at stage) error {
	for id, u := range s.uploads(at) {
		if err := s.abortUpload(ctx, u.key, id); err != nil {
			return err
		}
	}
	err := s.abortUploads(ctx, s.folder(at.table), func(key, _ string) bool {
		return s3IsOf(at, path.Base(key))
	})
	if err != nil && (s3Unable(err) || s3Status(err) == http.StatusForbidden) {
		s.warn("the store of " + s.location("") + " does not let this user list uploads: what runs leave that are killed stays there, unseen and paid for, unless a rule of the bucket aborts it after some days")
		return nil
	}
	return err
}

// removeRevealed removes files of a stage that were completed to be read. Of a stage of this
// store's own it is known whether there are any.
func (s *s3Store) removeRevealed(ctx context.Context, at stage) error {
	s.mu.Lock()
	h := s.held[at]
	none := h != nil && !h.revealed
	s.mu.Unlock()
	if none {
		return nil
	}
	prefix := s.folder(at.table)
	pages := s3.NewListObjectsV2Paginator(s.client, &s3.ListObjectsV2Input{Bucket: &s.bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return s.fail("list", prefix, err)
		}
		for _, o := range page.Contents {
			if key := aws.ToString(o.Key); s3IsOf(at, path.Base(key)) {
				if err := s.removeKey(ctx, key); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// s3IsOf reports whether a data file is of a stage: its name is part-STAGE-NUMBER.FORMAT.
func s3IsOf(at stage, file string) bool {
	number, ok := strings.CutPrefix(file, "part-"+at.name+"-")
	number, _, _ = strings.Cut(number, ".")
	return ok && number != "" && strings.Trim(number, "0123456789") == ""
}

// claimed returns the names of the stages that commits were made of, as headers have them.
// There are commits only until their files are published, so that they are few.
func (s *s3Store) claimed(ctx context.Context, table string) (map[string]bool, error) {
	dir := path.Dir(commitDir(table, 0))
	commits, err := s.list(ctx, dir)
	if err != nil {
		return nil, err
	}
	names := make(map[string]bool)
	for _, c := range commits {
		out, err := s.head(ctx, s.key(dir+"/"+c.name))
		if errors.Is(err, fs.ErrNotExist) {
			continue // forgotten meanwhile
		}
		if err != nil {
			return nil, err
		}
		names[out.Metadata[s3StageKey]] = true
	}
	return names, nil
}

// abortUploads aborts those below a prefix that are wanted.
func (s *s3Store) abortUploads(ctx context.Context, prefix string, wanted func(key, id string) bool) error {
	pages := s3.NewListMultipartUploadsPaginator(s.client, &s3.ListMultipartUploadsInput{Bucket: &s.bucket, Prefix: &prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return s.fail("list what was not finished below", prefix, err)
		}
		for _, u := range page.Uploads {
			key, id := aws.ToString(u.Key), aws.ToString(u.UploadId)
			// The server may not have heeded the prefix.
			if !strings.HasPrefix(key, prefix) || !wanted(key, id) {
				continue
			}
			if err := s.abortUpload(ctx, key, id); err != nil {
				return err
			}
		}
	}
	return nil
}

// abortUpload aborts an upload; that there is none is no error.
func (s *s3Store) abortUpload(ctx context.Context, key, id string) error {
	_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.bucket, Key: &key, UploadId: &id})
	if err != nil && (s3Code(err) == "NoSuchUpload" || s3Absent(err)) {
		return nil
	}
	return s.fail("abort the upload of", key, err)
}
