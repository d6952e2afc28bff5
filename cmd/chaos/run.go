package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"time"
)

// A world is what one run is made of.
type world struct {
	env     *env
	mysql   *server
	plan    plan
	dir     string
	bank    *bank
	tcp     *tcpProxy
	rest    *restProxy // nil: the lake is a folder
	depot   *depot     // nil: it is a lake
	product *product
	faults  map[string]int
	severed []span // when a process could lose what it talks to
	clean   bool   // the last run went well
	errs    []error
}

// A tailJob kills what follows the log.
type tailJob struct{ env *env }

func beginTail(ctx context.Context, e *env) (job, error) {
	_, err := e.server(ctx, mysql)
	return tailJob{e}, err
}

func (tailJob) sum(io.Writer) error { return nil }

func (j tailJob) run(ctx context.Context, seed uint64) (*result, error) {
	return j.play(ctx, newPlan(seed, j.env.opts.xa))
}

// play does one run. An error is one of the harness.
func (j tailJob) play(ctx context.Context, p plan) (*result, error) {
	began := time.Now()
	w, err := j.newWorld(ctx, p)
	if w != nil {
		defer w.close()
	}
	if err != nil {
		return nil, err
	}
	if err := w.play(ctx); err != nil {
		return nil, err
	}
	w.finish(ctx)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	r := &result{seed: p.seed, sink: w.plan.sink(), faults: w.faults, dir: w.dir}
	w.depot.unwatch()
	if err := w.bank.dump(ctx, filepath.Join(w.dir, "source"), w.bank.tables()); err != nil {
		return nil, err
	}
	w.rest.closeIf()
	if w.rest != nil && w.rest.odd != nil {
		w.errs = append(w.errs, w.rest.odd)
	}
	if r.verdict, err = j.env.ask(ctx, w.question()); err != nil {
		w.errs = append(w.errs, err)
	}
	if err := w.depot.uploads(ctx, &r.verdict); err != nil {
		return nil, err
	}
	r.excused, r.gaveUp = w.judge(w.product.exits())
	r.exits = w.product.exits()
	r.failures, r.starts, r.done = w.errs, w.product.count(), w.bank.done.Load()
	r.seconds = time.Since(began).Seconds()
	return r, nil
}

func (j tailJob) newWorld(ctx context.Context, p plan) (*world, error) {
	e := j.env
	db, err := e.server(ctx, mysql)
	if err != nil {
		return nil, err
	}
	w := &world{env: e, mysql: db, plan: p, faults: map[string]int{}, dir: filepath.Join(e.tmp, fmt.Sprintf("seed-%d", p.seed))}
	if err := os.MkdirAll(w.dir, 0o755); err != nil {
		return w, err
	}
	if err := db.clear(ctx); err != nil {
		return w, err
	}
	w.bank = newBank(p.bank, p.seed, db)
	w.bank.keyless = p.form != keyed
	if err := w.bank.open(ctx); err != nil {
		return w, err
	}
	if w.tcp, err = newTCPProxy(db.addr); err != nil {
		return w, err
	}
	sink, err := w.sink(ctx)
	if err != nil {
		return w, err
	}
	user := "full"
	if p.loose {
		user = "loose"
	}
	w.product = &product{dir: w.dir, kills: p.kills, argv: slices.Concat(
		[]string{e.binary, "tail", fmt.Sprintf("mysql://%s@%s/%s", user, w.tcp.addr(), w.bank.db), sink}, p.flags, e.opts.extra)}
	return w, nil
}

// sink is where changes go.
func (w *world) sink(ctx context.Context) (string, error) {
	switch {
	case w.plan.files != nil:
		var err error
		if w.depot, err = w.env.depot(ctx, w.plan.files, w.dir, w.bank.db); err != nil {
			return "", err
		}
		return w.depot.url, nil
	case w.plan.rest:
		catalog, err := w.env.catalog(ctx)
		if err != nil {
			return "", err
		}
		if w.rest, err = newRESTProxy(catalog); err != nil {
			return "", err
		}
		return "iceberg+rest://" + w.rest.addr, nil
	}
	return "iceberg:" + w.lake(), nil
}

// served reports whether a server has the sink, with which a commit may come late.
func (w *world) served() bool { return w.rest != nil || w.depot.served() }

func (w *world) lake() string { return filepath.Join(w.dir, "lake") }

func (w *world) close() {
	if w.product != nil {
		_ = w.product.running().end(syscall.SIGKILL, time.Second)
	}
	if w.tcp != nil {
		w.tcp.close()
	}
	w.rest.closeIf()
	w.depot.close()
}

func (p *restProxy) closeIf() {
	if p != nil {
		p.close()
	}
}

// play runs the bank, the processes and the timeline beside each other.
func (w *world) play(ctx context.Context) error {
	w.depot.watch(ctx, w.question())
	supervised := make(chan error, 1)
	superviseCtx, endSupervise := context.WithCancel(ctx)
	defer endSupervise()
	begin := func() { supervised <- w.product.supervise(superviseCtx) }
	if w.plan.start == 0 {
		go begin()
		sleep(ctx, 300*time.Millisecond)
	}
	bankCtx, closeBank := context.WithCancel(ctx)
	closed := make(chan struct{})
	opened := time.Now()
	go func() { defer close(closed); w.bank.run(bankCtx) }()
	if w.plan.start > 0 {
		sleep(ctx, w.plan.start)
		if w.plan.copied {
			w.copyFirst(ctx)
		}
		go begin()
	}
	err := w.strike(ctx, opened)
	sleep(ctx, time.Until(opened.Add(w.plan.length)))
	closeBank()
	<-closed
	if w.rest != nil {
		w.rest.heal()
	}
	// What the last processes made of it is looked at now and then while they
	// run on; mostly they are stopped at once.
	endSupervise()
	if e := <-supervised; e != nil {
		w.errs = append(w.errs, e)
	}
	return err
}

