package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"syscall"
	"time"
)

// strike follows the timeline.
func (w *topicWorld) strike(ctx context.Context, opened time.Time) error {
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
func (w *topicWorld) do(ctx context.Context, e event) (err error) {
	did := true
	switch e.fault {
	case memberKill, leave, zombie, nap:
		did = w.strikeMember(ctx, e)
	case sleeper:
		did, err = w.replaceCollector(ctx, e.last)
	case brokerKill:
		err = w.sever(func() error { return errors.Join(w.broker.crash(), w.broker.start(ctx)) })
	case brokerStop:
		err = w.sever(func() error { return errors.Join(w.broker.stop(ctx), w.broker.start(ctx)) })
	case brokerCut:
		_ = w.sever(func() error { w.broker.tcp.cut(); return nil })
	case brokerFreeze:
		_ = w.sever(func() error { w.broker.tcp.freeze(ctx, e.last); return nil })
	case brokerRefuse:
		_ = w.sever(func() error { w.broker.tcp.refuse(ctx, e.last); return nil })
	default:
		return w.world.do(ctx, e)
	}
	if did && err == nil {
		w.faults[string(e.fault)]++
	}
	return err
}

// strikeMember reports whether the member was there.
func (w *topicWorld) strikeMember(ctx context.Context, e event) bool {
	m := w.members[e.who]
	s := m.running()
	if s == nil || s.ended() {
		return false
	}
	signal := func(sig syscall.Signal) { _ = s.cmd.Process.Signal(sig) }
	switch e.fault {
	case memberKill:
		s.send(syscall.SIGKILL)
	case leave:
		if syscall.Signal(s.struck.Load()) == syscall.SIGTERM {
			return false // a second one would have it drop everything
		}
		m.hold(true)
		w.later.Go(func() {
			defer m.hold(false)
			// What a stopped one is sent waits until it goes on.
			if err := s.end(syscall.SIGTERM, 40*time.Second); err != nil {
				w.report(err)
			}
			sleep(ctx, e.last)
		})
	case zombie:
		signal(syscall.SIGSTOP)
		w.later.Go(func() {
			defer signal(syscall.SIGCONT)
			sleep(ctx, e.last/2)
			w.expire(ctx, filepath.Base(m.dir))
			sleep(ctx, e.last)
		})
	case nap:
		signal(syscall.SIGSTOP)
		w.later.Go(func() {
			defer signal(syscall.SIGCONT)
			sleep(ctx, e.last)
		})
	}
	return true
}

// replaceCollector stops the collector, has another take its job, and lets it go on beside
// that one. Both may go on taking the job from each other, so in the end one is killed.
func (w *topicWorld) replaceCollector(ctx context.Context, asleep time.Duration) (bool, error) {
	first := w.product.running()
	if first == nil || first.ended() {
		return false, nil
	}
	w.product.hold(true)
	defer w.product.hold(false)
	_ = first.cmd.Process.Signal(syscall.SIGSTOP)
	second, err := w.product.follow(twins, "")
	if err != nil {
		return false, err
	}
	sleep(ctx, asleep)
	_ = first.cmd.Process.Signal(syscall.SIGCONT)
	sleep(ctx, 800*time.Millisecond)
	return true, second.end(syscall.SIGKILL, time.Second)
}
