package iceberg

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"

	"github.com/tablehaul/tablehaul/pkg/hint"
)

// A Layout says how the rows of a table that is made are to lie in files. The
// zero value is a table without partitions and order, of format version 2.
type Layout struct {
	// Partition is a list of columns and transforms of columns, as Spark's DDL
	// has them: "day(created_at), bucket(16, id)".
	Partition string
	// Sort is a list of columns as ORDER BY has them: "customer_id, created_at
	// desc nulls last".
	Sort string
	// FormatVersion is that of Iceberg: 2, the default, or 3.
	FormatVersion int
	// Properties are set on the table beside those that it has anyway.
	Properties map[string]string
}

// Check finds what is wrong with a layout whatever the table.
func (l Layout) Check() error {
	if _, err := parsePartition(l.Partition); err != nil {
		return fmt.Errorf("partition %q: %w", l.Partition, err)
	}
	if _, err := parseSort(l.Sort); err != nil {
		return fmt.Errorf("sort %q: %w", l.Sort, err)
	}
	if v := l.version(); v < formatVersion || v > maxVersion {
		return fmt.Errorf("format version %d is not one of %d, %d", v, formatVersion, maxVersion)
	}
	return checkProperties(l.Properties)
}

func (l Layout) version() int {
	if l.FormatVersion == 0 {
		return formatVersion
	}
	return l.FormatVersion
}

// reserved are the properties by which catalogs are told things that are no
// properties (Iceberg's TableProperties.RESERVED_PROPERTIES).
var reserved = []string{
	"format-version", "uuid", "snapshot-count", "current-snapshot-summary", "current-snapshot-id",
	"current-snapshot-timestamp-ms", "current-schema", "default-partition-spec", "default-sort-order",
}

func checkProperties(props map[string]string) error {
	for _, k := range slices.Sorted(maps.Keys(props)) {
		v := props[k]
		switch {
		case strings.HasPrefix(k, "tablehaul."):
			return fmt.Errorf("property %s: names that begin with tablehaul. are this program's own", k)
		case k == table.PropertyFormatVersion:
			return hint.Wrap(fmt.Errorf("property %s is none that a table has", k), "use --format-version")
		case slices.Contains(reserved, k):
			return fmt.Errorf("property %s is reserved by Iceberg", k)
		case k == table.WriteTargetFileSizeBytesKey:
			if n, err := strconv.ParseInt(v, 10, 64); err != nil || n < minTarget {
				return fmt.Errorf("property %s: want a number of bytes from %d up, not %q", k, minTarget, v)
			}
		case k == codecProperty, k == levelProperty:
			if _, _, err := propertyCodec(props); err != nil {
				return err
			}
		}
	}
	return nil
}

// A tableLayout is how rows are spread over the files of one table, which is
// there or about to be made.
type tableLayout struct {
	version int
	spec    iceberg.PartitionSpec
	order   table.SortOrder
	specs   int // how many the table has
	// global is the number of the spec without partitions, under which equality
	// deletes reach all of them (the format's "Scan Planning"). It may have to be
	// added first.
	global    int
	addGlobal bool
}

// layoutOf returns the layout of a table.
func layoutOf(meta table.Metadata) tableLayout {
	l := tableLayout{version: meta.Version(), spec: meta.PartitionSpec(), order: meta.SortOrder(), specs: len(meta.PartitionSpecs()), addGlobal: true}
	for _, s := range meta.PartitionSpecs() {
		if s.NumFields() == 0 {
			l.global, l.addGlobal = s.ID(), false
			break
		}
		l.global = max(l.global, s.ID()+1)
	}
	return l
}

// holding returns how many specs data files may be under, of a partitioned table that had one
// spec before: what has no partitions was added since, for deletes alone.
func (l tableLayout) holding() int {
	if l.addGlobal {
		return l.specs
	}
	return l.specs - 1
}

// newLayout binds a layout to the columns of a new table.
func newLayout(l Layout, sc *iceberg.Schema) (tableLayout, error) {
	out := tableLayout{version: l.version(), spec: iceberg.NewPartitionSpec(), order: table.UnsortedSortOrder, specs: 1}
	if err := l.Check(); err != nil {
		return out, err
	}
	terms, _ := parsePartition(l.Partition) // Check has parsed it
	if len(terms) > 0 {
		var err error
		if out.spec, err = bindPartition(terms, sc); err != nil {
			return out, fmt.Errorf("partition %q: %w", l.Partition, err)
		}
		out.global, out.addGlobal = 1, true
	}
	fields, _ := parseSort(l.Sort)
	if len(fields) > 0 {
		var err error
		if out.order, err = bindSort(fields, sc); err != nil {
			return out, fmt.Errorf("sort %q: %w", l.Sort, err)
		}
	}
	return out, nil
}
