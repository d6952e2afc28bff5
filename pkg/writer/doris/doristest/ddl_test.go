package doristest

import (
	"fmt"
	"strings"
	"testing"
)

func TestSync(t *testing.T) {
	c := start(t, Options{})
	if got := c.exec(t, "SYNC"); got != "" {
		t.Errorf("got %q", got)
	}
	if got := c.exec(t, "SYNC x"); !strings.Contains(got, "mismatched input") {
		t.Errorf("got %q", got)
	}
}

// ask runs statements, and wants of each that its answer is, or has in it, what stands behind.
func (c *Cluster) ask(t *testing.T, pairs ...string) {
	t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		got := c.exec(t, strings.Split(pairs[i], "; ")...)
		if want := pairs[i+1]; got != want && (want == "" || !strings.Contains(got, want)) {
			t.Errorf("%s\n\tgot  %q\n\twant %q", pairs[i], got, want)
		}
	}
}

func TestNames(t *testing.T) {
	c := start(t, Options{})
	create := func(table, column string) string {
		return "CREATE TABLE shop.`" + table + "` (id INT, `" + column + "` INT) UNIQUE KEY(id) DISTRIBUTED BY HASH(id)"
	}
	const unicode = "SET enable_unicode_name_support = true; "
	c.ask(t,
		"CREATE DATABASE `1x`", "Incorrect database name '1x'",
		"CREATE DATABASE `größe`", "Incorrect database name 'größe'",
		unicode+"CREATE DATABASE `größe`", "",
		"CREATE DATABASE `"+strings.Repeat("x", 65)+"`", "Incorrect database name 'x",
		"CREATE DATABASE shop", "",
		create("a-b_1", "c"), "",
		create("_a", "c"), "Incorrect table name '_a'",
		create("a.b", "c"), "Incorrect table name 'a.b'",
		create(strings.Repeat("x", 64), "c"), "",
		create(strings.Repeat("x", 65), "c"), "Incorrect table name 'x",
		unicode+create(strings.Repeat("ü", 64), "c"), "",
		unicode+create("价格", "größe"), "",
		unicode+"SET enable_unicode_name_support=0; "+create("x", "größe"), "Incorrect column name 'größe'",
		"SET NAMES utf8mb4; "+create("x", "größe"), "Incorrect column name 'größe'",
		create("x1", "@ a-b/c?#$%^&*\",:"), "",
		create("x2", ""), "Incorrect column name ''",
		create("x2", "a(b)"), "Incorrect column name 'a(b)'",
		create("x2", ".a"), "Incorrect column name '.a'",
		create("x2", strings.Repeat("x", 256)), "",
		create("x3", strings.Repeat("x", 257)), "Incorrect column name 'x",
		create("x3", "__Doris_sign"), "Incorrect column name '__Doris_sign'",
		create("x3", "mv_c"), "Incorrect column name 'mv_c'",
		"ALTER TABLE shop.x1 ADD COLUMN `a(b)` INT", "Incorrect column name 'a(b)'",
		"ALTER TABLE shop.x1 RENAME COLUMN id `a(b)`", "Incorrect column name 'a(b)'",
		"ALTER TABLE shop.x1 RENAME `a(b)`", "Incorrect table name 'a(b)'",
	)
}

func TestWithoutKey(t *testing.T) {
	c := start(t, Options{})
	const refused = "The olap table first column could not be float, double, string or array, struct, map, please use decimal or varchar instead."
	for i, typ := range []string{"FLOAT", "DOUBLE", "STRING", "JSON", "ARRAY<FLOAT>", "VARCHAR(5)"} {
		want := refused
		if typ == "VARCHAR(5)" {
			want = ""
		}
		create := fmt.Sprintf("CREATE TABLE shop.t%d (a %s, b INT) DISTRIBUTED BY RANDOM BUCKETS AUTO PROPERTIES ('replication_num' = '1'", i, typ)
		c.ask(t, "CREATE DATABASE IF NOT EXISTS shop", "", create+")", want)
		if want != "" {
			c.ask(t, create+", 'enable_duplicate_without_keys_by_default' = 'true')", "")
		}
	}
	c.ask(t,
		"CREATE TABLE shop.u (a INT) UNIQUE KEY(a) DISTRIBUTED BY RANDOM", "Create unique keys table should not contain random distribution desc",
		"CREATE TABLE shop.d (a INT) DUPLICATE KEY(a) DISTRIBUTED BY RANDOM", "",
	)
}

func TestAutoPartition(t *testing.T) {
	c := start(t, Options{})
	c.ask(t, "CREATE DATABASE shop", "")
	for i, s := range []struct{ keys, by, want string }{
		{"UNIQUE KEY(id, at)", "RANGE (date_trunc(`at`, 'month')) ()", ""},
		{"UNIQUE KEY(id, at)", "LIST (`id`) ()", ""},
		{"UNIQUE KEY(id, at)", "LIST (id, at) ()", ""},
		{"DUPLICATE KEY(id)", "RANGE(date_trunc(d,'day'))()", ""},
		{"UNIQUE KEY(id, at)", "RANGE (date_trunc(`none`, 'month')) ()", "partition key none is not exists"},
		{"UNIQUE KEY(id, at)", "LIST (`none`) ()", "partition key none is not exists"},
		{"UNIQUE KEY(id)", "RANGE (date_trunc(`at`, 'month')) ()", "Merge-on-Write table's partition column must be KEY column"},
		{"UNIQUE KEY(id)", "LIST (`v`) ()", "Merge-on-Write table's partition column must be KEY column"},
		{"DUPLICATE KEY(id)", "RANGE (date_trunc(`n`, 'month')) ()", "AUTO RANGE PARTITION doesn't support NULL column"},
		{"DUPLICATE KEY(id)", "RANGE (date_trunc(`id`, 'month')) ()", "Auto range partition needs Date/DateV2/Datetime/DatetimeV2 column as partition column"},
		{"DUPLICATE KEY(id)", "LIST (`n`) ()", ""},
		{"DUPLICATE KEY(id)", "LIST (`s`) ()", "String Type should not be used in partition column[s]."},
		{"DUPLICATE KEY(id)", "LIST (date_trunc(`at`, 'day')) ()", "auto create partition only support slotRef in list partitions."},
		{"DUPLICATE KEY(id)", "RANGE (`at`) ()", "auto create partition only support date_trunc function of RANGE partition"},
		{"DUPLICATE KEY(id)", "RANGE (date_trunc(`at`, 'decade')) ()", "date_trunc function second param only support argument is year"},
		{"DUPLICATE KEY(id)", "RANGE (date_trunc(`at`, 'day'))", "mismatched input"},
	} {
		c.ask(t, fmt.Sprintf("CREATE TABLE shop.t%d (id INT NOT NULL, at DATETIME(6) NOT NULL, d DATE NOT NULL, n DATETIME, v INT, s STRING) %s "+
			"AUTO PARTITION BY %s DISTRIBUTED BY HASH(id) BUCKETS AUTO", i, s.keys, s.by), s.want)
	}
	c.ask(t, "SHOW CREATE TABLE shop.t0", "AUTO PARTITION BY RANGE (date_trunc(`at`, 'month')) ()")
}
