package move

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// Backfill redoes tables that a Dump brings to the sink: their stock is read from src, the changes
// since from the feed, and all of it takes the place of what the sink holds in one commit, at a
// position of the feed. Where the feed ends is noted before the point of the stock: the changes
// between the two are dropped where both tell which transactions the stock shows, and else applied
// a second time, by key. Whoever follows one of the tables is fenced, and goes on from there.
//
// shape gives a table that the feed brings the form that it has at the sink, as DumpOptions.Shape
// does. With no feed the log is that of src itself, a Source. What is not said of SnapshotOptions is
// as in Snapshot; Mode is Replace.
func Backfill(ctx context.Context, src reader.Stock, feed reader.Feed, sink writer.Sink, tables []*schema.Table, shape func(*schema.Table) (*schema.Table, error), opts SnapshotOptions) error {
	opts.Mode = writer.Replace
	if feed == nil {
		if err := followedBy(ctx, src.Owns, sink, tables); err != nil {
			return err
		}
		return opts.unfenced(ctx, func() error { return Snapshot(ctx, src, sink, tables, opts) })
	}
	share, err := feed.Take(ctx)
	if err != nil {
		return err
	}
	defer share.Close()
	if err := unfeedable(ctx, share, sink, tables); err != nil {
		return err
	}
	src = &fed{Stock: src, share: share, shape: shape, opts: opts}
	return opts.unfenced(ctx, func() error { return Snapshot(ctx, src, sink, tables, opts) })
}

// unfenced runs a copy again that another run has come before: to a table that was not there it may
// have brought the first rows, and it is there then.
func (o *SnapshotOptions) unfenced(ctx context.Context, run func() error) error {
	for try := 1; ; try++ {
		err := run()
		if !errors.Is(err, writer.ErrFenced) || try == stockTries || ctx.Err() != nil {
			return err
		}
		o.warn(fmt.Sprintf("begun again: %v", err))
	}
}

// Abandon gives up what runs that were stopped have staged of tables and kept for those that go on with
// them, whatever was to become of it. What was found is told of each.
func Abandon(ctx context.Context, sink writer.Sink, tables []*schema.Table, tell func(msg string)) error {
	for _, t := range tables {
		w, _, err := openWriter(ctx, sink, t, writer.Replace)
		if w == nil {
			return err
		}
		found := fmt.Sprintf("what was staged of %s is given up, if anything was", t)
		if k, ok := w.(writer.Keeper); ok && err == nil {
			found = fmt.Sprintf("nothing is kept of %s that could be gone on with", t)
			if k.Kept().Note != "" {
				err = k.Keep(ctx, "")
				found = fmt.Sprintf("what was staged of %s is given up", t)
			}
		}
		if err := errors.Join(err, w.Close()); err != nil {
			return fmt.Errorf("give up what is kept of %s: %w", t, err)
		}
		tell(found)
	}
	return nil
}

// unfeedable finds what keeps tables from being redone: that is known before a row is read.
func unfeedable(ctx context.Context, share reader.Share, sink writer.Sink, tables []*schema.Table) error {
	for _, t := range tables {
		if t.IsChangelog() {
			err := errors.New("its rows at the sink are changes, and stock does not tell those of the past")
			return &schema.TableError{Table: t.String(), Err: hint.Wrap(err, "backfill redoes rows: give --latest for plain files, or leave the table out with --exclude %s", t)}
		}
		if len(t.Key)+len(t.RowKey) == 0 {
			err := errors.New("it has no primary key: changes that the topic brings cannot be matched with its rows")
			return &schema.TableError{Table: t.String(), Err: hint.Wrap(err, "--exclude %s leaves it out", t)}
		}
	}
	return followedBy(ctx, share.Owns, sink, tables)
}

