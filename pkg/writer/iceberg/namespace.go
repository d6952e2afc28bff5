package iceberg

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer/naming"
)

func (s *Sink) identifier(t *schema.Table) table.Identifier {
	ns := s.ns
	if ns == nil {
		ns = []string{t.DB}
	}
	return append(s.identifierOf(ns), s.identifierOf([]string{t.Name})...)
}

// identifierOf returns names as the catalog takes them.
func (s *Sink) identifierOf(names []string) table.Identifier {
	special := ""
	if s.rest {
		special = specialREST
	}
	ident := make(table.Identifier, len(names))
	for i, n := range names {
		ident[i] = identName(n, special)
	}
	return ident
}

// ensureNamespace creates the namespace unless it is there. Only the first of
// many tables asks the catalog.
func (s *Sink) ensureNamespace(ctx context.Context, ns table.Identifier) error {
	key := "ns:" + strings.Join(ns, "\x00")
	done, unlock := s.first(key)
	defer unlock()
	if done {
		return nil
	}
	ok, err := s.cat.CheckNamespaceExists(ctx, ns)
	if err == nil && !ok {
		err = s.cat.CreateNamespace(ctx, ns, nil)
		// Where another run was quicker, not all catalogs say so.
		if err != nil {
			if there, e := s.cat.CheckNamespaceExists(ctx, ns); e == nil && there {
				err = nil
			}
		}
	}
	if err != nil {
		return fmt.Errorf("create namespace %s: %w", strings.Join(ns, "."), err)
	}
	home := s.home(ctx, ns)
	s.mu.Lock()
	s.homes[strings.Join(ns, "\x00")] = home
	s.mu.Unlock()
	s.mark(key)
	return nil
}

// home returns the location that a namespace's new tables go to, or "".
func (s *Sink) home(ctx context.Context, ns table.Identifier) string {
	if s.kind != embedded {
		// A catalog that does not tell has none: it is asked again, by createBare.
		if p, err := s.cat.LoadNamespaceProperties(ctx, ns); err == nil && strings.Contains(p["location"], "://") {
			return strings.TrimSuffix(p["location"], "/")
		}
	}
	if s.root == "" {
		return ""
	}
	home := s.root
	for _, n := range ns {
		home += "/" + naming.Folder(n)
	}
	return home
}

// first tells whether the thing is marked done; if not, the caller is alone at
// it until it unlocks.
func (s *Sink) first(key string) (done bool, unlock func()) {
	s.mu.Lock()
	m := s.once[key]
	if m == nil {
		m = new(sync.Mutex)
		s.once[key] = m
	}
	s.mu.Unlock()
	m.Lock()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ready[key], m.Unlock
}

func (s *Sink) mark(key string) {
	s.mu.Lock()
	s.ready[key] = true
	s.mu.Unlock()
}

// probe writes a file and removes it, once for each folder of tables, so that a
// warehouse that cannot be written is told before rows are read.
func (s *Sink) probe(ctx context.Context, w *Writer) error {
	folder := s.root
	if folder == "" || !strings.HasPrefix(w.location, folder+"/") {
		folder = w.location[:strings.LastIndexByte(w.location, '/')]
	}
	done, unlock := s.first("probe:" + folder)
	defer unlock()
	if done {
		return nil
	}
	if err := w.st.try(ctx, folder); err != nil {
		return fmt.Errorf("write to %s: %w", folder, plain(err))
	}
	s.mark("probe:" + folder)
	return nil
}
