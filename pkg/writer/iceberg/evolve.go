package iceberg

import (
	"fmt"
	"slices"
	"strings"

	"github.com/apache/iceberg-go"
)

// evolved returns the schema that a table must have to take rows shaped as want
// in beside those that it holds, by the steps that the format allows: columns are
// added at the end and need no value, types get wider, what is required no longer
// has to be. Columns that want lacks stay, without a value. What is in the way of
// it comes back as diff, column by column. last is the highest column id that the
// table has ever given out.
func evolved(have, want *iceberg.Schema, last int) (sc *iceberg.Schema, diff string) {
	var blocked []string
	last = max(last, have.HighestFieldID())
	to := partners(have, want)
	fields := slices.Clone(have.Fields())
	for i := range fields {
		f := &fields[i]
		w, ok := to[f.ID]
		if !ok {
			f.Required = false
			continue
		}
		typ, ok := wider(f.Type, w.Type)
		if !ok {
			blocked = append(blocked, fmt.Sprintf("%s: %s in the table, %s in the source", w.Name, describe(*f), describe(w)))
			continue
		}
		f.Name, f.Type, f.Required, f.Doc = w.Name, typ, f.Required && w.Required, docOf(*f, w)
		delete(to, f.ID)
	}
	known := byName(fields)
	for _, w := range want.Fields() {
		if _, ok := known[w.Name]; !ok {
			w.ID, w.Type, last = freshIDs(w.Type, last)
			w.Required = false // the rows that are there have no value
			fields = append(fields, w)
		}
	}
	return withKey(fields, want), strings.Join(blocked, "; ")
}

// exchanged returns the schema of a table whose content is exchanged for rows
// shaped as want. A column keeps its id where values of the old type are values of
// the new one, so that those who have noted the id still find it.
func exchanged(have, want *iceberg.Schema, last int) *iceberg.Schema {
	last = max(last, have.HighestFieldID())
	from := make(map[string]iceberg.NestedField)
	for id, w := range partners(have, want) {
		from[w.Name], _ = have.FindFieldByID(id)
	}
	fields := slices.Clone(want.Fields())
	for i := range fields {
		f := &fields[i]
		h, ok := from[f.Name]
		typ, fits := wider(h.Type, f.Type)
		// A default is a value of the type that it was given for.
		if fits && (h.InitialDefault != nil || h.WriteDefault != nil) {
			fits = h.Type.Equals(typ)
		}
		if !ok || !fits {
			f.ID, f.Type, last = freshIDs(f.Type, last)
			continue
		}
		f.ID, f.Type, f.Doc = h.ID, typ, docOf(h, *f)
		f.InitialDefault, f.WriteDefault = h.InitialDefault, h.WriteDefault
	}
	return withKey(fields, want)
}

// partners pairs the columns of two schemas: it returns those of want by the ids of
// their likes in have. A name that differs in case alone is the same one to the
// source and to most readers, unless both spellings are there.
func partners(have, want *iceberg.Schema) map[int]iceberg.NestedField {
	pairs := make(map[int]iceberg.NestedField)
	var left []iceberg.NestedField
	names := byName(have.Fields())
	for _, w := range want.Fields() {
		if h, ok := names[w.Name]; ok {
			pairs[h.ID] = w
		} else {
			left = append(left, w)
		}
	}
	for _, w := range left {
		for _, h := range have.Fields() {
			if _, taken := pairs[h.ID]; !taken && strings.EqualFold(h.Name, w.Name) {
				pairs[h.ID] = w
				break
			}
		}
	}
	return pairs
}

// byName returns fields by their names.
func byName(fields []iceberg.NestedField) map[string]iceberg.NestedField {
	m := make(map[string]iceberg.NestedField, len(fields))
	for _, f := range fields {
		m[f.Name] = f
	}
	return m
}

// wider returns the type of a column that was of type from and is to take values of
// type to as well, with the ids that from has in it. The format lets few types do so.
func wider(from, to iceberg.Type) (iceberg.Type, bool) {
	if from == nil {
		return nil, false
	}
	if l, ok := from.(*iceberg.ListType); ok {
		t, ok := to.(*iceberg.ListType)
		if !ok || !sameType(l.Element, t.Element) {
			return nil, false
		}
		return &iceberg.ListType{ElementID: l.ElementID, Element: l.Element, ElementRequired: l.ElementRequired && t.ElementRequired}, true
	}
	if sameType(from, to) {
		return from, true
	}
	ok := false
	switch f := from.(type) {
	case iceberg.Int32Type:
		_, ok = to.(iceberg.Int64Type)
	case iceberg.Float32Type:
		_, ok = to.(iceberg.Float64Type)
	case iceberg.DecimalType:
		t, decimal := to.(iceberg.DecimalType)
		ok = decimal && f.Scale() == t.Scale() && f.Precision() < t.Precision()
	}
	return to, ok
}

// freshIDs numbers a new column of a type.
func freshIDs(t iceberg.Type, last int) (id int, typ iceberg.Type, newLast int) {
	id, last = last+1, last+1
	if l, ok := t.(*iceberg.ListType); ok {
		last++
		t = &iceberg.ListType{ElementID: last, Element: l.Element, ElementRequired: l.ElementRequired}
	}
	return id, t, last
}

// docOf is a column's comment: the source's, if it has one.
func docOf(have, want iceberg.NestedField) string {
	if want.Doc != "" {
		return want.Doc
	}
	return have.Doc
}

// withKey makes a schema whose identifier fields are the key of want, if all of its
// columns are required.
func withKey(fields []iceberg.NestedField, want *iceberg.Schema) *iceberg.Schema {
	var ids []int
	all := byName(fields)
	for _, id := range want.IdentifierFieldIDs {
		w, _ := want.FindFieldByID(id)
		f, ok := all[w.Name]
		if !ok || !f.Required {
			ids = nil
			break
		}
		ids = append(ids, f.ID)
	}
	return iceberg.NewSchemaWithIdentifiers(0, ids, fields...)
}

// sameSchema reports whether two schemas are the same but for their own ids.
func sameSchema(a, b *iceberg.Schema) bool {
	x, y := slices.Sorted(slices.Values(a.IdentifierFieldIDs)), slices.Sorted(slices.Values(b.IdentifierFieldIDs))
	return slices.Equal(x, y) &&
		slices.EqualFunc(a.Fields(), b.Fields(), func(f, g iceberg.NestedField) bool { return f.Equals(g) })
}