// FollowedBy makes sure that of the tables which the sink holds some come to it by feed, or by src's own log if
// that is nil, as Backfill and Amend have it: nothing is read of them. A server that is behind the one by
// whose log they come may do yet.
func FollowedBy(ctx context.Context, src reader.Stock, feed reader.Feed, sink writer.Sink, tables []*schema.Table) error {
	owns := func(pos batch.Position) error {
		if err := src.Owns(pos); errors.Is(err, reader.ErrForeign) {
			return err
		}
		return nil
	}
	if feed != nil {
		share, err := feed.Take(ctx)
		if err != nil {
			return err
		}
		defer share.Close()
		owns = share.Owns
	}
	others, some, err := byOthers(ctx, owns, sink, tables)
	if some {
		return err
	}
	return errors.Join(append(others, err)...)
}

// followedBy makes sure that what brings tables to the sink reads the log that owns tells of.
func followedBy(ctx context.Context, owns func(batch.Position) error, sink writer.Sink, tables []*schema.Table) error {
	others, _, err := byOthers(ctx, owns, sink, tables)
	if len(others) > 0 {
		return others[0]
	}
	return err
}

// byOthers returns an error for each of the tables that comes to the sink by another log, and whether
// some do not.
func byOthers(ctx context.Context, owns func(batch.Position) error, sink writer.Sink, tables []*schema.Table) (others []error, some bool, err error) {
	l, ok := sink.(writer.Lister)
	if !ok {
		return nil, true, nil
	}
	held, err := l.List(ctx)
	if err != nil {
		return nil, false, err
	}
	for _, h := range held {
		if !slices.ContainsFunc(tables, func(t *schema.Table) bool { return t.String() == h.Source }) {
			continue
		}
		if err := owns(h.Position); err != nil {
			others = append(others, otherLog(h.Source, err))
		} else {
			some = true
		}
	}
	return others, some, nil
}

// otherLog is the error of a table whose position is none of the log that was named.
func otherLog(table string, err error) error {
	err = fmt.Errorf("it comes to the sink by another log: %w", err)
	return &schema.TableError{Table: table, Err: hint.Wrap(err, "--log names the topics of the dump that brings the table, or binlog where tail brings it without topics; snapshot --mode replace copies it whatever it came by")}
}

// A fed is a Stock whose log is a share of a Feed.
type fed struct {
	reader.Stock
	share reader.Share
	shape func(*schema.Table) (*schema.Table, error)
	opts  SnapshotOptions
}

// A fedPosition is where the feed ended before a point of the stock, and that point.
type fedPosition struct {
	Feed  batch.Position `json:"feed"`
	Stock batch.Position `json:"stock,omitempty"`
}

func (p fedPosition) encode() batch.Position {
	text, err := json.Marshal(p)
	if err != nil {
		return "" // strings always marshal
	}
	return batch.Position(text)
}

func parseFed(pos batch.Position) (p fedPosition, err error) {
	if err = json.Unmarshal([]byte(pos), &p); err != nil || p.Feed == "" {
		return p, fmt.Errorf("position %q is not one of a backfill", pos.Excerpt())
	}
	return p, nil
}

// Pin implements reader.Stock.
func (s *fed) Pin(ctx context.Context, tables []*schema.Table, parallel int) (reader.Snapshot, error) {
	end, err := s.share.End(ctx)
	if err != nil {
		return nil, fmt.Errorf("find the end of the topics: %w", err)
	}
	s.opts.step("end of topics noted")
	snap, err := s.opts.pin(ctx, s.Stock, tables, parallel)
	if err != nil {
		return nil, err
	}
	s.opts.step("point pinned")
	return &fedSnapshot{snap, fedPosition{end, snap.Position()}}, nil
}

// A fedSnapshot is behind a position of the feed.
type fedSnapshot struct {
	reader.Snapshot
	pos fedPosition
}

// Position implements reader.Snapshot.
func (s *fedSnapshot) Position() batch.Position { return s.pos.encode() }

