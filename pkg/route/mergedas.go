package route

import (
	"fmt"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// asMade tells which tables of routes would not go on as they were begun: told apart by other columns
// than their target has, or by another name of their source, of which the sink has rows already.
func (m *Merged) asMade(tables []*schema.Table) []finding.Finding {
	var apart, renamed []string
	var columns, was, target string
	for _, t := range tables {
		db, to, routed := m.routes.Target(t.DB, t.Name)
		if !routed {
			continue
		}
		at, name := db+"."+to, t.String()
		if shard, made := m.shard[at]; made && shard != m.routes.Shard {
			apart = append(apart, name)
			target, columns = at, "leave --shard-columns out"
			if shard[0] != "" {
				columns = "give --shard-columns=" + shard[0] + "," + shard[1]
			}
		}
		if other := m.otherwise(name, at); other != "" && len(m.of[m.routes.Named(name)]) == 0 {
			renamed = append(renamed, name)
			was = other
		}
	}
	var found []finding.Finding
	if len(apart) > 0 {
		found = append(found, finding.Finding{
			Level: finding.Error, Check: "merged", Tables: apart, Thing: "the rows of shards in " + target + " are told apart in another way",
			Remedy: columns + ", as it was made",
		})
	}
	if len(renamed) > 0 {
		found = append(found, finding.Finding{
			Level: finding.Warning, Check: "merged", Tables: renamed, Thing: fmt.Sprintf("the sink holds rows of %s already", was),
			Why:    "a source of another name is another source: if it is the same server, they will be there twice",
			Remedy: "if it is, stop the run and name the source as it was, or not at all",
		})
	}
	return found
}

// otherwise returns the name under which a target holds a table of another name of its source, or of
// none.
func (m *Merged) otherwise(table, target string) string {
	named := m.routes.Named(table)
	for other, at := range m.of {
		if len(at) > 0 && at[0] == target && other != named && (other == table || named == table && strings.HasSuffix(other, "/"+table)) {
			return other
		}
	}
	return ""
}
