package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"
	"time"

	"github.com/spf13/cobra"
)

// version is set by the linker: see the Makefile and .goreleaser.yaml.
var version string

// versionNumber returns the release, or what `go install` knows of it.
func versionNumber() string {
	v := version
	if info, ok := debug.ReadBuildInfo(); ok && v == "" {
		v = info.Main.Version
	}
	return cmp.Or(v, "(devel)")
}

func versionText() string {
	info, _ := debug.ReadBuildInfo()
	return fmt.Sprintf("%s (%s%s, %s/%s)", versionNumber(), commit(info), runtime.Version(), runtime.GOOS, runtime.GOARCH)
}

// commit returns "d7f4d99a1b2c of 2026-11-26, ", as Go has stamped it, with a
// word if files differed from it; "" if it is not known. The day is that of the
// commit, so that a commit makes the same program on every day.
func commit(info *debug.BuildInfo) string {
	if info == nil {
		return ""
	}
	stamp := map[string]string{}
	for _, s := range info.Settings {
		stamp[s.Key] = s.Value
	}
	rev, day := stamp["vcs.revision"], stamp["vcs.time"]
	if len(rev) < 12 || len(day) < len(time.DateOnly) {
		return ""
	}
	edited := ""
	if stamp["vcs.modified"] == "true" {
		edited = ", edited"
	}
	return fmt.Sprintf("%s of %s%s, ", rev[:12], day[:len(time.DateOnly)], edited)
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the version",
		Long:    "Print the version of Tablehaul and of the Go that built it.",
		Example: "  tablehaul version",
		Args:    wantArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintln(cmd.OutOrStdout(), "tablehaul", versionText())
			return err
		},
	}
}
