package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/move"
	"github.com/tablehaul/tablehaul/pkg/progress"
)

// gentleOptions say how hard a run may work its source.
type gentleOptions struct {
	maxParallel int
	rate        rateLimit
	load        loadLimit
	lag         lagLimit
	replicas    []string
	lockWait    time.Duration
	control     string
}

func newGentleOptions() gentleOptions { return gentleOptions{lockWait: 2 * time.Second} }

func (o *gentleOptions) flags(f *pflag.FlagSet) {
	f.IntVar(&o.maxParallel, "max-parallel", 0, "pin so many connections, to which --parallel can be raised while\nthe run lasts (default --parallel)")
	f.Var(&o.rate, "rate-limit", "read no more than so many rows or bytes a second: 20000rows, 50MiB")
	f.Var(&o.load, "max-load", "read nothing while a status variable of the source is higher, as\nin threads_running=25, for which 25 does; separated by commas")
	f.Var(&o.lag, "max-lag", "read nothing while the source or one of its replicas is further\nbehind than this")
	f.StringSliceVar(&o.replicas, "replicas", nil, "`URLs` of the replicas that --max-lag is about, as SOURCE is\nwritten (default those that the source lists)")
	f.DurationVar(&o.lockWait, "lock-wait", o.lockWait, "`time` for which a lock that is asked for may keep writers\nwaiting, whole seconds; 0 takes no lock at all")
	f.StringVar(&o.control, "control", "", "listen at this `socket` for 'tablehaul adjust', which changes the\nabove while the run lasts")
}

// check finds what is wrong with the options without asking anybody.
func (o *gentleOptions) check(parallel int, given func(flag string) bool) error {
	if o.maxParallel == 0 && !given("max-parallel") {
		o.maxParallel = parallel
	}
	switch {
	case o.maxParallel < parallel:
		return fmt.Errorf("--max-parallel must be at least --parallel, %d", parallel)
	case o.lockWait < 0 || o.lockWait%time.Second != 0:
		return errors.New("--lock-wait must be whole seconds, or 0 for no lock")
	case given("control") && o.control == "":
		return errors.New("--control is empty")
	case given("replicas") && len(o.replicas) == 0:
		return errors.New("--replicas is empty")
	case len(o.replicas) > 0 && o.lag.most == 0 && o.control == "":
		return hint.Wrap(errors.New("--replicas is of no use without --max-lag"), "--max-lag 10s says how far they may be behind")
	}
	for _, r := range o.replicas {
		if !isServer(r) {
			return hint.Wrap(errors.New("--replicas: not the URL of a server"), "want mysql://user@host:3306, several with commas between")
		}
		if err := checkServer(r); err != nil {
			return fmt.Errorf("--replicas: %w", err)
		}
	}
	return nil
}

// throttle returns what holds the run back, for each of its sources, and listens at the control socket
// if there is to be one, until end is called.
func (p *program) throttle(o moveOptions, runs []*progress.Run) (all throttles, end func(), err error) {
	g := o.gentle
	for _, run := range runs {
		t := move.NewThrottle(move.Limits{Parallel: share(o.parallel, len(runs)), Rate: g.rate.Rate, MaxLoad: g.load.bounds, MaxLag: g.lag.most}, share(g.maxParallel, len(runs)))
		t.Tell(func(s move.ThrottleState) {
			s.Parallel, s.MaxParallel = s.Parallel*len(runs), s.MaxParallel*len(runs) // the run's
			run.Pace(paceOf(s))
			run.Paused(s.Paused...)
		})
		all = append(all, t)
	}
	if g.control == "" || o.dryRun {
		return all, func() {}, nil
	}
	s, err := serveControl(g.control, all, p.hide, p.console.warn)
	if err != nil {
		return nil, nil, err
	}
	return all, s.close, nil
}

// share is what each of several sources gets of so many connections.
func share(parallel, sources int) int { return max(1, parallel/sources) }

// Throttles hold the sources of one run back, each by the same limits.
type throttles []*move.Throttle

// State returns the state of the first one, with what is read of all, and how much may be.
func (t throttles) State() move.ThrottleState {
	s := t[0].State()
	for _, o := range t[1:] {
		more := o.State()
		s.Reading += more.Reading
		s.Parallel += more.Parallel
		s.MaxParallel += more.MaxParallel
		for _, why := range more.Paused {
			if !slices.Contains(s.Paused, why) {
				s.Paused = append(s.Paused, why)
			}
		}
	}
	return s
}

// Adjust changes the limits of all, or of none if one does not take them. Of how many parts are read
// at once each gets its share.
func (t throttles) Adjust(ctx context.Context, change func(*move.Limits)) error {
	all := t.State()
	asked := all.Limits
	change(&asked)
	if asked.Parallel < 1 || asked.Parallel > all.MaxParallel {
		return move.OutOfRange(all.MaxParallel)
	}
	var was []move.Limits
	for i, o := range t {
		was = append(was, o.State().Limits)
		err := o.Adjust(ctx, func(l *move.Limits) {
			own := l.Parallel
			change(l)
			if l.Parallel = own; asked.Parallel != all.Parallel {
				l.Parallel = share(asked.Parallel, len(t))
			}
		})
		if err != nil {
			for j, o := range t[:i] {
				err = errors.Join(err, o.Adjust(ctx, func(l *move.Limits) { *l = was[j] }))
			}
			return err
		}
	}
	return nil
}

// Pause stops all, or no longer stops them.
func (t throttles) Pause(on bool) {
	for _, o := range t {
		o.Pause(on)
	}
}
