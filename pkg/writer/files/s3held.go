package files

import (
	"maps"
	"os"
	"slices"
)

// An s3Held is what this store knows of a stage of its own.
type s3Held struct {
	uploads map[string]s3Upload // by ID
	gone    bool                // as it was discarded
	// revealed says that some were completed before their commit, to be read.
	revealed bool

	// copies is a file with what was uploaded, up to end: see s3copy.go.
	copies *os.File
	end    int64
}

// An s3Upload is one that this store has begun.
type s3Upload struct {
	key    string
	copies []s3Extent // of its parts
}

// keep notes that there is something of a stage, and an upload if its ID is not "".
func (s *s3Store) keep(at stage, key, upload string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.held[at]
	if h == nil {
		h = &s3Held{uploads: make(map[string]s3Upload)}
		s.held[at] = h
	}
	if upload != "" {
		h.uploads[upload] = s3Upload{key: key}
	} else {
		h.gone = false
	}
}

// alive reports whether there is something of a stage. One that was discarded may begin
// anew.
func (s *s3Store) alive(at stage) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.held[at]
	return h != nil && !h.gone
}

// over reports whether a stage has become a commit a moment ago: who holds it may not know
// yet.
func (s *s3Store) over(at stage) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Contains(s.claims, at)
}

// s3Moment is of how many stages that is remembered.
const s3Moment = 256

// uploads returns those of a stage that this store has begun.
func (s *s3Store) uploads(at stage) map[string]s3Upload {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.held[at]; h != nil {
		return maps.Clone(h.uploads)
	}
	return nil
}

// drop notes that a stage has become a commit.
func (s *s3Store) drop(at stage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dropCopies(s.held[at])
	delete(s.held, at)
	if len(s.claims) == s3Moment {
		s.claims = slices.Delete(s.claims, 0, 1)
	}
	s.claims = append(s.claims, at)
}

// bury notes that a stage was discarded.
func (s *s3Store) bury(at stage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.held[at]; h != nil {
		s.dropCopies(h)
		h.uploads, h.gone = make(map[string]s3Upload), true
	}
}

// lose notes that an upload was aborted.
func (s *s3Store) lose(at stage, upload string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.held[at]; h != nil {
		delete(h.uploads, upload)
	}
}
