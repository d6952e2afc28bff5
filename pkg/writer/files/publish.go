package files

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"golang.org/x/sync/errgroup"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// entry reads a commit.
func (s *Sink) entry(ctx context.Context, dir string, n int64) (*entry, error) {
	text, err := s.store.entry(ctx, dir, n)
	if err != nil {
		return nil, err
	}
	e := new(entry)
	if err := json.Unmarshal(text, e); err != nil || e.Number != n {
		return nil, errors.Join(fmt.Errorf("commit %d of %s cannot be read", n, s.store.url(dir)), err)
	}
	return e, nil
}

// load reads the manifest of a table, brought up to date: what a run that was stopped has
// committed and not published is published. The manifest is of no commit if there is none.
func (s *Sink) load(ctx context.Context, dir string) (manifest, error) {
	was := int64(-1)
	for {
		m, err := s.manifest(ctx, dir)
		if err != nil {
			return m, err
		}
		entries, err := s.entriesAfter(ctx, dir, m.Number)
		if err != nil || len(entries) == 0 {
			return m, err
		}
		if s.opts.Look { // which changes nothing
			return m.after(entries...), nil
		}
		last := entries[len(entries)-1].Number
		m, err = s.publish(ctx, dir, m, false, entries...)
		if !errors.Is(err, fs.ErrNotExist) || was == last {
			return m, err
		}
		was = last // files of these commits have gone with a later one, meanwhile
	}
}

// manifest reads the one that is there.
func (s *Sink) manifest(ctx context.Context, dir string) (m manifest, err error) {
	name := path.Join(dir, manifestFile)
	for range manifestReads {
		var data []byte
		if data, err = readAll(ctx, s.store, name); errors.Is(err, fs.ErrNotExist) {
			return manifest{}, nil
		}
		if err == nil {
			m, err = parseManifest(data)
		}
		if err == nil || ctx.Err() != nil {
			return m, err
		}
	}
	return m, hint.Wrap(fmt.Errorf("read %s: %w", s.store.url(name), err), "restore the file, or remove the table's folder and copy the table anew")
}

// manifestReads is how often a manifest is read that cannot be understood: another one may
// just have taken its place, of which a reader sees the end and not the beginning.
const manifestReads = 5

// entriesAfter reads the commits behind number n.
func (s *Sink) entriesAfter(ctx context.Context, dir string, n int64) (entries []*entry, err error) {
	for {
		n++
		e, err := s.entry(ctx, dir, n)
		if errors.Is(err, fs.ErrNotExist) {
			return entries, nil
		}
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
}

// publish shows what commits have brought: their files, then the manifest that names them,
// and then what they have taken away goes. It can be repeated, by whoever finds commits and
// a manifest of before; alone says that nobody else does. It returns the manifest. An
// fs.ErrNotExist says that others were quicker, and have gone further.
func (s *Sink) publish(ctx context.Context, dir string, was manifest, alone bool, entries ...*entry) (manifest, error) {
	m := was.after(entries...)
	if err := s.publishFiles(ctx, dir, m, entries); err != nil {
		return was, err
	}
	before := was
	for _, e := range entries {
		if err := s.mark(ctx, dir, before, e); err != nil {
			return was, err
		}
		before = before.after(e)
	}
	if err := s.writeManifest(ctx, dir, m, alone); err != nil {
		return was, fmt.Errorf("write the manifest: %w", err)
	}
	s.opts.Step("published")
	for _, gone := range was.goneBy(m, entries) {
		if err := s.store.remove(ctx, path.Join(dir, gone)); err != nil {
			return was, fmt.Errorf("remove %s, which is not the table's any more: %w", s.store.url(path.Join(dir, gone)), err)
		}
	}
	for _, e := range entries {
		if n := e.Number - keptEntries; n > 1 { // the first stays: see Writer.stale
			if err := s.store.forget(ctx, dir, n); err != nil {
				return was, err
			}
		}
	}
	s.opts.Step("tidied")
	return m, nil
}

// publishFiles shows the files that are the table's in the end.
func (s *Sink) publishFiles(ctx context.Context, dir string, m manifest, entries []*entry) error {
	there := make(map[string]bool, len(m.Files))
	for _, f := range m.Files {
		there[f.Path] = true
	}
	g, gctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for _, e := range entries {
		for _, f := range e.Added {
			if !there[f.Path] {
				continue
			}
			g.Go(func() error {
				if err := s.store.publish(gctx, dir, e.Number, f.Path, f.Token); err != nil {
					return fmt.Errorf("publish %s: %w", s.store.url(path.Join(dir, f.Path)), err)
				}
				return nil
			})
		}
	}
	return g.Wait()
}

// writeManifest puts the manifest in place, unless there is a later one.
func (s *Sink) writeManifest(ctx context.Context, dir string, m manifest, alone bool) error {
	if !alone {
		there, err := s.manifest(ctx, dir)
		if err != nil || there.Number >= m.Number {
			return err
		}
	}
	text, err := m.text()
	if err != nil {
		return err
	}
	return s.store.replace(ctx, path.Join(dir, manifestFile), text)
}

// mark puts _SUCCESS where something is whole from now on: a generation, and the folder of
// an hour, or whatever time, that is over.
func (s *Sink) mark(ctx context.Context, dir string, was manifest, e *entry) error {
	var whole []string
	if e.Generation != was.Generation {
		whole = append(whole, generation(e.Generation))
	} else if was.Open != "" && was.Open != e.Open {
		whole = append(whole, path.Join(generation(was.Generation), was.Open))
	}
	for _, folder := range whole {
		if err := s.store.replace(ctx, path.Join(dir, folder, successFile), nil); err != nil {
			return fmt.Errorf("write %s: %w", successFile, err)
		}
	}
	return nil
}
