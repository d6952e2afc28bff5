package doris

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/writer/kept"
)

var partitionText = regexp.MustCompile(`^\s*(?:(year|month|day|hour)\s*\(\s*([^()]+?)\s*\)|([^()]+?))\s*$`)

// ParsePartition reads by what a table is partitioned: 'month(created_at)', or year, day or
// hour, or 'region', a column as it is, of which each value gets a partition of its own.
func ParsePartition(s string) (unit, column string, err error) {
	if strings.TrimSpace(s) == "" {
		return "", "", nil
	}
	m := partitionText.FindStringSubmatch(s)
	if m == nil || strings.Contains(s, ",") {
		return "", "", hint.Wrap(fmt.Errorf("%q is no partition of Doris's", s), "want one column: month(COLUMN), or year, day or hour, or COLUMN as it is")
	}
	return m[1], m[2] + m[3], nil
}

// partitionOf is the clause by which Doris makes a table's partitions as rows come.
func partitionOf(s string, columns []kept.Column, key []string) (string, error) {
	unit, column, err := ParsePartition(s)
	if err != nil || column == "" {
		return "", err
	}
	c := kept.Find(columns, column)
	switch {
	case c == nil:
		return "", hint.Wrap(fmt.Errorf("--partition: there is no column %s", column), "check the spelling; TABLE: in front has it be that of one table alone")
	case len(key) > 0 && !slices.Contains(key, c.Name):
		return "", hint.Wrap(fmt.Errorf("--partition: column %s is not of the key", column), "Doris partitions a table with a key by columns of that alone")
	case unit == "":
		return "\nAUTO PARTITION BY LIST (" + quoted(columnName(c.Name)) + ") ()", nil
	case c.Type != "date" && !strings.HasPrefix(c.Type, "datetime"):
		return "", hint.Wrap(fmt.Errorf("--partition: column %s is no date", column), "name a DATE, DATETIME or TIMESTAMP, or the column as it is, without %s()", unit)
	case c.Nullable:
		return "", hint.Wrap(errors.New("--partition: column "+column+" may be null"), "Doris has no range for that: partition by another one")
	}
	return fmt.Sprintf("\nAUTO PARTITION BY RANGE (date_trunc(%s, '%s')) ()", quoted(columnName(c.Name)), unit), nil
}

// CheckCompression finds what is wrong with a compression of loads; "" is none.
func CheckCompression(name string) error {
	switch name {
	case "", "none", "gzip", "lz4":
		return nil
	}
	return hint.Wrap(fmt.Errorf("--compression %s: Doris takes no loads in it", name), "want gzip, lz4 or none")
}
