package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/twmb/franz-go/pkg/kadm"
)

// A topicJob kills what writes topics and what reads them.
type topicJob struct {
	env      *env
	broker   *broker
	messages int // seen in all runs
}

func beginTopic(ctx context.Context, e *env) (job, error) {
	if _, err := e.server(ctx, mysql); err != nil {
		return nil, err
	}
	b, err := e.broker(ctx)
	return &topicJob{env: e, broker: b}, err
}

func (j *topicJob) sum(w io.Writer) error {
	_, err := fmt.Fprintf(w, "%d changes were seen in topics\n", j.messages)
	j.broker.close()
	return err
}

// A topicWorld is what one run by way of topics is made of; its product is the collector.
type topicWorld struct {
	*world
	plan    topicPlan
	broker  *broker
	topic   string // name, or what names begin with
	group   string
	members []*product
	last    *product       // the run that ends the dump
	later   sync.WaitGroup // what faults leave to be done
	mu      sync.Mutex
	late    []error // of these
}

func (j *topicJob) run(ctx context.Context, seed uint64) (*result, error) {
	return j.play(ctx, newTopicPlan(seed, j.env.opts.xa))
}

// play does one run. An error is one of the harness.
func (j *topicJob) play(ctx context.Context, p topicPlan) (*result, error) {
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
	seen, err := w.see(ctx)
	if err != nil {
		return nil, err
	}
	if r.verdict, err = j.env.ask(ctx, w.question()); err != nil {
		w.errs = append(w.errs, err)
	}
	if err := w.depot.uploads(ctx, &r.verdict); err != nil {
		return nil, err
	}
	r.verdict.Findings = append(r.verdict.Findings, seen.findings...)
	r.verdict.Doubled += seen.doubled
	r.excused, r.gaveUp = w.judge()
	r.failures, r.done, r.messages = w.errs, w.bank.done.Load(), seen.changes
	for _, p := range w.products() {
		r.starts += p.count()
		r.exits = append(r.exits, p.exits()...)
	}
	r.seconds = time.Since(began).Seconds()
	j.messages += seen.changes
	if !r.failed() {
		err = j.broker.clear(ctx, w.topic)
	}
	return r, err
}

func (j *topicJob) newWorld(ctx context.Context, p topicPlan) (_ *topicWorld, err error) {
	e := j.env
	db := e.servers[mysql]
	if e.opts.broker == kfaked {
		spareFake(p.timeline)
	}
	w := &topicWorld{plan: p, broker: j.broker, world: &world{
		env: e, mysql: db, plan: p.plan, faults: map[string]int{}, dir: filepath.Join(e.tmp, fmt.Sprintf("seed-%d", p.seed)),
	}}
	if err := db.clear(ctx); err != nil {
		return w, err
	}
	w.bank = newBank(p.bank, p.seed, db)
	w.bank.keyless = p.form != keyed
	w.bank.lasting = p.lasting
	start := p.from
	w.bank.made = func(conn *client.Conn) (err error) {
		if start == "place" {
			start, err = place(conn)
		}
		return err
	}
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
	w.topic = strings.ReplaceAll(w.bank.db, "_", "-")
	w.group = w.topic
	to, from := w.topic, w.topic
	if p.each {
		to, from = w.topic+".{table}", w.topic+".*"
	}
	w.product = w.newProduct("tail", p.kills, slices.Concat([]string{
		e.binary, "tail", fmt.Sprintf("mysql://full@%s/%s", w.tcp.addr(), w.bank.db),
		fmt.Sprintf("kafka://%s/%s?partitions=%d&positions=%s-positions&format=%s%s", w.broker.tcp.addr(), to, p.partitions, w.topic, p.format, p.more),
		"--start", start,
	}, p.flags, e.opts.extra))
	member := func(name string, kills []string) *product {
		argv := slices.Concat([]string{e.binary, "dump", fmt.Sprintf("kafka://%s/%s?client-id=%s", w.broker.tcp.addr(), from, name), sink}, p.memberFlags)
		if p.group {
			argv = append(argv, "--group", w.group)
		}
		return w.newProduct(name, kills, argv)
	}
	for i, m := range p.members {
		name := fmt.Sprintf("member-%d", i+1)
		q := member(name, m.kills)
		if p.group {
			q.died = func(ctx context.Context) { w.expire(ctx, name) }
		}
		w.members = append(w.members, q)
	}
	w.last = member("last", nil)
	for _, p := range w.products() {
		if err := os.MkdirAll(p.dir, 0o755); err != nil {
			return w, err
		}
	}
	return w, nil
}

// place is where a server's log is now, for --start.
func place(conn *client.Conn) (string, error) {
	res, err := conn.Execute("SHOW BINARY LOG STATUS")
	if err != nil {
		return "", err
	}
	file, err := res.GetString(0, 0)
	if err != nil {
		return "", err
	}
	pos, err := res.GetInt(0, 1)
	return fmt.Sprintf("file:%s:%d", file, pos), err
}

func (w *topicWorld) newProduct(name string, kills, argv []string) *product {
	return &product{dir: filepath.Join(w.dir, name), kills: kills, argv: argv}
}

// products are the collector, the members and the last dump.
func (w *topicWorld) products() []*product {
	return append(append([]*product{w.product}, w.members...), w.last)
}

// report notes an error of a fault that goes on beside others.
func (w *topicWorld) report(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.late = appendError(w.late, err)
}

func (w *topicWorld) close() {
	w.later.Wait()
	if w.last != nil {
		for _, p := range w.products() {
			_ = p.running().end(syscall.SIGKILL, time.Second)
		}
	}
	w.world.close()
}

