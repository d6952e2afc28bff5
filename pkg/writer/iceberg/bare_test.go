package iceberg

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	restcat "github.com/apache/iceberg-go/catalog/rest"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// barelyMade has a run make tables t and u, and end before it has committed to them. It
// returns what ends the writer of t.
func barelyMade(t *testing.T, s *Sink, h *hooked) func() {
	t.Helper()
	heard := new(sync.Map)
	s.cat = onebyone{h, heard}
	var ws []writer.Writer
	for _, name := range []string{"t", "u"} {
		heard.Store(cacheKey(s.identifier(accounts(name))), true)
		w := openTable(t, s, accounts(name), writer.Create)
		write(t, w, rows(w.src, 0, 5))
		ws = append(ws, w)
	}
	h.before = func() error { return restcat.ErrForbidden }
	if err := s.CommitAll(t.Context(), ws, "p"); !errors.Is(err, restcat.ErrForbidden) {
		t.Fatalf("got %v", err)
	}
	must(t, ws[1].Close())
	return func() { must(t, ws[0].Close()) }
}

// A table that a run has made before its rows stays when it ends, for another run may have
// committed to it, and that is said.
func TestBareTableStays(t *testing.T) {
	s, h := hookedSink(t)
	var warned []string
	s.opts.Warn = func(msg string) { warned = append(warned, msg) }
	end := barelyMade(t, s, h)
	other := func() { load(t, s, accounts("t"), writer.Create, 10, 20, "q") }
	h.loaded = other // between a look at the table and what is done about it
	end()
	if h.loaded != nil {
		h.loaded = nil
		other()
	}
	wantIDs(t, ids(t, s, "t"), 10, 20)
	for _, name := range []string{"shop.t", "shop.u"} {
		if !slices.ContainsFunc(warned, func(msg string) bool { return strings.HasPrefix(msg, name+" was made and stays, empty") }) {
			t.Errorf("of %s nothing is said: %q", name, warned)
		}
	}
}

// The run that goes on with such a table makes of it what it would have made itself.
func TestBareTableIsGoneOnWith(t *testing.T) {
	hook := func(t *testing.T) (*Sink, *hooked) { return hookedSink(t) }
	rest := func(t *testing.T) (*Sink, *hooked) {
		s := openSink(t, "iceberg+rest"+strings.TrimPrefix(service(t, "iceberg-rest", "TABLEHAUL_TEST_ICEBERG_REST"), "http"), Options{})
		s.ns = []string{fmt.Sprintf("t%d", time.Now().UnixNano())}
		h := &hooked{tableCatalog: s.cat}
		s.cat = h
		return s, h
	}
	for kind, open := range map[string]func(*testing.T) (*Sink, *hooked){"SQL": hook, "REST": rest} {
		for _, mode := range []writer.Mode{writer.Create, writer.Follow, writer.Append, writer.Evolve, writer.Replace} {
			s, h := open(t)
			barelyMade(t, s, h)()
			var warned []string
			s.opts.Warn = func(msg string) { warned = append(warned, msg) }
			s.opts.Layout = func(*schema.Table) Layout {
				return Layout{Partition: "bucket(4,id)", Sort: "owner", Properties: map[string]string{"a.property": "of its own"}}
			}
			tbl := schema.New("shop", "t", cols("id bigint!", "more int", "owner varchar(30)!"), []int{0})
			w := openTable(t, s, tbl, mode)
			must(t, w.Commit(t.Context(), "p"))
			must(t, w.Commit(t.Context(), "q"))
			must(t, w.Close())
			got := loaded(t, s, tbl)
			var columns []string
			for _, f := range got.Schema().Fields() {
				columns = append(columns, f.String())
			}
			lay := layoutOf(got.Metadata())
			text := specText(lay.spec, got.Schema()) + " sorted by " + orderText(lay.order, got.Schema()) + " with " + got.Properties()["a.property"]
			if want := "bucket(4,id) sorted by owner asc nulls first with of its own"; text != want {
				t.Errorf("%s, %s: got %q, want %q", kind, mode, text, want)
			}
			if len(columns) != 3 || got.Properties()[positionProperty] != "q" || len(got.Metadata().Snapshots()) != 2 {
				t.Errorf("%s, %s: the columns %q at %q", kind, mode, columns, got.Properties()[positionProperty])
			}
			if len(warned) > 0 {
				t.Errorf("%s, %s: warned %q", kind, mode, warned)
			}
			if s.rest {
				must(t, h.DropTable(t.Context(), w.ident))
				must(t, h.DropTable(t.Context(), append(table.Identifier{}, w.ident[0], "u")))
			}
		}
	}
}
