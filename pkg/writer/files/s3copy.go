package files

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
)

// Nobody can read an upload that is not completed, not even who has made it. Where staged
// files are to be read again, they are kept on this machine as well: those of a stage in
// one file, part by part, until it is claimed or discarded.

// An s3Extent is where a part is in the file of copies.
type s3Extent struct{ at, size int64 }

// copyPart keeps a part, as far as there is room. What cannot be kept is uploaded all the
// same: few files are read again.
func (s *s3Store) copyPart(at stage, upload string, n int, part *s3Part) {
	if s.options.copyBytes == 0 || !at.again {
		return
	}
	file, e := s.copyRoom(at, upload, n, part.size)
	if file == nil {
		return
	}
	for i, c := range part.chunks {
		from := int64(i) * s3Chunk
		if _, err := file.WriteAt(c[:min(s3Chunk, part.size-from)], e.at+from); err != nil {
			return
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.held[at]; h != nil {
		if u, ok := h.uploads[upload]; ok && len(u.copies) == n { // each part before has one
			u.copies = append(u.copies, e)
			h.uploads[upload] = u
		}
	}
}

// copyRoom returns where a part goes; no file if there is no room.
func (s *s3Store) copyRoom(at stage, upload string, n int, size int64) (*os.File, s3Extent) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.held[at]
	if h == nil || len(h.uploads[upload].copies) != n || s.copied+size > s.options.copyBytes {
		return nil, s3Extent{}
	}
	if h.copies == nil {
		file, err := os.CreateTemp(s.options.copyDir, "tablehaul-staged-*")
		if err != nil {
			return nil, s3Extent{}
		}
		_ = os.Remove(file.Name()) // where this is refused, dropCopies does it
		h.copies = file
	}
	e := s3Extent{h.end, size}
	h.end, s.copied = h.end+size, s.copied+size
	return h.copies, e
}

// dropCopies removes the copies of a stage. The caller holds s.mu.
func (s *s3Store) dropCopies(h *s3Held) {
	if h == nil || h.copies == nil {
		return
	}
	_ = h.copies.Close()
	_ = os.Remove(h.copies.Name())
	s.copied -= h.end
	h.copies, h.end = nil, 0
}

// reveal opens a file of a stage that is finished, to be read. One without a copy is
// completed for that: whoever lists the folder sees it before its commit.
func (s *s3Store) reveal(ctx context.Context, at stage, name, token string) (input, error) {
	key := s.key(at.table + "/" + name)
	if err := ctx.Err(); err != nil {
		return nil, s.fail("read", key, err)
	}
	var t s3Token
	if err := json.Unmarshal([]byte(token), &t); err != nil {
		return nil, fmt.Errorf("read %s: what its upload is, is not known: %w", s.location(key), err)
	}
	if in := s.copyOf(at, t); in != nil {
		return in, nil
	}
	s.mu.Lock()
	if h := s.held[at]; h != nil {
		h.revealed = true
	}
	s.mu.Unlock()
	if err := s.publish(ctx, at.table, 0, name, token); err != nil {
		return nil, err
	}
	return s.open(ctx, at.table+"/"+name)
}

// copyOf returns the copy of a file, nil if there is none.
func (s *s3Store) copyOf(at stage, t s3Token) input {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.held[at]
	if h == nil || h.copies == nil || len(h.uploads[t.Upload].copies) != len(t.Parts) || len(t.Parts) == 0 {
		return nil
	}
	return &s3CopyInput{file: h.copies, parts: h.uploads[t.Upload].copies}
}

// unstage removes such a file.
func (s *s3Store) unstage(ctx context.Context, at stage, name, token string) error {
	key := s.key(at.table + "/" + name)
	var t s3Token
	if err := json.Unmarshal([]byte(token), &t); err != nil || t.Upload == "" {
		return fmt.Errorf("remove %s: what its upload is, is not known", s.location(key))
	}
	if err := s.abortUpload(ctx, key, t.Upload); err != nil {
		return err
	}
	s.lose(at, t.Upload)
	return s.removeKey(ctx, key) // which reveal may have completed
}

// An s3CopyInput reads a copy.
type s3CopyInput struct {
	file  *os.File
	parts []s3Extent
}

func (in *s3CopyInput) Close() error { return nil }

func (in *s3CopyInput) length() (n int64) {
	for _, e := range in.parts {
		n += e.size
	}
	return n
}

// ReadAt implements io.ReaderAt.
func (in *s3CopyInput) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, errors.New("a negative offset")
	}
	for _, e := range in.parts {
		if off >= e.size {
			off -= e.size
			continue
		}
		m, err := in.file.ReadAt(p[n:min(int64(len(p)), int64(n)+e.size-off)], e.at+off)
		if n, off = n+m, 0; err != nil || n == len(p) {
			return n, err
		}
	}
	if n == len(p) {
		return n, nil
	}
	return n, io.EOF
}
