package mysql

import (
	"context"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/finding"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/calendar"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// A special is a kind of column that becomes another at the sink than its name
// would have one think.
type special struct {
	thing, why, remedy string
	is                 func(schema.Column) bool
}

var specials = []special{
	{
		"DECIMAL of more than 38 digits becomes text", "no type of the sink holds so many digits", "CAST(… AS DECIMAL(38, …)) where values allow it",
		func(c schema.Column) bool {
			return c.Type.Kind == schema.Decimal && c.Type.Precision > schema.MaxDecimal
		},
	},
	{
		"BIGINT UNSIGNED and BIT(64) become DECIMAL(20, 0)", "the sink's integers have a sign", "CAST(… AS BIGINT) where values allow it",
		func(c schema.Column) bool {
			return c.Type.Kind == schema.BigInt && c.Type.Unsigned || c.Type.Kind == schema.Bit && c.Type.Precision == 64
		},
	},
	{
		"TIME becomes a number of microseconds", "it may be negative and longer than a day", "… / 1000000 AS seconds",
		func(c schema.Column) bool { return c.Type.Kind == schema.Time },
	},
	{
		"geometry becomes binary", "it is WKB, and the SRID is left out", "ST_GeomFromWKB(…), or what the reader has for it",
		func(c schema.Column) bool { return c.Type.Kind == schema.Geometry },
	},
	{
		"JSON, ENUM and SET become text", "as the server prints them", "from_json(…), or what the reader has for it",
		func(c schema.Column) bool {
			return c.Type.Kind == schema.JSON || c.Type.Kind == schema.Enum || c.Type.Kind == schema.Set
		},
	},
	{
		"VECTOR becomes a list of floats", "the sink has no vectors", "…[1], or what the reader has for it",
		func(c schema.Column) bool { return c.Type.Kind == schema.Vector },
	},
}

// types tells what becomes something else than one may think. docs/types.md has
// the whole of it.
func (c *checkup) types(context.Context) error {
	for _, s := range specials {
		if c.p.AsIs {
			break
		}
		if names := c.columns(s.is); len(names) > 0 {
			c.add(finding.Finding{Level: finding.Note, Check: "types", Thing: s.thing, Why: s.why, Remedy: s.remedy, Tables: names})
		}
	}
	mode := c.vars["sql_mode"]
	zero := c.columns(func(col schema.Column) bool { return col.Type.HasZero() })
	if len(zero) > 0 && (!strings.Contains(mode, "NO_ZERO_DATE") || !strings.Contains(mode, "NO_ZERO_IN_DATE")) {
		why := map[calendar.Policy]string{
			calendar.Null: "such a value becomes NULL", calendar.Epoch: "such a value becomes 1970-01-01", calendar.Fail: "such a value fails the table",
		}[c.s.zero]
		modes := strings.Trim(strings.Join([]string{strings.Trim(strings.NewReplacer("NO_ZERO_DATE", "", "NO_ZERO_IN_DATE", "", ",,", ",").Replace(mode), ","), "NO_ZERO_IN_DATE,NO_ZERO_DATE"}, ","), ",")
		c.add(finding.Finding{
			Level: finding.Note, Check: "zero-dates", Thing: "sql_mode allows dates such as 0000-00-00", Why: why + ", as --zero-date says",
			Remedy: "SET GLOBAL sql_mode = " + quoted(modes), Tables: zero,
		})
	}
	c.zone()
	c.keyless()
	return nil
}

// columns names the columns of all tables that are of a kind.
func (c *checkup) columns(is func(schema.Column) bool) []string {
	var names []string
	for _, t := range c.tables {
		for _, col := range t.Columns {
			if is(col) && col.Meta == schema.NotMeta {
				names = append(names, t.String()+"."+col.Name)
			}
		}
	}
	return names
}

// zone tells of times without a zone. The session's is UTC, so that TIMESTAMPs
// are right whatever the server's is.
func (c *checkup) zone() {
	zone := c.vars["time_zone"]
	if strings.EqualFold(zone, "SYSTEM") {
		zone = c.vars["system_time_zone"]
	}
	names := c.columns(func(col schema.Column) bool { return col.Type.Kind == schema.DateTime })
	if len(names) == 0 || strings.EqualFold(zone, "UTC") || zone == "+00:00" || zone == "Etc/UTC" {
		return
	}
	c.add(finding.Finding{
		Level: finding.Note, Check: "time-zone", Thing: "the server's time zone is " + zone,
		Why:    "DATETIME has no zone and is copied as it stands, while TIMESTAMP is copied as the moment it means",
		Remedy: "to_utc_timestamp(…, " + quoted(zone) + "), or what the reader has for it, where such a column holds local times", Tables: names,
	})
}

// keyless tells of tables that are read in one go.
func (c *checkup) keyless() {
	if !c.p.Snapshot {
		return
	}
	var names, remedy []string
	for _, t := range c.tables {
		left := t.Whole != nil && len(t.Whole.Key) > 0 // out by --columns
		if len(t.Key) == 0 && !t.IsChangelog() && !left {
			names = append(names, t.String())
			remedy = append(remedy, "ALTER TABLE "+qualified(t)+" ADD COLUMN row_id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY")
		}
	}
	if len(names) > 0 {
		c.add(finding.Finding{
			Level: finding.Note, Check: "no-key", Thing: "they have no primary key", Why: "they are read in one part, by one connection, and changes cannot be matched with rows", Remedy: some(remedy), Tables: names,
		})
	}
}
