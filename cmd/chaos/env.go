package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/tablehaul/tablehaul/testdata/services"
)

// An env is what all runs share.
type env struct {
	opts    *options
	root    string // of the repository
	cache   string // kept from call to call
	tmp     string // folders of the runs
	binary  string
	lock    *os.File
	ports   map[string]string  // of the services
	servers map[string]*server // by service
	rest    string             // URL of the catalog, "" until a run wants one
	started bool               // the catalog was started by this call
	checker *checker
	watcher *checker // that looks on meanwhile
}

func newEnv(ctx context.Context, opts *options) (_ *env, err error) {
	e := &env{
		opts: opts, cache: filepath.Join(services.Cache(), jobs[opts.key()].folder), ports: jobs[opts.key()].ports,
		servers: make(map[string]*server),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.close())
		}
	}()
	if e.root, err = services.Root(); err != nil {
		return e, err
	}
	if err := os.MkdirAll(e.cache, 0o755); err != nil {
		return e, err
	}
	// Two of one job would kill each other's server.
	if e.lock, err = os.OpenFile(filepath.Join(e.cache, "lock"), os.O_CREATE|os.O_RDWR, 0o644); err != nil {
		return e, err
	}
	if err := syscall.Flock(int(e.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return e, fmt.Errorf("another chaos runs on this machine (lock %s): %w", e.lock.Name(), err)
	}
	if e.tmp, err = os.MkdirTemp(opts.keepIn, "tablehaul-chaos-"); err != nil {
		return e, err
	}
	if err := e.build(ctx); err != nil {
		return e, err
	}
	return e, nil
}

// ask has check.py answer. It is started when it is first asked, so that it knows
// the keys of stores that have been started meanwhile.
func (e *env) ask(ctx context.Context, q question) (v verdict, err error) {
	if e.checker == nil {
		if e.checker, err = e.newChecker(ctx); err != nil {
			return v, err
		}
	}
	return e.checker.ask(q)
}

// close ends what the env began. The folders of failed runs stay.
func (e *env) close() error {
	var errs []error
	for _, c := range []*checker{e.checker, e.watcher} {
		if c != nil {
			errs = append(errs, c.close())
		}
	}
	for _, s := range e.servers {
		errs = append(errs, s.stop(context.Background()))
	}
	if e.started {
		_, err := e.service(context.Background(), icebergREST, append([]string{"stop"}, e.restPlace()...)...)
		errs = append(errs, err)
	}
	if e.tmp != "" {
		_ = os.Remove(filepath.Join(e.tmp, "tablehaul"))
		_ = os.Remove(e.tmp) // refused where a failed run's folder is in it
	}
	if e.lock != nil {
		errs = append(errs, e.lock.Close())
	}
	return errors.Join(errs...)
}

func (e *env) build(ctx context.Context) (err error) {
	if e.opts.binary != "" {
		e.binary, err = filepath.Abs(e.opts.binary)
		return err
	}
	e.binary = filepath.Join(e.tmp, "tablehaul")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-o", e.binary, "./cmd/tablehaul")
	cmd.Dir, cmd.Env = e.root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build ./cmd/tablehaul: %w\n%s", err, out)
	}
	return nil
}

func (e *env) restPlace() []string {
	return []string{"--port", e.ports[icebergREST], "--data", filepath.Join(e.cache, icebergREST)}
}

const icebergREST = "iceberg-rest"

// catalog returns the URL of a REST catalog, started when it is first wanted.
func (e *env) catalog(ctx context.Context) (string, error) {
	if e.rest != "" {
		return e.rest, nil
	}
	place := e.restPlace()
	if _, err := e.service(ctx, icebergREST, append([]string{"start"}, place...)...); err != nil {
		return "", err
	}
	e.started = true
	out, err := e.service(ctx, icebergREST, append([]string{"env"}, place...)...)
	if err != nil {
		return "", err
	}
	if e.rest = settings(out)["TABLEHAUL_TEST_ICEBERG_REST"]; e.rest == "" {
		return "", fmt.Errorf("iceberg-rest env names no server: %q", out)
	}
	return e.rest, nil
}

// service runs one of the scripts in testdata/services and returns its output.
func (e *env) service(ctx context.Context, name string, args ...string) ([]byte, error) {
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, filepath.Join(e.root, "testdata", "services", name), args...)
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("testdata/services/%s %s: %w\n%s", name, args[0], err, said.Bytes())
	}
	return out.Bytes(), nil
}

// settings reads the KEY=VALUE lines of a service's env command.
func settings(out []byte) map[string]string {
	s := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(out))
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), "="); ok {
			s[key] = strings.Trim(value, "'")
		}
	}
	return s
}
