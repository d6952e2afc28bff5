package shape

import (
	"context"
	"sync"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/expr"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A Feed is one whose tables may be shaped: those that Want of its FeedSink has by Shape.
type Feed struct {
	reader.Feed
	*book
}

// WrapFeed returns a feed like f. Messages do not tell how a source compares texts: they are
// compared byte by byte.
func WrapFeed(f reader.Feed) (*Feed, error) {
	e, err := expr.New()
	if err != nil {
		return nil, err
	}
	e.Collation = "utf8mb4_bin"
	return &Feed{f, &book{engine: e, specs: map[string]Spec{}, plans: map[*schema.Table]*plan{}}}, nil
}

// Take implements reader.Feed.
func (f *Feed) Take(ctx context.Context) (reader.Share, error) {
	s, err := f.Feed.Take(ctx)
	if err != nil {
		return nil, err
	}
	return &share{s, f.book}, nil
}

// A share is one of a Feed.
type share struct {
	reader.Share
	b *book
}

// Changes implements reader.Share.
func (s *share) Changes(ctx context.Context, sink reader.FeedSink) (reader.Reader, error) {
	r := &feedReader{by: map[*schema.Table]*shaper{}}
	want := sink.Want
	sink.Want = func(t *schema.Table) (*schema.Table, error) {
		made, err := want(t)
		if err != nil || made == nil || made.Base == nil {
			return made, err
		}
		p, err := s.b.of(made)
		if err != nil {
			return nil, err
		}
		own := *p.base // one of this table alone
		r.mu.Lock()
		defer r.mu.Unlock()
		r.by[&own] = p.shaper()
		return &own, nil
	}
	var err error
	if r.Reader, err = s.Share.Changes(ctx, sink); err != nil {
		return nil, err
	}
	return r, nil
}

// A feedReader shapes what a feed brings.
type feedReader struct {
	reader.Reader
	mu sync.Mutex
	by map[*schema.Table]*shaper
}

// Read implements reader.Reader.
func (r *feedReader) Read(ctx context.Context) (*batch.Batch, error) {
	for {
		b, err := r.Reader.Read(ctx)
		if err != nil || b.Table == nil {
			return b, err
		}
		r.mu.Lock()
		x := r.by[b.Table]
		r.mu.Unlock()
		if x == nil {
			return b, nil
		}
		if out, err := x.next(b); out != nil || err != nil {
			return out, err
		}
	}
}
