package kafka

import (
	"errors"
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
	"github.com/tablehaul/tablehaul/pkg/writer"
)

// TestShape has a table altered while no run looks: what is wider goes on.
func TestShape(t *testing.T) {
	p := newPlace(t, "")
	logAs := func(columns ...string) *schema.Table {
		c, err := schema.Changelog(batchtest.Shape("shop", "a", columns...))
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	a, s := logAs("id int key", "v varchar(20)"), p.sink()
	w := p.openTo(s, a, writer.Create)
	p.commit(s, "one", w)
	refused := func(now *schema.Table, mode writer.Mode, want string) {
		t.Helper()
		s := p.sink()
		d, err := s.Describe(t.Context(), now, mode)
		if err != nil || d.Fate != writer.Refused {
			t.Errorf("%s: got %+v, %v, want a refusal", want, d, err)
		}
		_, err = s.Open(t.Context(), now, mode)
		var te *schema.TableError
		if !errors.As(err, &te) || te.Table != "shop.a" || !strings.Contains(err.Error(), want) || !strings.Contains(hint.Of(err), "snapshot --mode replace --tables shop.a") {
			t.Errorf("got %v (%s), want %q", err, hint.Of(err), want)
		}
	}
	for range 2 { // and once more, with the session that has refused
		for _, mode := range []writer.Mode{writer.Follow, writer.Create} {
			refused(logAs("id int key", "v varchar(20)", "w int"), mode, "column w is new")
			refused(logAs("id int key", "u varchar(20)"), mode, "column u where v was")
			refused(logAs("id int key", "v int"), mode, "column v was varchar(20)")
			refused(logAs("id int key", "v varchar(10)"), mode, "column v was varchar(20)")
			refused(logAs("id int key"), mode, "column v is gone")
			refused(logAs("id int key", "v varchar(20) key"), mode, "primary key was (id) and is (id, v)")
		}
	}
	wide := logAs("id int key", "v varchar(50)")
	s = p.sink()
	v := p.open(s, wide)
	if pos, _ := v.Position(t.Context()); pos != "one" {
		t.Errorf("got position %q, want one", pos)
	}
	p.commit(s, "two", v)
	refused(a, writer.Follow, "column v was varchar(50)")

	// The remedy.
	now := logAs("id int key", "v varchar(20)", "w int")
	s = p.sink()
	r := p.openTo(s, now, writer.Replace)
	p.commit(s, "three", r)
	p.open(p.sink(), now)
	held, err := p.sink().List(t.Context())
	if err != nil || len(held) != 1 || source(now).Since(held[0].Shape) != "" || held[0].Shape == "" {
		t.Errorf("got %+v, %v", held, err)
	}
}

// TestShapeUnknown goes on with what was written before shapes were kept.
func TestShapeUnknown(t *testing.T) {
	p := newPlace(t, "")
	a, s := logOf(t, "a"), p.sink()
	w := p.openTo(s, a, writer.Create)
	w.stock.next.Shape, w.place.Shape = "", ""
	p.commit(s, "one", w)
	now := logWith(t, "a", "v int")
	s = p.sink()
	v := p.open(s, now)
	if pos, _ := v.Position(t.Context()); pos != "one" {
		t.Errorf("got position %q, want one", pos)
	}
	p.commit(s, "two", v)
	if _, err := p.sink().Open(t.Context(), a, writer.Follow); err == nil {
		t.Error("got no error of a column that is gone")
	}
}
