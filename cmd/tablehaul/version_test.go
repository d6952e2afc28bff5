package main

import (
	"runtime/debug"
	"testing"
)

func TestCommit(t *testing.T) {
	info := func(kv ...string) *debug.BuildInfo {
		i := &debug.BuildInfo{}
		for n := 0; n < len(kv); n += 2 {
			i.Settings = append(i.Settings, debug.BuildSetting{Key: kv[n], Value: kv[n+1]})
		}
		return i
	}
	const rev = "edc685da7096a6d86f4470a8e413118da79ad4fd"
	for _, c := range []struct {
		info *debug.BuildInfo
		want string
	}{
		{nil, ""},
		{info(), ""},
		{info("vcs.revision", rev), ""},
		{info("vcs.revision", rev, "vcs.time", "2026-11-26T01:40:56Z", "vcs.modified", "false"), "edc685da7096 of 2026-11-26, "},
		{info("vcs.revision", rev, "vcs.time", "2026-11-26T01:40:56Z", "vcs.modified", "true"), "edc685da7096 of 2026-11-26, edited, "},
	} {
		if got := commit(c.info); got != c.want {
			t.Errorf("commit(%v) = %q, want %q", c.info, got, c.want)
		}
	}
}
