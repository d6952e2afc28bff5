package main

import (
	"os"
	"strings"
	"testing"
)

// documentedTypes are the lines of the table in docs/types.md, and the examples that
// each of them is about.
var documentedTypes = map[string]string{
	"`TINYINT`, `SMALLINT`, `MEDIUMINT`, `INT`": "tinyint smallint mediumint int integer",
	"… `UNSIGNED`, up to `MEDIUMINT`":           "tinyint unsigned|smallint unsigned|mediumint unsigned",
	"`INT UNSIGNED`":                            "int unsigned|",
	"`BIGINT`":                                  "bigint",
	"`BIGINT UNSIGNED`":                         "bigint unsigned|",
	"`FLOAT`":                                   "float",
	"`DOUBLE`":                                  "double",
	"`DECIMAL(p, s)`, p ≤ 38":                   "decimal(10,2) decimal(38,0)",
	"`DECIMAL(p, s)`, p > 38":                   "decimal(39,0) decimal(65,30)",
	"`BIT(1)`":                                  "bit(1)",
	"`BIT(2)` … `BIT(63)`":                      "bit(8) bit(63)",
	"`BIT(64)`":                                 "bit(64)",
	"`YEAR`":                                    "year",
	"`DATE`":                                    "date",
	"`DATETIME(n)`":                             "datetime datetime(6)",
	"`TIMESTAMP(n)`":                            "timestamp timestamp(6)",
	"`TIME(n)`":                                 "time time(6)",
	"`CHAR`, `VARCHAR`, `TEXT` kinds":           "char(10) varchar(255) tinytext text mediumtext longtext",
	"`BINARY`, `VARBINARY`, `BLOB` kinds":       "binary(16) varbinary(255) tinyblob blob mediumblob longblob",
	"`ENUM`":                                    "enum('a','b')",
	"`SET`":                                     "set('a','b')",
	"`JSON`":                                    "json",
	"`GEOMETRY` and its kinds":                  "geometry point linestring polygon multipoint multilinestring multipolygon geometrycollection geomcollection",
	"`VECTOR(n)`":                               "vector(3)",
	"MariaDB `UUID`, `INET4`, `INET6`, `XMLTYPE`": "uuid inet4 inet6 xmltype",
	"MariaDB `JSON`": "longtext",
}

// TestTypesDocs compares docs/types.md with what the code does.
func TestTypesDocs(t *testing.T) {
	mapped, err := (&program{stores: all()}).mapExamples()
	if err != nil {
		t.Fatal(err)
	}
	becomes := map[string]string{}
	for _, m := range mapped {
		becomes[m.Native] = m.Iceberg
	}
	page, err := os.ReadFile("../../docs/types.md")
	if err != nil {
		t.Fatal(err)
	}
	table, _, _ := strings.Cut(string(page), "\n## ")
	lines, told := 0, map[string]bool{}
	for line := range strings.Lines(table) {
		cells := strings.Split(line, " | ")
		if !strings.HasPrefix(line, "| ") || len(cells) < 3 || cells[0] == "| source" {
			continue
		}
		lines++
		examples, ok := documentedTypes[strings.TrimPrefix(cells[0], "| ")]
		if !ok {
			t.Errorf("%s: which examples is it about?", line)
		}
		says := strings.NewReplacer("&lt;", "<", "&gt;", ">").Replace(cells[1])
		for _, native := range natives(examples) {
			told[native] = true
			want := says
			if says == "decimal(p, s)" {
				want = strings.ReplaceAll(native, ",", ", ")
			}
			if becomes[native] != want {
				t.Errorf("docs/types.md: %s becomes %s; the code makes %q of it", native, want, becomes[native])
			}
		}
	}
	if lines != len(documentedTypes) {
		t.Errorf("%d lines, want %d", lines, len(documentedTypes))
	}
	for native := range becomes {
		if !told[native] {
			t.Errorf("docs/types.md does not tell of %s", native)
		}
	}
}

// natives parts a list with blanks or, if names hold some, with bars.
func natives(list string) []string {
	if strings.Contains(list, "|") {
		return strings.Split(strings.TrimSuffix(list, "|"), "|")
	}
	return strings.Fields(list)
}