// Loose implements reader.Loose: the feed's changes have to be applied before the rows stand for a
// position of it.
func (s *fedSnapshot) Loose() bool { return true }

// Owns implements reader.Stock for what an earlier run of this kind has left.
func (s *fed) Owns(pos batch.Position) error {
	p, err := parseFed(pos)
	if err == nil {
		err = s.share.Owns(p.Feed)
	}
	if err == nil {
		err = s.Stock.Owns(p.Stock)
	}
	return err
}

// Loosen implements reader.Log: a position of the feed is of no point of the stock.
func (s *fed) Loosen(pos batch.Position) (batch.Position, error) { return pos, nil }

// Locate implements reader.Log for where the feed ends.
func (s *fed) Locate(ctx context.Context, _ string) (batch.Position, error) { return s.share.End(ctx) }

// Unlogged implements reader.Log: what the source's log misses the feed misses.
func (s *fed) Unlogged(ctx context.Context, tables []*schema.Table) (map[*schema.Table]error, error) {
	if l, ok := s.Stock.(reader.Log); ok {
		return l.Unlogged(ctx, tables)
	}
	return nil, nil
}

// reached is where a table is that was read at a position and has got the changes up to another one
// of the feed: that may still be behind what the rows show.
func (s *fed) reached(from, until batch.Position) (batch.Position, error) {
	p, err := parseFed(from)
	return s.share.Showing(until, p.Stock), err
}

// Headroom implements reader.Log.
func (s *fed) Headroom(ctx context.Context, pos batch.Position) (reader.Headroom, error) {
	return s.share.Headroom(ctx, pos)
}

// Changes implements reader.Log. until may be a position of this kind too, for a look.
func (s *fed) Changes(ctx context.Context, from map[*schema.Table]batch.Position, until batch.Position) (reader.Reader, error) {
	if p, err := parseFed(until); err == nil {
		until = p.Feed
	}
	held := make(map[*schema.Table]batch.Position, len(from))
	for t, pos := range from {
		p, err := parseFed(pos)
		if err != nil {
			return nil, err
		}
		held[t] = s.share.Showing(p.Feed, p.Stock)
	}
	return s.changes(ctx, held, until)
}

// changes reads those of tables that hold positions of the feed.
func (s *fed) changes(ctx context.Context, from map[*schema.Table]batch.Position, until batch.Position) (reader.Reader, error) {
	r := &fedReader{own: map[string]*schema.Table{}}
	held := map[string]reader.Held{}
	for t, pos := range from {
		held[t.String()] = reader.Held{Position: pos, Shape: t.Shape()}
		r.own[t.String()] = t
	}
	var err error
	r.Reader, err = s.share.Changes(ctx, reader.FeedSink{Held: held, Only: true, Until: until, Want: func(t *schema.Table) (*schema.Table, error) {
		own := r.own[t.String()]
		if own == nil {
			return nil, nil //nolint:nilnil // not wanted
		}
		as, err := s.shape(t)
		if err == nil && as != nil && as.Shape() != own.Shape() {
			err = &schema.TableError{Table: t.String(), Err: hint.Transient(hint.Wrap(errors.New("it was altered while it was read, or its messages tell of other columns than the source does"), "run the same command again"))}
		}
		return as, err
	}})
	if err != nil {
		return nil, err
	}
	return r, nil
}

// A fedReader reads a share as a Log is read: its tables are those that were asked for.
type fedReader struct {
	reader.Reader
	own map[string]*schema.Table
}

// Read implements reader.Reader.
func (r *fedReader) Read(ctx context.Context) (*batch.Batch, error) {
	for {
		b, err := r.Reader.Read(ctx)
		if err != nil || b.Table == nil {
			return b, err
		}
		if b.Rows == nil && !b.Emptied && b.Pos == "" { // that a table has turned up
			continue
		}
		b.Table = r.own[b.Table.String()]
		return b, nil
	}
}
