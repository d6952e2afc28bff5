package files

import (
	"fmt"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/writer/kept"
)

// hiveDDL is the statement by which Hive reads a table. Spark's SQL and Impala take it too,
// where they know the format.
func (h head) hiveDDL() string {
	var b strings.Builder
	db, table, _ := strings.Cut(h.Source, ".")
	if h.Format == CSV {
		b.WriteString("-- Hive cuts a row at an end of line within a text, and has no NULL in CSV: TSV and Parquet are whole.\n")
	}
	fmt.Fprintf(&b, "CREATE EXTERNAL TABLE %s.%s (", hiveName(db), hiveName(table))
	for i, c := range h.Columns {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, "\n  %s %s", hiveName(c.Name), h.hiveType(c))
		if c.Comment != "" {
			b.WriteString(" COMMENT " + hiveText(c.Comment))
		}
	}
	b.WriteString("\n)")
	if len(h.Folders) > 0 {
		b.WriteString("\nPARTITIONED BY (")
		for i, f := range h.Folders {
			if i > 0 {
				b.WriteString(", ")
			}
			b.WriteString(hiveName(f) + " string")
		}
		b.WriteByte(')')
	}
	switch h.Format {
	case Parquet, ParquetLegacy:
		b.WriteString("\nSTORED AS PARQUET")
	case CSV:
		b.WriteString("\nROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.OpenCSVSerde'\nSTORED AS TEXTFILE")
	case TSV:
		b.WriteString("\nROW FORMAT DELIMITED FIELDS TERMINATED BY '\\t' ESCAPED BY '\\\\'\nSTORED AS TEXTFILE")
	case JSONL:
		b.WriteString("\nROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.JsonSerDe'\nSTORED AS TEXTFILE")
	}
	b.WriteString("\nLOCATION " + hiveText(hadoopURL(h.Location)))
	if h.Header {
		b.WriteString("\nTBLPROPERTIES ('skip.header.line.count'='1')")
	}
	b.WriteString(";\n")
	if len(h.Folders) > 0 {
		fmt.Fprintf(&b, "MSCK REPAIR TABLE %s.%s;\n", hiveName(db), hiveName(table))
	}
	return b.String()
}

// hadoopURL is how Hadoop's programs name a place.
func hadoopURL(location string) string {
	if rest, ok := strings.CutPrefix(location, "s3://"); ok {
		return "s3a://" + rest
	}
	if strings.HasPrefix(location, "/") {
		return "file://" + location
	}
	return location
}

// hiveType is the type of a column, or the one that the format's reader makes of all.
func (h head) hiveType(c kept.Column) string {
	switch {
	case h.Format == CSV:
		return "string" // OpenCSVSerde knows no other
	case h.Format == TSV && c.Type == "array<float>":
		return "string"
	case c.Type == "timestamptz":
		return "timestamp"
	}
	return c.Type
}

func hiveName(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }

func hiveText(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\n", `\n`).Replace(s) + "'"
}
