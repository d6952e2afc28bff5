package progress

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// at is a run of four tables some seconds after its start: a fake clock.
func at(seconds float64, tables ...TableView) View {
	start := time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)
	d := time.Duration(seconds * float64(time.Second))
	return View{Now: start.Add(d), Elapsed: d, Phase: "pinning one point", Tables: tables}
}

func table(name string, state State, rows, estimate int64, took float64) TableView {
	return TableView{
		Name: name, State: state, Rows: rows, Estimate: estimate,
		Bytes: rows * 100, Took: time.Duration(took * float64(time.Second)),
	}
}

func terminal(columns, lines int) Terminal {
	return Terminal{Size: func() (int, int) { return columns, lines }, Unicode: true}
}

func diff(t *testing.T, got, want string) {
	t.Helper()
	if want = strings.TrimPrefix(want, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestBar(t *testing.T) {
	s := &screen{columns: 80}
	b := NewBar(s, terminal(80, 24))

	b.Show(at(0.2))
	diff(t, s.String(), "⠹ pinning one point\n")

	b.Show(at(1,
		table("shop.orders", Working, 0, 200_000, 0), table("shop.items", Waiting, 0, 600_000, 0)))
	b.Show(at(3,
		table("shop.orders", Working, 100_000, 200_000, 2), table("shop.items", Waiting, 0, 600_000, 0)))
	diff(t, s.String(), `
  12% |██░░░░░░░░░░░░░░░░░░░░| 100,000 rows  9.5 MiB  50,000 rows/s  0:14 left
  shop.orders  50%     100,000 rows     9.5 MiB   0:02
  1 waiting
`)

	b.Note("tablehaul: a line for the operator")
	diff(t, s.String(), `
tablehaul: a line for the operator
  12% |██░░░░░░░░░░░░░░░░░░░░| 100,000 rows  9.5 MiB  50,000 rows/s  0:14 left
  shop.orders  50%     100,000 rows     9.5 MiB   0:02
  1 waiting
`)

	b.Show(at(9,
		table("shop.orders", Whole, 200_000, 200_000, 4), table("shop.items", Working, 590_000, 600_000, 5)))
	b.Close(at(10,
		table("shop.orders", Whole, 200_000, 200_000, 4), table("shop.items", Whole, 600_000, 600_000, 6)))
	diff(t, s.String(), `
tablehaul: a line for the operator
 100% |█████████████████████| 800,000 rows  76.3 MiB  80,000 rows/s  10.0 s
`)
}

func TestBarManyTables(t *testing.T) {
	var tables []TableView
	for i := range 9 {
		tables = append(tables, table(fmt.Sprintf("db.t%d", i), Working, int64(i*1000), 10_000, 1))
	}
	for range 1200 {
		tables = append(tables, table("db.later", Waiting, 0, 10, 0))
	}
	tables = append(tables, table("db.old", Skipped, 0, 0, 0), table("db.bad", Failed, 0, 0, 0))
	s := &screen{columns: 90}
	NewBar(s, terminal(90, 24)).Show(at(2, tables...))
	got := strings.Split(s.String(), "\n")
	if n := len(got) - 1; n != 1+maxAtWork+1 {
		t.Errorf("%d lines, want %d:\n%s", n, 1+maxAtWork+1, s)
	}
	diff(t, got[7]+"\n", "  3 more at work, 1,200 waiting, 1 skipped, 1 failed\n")
}

// TestBarFits draws on windows of every size and looks that no line wraps, and
// that the frame is replaced whole.
func TestBarFits(t *testing.T) {
	views := []View{
		at(1, table("shop.orders_of_the_last_year", Working, 1, 0, 0), table("shop.日本語のとても長いテーブル名です", Working, 1, 500, 1)),
		at(2, table("shop.orders_of_the_last_year", Working, 123_456_789, 200_000_000, 3600), table("shop.日本語のとても長いテーブル名です", Working, 100, 500, 1)),
		at(30, table("shop.orders_of_the_last_year", Whole, 123_456_789, 200_000_000, 3600), table("shop.日本語のとても長いテーブル名です", Working, 100, 0, 1)),
	}
	for columns := 10; columns < 130; columns++ {
		for _, lines := range []int{1, 2, 3, 5, 24} {
			for _, unicode := range []bool{true, false} {
				s := &screen{columns: columns}
				term := terminal(columns, lines)
				term.Unicode = unicode
				b := NewBar(s, term)
				for _, v := range views {
					b.Show(v)
					if n := strings.Count(s.String(), "\n"); n > max(1, lines) || n > 4 {
						t.Fatalf("%d×%d: %d lines drawn:\n%s", columns, lines, n, s)
					}
					for i, w := range b.drawn {
						if w >= columns {
							t.Fatalf("%d×%d: line %d takes %d cells:\n%s", columns, lines, i, w, s)
						}
					}
				}
				b.Close(views[2])
				if n := strings.Count(s.String(), "\n"); n != 1 {
					t.Fatalf("%d×%d: %d lines left:\n%s", columns, lines, n, s)
				}
			}
		}
	}
}

func TestBarUnknownTotal(t *testing.T) {
	s := &screen{columns: 80}
	b := NewBar(s, terminal(80, 24))
	b.Show(at(1, table("shop.log", Working, 0, 0, 0)))
	b.Show(at(2, table("shop.log", Working, 0, 0, 0)))
	// What has been read is all that is known, so no end can be told.
	v := at(5, table("shop.log", Working, 300, 0, 4))
	b.Show(v)
	if got := s.String(); strings.Contains(got, "left") {
		t.Errorf("a time left without an estimate:\n%s", got)
	}
}

func TestBarNeverGoesBack(t *testing.T) {
	s := &screen{columns: 80}
	b := NewBar(s, terminal(80, 24))
	b.Show(at(1, table("a.b", Working, 90, 100, 0)))
	b.Show(at(2, table("a.b", Working, 95, 100, 0), table("a.c", Working, 10, 1000, 0)))
	if !strings.HasPrefix(s.String(), "  90% ") {
		t.Errorf("went back:\n%s", s)
	}
}

func TestBarNarrowedWindow(t *testing.T) {
	columns := 100
	s := &screen{columns: columns}
	b := NewBar(s, Terminal{Size: func() (int, int) { return columns, 24 }, Unicode: true})
	v := at(3, table("shop.orders", Working, 100_000, 200_000, 2))
	b.Note("above")
	b.Show(v)
	// The window becomes half as wide: the terminal wraps what is there.
	text := s.String()
	columns = 40
	s = &screen{columns: columns}
	s.Write([]byte(strings.TrimSuffix(text, "\n")))
	b.w = s
	b.Show(v)
	if got := s.String(); strings.Count(got, "shop.orders") != 1 || !strings.HasPrefix(got, "above\n") {
		t.Errorf("remains of the old frame, or too much cleared:\n%s", got)
	}
}

func TestBarQuietRunLeavesNothing(t *testing.T) {
	s := &screen{columns: 80}
	b := NewBar(s, terminal(80, 24))
	b.Show(at(1))
	b.Close(at(2))
	diff(t, strings.TrimSpace(s.String()), "")
}
