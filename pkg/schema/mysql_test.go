package schema

import (
	"reflect"
	"strings"
	"testing"
)

func TestParseMySQL(t *testing.T) {
	for _, test := range []struct {
		native string
		want   Type
		arrow  string
	}{
		{"tinyint", Type{Kind: TinyInt}, "int32"},
		{"tinyint(1)", Type{Kind: TinyInt}, "int32"}, // no boolean: it may hold 2
		{"tinyint unsigned", Type{Kind: TinyInt, Unsigned: true}, "int32"},
		{"smallint(6)", Type{Kind: SmallInt}, "int32"},
		{"mediumint(8) unsigned zerofill", Type{Kind: MediumInt, Unsigned: true}, "int32"},
		{"int", Type{Kind: Int}, "int32"},
		{"integer", Type{Kind: Int}, "int32"},
		{"int(10) unsigned", Type{Kind: Int, Unsigned: true}, "int64"},
		{"bigint", Type{Kind: BigInt}, "int64"},
		{"bigint(20) unsigned", Type{Kind: BigInt, Unsigned: true}, "decimal(20, 0)"},
		{"BIGINT UNSIGNED", Type{Kind: BigInt, Unsigned: true}, "decimal(20, 0)"},
		{"float", Type{Kind: Float}, "float32"},
		{"float(7,3) unsigned", Type{Kind: Float, Unsigned: true}, "float32"},
		{"double", Type{Kind: Double}, "float64"},
		{"double(10,2) unsigned zerofill", Type{Kind: Double, Unsigned: true}, "float64"},
		{"decimal", Type{Kind: Decimal, Precision: 10}, "decimal(10, 0)"},
		{"decimal(5,2)", Type{Kind: Decimal, Precision: 5, Scale: 2}, "decimal(5, 2)"},
		{"decimal(10, 3) unsigned", Type{Kind: Decimal, Precision: 10, Scale: 3, Unsigned: true}, "decimal(10, 3)"},
		{"decimal(38,30)", Type{Kind: Decimal, Precision: 38, Scale: 30}, "decimal(38, 30)"},
		{"decimal(39,0)", Type{Kind: Decimal, Precision: 39}, "utf8"},
		{"decimal(65,30)", Type{Kind: Decimal, Precision: 65, Scale: 30}, "utf8"},
		{"bit", Type{Kind: Bit, Precision: 1}, "bool"},
		{"bit(1)", Type{Kind: Bit, Precision: 1}, "bool"},
		{"bit(63)", Type{Kind: Bit, Precision: 63}, "int64"},
		{"bit(64)", Type{Kind: Bit, Precision: 64}, "decimal(20, 0)"},
		{"year", Type{Kind: Year}, "int32"},
		{"year(4)", Type{Kind: Year}, "int32"},
		{"date", Type{Kind: Date}, "date32"},
		{"datetime", Type{Kind: DateTime}, "timestamp[us]"},
		{"datetime(6)", Type{Kind: DateTime, Precision: 6}, "timestamp[us]"},
		{"timestamp(3)", Type{Kind: Timestamp, Precision: 3}, "timestamp[us, tz=UTC]"},
		{"time", Type{Kind: Time}, "int64"},
		{"time(6) /* mariadb-5.3 */", Type{Kind: Time, Precision: 6}, "int64"},
		{"char(36)", Type{Kind: String}, "utf8"},
		{"varchar(100) /*M!100301 COMPRESSED*/", Type{Kind: String}, "utf8"},
		{"longtext", Type{Kind: String}, "utf8"},
		{"inet6", Type{Kind: String}, "utf8"},
		{"binary(16)", Type{Kind: Binary}, "binary"},
		{"mediumblob", Type{Kind: Binary}, "binary"},
		{"json", Type{Kind: JSON}, "utf8"},
		{"point", Type{Kind: Geometry}, "binary"},
		{"geomcollection", Type{Kind: Geometry}, "binary"},
		{"vector(2048)", Type{Kind: Vector, Precision: 2048}, "list<item: float32>"},
		{"enum('a','b')", Type{Kind: Enum, Labels: []string{"a", "b"}}, "utf8"},
		{"enum('')", Type{Kind: Enum, Labels: []string{""}}, "utf8"},
		{"set('x','y z')", Type{Kind: Set, Labels: []string{"x", "y z"}}, "utf8"},
		{"enum('a,b',',','''','it''s')", Type{Kind: Enum, Labels: []string{"a,b", ",", "'", "it's"}}, "utf8"},
		{"enum('(x)',')','','d\"q','ü 漢')", Type{Kind: Enum, Labels: []string{"(x)", ")", "", `d"q`, "ü 漢"}}, "utf8"},
		{"enum('unsigned','Aa')", Type{Kind: Enum, Labels: []string{"unsigned", "Aa"}}, "utf8"},
	} {
		got, err := ParseMySQL(test.native)
		if err != nil || !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: got %+v, %v, want %+v", test.native, got, err, test.want)
			continue
		}
		// Compared by text, which holds all that matters of these types.
		if got := strings.ReplaceAll(got.Arrow().String(), ", nullable", ""); got != test.arrow {
			t.Errorf("%s: got Arrow type %s, want %s", test.native, got, test.arrow)
		}
	}
}

