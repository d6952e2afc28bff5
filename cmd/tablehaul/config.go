package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// configFlag is the flag that names a job's file.
const configFlag = "config"

// checkCommand is the command that takes the keys of the others without obeying them.
const checkCommand = "check"

// backfillCommand is the command that takes the tables from the command line alone.
const backfillCommand = "backfill"

// withFiles returns the commands that take a job's file, in the order in which help tells
// of them.
func withFiles(root *cobra.Command) []*cobra.Command {
	var out []*cobra.Command
	for _, name := range []string{"snapshot", "tail", "dump", backfillCommand, "verify", checkCommand} {
		for _, c := range root.Commands() {
			if c.Name() == name {
				out = append(out, c)
			}
		}
	}
	return out
}

func namesOf(commands []*cobra.Command) []string {
	names := make([]string, len(commands))
	for i, c := range commands {
		names[i] = c.Name()
	}
	return names
}

// takeFiles has the commands take a file, which stands for flags and arguments: they see no
// difference.
func (p *program) takeFiles(root *cobra.Command) {
	commands := withFiles(root)
	for _, c := range commands {
		p.takeFile(c, commands)
	}
}

func (p *program) takeFile(c *cobra.Command, commands []*cobra.Command) {
	path := c.Flags().String(configFlag, "", "read SOURCE, SINK, flags and what is said of tables from this YAML\n`file`; what the command line says counts before it (docs/config.md)")
	checkArgs, run := c.Args, c.RunE
	var job *appliedJob
	var full []string // the arguments
	// Cobra parses flags, then has this look at the arguments, then runs.
	c.Args = func(c *cobra.Command, args []string) error {
		full = args
		if !c.Flags().Changed(configFlag) {
			return checkArgs(c, args)
		}
		var err error
		if job, full, err = p.takeJob(c, args, *path, commands); err != nil {
			return &usageError{c, err}
		}
		return missingEnd(job.locate(checkArgs(c, full)), *path)
	}
	c.RunE = func(c *cobra.Command, _ []string) error {
		if job == nil {
			return run(c, full)
		}
		return job.locate(run(c, full))
	}
}

// takeJob reads a file and brings it to a command's flags and arguments.
func (p *program) takeJob(c *cobra.Command, args []string, path string, commands []*cobra.Command) (*appliedJob, []string, error) {
	if path == "" {
		return nil, nil, fmt.Errorf("--%s is empty", configFlag)
	}
	file, err := readJob(path, namesOf(commands), p.hide)
	if err != nil {
		return nil, nil, err
	}
	if c.Name() == backfillCommand && !c.Flags().Changed(tablesKey) { // nobody wants all of a job's tables redone by mistake
		return nil, nil, errNoTables
	}
	job, wrong := p.applyJob(file, c, commands)
	full := p.ends(job, c, args)
	if len(job.places[sourceKey]) > 0 {
		p.sourceFile = path
	}
	if c.Name() == checkCommand && len(full) > 0 {
		wrong = append(wrong, p.checkJob(job, c, full)...)
	}
	if len(wrong) == 0 && len(full) > 0 && len(job.sources)+len(args) == 0 {
		wrong = []error{missingEnd(errors.New("SOURCE is missing"), path)} // and not what the file has
	}
	slices.SortStableFunc(wrong, byLine)
	return job, full, errors.Join(once(wrong)...)
}

// missingEnd says where SOURCE and SINK may stand.
func missingEnd(err error, path string) error {
	if err != nil && strings.HasSuffix(err.Error(), " is missing") {
		return hint.Wrap(err, "%s does not have it: write '%s: URL' there, or give it on the command line", path, strings.ToLower(strings.TrimSuffix(err.Error(), " is missing")))
	}
	return err
}

// applyJob brings a file to a command's flags. check takes those from the sections of others
// that it has too, which are about the runs that it looks ahead to.
func (p *program) applyJob(file *jobFile, c *cobra.Command, commands []*cobra.Command) (*appliedJob, []error) {
	if c.Name() == checkCommand {
		sections := []string{"snapshot", "tail", checkCommand}
		if purpose := c.Flags().Lookup("for").Value.String(); purpose != "both" {
			sections = []string{purpose, checkCommand}
		}
		job := file.apply(c, commands, sections...)
		return job, job.wrong()
	}
	job := file.apply(c, commands, c.Name())
	return job, append(job.wrong(), job.misplaced...)
}

// ends returns the arguments: those of the command line, and what is missing of them from
// the file. What a URL's kind cannot be does not count as given.
func (p *program) ends(job *appliedJob, c *cobra.Command, args []string) []string {
	sources, sink := args, ""
	if n := len(args); n > 0 && p.isSink(c, args[n-1], n > 1) {
		sources, sink = args[:n-1], args[n-1]
	}
	if len(sources) == 0 {
		sources = job.sources
	} else {
		delete(job.places, sourceKey)
	}
	if sink == "" {
		sink = job.sink
	} else {
		delete(job.places, sinkKey)
	}
	if full := slices.Clone(sources); sink != "" {
		return append(full, sink)
	}
	return slices.Clone(sources)
}

// isSink reports whether the last argument is SINK. behind says that others stand before it.
func (p *program) isSink(c *cobra.Command, url string, behind bool) bool {
	if isList(url) {
		return false
	}
	url = parseSource(url).url
	asSource := has(p.stores.sources, url)
	if c.Name() == "dump" {
		asSource = has(p.stores.feeds, url)
	}
	if has(p.stores.sinks, url) {
		return !asSource
	}
	return behind && !asSource
}