// play runs the bank, the processes and the timeline beside each other.
func (w *topicWorld) play(ctx context.Context) error {
	w.depot.watch(ctx, w.question())
	superviseCtx, endSupervise := context.WithCancel(ctx)
	defer endSupervise()
	var supervised sync.WaitGroup
	failed := make(chan error, len(w.members)+1)
	begin := func(p *product) { supervised.Go(func() { failed <- p.supervise(superviseCtx) }) }
	begin(w.product)
	if err := w.awaitTopic(ctx); err != nil {
		return err
	}
	bankCtx, closeBank := context.WithCancel(ctx)
	defer closeBank()
	opened := time.Now()
	w.later.Go(func() { w.bank.run(bankCtx) })
	for i, m := range w.members {
		if start := w.plan.members[i].start; start == 0 {
			begin(m)
		} else {
			supervised.Go(func() {
				sleep(superviseCtx, start)
				failed <- m.supervise(superviseCtx)
			})
		}
	}
	err := w.strike(ctx, opened)
	sleep(ctx, time.Until(opened.Add(w.plan.length)))
	closeBank()
	w.later.Wait()
	w.errs = append(w.errs, w.late...)
	if w.rest != nil {
		w.rest.heal()
	}
	endSupervise()
	supervised.Wait()
	close(failed)
	for e := range failed {
		w.errs = appendError(w.errs, e)
	}
	return err
}

// awaitTopic waits until the collector has made a topic: a dump of one that is not there
// would end.
func (w *topicWorld) awaitTopic(ctx context.Context) error {
	for end := time.Now().Add(time.Minute); time.Now().Before(end); sleep(ctx, 50*time.Millisecond) {
		if err := ctx.Err(); err != nil {
			return err
		}
		topics, err := kadm.NewClient(w.broker.cl).ListTopics(ctx)
		if err != nil {
			continue
		}
		for _, name := range topics.Names() {
			if name == w.topic || strings.HasPrefix(name, w.topic+".") {
				return nil
			}
		}
	}
	return fmt.Errorf("no topic has been made in a minute: see %s", w.product.dir)
}

// finish has the collector come to the end of the log, and then one dump to that of the
// topics.
func (w *topicWorld) finish(ctx context.Context) {
	sig := syscall.SIGKILL
	if w.plan.polite {
		sig = syscall.SIGTERM
	}
	w.errs = appendError(w.errs, w.product.running().end(sig, 20*time.Second))
	clean := w.again(ctx, w.product, "--until", "now")
	for _, m := range w.members {
		w.errs = appendError(w.errs, m.running().end(sig, 20*time.Second))
	}
	if w.plan.group {
		w.expire(ctx, "")
	}
	w.clean = clean && w.again(ctx, w.last, "--until", "end")
}

// again runs a process to its end, and in some plans does so twice.
func (w *topicWorld) again(ctx context.Context, p *product, more ...string) bool {
	times := 1
	if w.plan.twice {
		times = 2
	}
	for again := true; times > 0; {
		s, err := p.follow(ends, "", more...)
		if err != nil || !w.await(ctx, s) {
			return false // judged
		}
		switch {
		case s.exit.code == 0:
			times--
		case s.exit.fenced() && again:
			again = false // by a commit that came late, as in world.finish
		default:
			return false
		}
	}
	return true
}

// expire has the group go on without the members of a client that has died. It tries for
// as long as the broker is away.
func (w *topicWorld) expire(ctx context.Context, client string) {
	for range 20 {
		_, err := w.broker.expire(ctx, w.group, client)
		if err == nil || ctx.Err() != nil {
			return
		}
		sleep(ctx, 500*time.Millisecond)
	}
}

func (w *topicWorld) question() question {
	q := w.world.question()
	q.Apart = true
	return q
}

// judge goes through the ends of all processes.
func (w *topicWorld) judge() (excused []string, n int) {
	if w.rest != nil {
		for f, n := range w.rest.struck {
			w.faults[string(f)] += n
		}
		w.severed = append(w.severed, w.rest.severed...)
		w.errs = appendError(w.errs, w.rest.odd)
	}
	for _, p := range w.products() {
		exits := p.exits()
		j := judgment{rest: w.served(), severed: w.severed, exits: exits}
		list, k, errs := goThrough(exits, j.rateTopic, func(x exit) {
			if x.killed() && x.struck != syscall.SIGKILL {
				w.faults["at "+stepOf(x)]++
			}
		})
		for _, line := range list.lines() {
			excused = append(excused, filepath.Base(p.dir)+"/"+line)
		}
		n += k
		for _, err := range errs {
			w.errs = append(w.errs, fmt.Errorf("%s: %w", filepath.Base(p.dir), err))
		}
	}
	if !w.clean && len(w.errs) == 0 {
		w.errs = append(w.errs, errors.New("the last runs did not go well"))
	}
	return excused, n
}

// rateTopic is rate for the processes of a run by way of topics. Once it works, a process
// has to sit out everything: members by sharing anew, a collector by taking the job back.
func (j *judgment) rateTopic(x exit) (excuse string, err error) {
	if excuse, known, err := rateSignal(x); known {
		return excuse, err
	}
	switch {
	case x.code == 0 && (x.role == ends || x.stopped()):
		return "", nil
	case x.code == 0:
		return "", fmt.Errorf("ended by itself: %v", x)
	case x.emptied() && (x.code == 1 || x.stopped()):
		return "a table was emptied while it was copied", nil
	case x.role != ends && (x.code == 1 || x.code == 130 && x.stopped()) && !x.followed() && j.cutOff(x):
		return "it lost what it talked to before it followed", nil
	}
	return "", fmt.Errorf("ended without a cause: %v", x)
}
