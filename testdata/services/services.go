// Package services tells Go tests where the real servers are that the scripts
// beside it start.
package services

import (
	"os"
	"testing"
)

// Env returns what a service's script prints for name. A test that lacks its
// server fails; only `go test -short`, which is `make quick`, leaves it out.
func Env(t testing.TB, name string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("needs a server: left out by -short")
	}
	v := os.Getenv(name)
	if v == "" {
		t.Fatalf("%s is not set: run `make test`, or start the service under testdata/services and export what its `env` prints", name)
	}
	return v
}
