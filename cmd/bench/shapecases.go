package main

import "slices"

// shapeCases are tail/iceberg/narrow-insert with rows that are looked at, computed or sent elsewhere
// on their way: what they take more than that case is what it costs.
func shapeCases() []*benchCase {
	i := slices.IndexFunc(tailCases(), func(c *benchCase) bool { return c.name == "tail/iceberg/narrow-insert" })
	var list []*benchCase
	for _, c := range []struct {
		name  string
		flags []string
	}{
		{"shape/where", []string{"--where", "k > 0 and c <> 'none of them'"}}, // true of all rows
		{"shape/set", []string{"--set", "twice=k+k"}},
		{"shape/mask", []string{"--set", "masked=sha256(c)"}},
		{"shape/meta", []string{"--meta", "_db,_table,_op,_ts,_gtid"}},
		{"route/shard-columns", []string{"--route", `(.+)\.(.+) -> $1.$2`, "--shard-columns"}},
	} {
		shaped := *tailCases()[i]
		log := *shaped.log
		log.flags = c.flags
		shaped.name, shaped.log = c.name, &log
		shaped.goals = []goal{{name: "peak_mib", limit: 600}}
		list = append(list, &shaped)
	}
	return list
}
