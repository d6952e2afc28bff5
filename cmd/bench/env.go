package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"github.com/tablehaul/tablehaul/pkg/writer/doris/doristest"
	"github.com/tablehaul/tablehaul/testdata/services"
)

// An env is all that the cases share: folders, the server, the tools.
type env struct {
	opts        *options
	root        string // of the repository
	cache       string // kept from run to run
	tmp         string // removed at the end
	self        string // this program
	addr        string // of the server
	serverPID   int
	kafka       broker // zero unless a case needs it
	hdfs        hdfsPlace
	doris       *doristest.Cluster // stands in for Doris
	stop        bool               // the server was started by this run
	lock        *os.File
	product     string // the binary, "" without
	mydumper    *tool  // nil: not to be had or not wanted
	duckdb      *tool
	mysqlbinlog *tool
	versions    map[string]string
	commit      string
}

// A tool is an installed rival.
type tool struct {
	argv []string // what its command line begins with, clipped
	env  []string
}

func newEnv(ctx context.Context, opts *options, selected []*benchCase) (_ *env, err error) {
	e := &env{opts: opts, versions: map[string]string{"go": runtime.Version()}}
	defer func() {
		if err != nil {
			err = errors.Join(err, e.close())
		}
	}()
	if e.root, err = services.Root(); err != nil {
		return e, err
	}
	if e.self, err = os.Executable(); err != nil {
		return e, err
	}
	e.cache = services.Cache()
	work := filepath.Join(e.cache, "bench")
	if err := os.MkdirAll(work, 0o755); err != nil {
		return e, err
	}
	if err := e.takeLock(filepath.Join(work, "lock")); err != nil {
		return e, err
	}
	// A killed run may have left its folder. The lock is ours, so nobody uses it.
	e.tmp = filepath.Join(work, "tmp")
	if err := errors.Join(os.RemoveAll(e.tmp), os.MkdirAll(e.tmp, 0o755)); err != nil {
		return e, err
	}
	e.commit = commit(ctx, e.root)
	if err := e.buildProduct(ctx); err != nil {
		return e, err
	}
	if err := e.startServer(ctx); err != nil {
		return e, err
	}
	if slices.ContainsFunc(selected, func(c *benchCase) bool { return c.topic != nil || c.backfill }) {
		if err := e.startKafka(ctx); err != nil {
			return e, err
		}
	}
	if anyFiles(selected) {
		if err := e.startHDFS(ctx); err != nil {
			return e, err
		}
	}
	if anyDoris(selected) {
		if err := e.startDoris(ctx); err != nil {
			return e, err
		}
	}
	e.installRivals(ctx, selected)
	return e, ctx.Err()
}

// wants reports whether -without leaves the contender in.
func (e *env) wants(name string) bool { return !slices.Contains(e.opts.without, name) }

// close ends what newEnv began.
func (e *env) close() error {
	var errs []error
	if e.stop && !e.opts.keep {
		// Not with the run's context: an interrupted run stops its server too.
		_, err := e.service(context.Background(), "mysql", "stop", "--port", port, "--data", e.serverData())
		errs = append(errs, err)
	}
	if e.kafka.stop && !e.opts.keep {
		_, err := e.service(context.Background(), "kafka", append([]string{"stop"}, e.kafkaPlace()...)...)
		errs = append(errs, err)
	}
	if e.hdfs.stop && !e.opts.keep {
		_, err := e.service(context.Background(), "hdfs", append([]string{"stop"}, e.hdfsOptions()...)...)
		errs = append(errs, err)
	}
	if e.doris != nil {
		errs = append(errs, e.doris.Close())
	}
	if e.tmp != "" {
		errs = append(errs, os.RemoveAll(e.tmp))
	}
	if e.lock != nil {
		errs = append(errs, e.lock.Close())
	}
	return errors.Join(errs...)
}

// takeLock lets one bench run at a time: two would measure each other.
func (e *env) takeLock(path string) (err error) {
	if e.lock, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644); err != nil {
		return err
	}
	if err := syscall.Flock(int(e.lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return fmt.Errorf("another bench runs on this machine (lock %s): %w", path, err)
	}
	return nil
}

// buildProduct makes the binary as it is released: static and stripped.
func (e *env) buildProduct(ctx context.Context) error {
	if !e.wants("product") {
		return nil
	}
	if e.product = e.opts.binary; e.product != "" {
		return nil
	}
	e.product = filepath.Join(e.tmp, "tablehaul")
	cmd := exec.CommandContext(ctx, "go", "build", "-trimpath", "-ldflags=-s -w", "-o", e.product, "./cmd/tablehaul")
	cmd.Dir, cmd.Env = e.root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build ./cmd/tablehaul: %w\n%s", err, tail(out, 2000))
	}
	return nil
}

// commit names what is measured: a revision, with + where files differ from it.
func commit(ctx context.Context, root string) string {
	git := func(args ...string) string {
		out, err := exec.CommandContext(ctx, "git", append([]string{"-C", root}, args...)...).Output()
		if err != nil {
			return ""
		}
		return strings.TrimSpace(string(out))
	}
	revision := git("rev-parse", "--short", "HEAD")
	if git("status", "--porcelain", "--", "*.go", "go.mod") != "" {
		revision += "+"
	}
	return revision
}
