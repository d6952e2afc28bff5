package kafka

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

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
