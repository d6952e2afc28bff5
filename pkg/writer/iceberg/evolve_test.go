package iceberg

import (
	"strings"
	"testing"

	"github.com/apache/iceberg-go"
)

// schemaOf reads a schema from "1 name type[!] [doc]" and names of the key.
func schemaOf(key string, fields ...string) *iceberg.Schema {
	types := map[string]iceberg.Type{
		"int": iceberg.PrimitiveTypes.Int32, "long": iceberg.PrimitiveTypes.Int64, "string": iceberg.PrimitiveTypes.String,
		"float": iceberg.PrimitiveTypes.Float32, "double": iceberg.PrimitiveTypes.Float64, "date": iceberg.PrimitiveTypes.Date,
		"d5,2": iceberg.DecimalTypeOf(5, 2), "d9,2": iceberg.DecimalTypeOf(9, 2), "d9,3": iceberg.DecimalTypeOf(9, 3),
		"list": &iceberg.ListType{ElementID: 90, Element: iceberg.PrimitiveTypes.Float32, ElementRequired: true},
	}
	var out []iceberg.NestedField
	var ids []int
	for i, s := range fields {
		w := append(strings.SplitN(s, " ", 3), "")
		typ, required := strings.CutSuffix(w[1], "!")
		f := iceberg.NestedField{ID: i + 1, Name: w[0], Type: types[typ], Required: required, Doc: w[2]}
		if l, ok := f.Type.(*iceberg.ListType); ok {
			f.Type = &iceberg.ListType{ElementID: len(fields) + 1, Element: l.Element, ElementRequired: true}
		}
		for _, k := range strings.Fields(key) {
			if k == f.Name {
				ids = append(ids, f.ID)
			}
		}
		out = append(out, f)
	}
	return iceberg.NewSchemaWithIdentifiers(0, ids, out...)
}

func describeSchema(s *iceberg.Schema) string {
	var b strings.Builder
	for _, f := range s.Fields() {
		b.WriteString(strings.TrimSpace(f.String()) + "\n")
	}
	for _, id := range s.IdentifierFieldIDs {
		f, _ := s.FindFieldByID(id)
		b.WriteString("key " + f.Name + "\n")
	}
	return strings.TrimSpace(b.String())
}

func TestEvolved(t *testing.T) {
	for _, c := range []struct {
		name       string
		have, want *iceberg.Schema
		last       int
		sc, diff   string
	}{
		{
			"the same", schemaOf("a", "a int!", "b list"), schemaOf("a", "a int!", "b list"), 3,
			"1: a: required int\n2: b: optional list<float>\nkey a", "",
		},
		{
			"in another order", schemaOf("a", "a int!", "b string"), schemaOf("a", "b string", "a int!"), 2,
			"1: a: required int\n2: b: optional string\nkey a", "",
		},
		{
			"wider, new and gone", schemaOf("a", "a int!", "b float!", "c d5,2", "gone string!"),
			schemaOf("a", "new date!", "c d9,2", "b double", "a long!", "l list"), 7,
			"1: a: required long\n2: b: optional double\n3: c: optional decimal(9, 2)\n4: gone: optional string\n8: new: optional date\n9: l: optional list<float>\nkey a", "",
		},
		{
			"ids that the table's own record has lost", schemaOf("", "a int", "b int"), schemaOf("", "a int", "c int"), 0,
			"1: a: optional int\n2: b: optional int\n3: c: optional int", "",
		},
		{
			"a key that is gone", schemaOf("a", "a int!", "b int!"), schemaOf("b", "b int!"), 2,
			"1: a: optional int\n2: b: required int\nkey b", "",
		},
		{
			"a key that rows lack", schemaOf("a", "a int!"), schemaOf("a b", "a int!", "b int!"), 1,
			"1: a: required int\n2: b: optional int", "",
		},
		{
			"comments", schemaOf("", "a int old", "b int kept"), schemaOf("", "a int new", "b int", "c int his"), 2,
			"1: a: optional int (new)\n2: b: optional int (kept)\n3: c: optional int (his)", "",
		},
		{
			"names that differ in case", schemaOf("", "Note string", "B int"), schemaOf("", "note string", "b int", "B int"), 2,
			"1: note: optional string\n2: B: optional int\n3: b: optional int", "",
		},
		{
			"what cannot be", schemaOf("", "a long!", "b string", "c d9,2", "d d5,2", "e list", "f double", "g int"),
			schemaOf("", "a int!", "b int", "c d5,2", "d d9,3", "e float", "f float", "g long"), 8,
			"", "a: long required in the table, int required in the source; b: string in the table, int in the source; " +
				"c: decimal(9, 2) in the table, decimal(5, 2) in the source; d: decimal(5, 2) in the table, decimal(9, 3) in the source; " +
				"e: list<float> in the table, float in the source; f: double in the table, float in the source",
		},
	} {
		sc, diff := evolved(c.have, c.want, c.last)
		if got := describeSchema(sc); diff != c.diff || c.diff == "" && got != c.sc {
			t.Errorf("%s: got\n%s\n%q, want\n%s\n%q", c.name, got, diff, c.sc, c.diff)
		}
	}
}

func TestExchanged(t *testing.T) {
	for _, c := range []struct {
		name       string
		have, want *iceberg.Schema
		last       int
		sc         string
	}{
		{
			"the same", schemaOf("a", "a int!", "b list"), schemaOf("a", "a int!", "b list"), 3,
			"1: a: required int\n2: b: optional list<float>\nkey a",
		},
		{
			"others", schemaOf("a", "a int!", "b string comment", "c d9,2", "gone date"),
			schemaOf("b", "new int", "b string!", "a long", "c d5,2", "l list"), 9,
			"10: new: optional int\n2: b: required string (comment)\n1: a: optional long\n11: c: optional decimal(5, 2)\n12: l: optional list<float>\nkey b",
		},
		{
			"narrower", schemaOf("", "a long", "B double"), schemaOf("", "a int", "b float"), 2,
			"3: a: optional int\n4: b: optional float",
		},
		{
			"names that differ in case", schemaOf("", "Note string"), schemaOf("", "note string"), 1,
			"1: note: optional string",
		},
	} {
		if got := describeSchema(exchanged(c.have, c.want, c.last)); got != c.sc {
			t.Errorf("%s: got\n%s\nwant\n%s", c.name, got, c.sc)
		}
	}
	// The default of a column is for values of its type.
	have := iceberg.NewSchema(0, iceberg.NestedField{ID: 1, Name: "a", Type: iceberg.PrimitiveTypes.Int32, WriteDefault: int32(3)})
	for want, id := range map[string]int{"a int": 1, "a long": 2} {
		if f := exchanged(have, schemaOf("", want), 1).Fields()[0]; f.ID != id || (f.WriteDefault != nil) != (id == 1) {
			t.Errorf("%s: got id %d, default %v", want, f.ID, f.WriteDefault)
		}
	}
}
