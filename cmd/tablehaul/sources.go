package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// A sourceEnd is one SOURCE of a command line.
type sourceEnd struct {
	name string // "" if it was given none
	url  string
}

// sourceName is what may stand before a source's URL.
var sourceName = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9_-]*)=(.*)$`)

// parseSource parts NAME=URL.
func parseSource(arg string) sourceEnd {
	if m := sourceName.FindStringSubmatch(arg); m != nil {
		return sourceEnd{m[1], m[2]}
	}
	return sourceEnd{url: arg}
}

// isList reports whether an argument names a file with sources.
func isList(arg string) bool { return strings.HasPrefix(arg, "@") }

// isSource reports whether an argument cannot be SINK.
func isSource(arg string) bool {
	return isList(arg) || parseSource(arg).name != "" || isServer(arg)
}

// wantSources is wantArgs for commands that take several sources, and last of all a sink.
func wantSources(cmd *cobra.Command, args []string) error {
	return wantArgs("SOURCE", "SINK")(cmd, args[:min(len(args), 2)])
}

// readSources returns what the arguments say, with the lines of files in the place of @FILE.
func (p *program) readSources(args []string) ([]sourceEnd, error) {
	var out []sourceEnd
	for _, arg := range args {
		if !isList(arg) {
			out = append(out, parseSource(arg))
			continue
		}
		more, err := p.readList(arg[1:])
		if err != nil {
			return nil, err
		}
		out = append(out, more...)
	}
	seen := map[sourceEnd]bool{}
	for _, s := range out {
		if s.url == "" {
			return nil, errors.New("SOURCE is empty")
		}
		for _, what := range []sourceEnd{{name: s.name}, {url: s.url}} {
			if what.name+what.url == "" {
				continue
			}
			if seen[what] {
				return nil, fmt.Errorf("two sources are called %s", p.hide.redact(what.name+what.url))
			}
			seen[what] = true
		}
	}
	return out, nil
}

// readList reads a file of sources: one a line, without those that begin with #.
func (p *program) readList(path string) ([]sourceEnd, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, hint.Wrap(fmt.Errorf("read the list of sources: %w", err), "@FILE names a file with a source on each line, as they would be given here")
	}
	defer f.Close()
	var out []sourceEnd
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		p.hide.add(line)
		s := parseSource(line)
		if u, err := url.Parse(s.url); err == nil {
			if _, has := u.User.Password(); has {
				p.sourceFile = path
			}
		}
		out = append(out, s)
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("read the list of sources: %w", err)
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("%s names no source", path)
	}
	return out, nil
}

// several reports whether the sources are more than one, or are to be told apart by a name. Of
// one that is not the URL is put where those are expected that are alone.
func (p *program) several(o *moveOptions) (sources []sourceEnd, err error) {
	if sources, err = p.readSources(o.sources); err != nil {
		return nil, err
	}
	for _, s := range sources {
		if err := o.login.check(func(string) bool { return false }, s.url); err != nil {
			return nil, err
		}
	}
	if len(sources) == 1 && sources[0].name == "" {
		o.source = sources[0].url
		return nil, nil
	}
	if p.stores.isTopic(o.sink) {
		return nil, hint.Wrap(errors.New("several sources cannot go into a topic by one run"), "start a run for each of them, with topics of their own: {db} may stand in TOPIC")
	}
	return sources, nil
}

// takeEnds takes SOURCE, or several of them, and SINK.
func (o *moveOptions) takeEnds(args []string) {
	o.sources, o.sink = args[:len(args)-1], args[len(args)-1]
	if len(o.sources) == 1 && !isList(o.sources[0]) {
		o.source = parseSource(o.sources[0]).url
	}
}

// checkEnds finds what is wrong with the ends of a run, and with what is said of them, without asking
// anybody. It returns the sources as several does.
func (p *program) checkEnds(o *moveOptions) ([]sourceEnd, error) {
	sources, err := p.several(o)
	if err != nil {
		return nil, err
	}
	urls := []string{o.source}
	for i, s := range sources {
		urls = append(urls[:i], s.url)
	}
	for _, url := range urls {
		if len(urls) > 1 && has(p.stores.sinks, url) && !has(p.stores.sources, url) {
			return nil, hint.Wrap(fmt.Errorf("unexpected argument %q behind %s", o.sink, p.hide.redact(url)), "SINK comes last, behind one SOURCE or more")
		}
	}
	for _, url := range urls {
		if _, err := p.stores.find(url, o.sink); err != nil {
			return nil, err
		}
	}
	return sources, errors.Join(p.stores.check(*o), o.route.takes(p, o.sink))
}

// opens returns what opens the source, and the sink as its routes have it.
func (p *program) opens(o *moveOptions) (ends, error) {
	open, err := p.stores.find(o.source, o.sink)
	open.sink = o.route.open(open.sink)
	return open, err
}

// sourceText tells of the source, or of all of them.
func (p *program) sourceText(o moveOptions, sources []sourceEnd) string {
	if len(sources) == 0 {
		return p.hide.redact(o.source)
	}
	return strings.Join(p.labels(sources), ", ")
}

// logInAll is logIn for several sources, of which what flags name is the password of each.
func (p *program) logInAll(ctx context.Context, o *moveOptions, sources []sourceEnd) error {
	if len(sources) == 0 {
		return p.logIn(ctx, &o.login, o.source)
	}
	for _, s := range sources[1:] {
		p.warnTyped(s.url)
	}
	return p.logIn(ctx, &o.login, sources[0].url)
}

// labels name sources in messages, with URLs where they have no names.
func (p *program) labels(sources []sourceEnd) []string {
	out := make([]string, len(sources))
	for i, s := range sources {
		if out[i] = s.name; s.name == "" {
			out[i] = p.hide.redact(s.url)
		}
	}
	return out
}
