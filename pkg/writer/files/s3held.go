package files

import "maps"

// An s3Held is what this store knows of a stage of its own.
type s3Held struct {
	uploads map[string]string // IDs, and their keys
	gone    bool              // as it was discarded
}

// keep notes that there is something of a stage, and an upload if its ID is not "".
func (s *s3Store) keep(at stage, key, upload string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.held[at]
	if h == nil {
		h = &s3Held{uploads: make(map[string]string)}
		s.held[at] = h
	}
	if upload != "" {
		h.uploads[upload] = key
	} else {
		h.gone = false
	}
}

// keeps reports whether there is something of a stage, or was.
func (s *s3Store) keeps(at stage) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.held[at] != nil
}

// alive is keeps but for what was discarded, and may begin anew.
func (s *s3Store) alive(at stage) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.held[at]
	return h != nil && !h.gone
}

// uploads returns those of a stage that this store has begun.
func (s *s3Store) uploads(at stage) map[string]string {
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
	delete(s.held, at)
}

// bury notes that a stage was discarded.
func (s *s3Store) bury(at stage) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h := s.held[at]; h != nil {
		h.uploads, h.gone = make(map[string]string), true
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
