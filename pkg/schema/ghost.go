package schema

import "regexp"

// ghosts are names that tools give to the tables by which they alter another one: gh-ost's
// _t_gho, _t_ghc and _t_del, the last with a time or without, and pt-online-schema-change's
// _t_new and _t_old, with more underscores in front where a name was taken.
var ghosts = regexp.MustCompile(`^(?:_(.+?)_(?:gho|ghc|(?:\d{14}_)?del)|_+([^_].*)_(?:new|old))$`)

// GhostOf returns the name of the table that a tool alters by one of this name, or "" if no tool
// gives such names.
func GhostOf(name string) string {
	m := ghosts.FindStringSubmatch(name)
	if m == nil {
		return ""
	}
	return m[1] + m[2]
}
