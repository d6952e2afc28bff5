package mysql

import (
	"testing"

	"github.com/tablehaul/tablehaul/pkg/schema"
)

// TestRangeSQL reads ranges as they may have been written down, and others that
// somebody may have put in their place.
func TestRangeSQL(t *testing.T) {
	column := func(native string) schema.Column {
		typ, err := schema.ParseMySQL(native)
		if err != nil {
			t.Fatal(err)
		}
		return schema.Column{Name: "c`" + native, Native: native, Type: typ, Arrow: typ.Arrow()}
	}
	table := func(natives ...string) *schema.Table {
		var cols []schema.Column
		var key []int
		for i, n := range natives {
			cols, key = append(cols, column(n)), append(key, i)
		}
		return schema.New("d", "t", cols, key)
	}
	for _, c := range []struct {
		table      *schema.Table
		text, want string // want "-": refused
	}{
		{table("int"), "", ""},
		{table("int"), `{"after":["5"]}`, "`c``int` > 5"},
		{table("int"), `{"after":["-5"],"upto":["7"]}`, "`c``int` > -5 AND `c``int` <= 7"},
		{table("varchar(9)"), `{"upto":["C3A4"]}`, "`c``varchar(9)` <= _utf8mb4 x'C3A4'"},
		{table("datetime"), `{"upto":["2026-01-02 03:04:05"]}`, "`c``datetime` <= '2026-01-02 03:04:05'"},
		{table("decimal(5,2)"), `{"upto":["-1.50"]}`, "`c``decimal(5,2)` <= -1.50"},
		{table("int"), `{"after":["1 OR SLEEP(9)"]}`, "-"},
		{table("int"), `{"after":["1","2"]}`, "-"},
		{table("varchar(9)"), `{"after":["x' OR 1=1 -- "]}`, "-"},
		{table("varchar(9)"), `{"after":["ABC"]}`, "-"},
		{table("datetime"), `{"after":["2026' OR '1"]}`, "-"},
		{table("int"), `id > 5`, "-"},
		{table(), `{"after":["5"]}`, "-"},
	} {
		got, err := rangeSQL(c.table, c.text)
		if err != nil {
			got = "-"
		}
		if got != c.want {
			t.Errorf("%q: got %s (%v), want %s", c.text, got, err, c.want)
		}
	}
}