// copyFirst has another command make the tables, which the processes go on from.
// Where it fails they do it.
func (w *world) copyFirst(ctx context.Context) {
	argv := append([]string{w.product.argv[0], "snapshot", w.product.argv[2], w.product.argv[3], "-q"}, w.plan.files.flags("--format")...)
	s, err := w.product.spawn(copies, "", argv)
	if err != nil {
		return // judged
	}
	if w.await(ctx, s) && s.exit.code == 0 {
		w.faults["copied"]++
	}
}

// await is process.await; a process that has to be ended fails the run.
func (w *world) await(ctx context.Context, s *process) bool {
	ended, err := s.await(ctx)
	w.errs = appendError(w.errs, err)
	return ended
}

// strike follows the timeline.
func (w *world) strike(ctx context.Context, opened time.Time) error {
	for _, e := range w.plan.timeline {
		sleep(ctx, time.Until(opened.Add(e.at)))
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := w.do(ctx, e); err != nil {
			return fmt.Errorf("%s: %w", e.fault, err)
		}
	}
	return nil
}

// do makes one fault happen. It returns errors of the harness only.
func (w *world) do(ctx context.Context, e event) error {
	did, err := true, error(nil)
	switch e.fault {
	case kill, interrupt, twin, sleeper:
		did = w.strikeProcess(ctx, e)
	case cut, freeze, refuse:
		_ = w.sever(func() error { w.strikeConnections(ctx, e); return nil })
	case storeCut, storeFreeze, storeRefuse:
		_ = w.sever(func() error { w.depot.strike(ctx, e); return nil })
	case mysqlKill, mysqlStop, rotate:
		err = w.strikeMySQL(ctx, e)
	case foreign:
		for _, table := range []string{"accounts", "pairs"} {
			done, e := compact(ctx, w.env.rest, w.bank.db, table)
			did, err = did && done, errors.Join(err, e)
		}
	case catalogDown:
		_ = w.sever(func() error {
			w.rest.setDown(true)
			sleep(ctx, e.last)
			w.rest.setDown(false)
			return nil
		})
	default:
		w.rest.arm(e) // counted when it strikes
		did = false
	}
	if did && err == nil {
		w.faults[string(e.fault)]++
	}
	return err
}

// patience is how long two processes may run at once. They find out about each
// other with a commit, and may both have to copy and to wait before it.
const patience = 30 * time.Second

// strikeProcess reports whether there was a process.
func (w *world) strikeProcess(ctx context.Context, e event) bool {
	s := w.product.running()
	if s == nil || s.ended() {
		return false
	}
	var err error
	switch e.fault {
	case kill:
		s.send(syscall.SIGKILL)
	case interrupt:
		err = s.end(syscall.SIGTERM, 15*time.Second)
	case twin:
		err = w.product.twins(ctx, 0, patience)
	case sleeper:
		err = w.product.twins(ctx, e.last, patience)
	}
	if err != nil {
		w.errs = append(w.errs, err)
	}
	return true
}

func (w *world) strikeConnections(ctx context.Context, e event) {
	switch e.fault {
	case cut:
		w.tcp.cut()
	case freeze:
		w.tcp.freeze(ctx, e.last)
	case refuse:
		w.tcp.refuse(ctx, e.last)
	}
}

func (w *world) strikeMySQL(ctx context.Context, e event) error {
	switch e.fault {
	case mysqlKill:
		return w.sever(func() error { return errors.Join(w.mysql.crash(), w.mysql.start(ctx)) })
	case mysqlStop:
		return w.sever(func() error { return errors.Join(w.mysql.stop(ctx), w.mysql.start(ctx)) })
	}
	conn, err := w.bank.connect(ctx, "")
	if err != nil {
		return err
	}
	defer conn.Close()
	return execute(conn, "FLUSH BINARY LOGS")
}

// finish ends the process that still runs, and does the last run.
func (w *world) finish(ctx context.Context) {
	sig := syscall.SIGKILL
	if w.plan.polite {
		sig = syscall.SIGINT
	}
	if err := w.product.running().end(sig, 15*time.Second); err != nil {
		w.errs = append(w.errs, err)
	}
	times := 1
	if w.plan.twice {
		times = 2
	}
	again := true
	for times > 0 {
		s, err := w.product.follow(ends, "", "--until", "now")
		if err != nil || !w.await(ctx, s) {
			return // judged
		}
		switch {
		case s.exit.code == 0:
			times--
		case s.exit.fenced() && again:
			// By a commit that came late; judge says whether one can have. The
			// advice is to run the command again.
			again = false
		default:
			return
		}
	}
	w.clean = true
}

func (w *world) question() question {
	q := question{Namespace: w.bank.db, Source: filepath.Join(w.dir, "source"), Tables: w.bank.tables(), Total: w.bank.total(), Changelog: []string{}}
	switch {
	case w.depot != nil:
		q.Plain = w.depot.plain()
	case w.rest != nil:
		q.REST, q.Late, q.Confirmed = w.env.rest, true, w.rest.confirmed
	default:
		q.Folder = w.lake()
	}
	for _, t := range q.Tables {
		if w.plan.form == changelog || t.Key == nil {
			q.Changelog = append(q.Changelog, t.Name)
		}
	}
	return q
}
