// Package services tells Go tests where the real servers are that the scripts
// beside it start.
package services

import (
	"os"
	"testing"
)

// Need ends a test that needs a server or an outside reader under `go test
// -short`, which is `make quick`, and nowhere else: a test that lacks its server
// fails.
func Need(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a server or an outside reader: left out by -short")
	}
}

// Env returns what a service's script prints for name, which the test Needs.
func Env(t testing.TB, name string) string {
	t.Helper()
	Need(t)
	v := os.Getenv(name)
	if v == "" {
		t.Fatalf("%s is not set: run `make test`, or start the service under testdata/services and export what its `env` prints", name)
	}
	return v
}
