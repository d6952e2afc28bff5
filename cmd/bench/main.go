// Bench measures the program on real tables beside the limits and rivals that
// its speed is judged by, all in one run on one machine:
//
//	go run ./cmd/bench [-bench REGEXP] [-rows N] [-repeat 3] [-connections 2] …
//
// It prints a table and writes bench-results.json in the repository's root.
// docs/performance.md says what each figure means and how it is taken.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"
)

// options are the command line.
type options struct {
	match       *regexp.Regexp
	rows        int64 // 0: each case's own number
	repeat      int
	connections int
	without     []string
	binary      string
	profile     bool
	keep        bool
	quiet       time.Duration
	list        bool
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := dispatch(ctx, os.Args[1:])
	stop()
	if errors.Is(err, flag.ErrHelp) {
		os.Exit(2)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// dispatch runs the bench, or the part of it that the bench starts as a child
// process, so that rusage weighs it exactly as it weighs the product.
func dispatch(ctx context.Context, args []string) error {
	parts := map[string]func(context.Context, []string, io.Writer) error{
		"load": loadMain, "scale": scaleMain, "drain": drainMain, "throwaway": throwawayMain,
		"log": logMain, "decode": decodeMain, "prove": proveMain, "rows": rowsMain, "frames": framesMain, "feed": feedMain,
		"topic": topicMain, "fetch": fetchMain, "count": countMain, "compact": compactMain,
	}
	if len(args) > 0 && parts[args[0]] != nil {
		return parts[args[0]](ctx, args[1:], os.Stdout)
	}
	opts, err := parseOptions(args)
	if err != nil {
		return err
	}
	return runAll(ctx, opts)
}

func parseOptions(args []string) (*options, error) {
	var opts options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	match := flags.String("bench", "", "run the cases whose `name` matches this regexp")
	flags.Int64Var(&opts.rows, "rows", 0, "`rows` of each table (default: the case's own number)")
	flags.IntVar(&opts.repeat, "repeat", 3, "`rounds`; a figure is the best of them")
	flags.IntVar(&opts.connections, "connections", 2, "connections of the product (--parallel), the drain and the throwaway")
	flags.IntVar(&opts.connections, "parallel", 2, "the same as -connections")
	without := flags.String("without", "", "leave out these `contenders`: "+strings.Join(contenderNames, ", "))
	flags.StringVar(&opts.binary, "binary", "", "measure this `file` instead of building ./cmd/tablehaul")
	flags.BoolVar(&opts.profile, "profile", false, "one more run of the product, whose CPU profile is printed")
	flags.BoolVar(&opts.keep, "keep", false, "leave the MySQL server running")
	flags.DurationVar(&opts.quiet, "quiet", 0, "before each run, wait at most so `long` for the machine to be idle")
	flags.BoolVar(&opts.list, "list", false, "print the cases and end")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("unexpected argument %q", flags.Arg(0))
	}
	var err error
	if opts.match, err = regexp.Compile(*match); err != nil {
		return nil, fmt.Errorf("-bench: %w", err)
	}
	if opts.repeat < 1 || opts.connections < 1 || opts.rows < 0 {
		return nil, errors.New("-repeat and -connections must be at least 1, -rows at least 0")
	}
	for _, name := range strings.FieldsFunc(*without, func(r rune) bool { return r == ',' }) {
		if !slices.Contains(contenderNames, name) {
			return nil, fmt.Errorf("-without %s: not one of %s", name, strings.Join(contenderNames, ", "))
		}
		opts.without = append(opts.without, name)
	}
	return &opts, nil
}

// runAll runs the selected cases. The results of those that went well are
// written even if another fails.
func runAll(ctx context.Context, opts *options) (err error) {
	var selected []*benchCase
	for _, c := range cases {
		if opts.match.MatchString(c.name) {
			selected = append(selected, c)
		}
	}
	if len(selected) == 0 {
		return fmt.Errorf("no case matches %q", opts.match)
	}
	if opts.list {
		for _, c := range selected {
			fmt.Println(c.name)
		}
		return nil
	}
	env, err := newEnv(ctx, opts, selected)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, env.close()) }()

	var results []*result
	var failed []error
	for _, c := range selected {
		r, err := env.run(ctx, c)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", c.name, err))
			if ctx.Err() != nil {
				break
			}
			continue
		}
		results = append(results, r)
		printResult(os.Stdout, c, r)
	}
	if len(results) > 0 {
		path := filepath.Join(env.root, "bench-results.json")
		if err := writeResults(path, results); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}
