package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// A copyWorld is what one run of the job snapshot is made of.
type copyWorld struct {
	env     *env
	plan    copyPlan
	dir     string
	shop    *shop
	product *product
	source  string // URL, and then the sink's
	sink    string
	depot   *depot        // nil: it is a lake
	severed []span        // when connections to that were cut
	whole   time.Duration // a run takes about so long
	since   time.Time     // nobody writes since; zero: somebody did when the last process was started
	clean   bool          // the copy came to its end
	faults  map[string]int
	errs    []error
}

func (j *copyJob) run(ctx context.Context, seed uint64) (*result, error) {
	return j.play(ctx, newCopyPlan(seed, j.steps.first, j.steps.names))
}

// play does one run. An error is one of the harness.
func (j *copyJob) play(ctx context.Context, p copyPlan) (*result, error) {
	began := time.Now()
	w, err := j.newWorld(ctx, p)
	if w != nil {
		defer w.close()
	}
	if err != nil {
		return nil, err
	}
	r := &result{seed: p.seed, sink: w.plan.name(), faults: w.faults, dir: w.dir}
	if err := w.play(ctx); err != nil {
		return nil, err
	}
	if w.clean {
		if r.verdict, err = w.check(ctx); err != nil {
			return nil, err
		}
	}
	exits := w.product.exits()
	r.excused, r.gaveUp = w.judge(exits)
	j.steps.count(exits)
	r.resumed, r.exits = resumed(exits), exits
	r.failures, r.starts, r.done = w.errs, len(exits), w.shop.done.Load()
	r.seconds = time.Since(began).Seconds()
	return r, ctx.Err()
}

func (j *copyJob) newWorld(ctx context.Context, p copyPlan) (*copyWorld, error) {
	e := j.env
	w := &copyWorld{env: e, plan: p, faults: map[string]int{}, dir: filepath.Join(e.tmp, fmt.Sprintf("seed-%d", p.seed))}
	if err := os.MkdirAll(w.lake(), 0o755); err != nil {
		return w, err
	}
	db, err := e.server(ctx, p.service)
	if err != nil {
		return w, err
	}
	if err := db.clear(ctx); err != nil {
		return w, err
	}
	w.shop = &shop{bank: newBank(p.bank, p.seed, db), rows: p.rows, clerks: p.clerks, still: p.still}
	w.shop.lasting = true
	if err := w.shop.open(ctx); err != nil {
		return w, err
	}
	if w.sink, err = w.address(ctx); err != nil {
		return w, err
	}
	user := "full"
	if p.loose {
		user = "loose"
	}
	w.source = fmt.Sprintf("mysql://%s@%s/%s", user, db.addr, w.shop.db)
	w.whole = j.steps.whole
	if p.rate > 0 {
		w.whole += time.Duration(float64(p.rows) * 3 / float64(p.rate) * float64(time.Second))
	}
	w.product = &product{dir: w.dir, argv: slices.Concat(
		[]string{e.binary, "snapshot", w.source, w.sink}, p.flags, e.opts.extra)}
	return w, nil
}

func (w *copyWorld) lake() string { return filepath.Join(w.dir, "lake") }

// address is the sink's URL.
func (w *copyWorld) address(ctx context.Context) (_ string, err error) {
	if w.plan.files != nil {
		if w.depot, err = w.env.depot(ctx, w.plan.files, w.dir, w.shop.db); err != nil {
			return "", err
		}
		return w.depot.url, nil
	}
	switch w.plan.store {
	case rest:
		catalog, err := w.env.catalog(ctx)
		return "iceberg+rest://" + strings.TrimPrefix(catalog, "http://"), err
	case s3:
		endpoint, err := w.env.objectStore(ctx)
		return "iceberg+sql:" + filepath.Join(w.lake(), "catalog.db") + "?warehouse=" + w.bucket() + "&s3.endpoint=" + url.QueryEscape(endpoint), err
	}
	return "iceberg:" + w.lake(), nil
}

func (w *copyWorld) bucket() string {
	return "s3://" + os.Getenv("TABLEHAUL_TEST_S3_BUCKET") + "/" + w.shop.db
}

func (w *copyWorld) close() {
	if w.product != nil {
		_ = w.product.running().end(syscall.SIGKILL, time.Second)
	}
	w.depot.close()
}

// play has processes die under a shop that is open, until one comes to its end.
func (w *copyWorld) play(ctx context.Context) error {
	w.depot.watch(ctx, w.question())
	if w.plan.mode != "create" {
		w.before(ctx)
	}
	work, end := context.WithCancel(ctx)
	defer end()
	shut := make(chan struct{})
	go func() {
		defer close(shut)
		if !w.plan.adds() {
			w.shop.run(work)
		}
	}()
	closeShop := func() { end(); <-shut }
	defer closeShop()
	if w.plan.mode == "replace" {
		sleep(ctx, 200*time.Millisecond) // so that there is something to exchange
	}
	for _, a := range w.plan.attempts {
		if w.clean = w.attempt(ctx, a); w.clean || ctx.Err() != nil {
			break
		}
	}
	if !w.clean && w.plan.quiet {
		closeShop()
		w.since = time.Now()
	}
	// One process is enough, unless a commit of a dead one comes late.
	for range 3 {
		if w.clean || ctx.Err() != nil {
			break
		}
		w.clean = w.attempt(ctx, attempt{})
	}
	closeShop()
	return ctx.Err()
}