func TestParseMySQLUnknown(t *testing.T) {
	for _, native := range []string{"", " ", "(", "integers", "money(3)", "'int'"} {
		if got, err := ParseMySQL(native); err == nil || !strings.Contains(err.Error(), native) {
			t.Errorf("%q: got %+v, %v, want an error that names it", native, got, err)
		}
	}
}

// The servers print labels as a literal of theirs, as seen on MySQL 9.7 and
// MariaDB 10.11: besides quotes they escape these four.
func TestParseMySQLEscapes(t *testing.T) {
	got, err := ParseMySQL(`enum('a\\b','nl\nx','cr\rx','z\0z','\\')`)
	want := []string{`a\b`, "nl\nx", "cr\rx", "z\x00z", `\`}
	if err != nil || !reflect.DeepEqual(got.Labels, want) {
		t.Errorf("got %q, %v, want %q", got.Labels, err, want)
	}
}

func TestHasZero(t *testing.T) {
	for native, want := range map[string]bool{
		"date": true, "datetime(3)": true, "timestamp": true, "time": false, "year": false, "int": false, "varchar(10)": false,
	} {
		typ, err := ParseMySQL(native)
		if got := typ.HasZero(); err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", native, got, err, want)
		}
	}
}

// FuzzParseMySQL feeds what no server prints: it may be refused, not more.
func FuzzParseMySQL(f *testing.F) {
	for _, s := range []string{
		"int(10) unsigned", "decimal(65,30)", "enum('a','b''c')", "set(", "enum('", "enum(')",
		"bit()", "vector(3) x", "decimal(,)", "time(-1)",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, native string) {
		typ, err := ParseMySQL(native)
		if err != nil {
			return
		}
		if typ.Arrow() == nil {
			t.Errorf("%q: got no Arrow type for %+v", native, typ)
		}
		if typ.Labels != nil && typ.Kind != Enum && typ.Kind != Set {
			t.Errorf("%q: got labels %q for kind %d", native, typ.Labels, typ.Kind)
		}
	})
}

// FuzzLabels quotes labels as the servers do and wants them back.
func FuzzLabels(f *testing.F) {
	f.Add("a", "b")
	f.Add("it's", "')")
	f.Add("", ",'")
	quote := strings.NewReplacer("'", "''", `\`, `\\`, "\n", `\n`, "\r", `\r`, "\x00", `\0`)
	f.Fuzz(func(t *testing.T, a, b string) {
		native := "enum('" + quote.Replace(a) + "','" + quote.Replace(b) + "')"
		got, err := ParseMySQL(native)
		if want := []string{a, b}; err != nil || !reflect.DeepEqual(got.Labels, want) {
			t.Errorf("%q: got %q, %v, want %q", native, got.Labels, err, want)
		}
	})
}

// TestExamples wants one of every type that is known.
func TestExamples(t *testing.T) {
	shown := map[string]bool{}
	for _, native := range Examples() {
		name, _, _ := splitType(native)
		shown[name] = true
		if _, err := ParseMySQL(native); err != nil {
			t.Error(err)
		}
	}
	for name := range kinds {
		if !shown[name] {
			t.Errorf("no example of %s", name)
		}
	}
}
