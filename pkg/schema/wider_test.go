package schema

import "testing"

// TestTakes tells which types hold what another one does, as it is.
func TestTakes(t *testing.T) {
	for _, test := range []struct {
		from, to string
		takes    bool
	}{
		{"int", "bigint", true},
		{"bigint", "int", false},
		{"int", "int unsigned", false},
		{"tinyint unsigned", "smallint", true},
		{"varchar(10)", "varchar(20)", true},
		{"varchar(20)", "varchar(10)", false},
		{"varchar(20)", "text", true},
		{"varchar(20)", "tinytext", false},
		{"text", "longtext", true},
		{"longtext", "text", false},
		{"char(5)", "text", false},
		{"varbinary(9)", "blob", true},
		{"blob", "text", false},
		{"decimal(8,2)", "decimal(12,2)", true},
		{"decimal(8,2)", "decimal(12,3)", false},
		{"float", "double", true},
		{"enum('a')", "enum('a','b')", true},
		{"enum('a','b')", "enum('b','a')", false},
		{"datetime", "datetime(3)", true},
		{"datetime(3)", "datetime", false},
	} {
		column := func(native string) Column {
			typ, err := ParseMySQL(native)
			if err != nil {
				t.Fatal(err)
			}
			return Column{Name: "c", Native: native, Type: typ, Arrow: typ.Arrow()}
		}
		if got := Takes(column(test.to), column(test.from)); got != test.takes {
			t.Errorf("%s takes %s: %v", test.to, test.from, got)
		}
	}
}
