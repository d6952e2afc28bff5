// Command tablehaul moves MySQL tables into lakes. See docs/cli.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"

	"github.com/tablehaul/tablehaul/pkg/move"
)

//go:generate go test . -run "TestDocs|TestSchemaFile" -update

func main() {
	stop, err := profile()
	if err != nil {
		fmt.Fprintln(os.Stderr, "tablehaul:", err)
		os.Exit(exitFailed)
	}
	noCoreDumps(os.Getenv)
	code := run(arguments(), all())
	stop()
	os.Exit(code)
}

// The exit codes. Scripts depend on them: they are in every help text.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitIncomplete  = 3
	exitDiffers     = 4 // of verify alone
	exitInterrupted = 130
)

// run is the program: what it prints has been printed when it returns.
func run(args []string, kinds stores) int {
	hide := newSecrets(args)
	con := &console{stderr: hide.writer(os.Stderr)}
	ctx, stop := con.interruptible(context.Background())
	defer stop()
	// What a library logs must not tear a progress bar apart.
	log.SetOutput(con)
	log.SetFlags(0)

	step, err := testKill(os.Getenv)
	if err != nil {
		printError(con, err)
		return exitFailed
	}
	cmd := newRoot(&program{
		stdout: hide.writer(os.Stdout), stderrFile: os.Stderr,
		console: con, stores: kinds, hide: hide, getenv: os.Getenv, step: step,
	})
	cmd.SetArgs(args)
	cmd.SetOut(hide.writer(os.Stdout))
	cmd.SetErr(hide.writer(os.Stderr))
	if err = passwordFlag(args); err == nil {
		err = cmd.ExecuteContext(ctx)
	}
	code := exitCode(ctx, err)
	switch code {
	case exitDone:
	case exitInterrupted:
		con.Note("tablehaul: interrupted; nothing half done is visible")
		if !isCancelled(err) {
			printError(con, err)
		}
	case exitUsage:
		printError(con, err)
		con.Note(fmt.Sprintf("see '%s --help'", usagePath(err)))
	default:
		printError(con, err)
	}
	return code
}

// exitCode is the one place that turns an error into an exit code.
func exitCode(ctx context.Context, err error) int {
	var usage *usageError
	var stopped *stoppedError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &usage):
		return exitUsage
	case errors.As(err, &stopped):
		return exitIncomplete
	// An interrupted run may die of anything: of a connection that was closed
	// under it as well as of its context.
	case errors.Is(context.Cause(ctx), errInterrupted):
		return exitInterrupted
	case errors.Is(err, errDiffers):
		return exitDiffers
	case errors.Is(err, move.ErrIncomplete), errors.Is(err, errFound), errors.Is(err, errNotCompared):
		return exitIncomplete
	default:
		return exitFailed
	}
}

// A program is what commands are given of the world.
type program struct {
	stdout     io.Writer
	stderrFile *os.File // to ask whether it is a terminal; printing goes by console
	console    *console
	stores     stores
	hide       secrets
	getenv     func(string) string
	step       func(string) // see testkill.go; nil but in tests
	sourceFile string       // the job's file, if SOURCE stands there
}