// before has tables be there that were copied earlier.
func (w *copyWorld) before(ctx context.Context) {
	argv := append([]string{w.product.argv[0], "snapshot", w.source, w.sink, "-q"}, w.plan.files.flags("--format")...)
	if !w.plan.keyless {
		argv = append(argv, "--exclude", "slips")
	}
	if s, err := w.product.spawn(copies, "", argv); err == nil {
		w.await(ctx, s)
	}
}

// attempt starts the program and does to it what is planned. It reports whether the
// copy is done.
func (w *copyWorld) attempt(ctx context.Context, a attempt) bool {
	s, err := w.product.follow(copies, a.step)
	if err != nil {
		return false
	}
	w.product.setCurrent(s)
	if a.fault != "" && a.step == "" {
		select {
		case <-ctx.Done():
		case <-s.done:
		case <-time.After(time.Duration(a.at * float64(w.whole))):
			w.strike(ctx, s, a)
		}
	}
	return w.await(ctx, s) && s.exit.code == 0
}

// strike does to a process what is planned.
func (w *copyWorld) strike(ctx context.Context, s *process, a attempt) {
	switch a.fault {
	case kill:
		w.errs = appendError(w.errs, s.end(syscall.SIGKILL, 15*time.Second))
	case interrupt:
		w.errs = appendError(w.errs, s.end(syscall.SIGINT, 15*time.Second))
	default:
		from := time.Now()
		w.depot.strike(ctx, event{fault: a.fault, last: a.last})
		w.severed = append(w.severed, span{from, time.Now()})
		w.faults[string(a.fault)]++
	}
}

// await is process.await; a process that has to be ended fails the run.
func (w *copyWorld) await(ctx context.Context, s *process) bool {
	ended, err := s.await(ctx)
	w.errs = appendError(w.errs, err)
	return ended
}

// check looks at what the copy has left, then has the log followed to its end, and
// looks again.
func (w *copyWorld) check(ctx context.Context) (v verdict, err error) {
	if w.plan.adds() {
		w.depot.unwatch()
	}
	if err := w.shop.dump(ctx, filepath.Join(w.dir, "source"), w.shop.tables()); err != nil {
		return v, err
	}
	q := w.question()
	if !w.plan.adds() {
		q.Since = w.since.UnixMilli()
		if w.since.IsZero() {
			q.Since = time.Now().Add(time.Hour).UnixMilli()
		}
	}
	if v, err = w.ask(ctx, q); err != nil || w.plan.adds() {
		return v, err
	}
	// Rows without a key cannot be followed.
	argv := []string{w.product.argv[0], "tail", w.source, w.sink, "--until", "now", "--exclude", "slips", "-q"}
	if w.plan.files != nil {
		argv = append(argv, "--latest")
	}
	if s, err := w.product.spawn(ends, "", argv); err != nil || !w.await(ctx, s) || s.exit.code != 0 {
		return v, nil //nolint:nilerr // judged with all ends
	}
	w.depot.unwatch()
	q = w.question()
	// All that was committed since nobody writes has been compared.
	if !w.plan.still {
		q.Still = []string{"slips"}
	}
	after, err := w.ask(ctx, q)
	v = v.plus(after)
	return v, errors.Join(err, w.depot.uploads(ctx, &v))
}

func (w *copyWorld) question() question {
	q := question{
		Namespace: w.shop.db, Source: filepath.Join(w.dir, "source"), Tables: w.shop.tables(), Total: w.shop.total(),
		Changelog: []string{}, Adds: w.plan.adds(), Alone: true, All: true,
	}
	if !w.plan.keyless {
		q.Tables = slices.DeleteFunc(q.Tables, func(t tableSpec) bool { return t.Name == "slips" })
	}
	if w.depot != nil {
		q.Plain = w.depot.plain()
		return q
	}
	switch w.plan.store {
	case rest:
		q.REST, q.Late = w.env.rest, true
	case s3:
		q.S3, q.Root = os.Getenv("TABLEHAUL_TEST_S3"), w.bucket()
		q.Folder = w.lake()
	default:
		q.Folder = w.lake()
	}
	return q
}

// ask tells what a verdict cannot be had of as a failure of the run.
func (w *copyWorld) ask(ctx context.Context, q question) (verdict, error) {
	v, err := w.env.ask(ctx, q)
	if err != nil {
		w.errs = append(w.errs, err)
	}
	return v, nil
}

// plus is the verdict of two looks at one lake.
func (v verdict) plus(o verdict) verdict {
	o.Lost, o.Doubled, o.Torn, o.Held = o.Lost+v.Lost, o.Doubled+v.Doubled, o.Torn+v.Torn, max(o.Held, v.Held)
	o.Orphans = max(o.Orphans, v.Orphans)
	for _, f := range v.Findings {
		o.Findings = append(o.Findings, "before tail: "+f)
	}
	return o
}

// objectStore returns the URL of an object store, and sees to it that all know its keys.
func (e *env) objectStore(ctx context.Context) (string, error) {
	const name = "TABLEHAUL_TEST_S3"
	if known := os.Getenv(name); known != "" {
		return known, nil
	}
	if _, err := e.service(ctx, "s3", "start"); err != nil {
		return "", err
	}
	out, err := e.service(ctx, "s3", "env")
	if err != nil {
		return "", err
	}
	for key, value := range settings(out) {
		err = errors.Join(err, os.Setenv(key, value))
	}
	return os.Getenv(name), err
}
