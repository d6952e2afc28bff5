package kept

import (
	"fmt"
	"slices"
	"strings"
)

// Types are what a sink knows of its types.
type Types struct {
	// Same reports whether rows of the one type, the source's, can go where the other is, as
	// they are; nil means that the types have the same name.
	Same func(have, want string) bool
	// Widens reports whether a type can be exchanged for another that has the same values and
	// more, with the rows that are there as they are. Each type widens itself.
	Widens func(from, to string) bool
}

func (t Types) same(have, want string) bool {
	if t.Same == nil {
		return have == want
	}
	return t.Same(have, want)
}

// Diff tells what keeps rows with the columns want from being added to a table with the
// columns have; "" if nothing does. Columns to spare, which the rows have no value for and
// need none, are a difference too unless they are allowed.
func (t Types) Diff(have, want []Column, spare bool) string {
	var diff []string
	for _, w := range want {
		h := Find(have, w.Name)
		switch {
		case h == nil:
			diff = append(diff, fmt.Sprintf("%s: not at the sink, %s at the source", w.Name, w))
		case !t.same(h.Type, w.Type), !h.Nullable && w.Nullable:
			diff = append(diff, fmt.Sprintf("%s: %s at the sink, %s at the source", w.Name, h, w))
		}
	}
	for _, h := range have {
		if Find(want, h.Name) == nil && (!h.Nullable || !spare) {
			diff = append(diff, fmt.Sprintf("%s: %s at the sink, not at the source", h.Name, h))
		}
	}
	return strings.Join(diff, "; ")
}

// Grown returns the columns that a table gets so that rows with the columns want can be added
// to those with the columns have: new ones come last, since text has them by their place,
// and those that the rows lack may be null from now on. If narrower is set, those of the
// rows may be narrower than what is there.
func (t Types) Grown(have, want []Column, narrower bool) ([]Column, error) {
	out := slices.Clone(have)
	for i, h := range have {
		w := Find(want, h.Name)
		switch {
		case w == nil:
			out[i].Nullable = true
			continue
		case t.Widens(h.Type, w.Type):
			out[i].Type = w.Type
		case narrower && t.Widens(w.Type, h.Type):
		default:
			return nil, fmt.Errorf("column %s holds %s and cannot hold %s", h.Name, h.Type, w.Type)
		}
		out[i].Nullable = h.Nullable || w.Nullable
	}
	for _, w := range want {
		if Find(have, w.Name) == nil {
			w.Nullable = true // in the rows that are there
			out = append(out, w)
		}
	}
	return out, nil
}
