package verify

import (
	"bytes"
	"errors"
	"sync"
)

// errTooMany is that more rows differ than can be held.
var errTooMany = errors.New("too many rows differ to be told apart")

// A pair is what source and sink have of one key: rows, and how many of them. Of the sink's, those that
// are marked as deleted count for none, and are shown where there is no other.
type pair struct {
	source, sink   []byte // nil: none
	sources, sinks int
	hash           uint64 // of the key
	gone           int    // of the sink's, those that are marked
}

func (p *pair) equal() bool {
	return p.sources == p.sinks && (p.sources == 0 || bytes.Equal(p.source, p.sink))
}

// A collection gathers pairs.
type collection struct {
	wanted func(id []byte) bool
	limit  int64

	mu    sync.Mutex
	pairs map[string]*pair
	bytes int64
}

func newCollection(limit int64, wanted func(id []byte) bool) *collection {
	return &collection{wanted: wanted, limit: limit, pairs: map[string]*pair{}}
}

// pairSize is about what a pair takes beside its texts.
const pairSize = 160

// add adds a row that is wanted, of the source or the sink, which may be marked as deleted there.
func (c *collection) add(hash uint64, row, id []byte, sink, gone bool) error {
	if !c.wanted(id) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	p := c.pairs[string(id)]
	if p == nil {
		p = &pair{hash: hash}
		c.pairs[string(id)] = p
		c.bytes += pairSize + int64(len(id))
	}
	one, n := &p.source, &p.sources
	switch {
	case gone && p.sinks > 0:
		return nil
	case gone:
		one, n = &p.sink, &p.gone
	case sink:
		if one, n = &p.sink, &p.sinks; p.gone > 0 {
			p.sink, p.gone = nil, 0
		}
	}
	// Of several rows of one key the last in byte order stands for all: which comes first is chance.
	if *n++; *n == 1 || bytes.Compare(row, *one) > 0 {
		*one = bytes.Clone(row)
		c.bytes += int64(len(row))
	}
	if c.bytes > c.limit {
		return errTooMany
	}
	return nil
}
