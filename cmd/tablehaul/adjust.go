package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// adjustOptions are the command line of `tablehaul adjust`.
type adjustOptions struct {
	socket        string
	parallel      int
	rate          rateLimit
	load          loadLimit
	lag           lagLimit
	pause, resume bool
	json          bool
	change        adjustment
}

func newAdjust(run func(context.Context, adjustOptions) error) *cobra.Command {
	var o adjustOptions
	cmd := &cobra.Command{
		Use:   "adjust SOCKET",
		Short: "Change how hard a run works its source, while it lasts",
		Long: `Ask a run that was started with --control SOCKET to read faster or slower, and
print what is in force then. Without flags nothing is changed.

A part of a table that is being read is read to its end when --parallel is
lowered. --pause and what --max-load and --max-lag find stop reading at once; the
run goes on once neither is there any more.`,
		Example: `  tablehaul snapshot mysql://app@db:3306/shop iceberg:./lake --control ./run.sock --max-parallel 8
  tablehaul adjust ./run.sock
  tablehaul adjust ./run.sock --parallel 1 --rate-limit 5MiB
  tablehaul adjust ./run.sock --rate-limit none --max-load threads_running=40
  tablehaul adjust ./run.sock --pause`,
		Args:        wantArgs("SOCKET"),
		Annotations: map[string]string{exitCodes: "  0 done, 1 failed, or refused by the run: then nothing is changed, 2 wrong usage"},
	}
	cmd.RunE = checked(func(cmd *cobra.Command, args []string) error {
		o.socket = args[0]
		return o.check(cmd.Flags().Changed)
	}, func(ctx context.Context) error { return run(ctx, o) })
	f := cmd.Flags()
	f.SortFlags = false
	f.IntVar(&o.parallel, "parallel", 0, "read `N` parts of tables at once, up to the run's --max-parallel")
	f.Var(&o.rate, "rate-limit", "read no more than so many rows or bytes a second: 20000rows, 50MiB;\nnone lifts the limit")
	f.Var(&o.load, "max-load", "read nothing while a status variable of the source is higher:\nthreads_running=25; none lifts the limit")
	f.Var(&o.lag, "max-lag", "read nothing while the source or a replica is further behind than\nthis; none lifts the limit")
	f.BoolVar(&o.pause, "pause", false, "read nothing until --resume")
	f.BoolVar(&o.resume, "resume", false, "end --pause")
	f.BoolVar(&o.json, "json", false, "print what is in force as a JSON object")
	return cmd
}

// check finds what is wrong with the options, and collects what is to be changed.
func (o *adjustOptions) check(given func(flag string) bool) error {
	switch {
	case given("parallel") && o.parallel < 1:
		return hint.Wrap(errors.New("--parallel must be at least 1"), "--pause reads nothing at all")
	case o.pause && o.resume:
		return errors.New("--pause and --resume exclude each other")
	}
	if given("parallel") {
		o.change.Parallel = &o.parallel
	}
	for _, v := range []struct {
		flag  string
		value interface{ String() string }
		to    **string
	}{
		{"rate-limit", &o.rate, &o.change.RateLimit},
		{"max-load", &o.load, &o.change.MaxLoad},
		{"max-lag", &o.lag, &o.change.MaxLag},
	} {
		if given(v.flag) {
			text := v.value.String()
			if text == "" {
				text = noLimit
			}
			*v.to = &text
		}
	}
	if o.pause || o.resume {
		o.change.Paused = &o.pause
	}
	return nil
}

// adjust runs the command.
func (p *program) adjust(ctx context.Context, o adjustOptions) error {
	now, err := o.ask(ctx)
	if err != nil {
		return err
	}
	if o.json {
		e := json.NewEncoder(p.stdout)
		e.SetEscapeHTML(false)
		return e.Encode(struct {
			Event string `json:"event"`
			held
		}{"pace", now})
	}
	_, err = io.WriteString(p.stdout, now.text())
	return err
}

// adjustTime is how long a run may take to answer. It may have to ask its source.
const adjustTime = 30 * time.Second

// ask sends the change to the run, if there is one, and returns what is in force.
func (o *adjustOptions) ask(ctx context.Context) (now held, err error) {
	ctx, cancel := context.WithTimeout(ctx, adjustTime)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", o.socket)
	}}}
	defer client.CloseIdleConnections()
	method, body := http.MethodGet, []byte(nil)
	if o.change != (adjustment{}) {
		method = http.MethodPost
		if body, err = json.Marshal(o.change); err != nil {
			return now, err
		}
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://tablehaul/", bytes.NewReader(body))
	if err != nil {
		return now, err
	}
	res, err := client.Do(req)
	if err != nil {
		return now, hint.Wrap(fmt.Errorf("ask the run at %s: %w", o.socket, cause(err)), "the run must have been started with --control %s, and not be over", o.socket)
	}
	defer res.Body.Close()
	answer := struct {
		refusal
		held
	}{}
	if err := json.NewDecoder(res.Body).Decode(&answer); err != nil {
		return now, fmt.Errorf("read the answer of %s: %w", o.socket, err)
	}
	if res.StatusCode != http.StatusOK {
		err := errors.New(answer.Error)
		if answer.Hint != "" {
			err = hint.Wrap(err, "%s", answer.Hint)
		}
		return now, err
	}
	return answer.held, nil
}

// cause leaves out what net/http says of a URL that nobody has typed.
func cause(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	return err
}
