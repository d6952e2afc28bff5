package files

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/literal"
	"github.com/tablehaul/tablehaul/pkg/writer/kept"
)

// CommitTime stands in a partition for the moment in which a row is written to the sink.
const CommitTime = "@commit"

// hiveNull is the folder of rows that have nothing in a column.
const hiveNull = "__HIVE_DEFAULT_PARTITION__"

// A folderLevel is one NAME=VALUE of the paths of a table's files.
type folderLevel struct {
	name   string
	unit   string // day, hour, month, year; "" is the value as it is
	column string // CommitTime is none
	index  int    // among the file's columns
	clock  bool   // the column is one of timestamps, else of dates
}

var levelText = regexp.MustCompile(`^(?:([^=()]+)=)?\s*(?:(year|month|day|hour)\s*\(([^()]+)\)|([^=()]+))$`)

var levelName = regexp.MustCompile(`^[\pL_][\pL\pN_]*$`)

const levelHint = "want NAME=COLUMN, NAME=day(COLUMN), or year, month or hour; of @commit in place of a column it is the time of writing"

// ParseFolders reads into which folders rows go: 'dt=day(created_at), hour=hour(created_at)',
// 'dt=day(@commit)', 'p_region=region'. What has no name is called as its unit, or, of a
// column as it is, p_COLUMN.
func ParseFolders(text string) ([]folderLevel, error) {
	var levels []folderLevel
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	for part := range strings.SplitSeq(text, ",") {
		m := levelText.FindStringSubmatch(strings.TrimSpace(part))
		if m == nil {
			return nil, hint.Wrap(fmt.Errorf("%q names no folder", strings.TrimSpace(part)), levelHint)
		}
		for i := range m {
			m[i] = strings.TrimSpace(m[i])
		}
		l := folderLevel{name: m[1], unit: m[2], column: m[3] + m[4], index: -1}
		switch {
		case l.unit == "" && l.column == CommitTime:
			return nil, hint.Wrap(fmt.Errorf("%q: the time of writing is no folder as it is", part), levelHint)
		case l.name != "":
		case l.unit == "day":
			l.name = "dt"
		case l.unit != "":
			l.name = l.unit
		default:
			l.name = "p_" + l.column
		}
		if !levelName.MatchString(l.name) {
			return nil, hint.Wrap(fmt.Errorf("folder %q: the name has other letters than a column of Hive's may", l.name), "name it: 'p_x=%s'", l.column)
		}
		if l.unit == "hour" && !slices.ContainsFunc(levels, func(o folderLevel) bool { return o.unit == "day" && o.column == l.column }) {
			return nil, hint.Wrap(fmt.Errorf("%q: an hour of which day?", part), "put day(%s) before it", l.column)
		}
		if slices.ContainsFunc(levels, func(o folderLevel) bool { return strings.EqualFold(o.name, l.name) }) {
			return nil, hint.Wrap(fmt.Errorf("two folders are called %s", l.name), levelHint)
		}
		levels = append(levels, l)
	}
	return levels, nil
}

// bindFolders finds the columns of the levels.
func bindFolders(levels []folderLevel, columns []kept.Column, types []arrow.DataType) error {
	for i := range levels {
		l := &levels[i]
		if slices.ContainsFunc(columns, func(c kept.Column) bool { return strings.EqualFold(c.Name, l.name) }) {
			// Readers would take the text of the folder for the value, which it is not where
			// that is NULL or empty.
			return hint.Wrap(fmt.Errorf("folder %s has the name of a column", l.name), "give it another: 'p_%s=…'", l.name)
		}
		if l.column == CommitTime {
			continue
		}
		l.index = slices.IndexFunc(columns, func(c kept.Column) bool { return c.Name == l.column })
		if l.index < 0 {
			l.index = slices.IndexFunc(columns, func(c kept.Column) bool { return strings.EqualFold(c.Name, l.column) })
		}
		if l.index < 0 {
			return hint.Wrap(fmt.Errorf("there is no column %s to make folders by", l.column), "check the spelling of --partition, and say for which tables it is: 'orders: day(%s)'", l.column)
		}
		l.clock = types[l.index].ID() == arrow.TIMESTAMP
		switch date := types[l.index].ID() == arrow.DATE32; {
		case l.unit == "" && types[l.index].ID() == arrow.LIST,
			l.unit == "" && types[l.index].ID() == arrow.BINARY,
			l.unit != "" && !l.clock && !date,
			l.unit == "hour" && date:
			return hint.Wrap(fmt.Errorf("column %s is of type %s, which makes no folder by %s", l.column, columns[l.index].Type, l.what()), levelHint)
		}
	}
	return nil
}

func (l folderLevel) what() string {
	if l.unit == "" {
		return "its value"
	}
	return l.unit
}

// byTime reports whether all levels are of the time of writing, so that a folder is whole
// once its time is over.
func byTime(levels []folderLevel) bool {
	return len(levels) > 0 && !slices.ContainsFunc(levels, func(l folderLevel) bool { return l.column != CommitTime })
}

// appendUnit appends the value of a level for a moment, in microseconds since 1970.
func (l folderLevel) appendUnit(dst []byte, us int64) []byte {
	var text [32]byte
	t := literal.AppendDateTime(text[:0], us, ' ', 0)
	switch l.unit {
	case "year":
		return append(dst, t[:4]...)
	case "month":
		return append(dst, t[:7]...)
	case "day":
		return append(dst, t[:10]...)
	}
	return append(dst, t[11:13]...)
}

// appendFolderText appends a value as Hive and Spark write it in paths.
func appendFolderText(dst []byte, s []byte) []byte {
	const digits = "0123456789ABCDEF"
	if len(s) == 0 {
		return append(dst, hiveNull...)
	}
	for _, c := range s {
		if c < 0x20 || c == 0x7f || strings.IndexByte("\"#%'*/:=?\\{[]^", c) >= 0 {
			dst = append(dst, '%', digits[c>>4], digits[c&15])
		} else {
			dst = append(dst, c)
		}
	}
	return dst
}
