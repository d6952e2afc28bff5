// Shapes runs statements that define tables on real servers, applies what the servers write into
// their logs to the shapes in which tail follows tables, and compares these with what
// information_schema says:
//
//	go run ./cmd/shapes [-server mysql|mariadb|both] [-v] FOLDER…
//
// Each .sql and .sql.gz file is run in a database of its own, a statement at a time. What the server
// refuses is passed over, and so is what has to do with the whole server, such as accounts and global
// settings. A file mysql.sql or mariadb.sql is for one of the two. Databases that files make are dropped
// at the end; a file that uses one which was there before fails, and touches nothing.
//
// A statement that the parser cannot read is no failure: tail asks the server then. One that tail would
// take for a change of rows is, since it ends there; and so is each difference. The servers are those of
// TABLEHAUL_TEST_MYSQL and TABLEHAUL_TEST_MARIADB.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"sync"
	"syscall"
)

var errFailed = errors.New("failed")

func main() {
	on := flag.String("server", "both", "where to run them: `mysql, mariadb or both`")
	verbose := flag.Bool("v", false, "print each statement that is refused, left out or cannot be read")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, *on, *verbose, flag.Args())
	stop()
	if err != nil {
		if !errors.Is(err, errFailed) {
			fmt.Fprintln(os.Stderr, "shapes:", err)
		}
		os.Exit(1)
	}
}

// run runs the files on one server, or on both at once.
func run(ctx context.Context, on string, verbose bool, folders []string) error {
	names := []string{"mysql", "mariadb"}
	switch {
	case len(folders) == 0:
		return errors.New("which folders? FOLDER… holds .sql files")
	case on == "mysql" || on == "mariadb":
		names = []string{on}
	case on != "both":
		return fmt.Errorf("-server %s: there are mysql, mariadb and both", on)
	}
	errs, reports := make([]error, len(names)), make([]*report, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() {
			url := os.Getenv("TABLEHAUL_TEST_" + strings.ToUpper(name))
			if url == "" {
				errs[i] = fmt.Errorf("TABLEHAUL_TEST_%s is not set: start testdata/services/%s, and export what its env prints", strings.ToUpper(name), name)
				return
			}
			reports[i], errs[i] = runOn(ctx, name, url, folders)
		})
	}
	all.Wait()
	for i, r := range reports {
		if errs[i] != nil {
			errs[i] = fmt.Errorf("%s: %w", names[i], errs[i])
			continue
		}
		r.print(os.Stdout, names[i], verbose)
		if r.failed() {
			errs[i] = errFailed
		}
	}
	return errors.Join(errs...)
}
