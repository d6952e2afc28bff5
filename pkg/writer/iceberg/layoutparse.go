package iceberg

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/apache/iceberg-go"
	"github.com/apache/iceberg-go/table"
)

// A partitionTerm is one of a list of columns and transforms of columns.
type partitionTerm struct {
	column    string
	transform iceberg.Transform
}

// String writes the term as it is parsed.
func (t partitionTerm) String() string {
	switch tr := t.transform.(type) {
	case iceberg.IdentityTransform:
		return t.column
	case iceberg.BucketTransform:
		return fmt.Sprintf("bucket(%d,%s)", tr.NumBuckets, t.column)
	case iceberg.TruncateTransform:
		return fmt.Sprintf("truncate(%d,%s)", tr.Width, t.column)
	}
	return t.transform.String() + "(" + t.column + ")"
}

// A sortTerm is one of a list of columns as ORDER BY has them.
type sortTerm struct {
	column    string
	direction table.SortDirection
	nulls     table.NullOrder
}

// String writes the term as it is parsed.
func (t sortTerm) String() string {
	return t.column + " " + string(t.direction) + " " + strings.ReplaceAll(string(t.nulls), "-", " ")
}

// parsePartition reads "day(created_at), bucket(16, id), status"; "" is no term.
func parsePartition(text string) ([]partitionTerm, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	s := scanner{rest: text}
	var terms []partitionTerm
	for {
		t, err := s.partition()
		if err != nil {
			return nil, err
		}
		terms = append(terms, t)
		if more, err := s.comma(); err != nil || !more {
			return terms, err
		}
	}
}

func (s *scanner) partition() (partitionTerm, error) {
	name, quoted, err := s.name()
	if err != nil {
		return partitionTerm{}, err
	}
	if quoted || !s.eat("(") {
		return partitionTerm{name, iceberg.IdentityTransform{}}, nil
	}
	args := make([]string, 0, 2)
	for {
		arg, _, err := s.name()
		if err != nil {
			return partitionTerm{}, err
		}
		args = append(args, arg)
		if s.eat(")") {
			break
		}
		if !s.eat(",") {
			return partitionTerm{}, s.unexpected()
		}
	}
	return transformed(name, args)
}

// transformed makes the term of a function's call.
func transformed(name string, args []string) (partitionTerm, error) {
	t := partitionTerm{column: args[len(args)-1]}
	want := 1
	switch strings.ToLower(name) {
	case "identity":
		t.transform = iceberg.IdentityTransform{}
	case "void":
		t.transform = iceberg.VoidTransform{}
	case "year", "years":
		t.transform = iceberg.YearTransform{}
	case "month", "months":
		t.transform = iceberg.MonthTransform{}
	case "day", "days":
		t.transform = iceberg.DayTransform{}
	case "hour", "hours":
		t.transform = iceberg.HourTransform{}
	case "bucket", "truncate":
		want = 2
	default:
		return t, fmt.Errorf("%s is no transform: there are year, month, day, hour, bucket, truncate, identity and void", name)
	}
	if len(args) != want {
		if want == 1 {
			return t, fmt.Errorf("%s wants a column and nothing else", name)
		}
		return t, fmt.Errorf("%s wants a number and a column, as in %s(16,id)", name, name)
	}
	if want == 1 {
		return t, nil
	}
	n, err := strconv.Atoi(args[0])
	if err != nil { // Trino writes the column first
		n, err = strconv.Atoi(args[1])
		t.column = args[0]
	}
	if err != nil || n < 1 || n > math.MaxInt32 {
		return t, fmt.Errorf("%s wants a number from 1 up and a column, as in %s(16,id)", name, name)
	}
	if t.transform = iceberg.Transform(iceberg.BucketTransform{NumBuckets: n}); strings.EqualFold(name, "truncate") {
		t.transform = iceberg.TruncateTransform{Width: n}
	}
	return t, nil
}

// parseSort reads "customer_id, created_at desc nulls last"; "" is no term. Nulls
// come first where the order ascends and last where it descends, as in Spark.
func parseSort(text string) ([]sortTerm, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	s := scanner{rest: text}
	var terms []sortTerm
	for {
		name, _, err := s.name()
		if err != nil {
			return nil, err
		}
		t := sortTerm{column: name, direction: table.SortASC, nulls: table.NullsFirst}
		if s.word("desc") {
			t.direction, t.nulls = table.SortDESC, table.NullsLast
		} else {
			s.word("asc")
		}
		if s.word("nulls") {
			switch {
			case s.word("first"):
				t.nulls = table.NullsFirst
			case s.word("last"):
				t.nulls = table.NullsLast
			default:
				return nil, errors.New("nulls come first or last")
			}
		}
		terms = append(terms, t)
		if more, err := s.comma(); err != nil || !more {
			return terms, err
		}
	}
}

// A scanner cuts such lists into names and signs.
type scanner struct{ rest string }

const nameEnd = " \t\r\n(),`"

func (s *scanner) space() { s.rest = strings.TrimLeft(s.rest, " \t\r\n") }

// name reads a name or number, or a name in backticks, doubled within.
func (s *scanner) name() (name string, quoted bool, err error) {
	s.space()
	if !strings.HasPrefix(s.rest, "`") {
		end := strings.IndexAny(s.rest, nameEnd)
		if end < 0 {
			end = len(s.rest)
		}
		if end == 0 {
			return "", false, s.unexpected()
		}
		name, s.rest = s.rest[:end], s.rest[end:]
		return name, false, nil
	}
	var b strings.Builder
	for rest := s.rest[1:]; ; {
		part, after, ok := strings.Cut(rest, "`")
		if !ok {
			return "", true, errors.New("a backtick is missing")
		}
		b.WriteString(part)
		if !strings.HasPrefix(after, "`") {
			s.rest = after
			return b.String(), true, nil
		}
		b.WriteByte('`')
		rest = after[1:]
	}
}

// eat skips a sign if it is next.
func (s *scanner) eat(sign string) bool {
	s.space()
	rest, ok := strings.CutPrefix(s.rest, sign)
	if ok {
		s.rest = rest
	}
	return ok
}

// word skips a word if it is next.
func (s *scanner) word(word string) bool {
	s.space()
	if len(s.rest) < len(word) || !strings.EqualFold(s.rest[:len(word)], word) {
		return false
	}
	rest := s.rest[len(word):]
	if rest != "" && !strings.ContainsAny(rest[:1], nameEnd) {
		return false
	}
	s.rest = rest
	return true
}

// comma reports whether another term follows.
func (s *scanner) comma() (bool, error) {
	if s.eat(",") {
		return true, nil
	}
	if s.rest != "" {
		return false, s.unexpected()
	}
	return false, nil
}

func (s *scanner) unexpected() error {
	if s.rest == "" {
		return errors.New("it ends where a column should follow")
	}
	return fmt.Errorf("%q is not understood", s.rest)
}
