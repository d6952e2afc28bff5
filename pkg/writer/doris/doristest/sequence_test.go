package doristest

import (
	"fmt"
	"strings"
	"testing"
)

// Rows of a lower number than the one that is there do not take its place, deletes neither.
func TestSequence(t *testing.T) {
	csv := []string{"column_separator", ",", "columns", "id,v,number,__DORIS_DELETE_SIGN__"}
	json := []string{"format", "json", "read_json_by_line", "true", "hidden_columns", "__DORIS_DELETE_SIGN__"}
	forms := map[string]struct {
		headers []string
		row     string // of an id, a value, a number, a sign
	}{
		"csv":  {csv, "%d,%s,%d,%d\n"},
		"json": {json, "{\"id\":%d,\"v\":%q,\"number\":%d,\"__DORIS_DELETE_SIGN__\":%d}\n"},
	}
	for name, f := range forms {
		t.Run(name, func(t *testing.T) {
			c := start(t, Options{})
			c.ask(t, "CREATE DATABASE shop; CREATE TABLE shop.s (id BIGINT, v VARCHAR(9), number BIGINT) UNIQUE KEY(id) DISTRIBUTED BY HASH(id) BUCKETS AUTO "+
				"PROPERTIES('function_column.sequence_col' = 'number')", "")
			loads := 0
			load := func(rows ...any) {
				t.Helper()
				body := ""
				for i := 0; i < len(rows); i += 4 {
					body += fmt.Sprintf(f.row, rows[i:i+4]...)
				}
				loads++
				got := c.put(t, "/api/shop/s/_stream_load", body, append([]string{"label", fmt.Sprint("l", loads), "strict_mode", "true"}, f.headers...)...)
				if got["Status"] != "Success" {
					t.Fatal(got)
				}
			}
			see := func(want string) {
				t.Helper()
				if got := c.exec(t, "SELECT * FROM shop.s ORDER BY id"); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			}
			load(1, "a", 10, 0, 2, "a", 9, 0, 2, "b", 11, 0, 2, "c", 10, 0)
			see("1|a|10 / 2|b|11")
			load(1, "old", 9, 0, 2, "new", 100, 0)
			see("1|a|10 / 2|new|100")
			load(1, "same", 10, 0, 2, "x", 99, 1)
			see("1|same|10 / 2|new|100")
			load(1, "", 11, 1)
			see("2|new|100")
			load(1, "late", 10, 0)
			see("2|new|100")
			load(1, "again", 12, 0)
			see("1|again|12 / 2|new|100")
		})
	}
}

func TestSequenceRefused(t *testing.T) {
	c := start(t, Options{})
	create := func(table, keys, properties string) string {
		return "CREATE TABLE shop." + table + " (id INT, v VARCHAR(9), n LARGEINT) " + keys + " DISTRIBUTED BY HASH(id) PROPERTIES(" + properties + ")"
	}
	c.ask(t, "CREATE DATABASE shop", "",
		create("a", "UNIQUE KEY(id)", "'function_column.sequence_col' = 'none'"), "The specified sequence column[none] not exists",
		create("a", "UNIQUE KEY(id)", "'function_column.sequence_col' = 'v'"), "Sequence type only support integer types and date types",
		create("a", "UNIQUE KEY(id)", "'function_column.sequence_type' = 'varchar'"), "Sequence type only support integer types and date types",
		create("a", "DUPLICATE KEY(id)", "'function_column.sequence_col' = 'n'"), "sequence column only support UNIQUE_KEYS",
		create("a", "UNIQUE KEY(id)", "'function_column.sequence_col' = 'n', 'function_column.sequence_type' = 'int'"), "cannot be set at the same time",
		create("a", "UNIQUE KEY(id)", "'function_column.sequence_col' = 'N'"), "",
		create("b", "UNIQUE KEY(id)", "'function_column.sequence_type' = 'bigint'"), "",
		create("c", "UNIQUE KEY(id)", "'light_schema_change' = 'true'"), "",
		"ALTER TABLE shop.a DROP COLUMN n", "Can not drop sequence mapping column[n]",
		"INSERT INTO shop.a (id, v) VALUES (1, 'a')", "Table a has sequence column, need to specify the sequence column",
		"INSERT INTO shop.a VALUES (1, 'a', 99999999999999999999)", "",
		"INSERT INTO shop.a VALUES (1, 'b', 100000000000000000000); INSERT INTO shop.a VALUES (1, 'c', NULL); SELECT v FROM shop.a", "b",
	)
	for i, s := range []struct{ table, header, value, want string }{
		{"a", "columns", "id,v", "Table a has sequence column"},
		{"b", "format", "csv", "Table b has sequence column"},
		{"c", "function_column.sequence_col", "n", "There is no sequence column in the table c"},
	} {
		got := c.put(t, "/api/shop/"+s.table+"/_stream_load", "1\ta\n", "label", fmt.Sprint(i), s.header, s.value)
		if got["Status"] != "Fail" || !strings.Contains(fmt.Sprint(got["Message"]), s.want) {
			t.Errorf("%v", got)
		}
	}
	// A sign that no header names is none.
	c.put(t, "/api/shop/c/_stream_load", `{"id":1,"v":"a","__DORIS_DELETE_SIGN__":1}`, "label", "sign", "format", "json", "read_json_by_line", "true")
	c.ask(t, "SELECT id, v FROM shop.c", "1|a")
}
