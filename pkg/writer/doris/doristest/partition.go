package doristest

import (
	"slices"
	"strings"
)

// A partitioning is what stands behind AUTO PARTITION BY.
type partitioning struct {
	ranges  bool // or a list
	columns []string
}

var truncUnits = []string{"year", "quarter", "month", "week", "day", "hour", "minute", "second"}

// autoPartition reads RANGE (date_trunc(column, 'unit')) () or LIST (column, …) ().
func (p *parser) autoPartition() (*partitioning, error) {
	by := &partitioning{ranges: p.is("RANGE")}
	if !by.ranges {
		if err := p.want("LIST"); err != nil {
			return nil, err
		}
		from := p.peek().from
		var err error
		if by.columns, err = p.names(); err != nil {
			return nil, refuse("auto create partition only support slotRef in list partitions. %.60s", p.sql[from:])
		}
		return by, p.want("(", ")")
	}
	if err := p.want("("); err != nil {
		return nil, err
	}
	if !p.is("date_trunc", "(") {
		return nil, refuse("auto create partition only support date_trunc function of RANGE partition")
	}
	column, err := p.name()
	if err == nil {
		err = p.want(",")
	}
	unit := ""
	if err == nil {
		unit, err = p.text()
	}
	if err != nil {
		return nil, refuse("auto create partition only support one slotRef in function expr")
	}
	if !slices.Contains(truncUnits, strings.ToLower(unit)) {
		return nil, refuse("date_trunc function second param only support argument is %s", strings.Join(truncUnits, "|"))
	}
	by.columns = []string{column}
	return by, p.want(")", ")", "(", ")")
}

// check says what keeps a table, whose key is known, from being parted so.
func (by *partitioning) check(t *table) error {
	for _, name := range by.columns {
		c := t.column(name)
		switch {
		case c == nil:
			return refuse("partition key %s is not exists", name)
		case !c.key && t.mow:
			return refuse("Merge-on-Write table's partition column must be KEY column")
		case !c.key && t.unique:
			return refuse("The partition column could not be aggregated column")
		case by.ranges && c.typ.name != "DATE" && c.typ.name != "DATETIME":
			return refuse("Auto range partition needs Date/DateV2/Datetime/DatetimeV2 column as partition column but got %s", c.typ)
		case by.ranges && c.nullable:
			return refuse("AUTO RANGE PARTITION doesn't support NULL column")
		case c.typ.name == "FLOAT" || c.typ.name == "DOUBLE":
			return refuse("Floating point type column can not be partition column")
		case c.typ.name == "STRING":
			return refuse("String Type should not be used in partition column[%s].", c.name)
		case !c.typ.keyable():
			return refuse("Complex type column can't be partition column: %s", c.typ)
		}
	}
	return nil
}
