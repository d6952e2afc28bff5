// Chaos kills the program in every way it may die while a bank moves money, and
// looks whether anything was lost, doubled or torn in the lake:
//
//	go run ./cmd/chaos [-job tail|snapshot|topic|files] [-runs 10] [-seed S] [-binary FILE] [-broker kafka|kfake] [-keep] [-- more flags of the job]
//
// With the job tail the log is followed, and connections, servers and catalogs fail
// as well. With the job snapshot tables are copied by runs that are killed and started
// again until one of them comes to its end. With the job topic the log is followed into
// topics, and members of a group bring these to the lake. With the job files each of the
// three, as the seed has it, is done into plain files.
//
// Each run prints a line, and under it the ends of processes that are excused,
// with the excuses. The seed decides all that happens in a run but for what the
// machine's timing adds. Of a run that fails the lake, the logs of all processes
// and a dump of the source are kept.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

// options are the command line.
type options struct {
	job    string
	runs   int
	seed   uint64
	binary string
	broker string
	keep   bool
	keepIn string
	xa     bool
	extra  []string
}

func main() {
	if spec := os.Getenv(fakeEnv); spec != "" {
		if err := serveFake(spec); err != nil {
			fmt.Fprintln(os.Stderr, "kfake:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := runAll(ctx, parse())
	stop()
	switch {
	case errors.Is(err, errFailed):
		os.Exit(1)
	case err != nil:
		fmt.Fprintln(os.Stderr, "chaos:", err)
		os.Exit(1)
	}
}

func parse() *options {
	var o options
	flag.StringVar(&o.job, "job", "tail", "what to kill: `tail, snapshot, topic or files`")
	flag.IntVar(&o.runs, "runs", 10, "`n` runs, with the seeds S, S+1, …")
	flag.Uint64Var(&o.seed, "seed", 0, "first `seed`; 0: by the clock")
	flag.StringVar(&o.binary, "binary", "", "test this `file` instead of building ./cmd/tablehaul")
	flag.StringVar(&o.broker, "broker", kafka, "of the job topic: `kafka or kfake`")
	flag.BoolVar(&o.keep, "keep", false, "keep the folders of good runs too")
	flag.StringVar(&o.keepIn, "dir", "", "make the runs' folders in this `folder` (default: that for temporary files)")
	flag.BoolVar(&o.xa, "xa", true, "let some runs have XA transactions")
	flag.Parse()
	o.extra = flag.Args()
	if o.seed == 0 {
		o.seed = uint64(time.Now().UnixMilli()) % 1e9
	}
	return &o
}

// key is that of jobs.
func (o *options) key() string {
	if o.broker != kafka {
		return o.job + "-" + o.broker
	}
	return o.job
}

// runAll does the runs, one at a time.
func runAll(ctx context.Context, o *options) (err error) {
	if jobs[o.key()].begin == nil {
		return fmt.Errorf("-job %s: there are tail, snapshot, files and topic, this one with -broker kafka or kfake", o.key())
	}
	e, err := newEnv(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, e.close()) }()
	j, err := jobs[o.key()].begin(ctx, e)
	if err != nil {
		return err
	}
	var lost, doubled, torn, runs int
	var failed []string
	for i := range o.runs {
		seed := o.seed + uint64(i)
		r, err := j.run(ctx, seed)
		if err != nil {
			return fmt.Errorf("seed %d: %w", seed, err)
		}
		if !r.failed() && !o.keep {
			if err := os.RemoveAll(r.dir); err != nil {
				return err
			}
		}
		runs++
		lost, doubled, torn = lost+r.verdict.Lost, doubled+r.verdict.Doubled, torn+r.verdict.Torn
		fmt.Println(r)
		for _, x := range r.excused {
			fmt.Println("    excused:", x)
		}
		if r.failed() {
			failed = append(failed, fmt.Sprint(seed))
			for _, f := range r.failures {
				fmt.Println("   ", f)
			}
			for _, f := range r.verdict.Findings {
				fmt.Println("   ", f)
			}
			fmt.Println("    kept:", r.dir)
		}
	}
	if len(failed) > 0 {
		fmt.Println("failed seeds:", strings.Join(failed, " "))
		err = errFailed
	}
	if e := j.sum(os.Stdout); e != nil {
		fmt.Println(e)
		err = errFailed
	}
	fmt.Printf("%d runs, %d ended badly: %d lost, %d doubled, %d torn\n", runs, len(failed), lost, doubled, torn)
	return err
}
