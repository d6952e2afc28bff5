package message

import (
	"strings"
	"testing"
	"time"
)

func TestParseLogSchema(t *testing.T) {
	const text = "\ufeff# a comment\n\n  id long # the key\n\"a b\" Decimal( 10 , 2 ) x.\"y.z\"\r\nat\ttimestamptz(us)\tt\nn string #3\nrest json *"
	const want = "id long\n\"a b\" decimal(10,2) x.\"y.z\"\nat timestamptz(us) t\nn string #3\nrest json *\n"
	got := FormatLogSchema(columnsOf(t, text))
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if again := FormatLogSchema(columnsOf(t, got)); again != want {
		t.Errorf("read again: got\n%s", again)
	}
	for _, c := range []struct{ text, want string }{
		{"", "no columns"},
		{"# nothing\n", "no columns"},
		{"id", "line 1: it has 1 words"},
		{"id long\nat timestamptz t x", "line 2: it has 4 words"},
		{"id number", `type "number" is not known`},
		{"id decimal", "not known"},
		{"id decimal(39,2)", "not known"},
		{"id decimal(5,6)", "not known"},
		{"id decimal(5", "not known"},
		{"id long(5)", "not known"},
		{"id timestamptz(m)", "not known"},
		{"id binary(utf8)", "not known"},
		{"a.b long", "must stand in quotes"},
		{"id long\nID long", "line 2: there are two columns ID"},
		{"id long a..b", "a name is empty"},
		{`"" long`, "a name is empty"},
		{`"id long`, "cut short"},
		{`"id"x long`, "a blank is wanted"},
		{"r long *", "what is left is an object"},
		{"\xff long", "no UTF-8"},
	} {
		if _, err := ParseLogSchema(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %s", c.text, err, c.want)
		}
	}
}

func TestLogTypes(t *testing.T) {
	for _, name := range LogTypes() {
		name = strings.NewReplacer("P", "10", "S", "2", "s|ms|us|ns", "ms").Replace(name)
		typ, err := ParseLogType(name)
		if err != nil || typ.String() != name {
			t.Errorf("%s: got %s, %v", name, typ, err)
		}
		back, ok := logTypeOf(typ.column("c"))
		if !ok || back.column("c").Arrow.ID() != typ.column("c").Arrow.ID() {
			t.Errorf("%s: its column is read as a %s", name, back)
		}
	}
}

func TestParseTimes(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"2026-02-28T01:02:03Z", "2026-02-28T01:02:03Z"},
		{"2026-02-28t01:02:03.5z", "2026-02-28T01:02:03.5Z"},
		{"2026-02-28 01:02:03.123456789+05:30", "2026-02-27T19:32:03.123456Z"},
		{"2026-02-28T23:02:03-0130", "2026-03-01T00:32:03Z"},
		{"1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"},
		{"0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"},
		{"9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"},
		{"0001-01-01T00:00:00+00:01", ""},
		{"9999-12-31T23:59:59-00:01", ""},
		{"2026-02-28T01:02:03", ""},
		{"2026-02-28T01:02:03+5", ""},
		{"2026-02-28T01:02:03+24:00", ""},
		{"2026-02-28T1:02:03.5Z", ""},
		{"2026-02-28T24:00:00Z", ""},
		{"2026-02-29T00:00:00Z", ""},
		{"2026-02-28T01:02Z", ""},
		{"2026-02-28T01:02:03.Z", ""},
		{"Z", ""},
		{"", ""},
	} {
		us, err := parseRFC3339([]byte(c.text), true)
		if got := time.UnixMicro(us).UTC().Format(time.RFC3339Nano); err == nil && got != c.want || err != nil && c.want != "" {
			t.Errorf("%s: got %s, %v, want %s", c.text, got, err, c.want)
		}
	}
	for _, c := range []struct {
		text, unit string
		want       int64
	}{
		{"1772240523", "s", 1772240523e6},
		{"1772240523.4567891", "s", 1772240523456789},
		{"-1.5", "s", -1500000},
		{"-0.5", "s", -500000},
		{"1772240523456", "ms", 1772240523456e3},
		{"1772240523456.7899", "ms", 1772240523456789},
		{"1772240523456789", "us", 1772240523456789},
		{"1772240523456789.9", "us", 1772240523456789},
		{"1772240523456789999", "ns", 1772240523456789},
		{"-1", "ns", -1},
	} {
		if got, err := parseEpoch([]byte(c.text), epochUnits[c.unit]); err != nil || got != c.want {
			t.Errorf("%s %s: got %d, %v, want %d", c.text, c.unit, got, err, c.want)
		}
	}
	for _, bad := range []string{"", ".", "1.", ".5", "1e9", "x", "1.-5", "99999999999999", "-99999999999999", "9223372036854775808"} {
		if got, err := parseEpoch([]byte(bad), 1e9); err == nil {
			t.Errorf("%s: got %d and no error", bad, got)
		}
	}
}
