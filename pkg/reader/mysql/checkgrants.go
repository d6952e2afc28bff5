package mysql

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// grants are what SHOW GRANTS says of the user and of the roles that are active.
type grants struct {
	global map[string]bool            // by privilege
	dbs    map[string]map[string]bool // by pattern, as GRANT has it, and privilege
	tables map[string]map[string]bool // by db.table and privilege, for all columns
}

// granted reads "GRANT SELECT, INSERT (a) ON `db`.`t` TO …". Names in backticks
// double those within.
var granted = regexp.MustCompile("^GRANT (.+?) ON (?:TABLE )?(\\*|`(?:[^`]|``)*`)\\.(\\*|`(?:[^`]|``)*`) TO ")

func parseGrants(lines []string) grants {
	g := grants{global: map[string]bool{}, dbs: map[string]map[string]bool{}, tables: map[string]map[string]bool{}}
	for _, line := range lines {
		m := granted.FindStringSubmatch(line)
		if m == nil {
			continue // a role, a proxy, a routine
		}
		set := g.global
		switch db, table := unquote(m[2]), unquote(m[3]); {
		case m[2] != "*" && m[3] == "*":
			set = at(g.dbs, db)
		case m[2] != "*":
			set = at(g.tables, db+"."+table)
		}
		for _, p := range strings.Split(m[1], ",") {
			set[strings.ToUpper(strings.TrimSpace(p))] = true
		}
	}
	return g
}

func at(m map[string]map[string]bool, key string) map[string]bool {
	if m[key] == nil {
		m[key] = map[string]bool{}
	}
	return m[key]
}

func unquote(name string) string {
	return strings.ReplaceAll(strings.Trim(name, "`"), "``", "`")
}

// has reports whether a privilege is held on a table.
func (g grants) has(privilege string, t *schema.Table) bool {
	hit := func(set map[string]bool) bool { return set[privilege] || set["ALL PRIVILEGES"] || set["ALL"] }
	if hit(g.global) || hit(g.tables[t.String()]) {
		return true
	}
	for pattern, set := range g.dbs {
		if hit(set) && like(pattern, t.DB) {
			return true
		}
	}
	return false
}

// inPart reports whether some columns of a table may be read: "SELECT (`id`, `name`)".
func (g grants) inPart(t *schema.Table) bool {
	for privilege := range g.tables[t.String()] {
		if strings.HasPrefix(privilege, "SELECT (") {
			return true
		}
	}
	return false
}

// like matches a database as GRANT does: % and _ stand for anything, but behind
// a backslash.
func like(pattern, db string) bool {
	var re strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch c := pattern[i]; {
		case c == '\\' && i+1 < len(pattern):
			i++
			re.WriteString(regexp.QuoteMeta(pattern[i : i+1]))
		case c == '%':
			re.WriteString(".*")
		case c == '_':
			re.WriteString(".")
		default:
			re.WriteString(regexp.QuoteMeta(string(c)))
		}
	}
	ok, err := regexp.MatchString("(?is)^"+re.String()+"$", db)
	return ok && err == nil
}

// grants asks what the user may do.
func (c *conn) grants(ctx context.Context) (grants, error) {
	rows, err := c.query(ctx, "SHOW GRANTS")
	if err != nil {
		return grants{}, fmt.Errorf("ask for grants: %w", err)
	}
	lines := make([]string, len(rows))
	for i, r := range rows {
		lines[i] = r[0]
	}
	return parseGrants(lines), nil
}

// maxTried bounds how many tables are tried that grants do not seem to cover.
const maxTried = 20

// selects looks for tables that the user sees, and may not read whole. What the
// list of grants does not tell, as of proxies and of roles within roles, is found
// out by trying.
func (c *checkup) selects(ctx context.Context) error {
	g, err := c.s.control.grants(ctx)
	if err != nil {
		return err
	}
	tried, columns := 0, false
	var names, remedy []string
	for _, t := range c.tables {
		if g.has("SELECT", t) {
			continue
		}
		if tried++; tried > maxTried {
			break
		}
		all := "*"
		if t.Whole != nil { // some columns are wanted
			all = columnList(source(t))
		}
		err := c.s.control.exec(ctx, "SELECT "+all+" FROM "+qualified(t)+" LIMIT 0")
		if denied(err) || code(err) == mysql.ER_COLUMNACCESS_DENIED_ERROR {
			columns = columns || g.inPart(t)
			names = append(names, t.String())
			remedy = append(remedy, "GRANT SELECT ON "+qualified(t)+" TO "+c.user)
		}
	}
	if len(names) > 0 {
		why := "a copy would lack what is not seen"
		if columns {
			why += "; --columns copies those that are"
		}
		c.add(finding.Finding{
			Level: finding.Error, Check: "grant-select", Thing: "the user may not read them, or not all of their columns", Why: why,
			Remedy: some(remedy), Tables: names,
		})
	}
	return nil
}

// locks looks whether several connections can be brought to one point, and how.
func (c *checkup) locks(ctx context.Context) error {
	g, err := c.s.control.grants(ctx)
	if err != nil {
		return err
	}
	reload := g.global["RELOAD"] || g.global["FLUSH_TABLES"] || g.global["ALL PRIVILEGES"]
	var lock []string // what is missing, for each database once
	for _, t := range c.tables {
		grant := "GRANT LOCK TABLES ON " + ident(t.DB) + ".* TO " + c.user
		if !g.has("LOCK TABLES", t) && !slices.Contains(lock, grant) {
			lock = append(lock, grant)
		}
	}
	switch {
	case len(lock) > 0 && !reload:
		c.add(finding.Finding{
			Level: finding.Warning, Check: "grant-lock", Thing: "the user has neither LOCK TABLES nor RELOAD",
			Why: "connections cannot be brought to one point by a lock: tables are read over one connection, or at points of their own and with the log over them", Remedy: some(lock),
		})
	case !reload && len(c.tables) > lockedTables:
		c.add(finding.Finding{
			Level: finding.Warning, Check: "grant-reload", Thing: fmt.Sprintf("%d tables are locked one by one, as the user has no RELOAD", len(c.tables)),
			Why: "the server opens each of them meanwhile, and writers wait until the last one is", Remedy: "GRANT RELOAD ON *.* TO " + c.user,
		})
	}
	return nil
}
