package reader

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// TestPatternIndex compares what is found with what trying each pattern finds, with names and
// patterns of few letters, so that they meet in all ways.
func TestPatternIndex(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	word := func(letters string) string {
		b := make([]byte, 1+r.IntN(5))
		for i := range b {
			b[i] = letters[r.IntN(len(letters))]
		}
		return string(b)
	}
	hits := 0
	for range 20000 {
		var x PatternIndex
		for range r.IntN(8) {
			x.Add(word("ab.*?"))
		}
		db, table, only := word("ab."), word("ab."), ""
		if r.IntN(2) == 0 {
			only = word("ab")
		}
		var want []int
		for i, p := range x.patterns {
			if p.match(db, table, only) {
				want = append(want, i)
			}
		}
		if got := x.Find(db, table, only); !slices.Equal(got, want) {
			t.Fatalf("%q of %q, %q with %q: got %v, want %v", x.patterns, db, table, only, got, want)
		}
		hits += len(want)
	}
	if hits < 5000 {
		t.Errorf("only %d patterns have matched: the test tests nothing", hits)
	}
}

// BenchmarkMatcher has a pattern for each of 5,000 tables, as a job's file may.
func BenchmarkMatcher(b *testing.B) {
	sel := Selection{}
	for i := range 5000 {
		sel.Include = append(sel.Include, fmt.Sprintf("shop_%d.orders_%d", i%8, i), fmt.Sprintf("shop_%d.user_%d_*", i%8, i))
	}
	for b.Loop() {
		m, err := sel.Matcher()
		if err != nil {
			b.Fatal(err)
		}
		for i := range 5000 {
			if !m.Match(fmt.Sprintf("shop_%d", i%8), fmt.Sprintf("orders_%d", i)) {
				b.Fatal(i)
			}
		}
	}
}
