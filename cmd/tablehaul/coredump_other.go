//go:build !unix

package main

// noCoreDumps does nothing where there are none.
func noCoreDumps(func(string) string) {}
