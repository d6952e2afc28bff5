package files

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// errFurther says that others have gone further than the commit that was to be shown.
var errFurther = errors.New("there is a later commit")

// load returns what a table holds; of no commit if there is none. What a run that was
// stopped has committed and not published is published.
func (s *Sink) load(ctx context.Context, dir string) (manifest, error) {
	failed, number := error(nil), int64(0)
	for range loads {
		e, err := s.last(ctx, dir)
		if err != nil || e == nil {
			return manifest{}, err
		}
		if s.opts.Look { // which changes nothing
			return e.manifest, nil
		}
		if failed != nil && e.Number == number {
			return manifest{}, failed
		}
		m, err := s.manifest(ctx, dir)
		switch {
		case err != nil:
		case m.Number != e.Number:
			err = s.publish(ctx, dir, e)
		default: // by a run that may have died before the rest was done
			err = s.clear(ctx, dir, e)
		}
		if !errors.Is(err, errFurther) && !errors.Is(err, fs.ErrNotExist) {
			return e.manifest, err
		}
		if errors.Is(err, fs.ErrNotExist) { // unless a later commit has taken it away meanwhile
			failed, number = lost(err), e.Number
		}
	}
	return manifest{}, errAgain
}

// lost is what becomes of a table a file of which is gone that a commit has brought.
func lost(err error) error {
	return hint.Wrap(fmt.Errorf("a file of the table is lost: %v", err), // for good: nobody is to take it for one that may come
		"if it cannot be brought back, copy the table anew with snapshot --mode replace, or into another folder")
}

// loads is how often the last commit is looked for.
const loads = 10

// last reads the last commit of a table; nil if there is none.
func (s *Sink) last(ctx context.Context, dir string) (*entry, error) {
	for range loads {
		n, err := s.lastNumber(ctx, dir)
		if err != nil || n == 0 {
			return nil, err
		}
		text, err := s.store.entry(ctx, dir, n)
		if errors.Is(err, fs.ErrNotExist) {
			continue // forgotten, since there are later ones
		}
		if err != nil {
			return nil, err
		}
		e := new(entry)
		if err = json.Unmarshal(text, e); err == nil {
			err = e.check(n)
		}
		if err != nil {
			err = fmt.Errorf("commit %d of %s cannot be read: %w", n, s.store.url(dir), err)
			return nil, hint.Wrap(err, "restore it, or remove the table's folder and copy the table anew")
		}
		return e, nil
	}
	return nil, errAgain
}

// lastNumber is that of the last commit, 0 if there is none.
func (s *Sink) lastNumber(ctx context.Context, dir string) (last int64, err error) {
	found, err := s.store.list(ctx, path.Join(dir, hidden, "commits"))
	if err != nil || len(found) == 0 {
		return 0, err
	}
	for _, f := range found {
		n, err := strconv.ParseInt(strings.TrimSuffix(f.name, ".json"), 10, 64)
		if err == nil {
			last = max(last, n)
		}
	}
	return last, nil
}

// manifest reads the manifest that readers find; it is of no commit if there is none, or if
// what there is cannot be understood: another one may just be taking its place.
func (s *Sink) manifest(ctx context.Context, dir string) (m manifest, err error) {
	for range loads {
		var data []byte
		if data, err = readAll(ctx, s.store, path.Join(dir, manifestFile)); errors.Is(err, fs.ErrNotExist) {
			return m, nil
		}
		switch {
		case ctx.Err() != nil:
			return m, ctx.Err()
		case err != nil:
		case json.Unmarshal(data, &m) == nil:
			return m, nil
		}
		m = manifest{}
	}
	return m, err
}

// publish shows what a commit, the last one, has brought: its files, then the manifest that
// names them, and then what it has taken away goes. It can be repeated by whoever finds the
// commit. An fs.ErrNotExist or errFurther says that others may have gone further.
func (s *Sink) publish(ctx context.Context, dir string, e *entry) error {
	if err := s.publishFiles(ctx, dir, e); err != nil {
		return err
	}
	for _, folder := range e.Whole {
		if err := s.store.replace(ctx, commitDir(dir, e.Number), path.Join(dir, folder, successFile), nil); err != nil {
			return fmt.Errorf("write %s: %w", successFile, err)
		}
	}
	if err := s.writeManifest(ctx, dir, e.manifest); err != nil {
		return fmt.Errorf("write the manifest: %w", err)
	}
	s.opts.Step("published")
	if err := s.clear(ctx, dir, e); err != nil {
		return err
	}
	s.opts.Step("tidied")
	return nil
}

// clear removes what a commit that is published has taken out of the table, once.
func (s *Sink) clear(ctx context.Context, dir string, e *entry) error {
	s.mu.Lock()
	done := s.cleared[dir] == e.Number
	s.mu.Unlock()
	if done {
		return nil
	}
	for _, gone := range e.Removed {
		if err := s.store.remove(ctx, path.Join(dir, gone)); err != nil {
			return fmt.Errorf("remove %s, which is not the table's any more: %w", s.store.url(path.Join(dir, gone)), err)
		}
	}
	if err := s.store.settle(ctx, dir, e.Number); err != nil {
		return err
	}
	if n := e.Number - keptEntries; n > 0 {
		if err := s.store.forget(ctx, dir, n); err != nil {
			return err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cleared[dir] = e.Number
	return nil
}

// publishFiles shows the files.
func (s *Sink) publishFiles(ctx context.Context, dir string, e *entry) error {
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for _, f := range e.Added {
		g.Go(func() error {
			if err := s.store.publish(gctx, dir, e.Number, f.Path, f.Token); err != nil {
				return fmt.Errorf("publish %s: %w", s.store.url(path.Join(dir, f.Path)), err)
			}
			return nil
		})
	}
	return g.Wait()
}

// writeManifest puts the manifest in place. Who has slept before it may have put it in the
// place of a later one: that is found out, and whoever loads the table puts it back.
func (s *Sink) writeManifest(ctx context.Context, dir string, m manifest) error {
	there, err := s.manifest(ctx, dir)
	if err != nil {
		return err
	}
	if there.Number > m.Number {
		return errFurther
	}
	text, err := m.text()
	if err != nil {
		return err
	}
	if there.Number < m.Number {
		if err := s.store.replace(ctx, commitDir(dir, m.Number), path.Join(dir, manifestFile), text); err != nil {
			return err
		}
	}
	last, err := s.lastNumber(ctx, dir)
	if err == nil && last > m.Number {
		err = errFurther
	}
	return err
}
