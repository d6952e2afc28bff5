package shape

import (
	"context"
	"errors"
	"fmt"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/expr"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// Changes implements reader.Log.
func (s *Source) Changes(ctx context.Context, from map[*schema.Table]batch.Position, until batch.Position) (reader.Reader, error) {
	own := make(map[*schema.Table]batch.Position, len(from))
	r := &logReader{s: s, by: map[*schema.Table]*shaper{}, names: map[string]*shaper{}}
	for t, pos := range from {
		p, err := s.of(t)
		if err != nil {
			return nil, err
		}
		if p == nil {
			own[t] = pos
			continue
		}
		own[p.log] = pos
		x := p.shaper()
		r.by[p.log], r.names[t.String()] = x, x
	}
	var err error
	if r.Reader, err = s.Origin.Changes(ctx, own, until); err != nil {
		return nil, err
	}
	return r, nil
}

// A logReader shapes what a log brings.
type logReader struct {
	reader.Reader
	s     *Source
	by    map[*schema.Table]*shaper // by the tables that the log tells of
	names map[string]*shaper
}

// Read implements reader.Reader.
func (r *logReader) Read(ctx context.Context) (*batch.Batch, error) {
	for {
		b, err := r.Reader.Read(ctx)
		if err != nil || b.Table == nil {
			return b, err
		}
		x := r.by[b.Table]
		if x == nil {
			if x = r.names[b.Table.String()]; x == nil {
				return b, nil
			}
			if x, err = r.reshaped(x, b.Table); err != nil {
				b.Release()
				return nil, err
			}
		}
		if out, err := x.next(b); out != nil || err != nil {
			return out, err
		}
	}
}

// reshaped goes on with a table that the log has got in another shape. Rows that are there
// already were made of what columns held before: where what an expression names has become
// another one, they may be others now.
func (r *logReader) reshaped(x *shaper, t *schema.Table) (*shaper, error) {
	next, err := r.s.Reshape(x.p.t, t)
	if err != nil {
		var te *schema.TableError
		if errors.As(err, &te) {
			err = te.Err
		}
		err = hint.Wrap(fmt.Errorf("the table was altered: %w", err), "copy it anew with snapshot --mode replace --tables %s, with options that fit what it is now", t)
		// The server knows the collation of now.
		return nil, &schema.TableError{Table: t.String(), Err: err, Anew: errors.Is(err, expr.ErrCollation)}
	}
	for _, i := range x.p.named {
		was := &x.p.base.Columns[i]
		now := t.Index(was.Name)
		if now >= 0 && t.Columns[now].Gone {
			err := fmt.Errorf("column %s is there no longer, and rows are made of it", was.Name)
			return nil, &schema.TableError{Table: t.String(), Err: hint.Wrap(err, "copy the table anew with snapshot --mode replace --tables %s, with options that fit what it is now", t)}
		}
		if now < 0 || was.Collation == t.Columns[now].Collation && was.Charset == t.Columns[now].Charset && schema.Widened(was.Native, t.Columns[now].Native) {
			continue
		}
		err := fmt.Errorf("column %s was %s and is %s, and what is computed of it may be another now", was.Name, was.Native, t.Columns[now].Native)
		return nil, &schema.TableError{Table: t.String(), Err: hint.Wrap(err, "copy the table anew with snapshot --mode replace --tables %s", t), Anew: true}
	}
	p, err := r.s.of(next)
	if err != nil {
		return nil, err
	}
	delete(r.by, x.p.log)
	y := p.shaper()
	r.by[t], r.names[t.String()] = y, y
	return y, nil
}
