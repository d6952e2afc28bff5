package doristest

import (
	"cmp"
	"math/big"
	"slices"
	"strconv"
	"strings"
)

// setSequence says what orders the rows of one key: a hidden column of
// function_column.sequence_type, which each load has to name, or a column of the table's own,
// which its loads need only have.
func (t *table) setSequence() error {
	typ, name := t.props["function_column.sequence_type"], t.props["function_column.sequence_col"]
	switch {
	case typ == "" && name == "":
		return nil
	case typ != "" && name != "":
		return refuse("The sequence_col and sequence_type cannot be set at the same time")
	case !t.unique:
		return refuse("sequence column only support UNIQUE_KEYS")
	}
	t.seq = true
	of, err := parseColType(typ)
	if name != "" {
		if t.seqCol = t.column(name); t.seqCol == nil {
			return refuse("The specified sequence column[%s] not exists", name)
		}
		of, err = t.seqCol.typ, nil
	}
	if err != nil || wholeBits[of.name] == 0 && of.name != "DATE" && of.name != "DATETIME" {
		return refuse("Sequence type only support integer types and date types")
	}
	return nil
}

// checkSequence says what a load of these columns lacks, or has too much, for the table's
// sequence; named is that it says what the hidden column is to hold.
func (t *table) checkSequence(columns []string, named bool) error {
	switch {
	case named && !t.seq:
		return refuse("There is no sequence column in the table %s", t.name)
	case t.seqCol != nil && !has(columns, t.seqCol.name), t.seq && t.seqCol == nil && !named:
		return refuse("Table %s has sequence column, need to specify the sequence column", t.name)
	}
	return nil
}

// has reports whether a name is in a list, in any case.
func has(list []string, name string) bool {
	return slices.ContainsFunc(list, func(n string) bool { return strings.EqualFold(n, name) })
}

// sequenceOf is a row's place among those of its key; NULL comes first.
func (t *table) sequenceOf(l loaded) string {
	if t.seqCol == nil {
		return l.seq
	}
	if v := t.at(l.row, t.seqCol); v != nil {
		return *v
	}
	return ""
}

func compareSeq(a, b string) int {
	x, errX := strconv.ParseInt(a, 10, 64)
	y, errY := strconv.ParseInt(b, 10, 64)
	if errX == nil && errY == nil {
		return cmp.Compare(x, y)
	}
	n, okN := new(big.Int).SetString(a, 10)
	m, okM := new(big.Int).SetString(b, 10)
	if okN && okM {
		return n.Cmp(m)
	}
	return strings.Compare(a, b) // of dates, and of NULL
}
