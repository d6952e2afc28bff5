package kafka

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/reader"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// TestCrossed has two tables emptied by two writers at the same time, whose messages are in
// another order in each partition. One by itself is no trouble: nothing waits for a table
// that is not wanted.
func TestCrossed(t *testing.T) {
	p := newPlace(t, 2)
	p.send(0, true, change("a", "INSERT", "id=1"), change("a", "TRUNCATE"), change("b", "TRUNCATE"), change("a", "INSERT", "id=2"))
	p.send(1, true, change("b", "TRUNCATE"), change("a", "TRUNCATE"), change("a", "INSERT", "id=3"))
	_, _, err := p.read(p.take(p.feed(Options{UntilEnd: true})), nil)
	if err == nil || !strings.Contains(err.Error(), "d.a and d.b were emptied at the same time") {
		t.Errorf("got %v", err)
	}
	r, err := p.take(p.feed(Options{UntilEnd: true})).Changes(t.Context(), reader.FeedSink{Want: func(t *schema.Table) (*schema.Table, error) {
		if t.Name != "a" {
			return nil, nil //nolint:nilnil // what FeedSink says
		}
		return t, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var told []string
	for {
		b, err := r.Read(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch {
		case b.Emptied:
			told = append(told, "emptied")
		case b.Rows != nil:
			told = append(told, slices.Repeat([]string{"row"}, int(b.Rows.NumRows()))...)
		}
		b.Release()
	}
	if want := []string{"row", "emptied", "row", "row"}; !slices.Equal(told, want) {
		t.Errorf("a alone: got %q, want %q", told, want)
	}
}

// TestEndBeforeBarrier has the ends listed while a TRUNCATE is on its way to the partitions: the
// one that was to end before it goes on to it.
func TestEndBeforeBarrier(t *testing.T) {
	p := newPlace(t, 2)
	p.send(0, true, change("a", "INSERT", "id=1"), change("a", "TRUNCATE"), change("a", "INSERT", "id=2"))
	p.send(1, true, change("a", "INSERT", "id=9"))
	s := p.take(p.feed(Options{UntilEnd: true}))
	p.send(1, true, change("a", "TRUNCATE"), change("a", "INSERT", "id=3"), change("a", "INSERT", "id=4"))
	first, last, err := p.read(s, nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	held := map[string]reader.Held{"d.a": {Position: last, Shape: batchtest.Shape("d", "a", "id int key").Shape()}}
	second, _, err := p.read(p.take(p.feed(Options{UntilEnd: true})), held)
	if err != nil {
		t.Fatal(err)
	}
	told := append(first, second...)
	at := slices.Index(told, "a emptied")
	for _, row := range []string{"a insert 2", "a insert 3", "a insert 4"} {
		if i := slices.Index(told, row); i < at {
			t.Errorf("%s is not behind where the table was emptied: %q, %q", row, first, second)
		}
	}
	if n := len(told) - len(slices.DeleteFunc(slices.Clone(told), func(s string) bool { return s == "a emptied" })); n != 1 {
		t.Errorf("emptied %d times: %q, %q", n, first, second)
	}
}

// TestMuchBehindBarrier has more come behind a TRUNCATE than is kept while others are waited for.
func TestMuchBehindBarrier(t *testing.T) {
	p := newPlace(t, 2)
	pad := strings.Repeat("x", 100_000)
	var many []string
	for i := range 30 {
		many = append(many, change("a", "INSERT", fmt.Sprint("id=", i), "c="+pad))
	}
	p.send(0, true, append([]string{change("a", "TRUNCATE")}, many...)...)
	p.send(1, true, append(slices.Repeat([]string{change("b", "INSERT", "id=1")}, 3), change("a", "TRUNCATE"), change("a", "INSERT", "id=77"))...)
	told, _, err := p.read(p.take(p.feed(Options{UntilEnd: true, Memory: 4 << 20})), nil)
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]int{}
	for _, what := range told {
		if strings.HasPrefix(what, "a insert") {
			rows[strings.Fields(what)[2]]++
		}
	}
	for id, n := range rows {
		if n != 1 {
			t.Errorf("row %s came %d times", id, n)
		}
	}
	if len(rows) != 31 {
		t.Errorf("%d rows came, want 31", len(rows))
	}
}

// TestRetyped has a column take another type: behind a TRUNCATE that is another table, and else an
// error that names both.
func TestRetyped(t *testing.T) {
	p := newPlace(t, 1)
	row := change("a", "INSERT", "id=1")
	text := strings.Replace(change("a", "INSERT", "id=x"), `"id":"int"`, `"id":"varchar(9)"`, 1)
	p.send(0, true, row, change("a", "TRUNCATE"), text)
	told, _, err := p.read(p.take(p.feed(Options{UntilEnd: true})), nil)
	if want := "a insert x"; err != nil || !slices.Contains(told, want) {
		t.Errorf("got %q, %v, want %s among it", told, err, want)
	}
	p.send(0, true, row)
	if _, _, err := p.read(p.take(p.feed(Options{UntilEnd: true})), nil); err == nil || !strings.Contains(err.Error(), "no type takes both") {
		t.Errorf("got %v", err)
	}
}
