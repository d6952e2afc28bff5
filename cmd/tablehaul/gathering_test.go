package main

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/move"
	"github.com/tablehaul/tablehaul/pkg/progress"
	"github.com/tablehaul/tablehaul/pkg/route"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

func gathered(t *testing.T, rules, shard []string) (*gathering, func(i int) *routeOptions) {
	t.Helper()
	g := gather([]sourceEnd{{"eu", "mysql://a"}, {"us", "mysql://b"}}, []string{"eu", "us"})
	if len(rules) == 0 {
		return g, func(int) *routeOptions { return &routeOptions{} }
	}
	r, err := route.Parse(rules, shard)
	if err != nil {
		t.Fatal(err)
	}
	return g, func(i int) *routeOptions { return &routeOptions{routes: r.From(g.parts[i].name)} }
}

func keyed(t *testing.T, db, name string) *schema.Table {
	t.Helper()
	typ, err := schema.ParseMySQL("int")
	if err != nil {
		t.Fatal(err)
	}
	return schema.New(db, name, []schema.Column{{Name: "id", Native: "int", Type: typ, Arrow: typ.Arrow()}}, []int{0})
}

// A source that is refused a table is refused it whenever it comes again, and its owner keeps it.
func TestClaimStays(t *testing.T) {
	g, routes := gathered(t, nil, nil)
	eu, us := g.parts[0], g.parts[1]
	for range 2 {
		if err := eu.claim(keyed(t, "shop", "orders"), routes(0)); err != nil {
			t.Errorf("the owner: %v", err)
		}
		if err := us.claim(keyed(t, "shop", "orders"), routes(1)); err == nil || !strings.Contains(err.Error(), "in eu, and in us") {
			t.Errorf("the other one: %v", err)
		}
	}
	if eu.mine(routes(0))("shop", "orders") == us.mine(routes(1))("shop", "orders") {
		t.Error("the table is not of one of them alone")
	}
	if !us.mine(routes(1))("shop", "gone") || eu.mine(routes(0))("shop", "gone") {
		t.Error("a table of nobody is not that of who asks first")
	}
}

// Rows of two sources come together only where they can be told apart.
func TestClaimOfOneTarget(t *testing.T) {
	merged := []string{`(.+)/shop\.(.+) -> lake.$2`}
	for _, c := range []struct {
		name         string
		rules, shard []string
		us           *schema.Table
		want         string
	}{
		{"without shard columns", merged, nil, keyed(t, "shop", "orders"), "may have the key of one in eu/shop.orders"},
		{"with shard columns", merged, []string{"_db", "_table"}, keyed(t, "shop", "orders"), ""},
		{"elsewhere", []string{`(.+)/shop\.(.+) -> $1.$2`}, nil, keyed(t, "shop", "orders"), ""},
		{"by no route", merged, []string{"_db", "_table"}, keyed(t, "lake", "orders"), "a route takes eu/shop.orders to lake.orders"},
	} {
		g, routes := gathered(t, c.rules, c.shard)
		if err := g.parts[0].claim(keyed(t, "shop", "orders"), routes(0)); err != nil {
			t.Fatal(err)
		}
		err := g.parts[1].claim(c.us, routes(1))
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// Tables are tended as long as there is a source.
func TestTendsOfSeveral(t *testing.T) {
	g, _ := gathered(t, nil, nil)
	if !g.parts[0].tends() || g.parts[1].tends() || !(part{}).tends() {
		t.Error("not the first one, or not it alone, tends")
	}
	close(g.ended[0])
	if !g.parts[1].tends() {
		t.Error("nobody tends once the first one has ended")
	}
}

// What has gone wrong is told, and exits as it does with one source, when a signal has come too.
func TestOutcomeOfSeveral(t *testing.T) {
	ctx, stop := context.WithCancelCause(context.Background())
	stop(errInterrupted)
	broken := errors.New("broken")
	for _, c := range []struct {
		name    string
		endless bool
		failed  error // before the signal
		errs    []error
		exit    int
	}{
		{"none", true, nil, []error{context.Canceled, context.Canceled}, exitInterrupted}, // which tail takes for its end
		{"while it stops", true, nil, []error{broken, context.Canceled}, exitInterrupted},
		{"before", true, broken, []error{broken, context.Canceled}, exitIncomplete},
		{"before, of a run with an end", false, broken, []error{broken, context.Canceled}, exitInterrupted},
	} {
		g, _ := gathered(t, nil, nil)
		close(g.all)
		g.endless = c.endless
		if c.failed != nil {
			g.failed = []error{c.failed}
		}
		err := g.outcome(ctx, c.errs)
		if got := exitCode(ctx, err); got != c.exit || errors.Is(err, broken) != (c.errs[0] == broken) {
			t.Errorf("%s: exit %d, want %d: %v", c.name, got, c.exit, err)
		}
	}
}

// --parallel is that of all sources together, also when it is adjusted.
func TestThrottlesShare(t *testing.T) {
	var p program
	o := moveOptions{parallel: 4, gentle: gentleOptions{maxParallel: 8}}
	all, end, err := p.throttle(o, []*progress.Run{progress.NewRun(), progress.NewRun()})
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	for _, c := range []struct{ ask, want, each int }{{4, 4, 2}, {8, 8, 4}, {9, 8, 4}, {0, 8, 4}, {6, 6, 3}} {
		err := all.Adjust(t.Context(), func(l *move.Limits) { l.Parallel = c.ask })
		if s := all.State(); s.Parallel != c.want || s.MaxParallel != 8 || all[1].State().Parallel != c.each || (err != nil) != (c.ask != c.want) {
			t.Errorf("asked for %d: %+v, %v", c.ask, s, err)
		}
	}
	if err := all.Adjust(t.Context(), func(l *move.Limits) { l.Rate.PerSecond = 5 }); err != nil || all.State().Parallel != 6 || all[1].State().Rate.PerSecond != 5 {
		t.Errorf("another limit: %+v, %v", all.State(), err)
	}
}
