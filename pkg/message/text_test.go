package message

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/decimal128"

	"github.com/tablehaul/tablehaul/pkg/literal"
)

func TestAppendDate(t *testing.T) {
	day := time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)
	for ; day.Year() < 10000; day = day.AddDate(0, 0, 1) {
		if got, want := string(literal.AppendDate(nil, day.Unix()/86400)), day.Format(time.DateOnly); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
}

func TestAppendDateTime(t *testing.T) {
	for range 100_000 {
		at := time.UnixMicro(rand.Int64N(253402300800e6+62167219200e6) - 62167219200e6).UTC()
		if got, want := string(literal.AppendDateTime(nil, at.UnixMicro(), ' ', 6)), at.Format("2006-01-02 15:04:05.000000"); got != want {
			t.Fatalf("got %s, want %s", got, want)
		}
	}
	for _, c := range []struct {
		us     int64
		digits int
		want   string
	}{
		{0, 0, "00:00:00"}, {-1_500_000, 3, "-00:00:01.500"}, {(838*3600+59*60+59)*1e6 + 999999, 6, "838:59:59.999999"}, {100 * 3600e6, 0, "100:00:00"},
	} {
		if got := string(literal.AppendTime(nil, c.us, c.digits)); got != c.want {
			t.Errorf("%d µs: got %s, want %s", c.us, got, c.want)
		}
	}
}

func TestAppendDecimal(t *testing.T) {
	for _, c := range []struct {
		text  string
		scale int32
	}{
		{"0", 0},
		{"0.00", 2},
		{"-0.05", 2},
		{"12.3", 1},
		{"-9223372036854775808", 0},
		{"9223372036854775807", 0},
		{"18446744073709551615", 0},
		{"-18446744073709551616.5", 1},
		{"99999999999999999999999999999999999.999", 3},
		{"0.00000000000000000000000000001", 29},
	} {
		n, err := decimal128.FromString(c.text, 38, c.scale)
		if err != nil {
			t.Fatal(err)
		}
		if got := string(literal.AppendDecimal(nil, n, int(c.scale))); got != c.text {
			t.Errorf("got %s, want %s", got, c.text)
		}
	}
}

func TestAppendFloat(t *testing.T) {
	for _, v := range []float64{0, 1.5, -0.1, 1e-7, 1e21, math.MaxFloat64, math.SmallestNonzeroFloat64, 123456789} {
		var got float64
		if err := json.Unmarshal(literal.AppendFloat(nil, v, 64), &got); err != nil || got != v {
			t.Errorf("%g: got %g, %v", v, got, err)
		}
	}
}

func TestStrings(t *testing.T) {
	all := make([]byte, 256)
	want := make([]rune, 256)
	for i := range all {
		all[i], want[i] = byte(i), rune(i)
	}
	var got string
	if err := json.Unmarshal(appendLatin1(nil, all), &got); err != nil || got != string(want) {
		t.Errorf("got %q, %v", got, err)
	}
	for _, s := range []string{"", "plain", "a\"b\\c\nd\te\x00\x1f", "ünï ✓ \U0001F600", "\u2028"} {
		quoted := literal.AppendJSON(nil, s)
		if err := json.Unmarshal(quoted, &got); err != nil || got != s {
			t.Errorf("%q: got %q, %v", s, got, err)
		}
		back, err := unescape(nil, quoted[1:len(quoted)-1])
		if err != nil || string(back) != s {
			t.Errorf("%q: read back %q, %v", s, back, err)
		}
	}
}

// TestScanner has every cut of a text be an error and no crash, and the whole of it none.
func TestScanner(t *testing.T) {
	text := []byte(` {"a" : [1, -2.5e3, "x\"y", {"b":null}], "c":true, "" : {} , "d":[] } `)
	for end := range len(text) - 1 { // the last byte is a space
		s := scanner{text: text[:end]}
		_, err := s.skip()
		if err == nil {
			t.Errorf("%s: got no error", text[:end])
		}
	}
	s := scanner{text: text}
	if _, err := s.skip(); err != nil {
		t.Error(err)
	}
	if err := s.end(); err != nil {
		t.Error(err)
	}
	for _, bad := range []string{"", "{", "[1,]", `{"a"}`, `{"a":1,}`, `{a:1}`, "\"a\nb\"", "[1 2]", "@"} {
		s := scanner{text: []byte(bad)}
		if _, err := s.skip(); err == nil {
			t.Errorf("%s: got no error", bad)
		}
	}
}
