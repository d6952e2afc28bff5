package main

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/tablehaul/tablehaul/testdata/services"
)

// TestStatements runs the repository's own statements on both servers.
func TestStatements(t *testing.T) {
	for _, name := range []string{"mysql", "mariadb"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			r, err := runOn(t.Context(), name, services.Env(t, "TABLEHAUL_TEST_"+strings.ToUpper(name)), []string{"../../testdata/ddl"})
			if err != nil {
				t.Fatal(err)
			}
			r.print(t.Output(), name, os.Getenv("TABLEHAUL_TEST_VERBOSE") != "")
			t.Logf("took %s", time.Since(start).Round(time.Second))
			if r.failed() {
				t.Errorf("%d failures", len(r.failures))
			}
			if r.applied < 300 {
				t.Errorf("%d statements are too few: were all files found?", r.applied)
			}
		})
	}
}
