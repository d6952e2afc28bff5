package main

import (
	"context"
	"errors"
	"slices"

	"github.com/spf13/cobra"
)

// checkJob finds what is wrong with a file for the commands that it is for, as these find
// it, and asks nobody: those that --for names, or else all that have every key of it, of
// which there has to be one.
func (p *program) checkJob(job *appliedJob, check *cobra.Command, args []string) []error {
	purpose := check.Flags().Lookup("for")
	names := []string{"snapshot", "tail"}
	switch {
	case has(p.stores.feeds, args[0]):
		names = []string{"dump"}
	case purpose.Changed && purpose.Value.String() != "both":
		names = []string{purpose.Value.String()}
	}
	if len(args) < 2 { // check may look at SOURCE alone
		args = append(slices.Clone(args), "")
	}
	var wrong, misfit []error
	some := false
	for _, c := range withFiles(p.onlyChecking()) {
		if !slices.Contains(names, c.Name()) {
			continue
		}
		applied := job.file.apply(c, job.commands, c.Name())
		wrong = append(wrong, applied.wrong()...)
		switch {
		case len(applied.misplaced) > 0:
			misfit = append(misfit, applied.misplaced...)
			continue
		case len(applied.wrong()) == 0:
			wrong = append(wrong, parts(applied.locate(unwrapUsage(c.RunE(c, args))))...)
		}
		some = true
	}
	if !some || purpose.Changed {
		return append(wrong, misfit...)
	}
	if len(wrong) == 0 {
		for _, err := range misfit {
			p.console.Note("tablehaul: " + err.Error())
		}
	}
	return wrong
}

// onlyChecking returns commands that look at what they are given and do nothing.
func (p *program) onlyChecking() *cobra.Command {
	root := &cobra.Command{Use: "tablehaul"}
	root.AddCommand(
		newSnapshot(func(_ context.Context, o snapshotOptions) error {
			return asUsage(p.checkGiven(o.moveOptions))
		}),
		newTail(func(_ context.Context, o tailOptions) error {
			return asUsage(errors.Join(p.checkGiven(o.moveOptions), p.stores.checkLatest(o.sink, o.latest, o.changelog, o.layout.asked())))
		}),
		newDump(func(_ context.Context, o dumpOptions) error {
			if o.sink == "" {
				return nil
			}
			_, err := p.stores.findFeed(o)
			return asUsage(errors.Join(err, p.stores.checkLatest(o.sink, o.latest, o.changelog, o.layout.asked())))
		}),
	)
	return root
}

func (p *program) checkGiven(o moveOptions) error {
	if o.sink == "" {
		return nil
	}
	_, err := p.checkEnds(&o)
	return err
}

func asUsage(err error) error {
	if err == nil {
		return nil
	}
	return &usageError{nil, err}
}

func unwrapUsage(err error) error {
	var u *usageError
	if errors.As(err, &u) {
		return u.err
	}
	return err
}

// parts returns the errors of a list, or the one that there is.
func parts(err error) []error {
	if err == nil {
		return nil
	}
	if many, ok := err.(interface{ Unwrap() []error }); ok && isJoin(err, many.Unwrap()) {
		return many.Unwrap()
	}
	return []error{err}
}

// once leaves out errors that have been told: commands have most of their checks in common.
func once(errs []error) []error {
	told := map[string]bool{}
	return slices.DeleteFunc(errs, func(err error) bool {
		known := told[err.Error()]
		told[err.Error()] = true
		return known
	})
}
