package files

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

var _ writer.Dropper = (*Sink)(nil)

// Drop removes a table's folder: at first by a commit that leaves no files, which whoever finds it
// completes, then all else. What says that there is a table goes last.
func (s *Sink) Drop(ctx context.Context, db, table string, held batch.Position) error {
	dir := s.folderNamed(db, table)
	if err := s.drop(ctx, dir, db+"."+table, held); err != nil {
		return fmt.Errorf("drop %s: %w", s.store.url(dir), err)
	}
	return nil
}

func (s *Sink) drop(ctx context.Context, dir, source string, held batch.Position) error {
	m, err := s.load(ctx, dir)
	if err != nil || m.Number == 0 {
		return err
	}
	if m.Source != source || m.Position != held {
		return writer.ErrFenced
	}
	e := &entry{manifest: m}
	e.ID, e.Committed, e.Files, e.Rows, e.Bytes, e.Old = uuid.NewString(), time.Now().UTC(), nil, 0, 0, ""
	e.Version, e.Number, e.Recent = manifestVersion, m.Number+1, append(slices.Clone(m.Recent), e.ID)
	for _, folder := range []string{m.Generation, m.Old} {
		if folder != "" {
			e.Removed = append(e.Removed, folder)
		}
	}
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	at := s.stage(dir, false)
	if err := s.hold(ctx, at); err != nil {
		return err
	}
	s.opts.Step("commit sent")
	err = s.store.claim(ctx, at, e.Number, text)
	s.letGo(at)
	if errors.Is(err, errTaken) {
		return writer.ErrFenced
	}
	if err == nil {
		s.opts.Step("commit landed")
		err = s.publish(ctx, dir, e)
	}
	if err == nil {
		err = s.store.remove(ctx, path.Join(dir, manifestFile))
	}
	if err == nil {
		err = s.forgetAll(ctx, dir)
	}
	s.opts.Step("drop: forgotten")
	s.mu.Lock()
	delete(s.cleared, dir) // commits are numbered anew
	s.mu.Unlock()
	if err != nil {
		return err
	}
	return s.store.remove(ctx, dir)
}

// forgetAll removes all entries, the last one at the end.
func (s *Sink) forgetAll(ctx context.Context, dir string) error {
	found, err := s.store.list(ctx, path.Join(dir, hidden, "commits"))
	if err != nil {
		return err
	}
	var numbers []int64
	for _, f := range found {
		if n, err := strconv.ParseInt(strings.TrimSuffix(f.name, ".json"), 10, 64); err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	for _, n := range numbers {
		if err := s.store.forget(ctx, dir, n); err != nil {
			return err
		}
	}
	return nil
}
