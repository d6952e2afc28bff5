package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/writer/doris/doristest"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// TestMain lets this test binary be the program, with a fake source and sink
// beside the real ones, when it is called by the program's name.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "tablehaul" {
		kinds := all()
		kinds.sources["fake"] = sourceKind{open: openFakeSource}
		kinds.sinks["folder"] = sinkKind{open: openFakeSink}
		if os.Getenv(haltVar) != "" {
			kinds.sources["mysql"] = sourceKind{open: openHalting}
		}
		os.Exit(run(arguments(), kinds))
	}
	os.Exit(withProgram(m.Run))
}

// withProgram puts this binary on the PATH as tablehaul.
func withProgram(f func() int) int {
	self, err := os.Executable()
	if err != nil {
		panic(err)
	}
	bin, err := os.MkdirTemp("", "tablehaul-bin")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(bin)
	if err := os.Symlink(self, filepath.Join(bin, "tablehaul")); err != nil {
		panic(err)
	}
	os.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	return f()
}

const scripts = "../../testdata/script"

// TestScript runs the scripts of testdata/script, which README.md there tells
// how to write. Those in a folder need the server that the folder is named
// after: `make test` starts it. With -own behind the name each script gets one of
// its own.
func TestScript(t *testing.T) {
	t.Parallel() // most of the time they wait, and so do others
	err := filepath.WalkDir(scripts, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".txtar" {
			return err
		}
		name, err := filepath.Rel(scripts, strings.TrimSuffix(path, ".txtar"))
		if err != nil {
			return err
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &script{t: t, dir: t.TempDir(), env: append(os.Environ(), "NO_COLOR=1")}
			if dir, _, ok := strings.Cut(name, "/"); ok {
				service, own := strings.CutSuffix(dir, "-own")
				s.url = services.Env(t, "TABLEHAUL_TEST_"+strings.ToUpper(service))
				if own {
					addr, _ := services.Private(t, service)
					s.url = "mysql://root@" + addr
				}
				_, host, _ := strings.Cut(s.url, "@")
				s.client = os.Getenv("TABLEHAUL_TEST_" + strings.ToUpper(service) + "_CLIENT")
				s.env = append(s.env, "URL="+s.url, "HOST="+host, "ID="+strings.ToLower(rand.Text()[:10]))
				if service == "kafka" {
					s.kafka(s.url)
				}
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			s.run(string(text))
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A script is one under way.
type script struct {
	t              *testing.T
	dir, url       string
	client         string // of the server
	env            []string
	line           string
	stdout, stderr *bytes.Buffer // of the last command
	background     *background
	cluster        *doristest.Cluster
}

// marker begins a file of a text archive.
var marker = regexp.MustCompile(`(?m)^-- (.+) --\n`)

func (s *script) run(text string) {
	s.stdout, s.stderr = new(bytes.Buffer), new(bytes.Buffer)
	text = s.unpack(text)
	defer func() { // also behind a failure, which has told of it
		s.background.abort()
	}()
	for n, line := range strings.Split(text, "\n") {
		words := split(line, func(name string) string { return s.getenv(name) })
		if len(words) == 0 {
			continue
		}
		s.line = "line " + strconv.Itoa(n+1) + ": " + line
		neg := words[0] == "!"
		if neg {
			words = words[1:]
		}
		s.do(neg, words[0], words[1:])
	}
}

// unpack writes the files that follow the script and returns the script.
func (s *script) unpack(text string) string {
	at := marker.FindAllStringSubmatchIndex(text, -1)
	for i, m := range at {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		path := filepath.Join(s.dir, text[m[2]:m[3]])
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text[m[1]:end]), 0o644)); err != nil {
			s.t.Fatal(err)
		}
	}
	if len(at) > 0 {
		text = text[:at[0][0]]
	}
	return text
}

func (s *script) getenv(name string) string {
	for i := len(s.env) - 1; i >= 0; i-- {
		if v, ok := strings.CutPrefix(s.env[i], name+"="); ok {
			return v
		}
	}
	return ""
}

func (s *script) do(neg bool, name string, args []string) {
	s.t.Helper()
	switch name {
	case "exits": // CODE COMMAND…
		cmd := s.command(s.t.Context(), args[1:])
		s.ended(cmd.Run(), cmd, args[0])
	case "start": // COMMAND…, in the background
		s.start(args)
	case "await": // CODE of what was started
		s.await(args[0])
	case "says": // REGEXP, what was started
		s.says(args[0])
	case "eventually": // REGEXP COMMAND…
		s.eventually(args[0], args[1:])
	case "signal": // NAME, to what was started
		sig, ok := map[string]os.Signal{"INT": os.Interrupt, "TERM": syscall.SIGTERM}[args[0]]
		if !ok {
			s.fail("unknown signal")
		}
		s.check(s.running().Process.Signal(sig))
	case "stdout", "stderr": // REGEXP
		out := map[string]*bytes.Buffer{"stdout": s.stdout, "stderr": s.stderr}[name]
		if regexp.MustCompile("(?m)"+args[0]).Match(out.Bytes()) == neg {
			s.fail("")
		}
	case "exists": // FILE…
		for _, f := range args {
			if found, err := filepath.Glob(filepath.Join(s.dir, f)); err != nil || len(found) > 0 == neg {
				s.fail(f)
			}
		}
	case "env": // NAME=VALUE
		s.env = append(s.env, args...)
	case "sql": // STATEMENTS, to the server
		host, port, _ := strings.Cut(s.getenv("HOST"), ":")
		cmd := s.command(s.t.Context(), append([]string{
			s.client, "-h", host, "-P", port, "-uroot", "-NBe",
		}, strings.Join(args, " ")))
		cmd.Env = append(cmd.Env, "MYSQL_PWD=") // a script's own is for the program
		s.ended(cmd.Run(), cmd, "0")
	case "topic": // NAME PARTITIONS
		s.topic(args[0], args[1])
	case "produce": // TOPIC FILE
		s.produce(args[0], args[1])
	case "consume": // TOPIC COUNT
		s.consume(args[0], args[1])
	case "doris": // a cluster that stands in for one
		s.doris()
	case "dorissql": // STATEMENT, to that
		s.dorisSQL(strings.Join(args, " "))
	case "rows": // FOLDER COLUMNS… of a table, as DuckDB reads it
		s.check(s.rows(args[0], args[1:]))
	case "messages": // TOPIC COUNT, as Kafka's own consumer prints them
		s.messages(args[0], args[1])
	default:
		s.t.Fatalf("%s: no such command", s.line)
	}
}

func (s *script) command(ctx context.Context, args []string) *exec.Cmd {
	s.stdout, s.stderr = new(bytes.Buffer), new(bytes.Buffer)
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir, cmd.Env = s.dir, s.env
	cmd.Stdout, cmd.Stderr = s.stdout, s.stderr
	return cmd
}

func (s *script) check(err error) {
	s.t.Helper()
	if err != nil {
		s.fail(err.Error())
	}
}

func (s *script) fail(why string) {
	s.t.Helper()
	said := s.background.abort()
	s.background = nil
	s.t.Fatalf("%s\n%s\n[stdout]\n%s[stderr]\n%s%s", s.line, why, s.stdout, s.stderr, said)
}

// split parts a line into words as a shell does that knows single quotes,
// variables outside of them and comments.
func split(line string, getenv func(string) string) []string {
	var words []string
	var word strings.Builder
	inWord, quoted := false, false
	for i := 0; i < len(line); i++ {
		switch c := line[i]; {
		case c == '\'':
			quoted, inWord = !quoted, true
		case quoted:
			word.WriteByte(c)
		case c == '#' && !inWord:
			return words
		case c == ' ' || c == '\t':
			if inWord {
				words, inWord = append(words, word.String()), false
				word.Reset()
			}
		case c == '$':
			end := i + 1
			for end < len(line) && (line[end] == '_' || line[end] >= 'A' && line[end] <= 'Z') {
				end++
			}
			word.WriteString(getenv(line[i+1 : end]))
			i, inWord = end-1, true
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if inWord {
		words = append(words, word.String())
	}
	return words
}
