package message

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// logLines reads messages, which must be good, and returns the table: its columns in one
// line, then its rows.
func logLines(t *testing.T, o LogOptions, messages ...string) string {
	t.Helper()
	c := &logTarget{}
	r := newLog(t, o, c)
	for _, m := range messages {
		if err := r.Decode(nil, []byte(m)); err != nil {
			t.Fatalf("%s: %v", m, err)
		}
	}
	return c.text(t)
}

func newLog(t testing.TB, o LogOptions, to Target) *LogReader {
	t.Helper()
	o.DB, o.Table = "web", "clicks"
	r, err := NewLogReader(o, to)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func columnsOf(t testing.TB, text string) []LogColumn {
	t.Helper()
	columns, err := ParseLogSchema(text)
	if err != nil {
		t.Fatal(err)
	}
	return columns
}

// A logTarget has one table, which gets the columns of each shape that comes.
type logTarget struct {
	into  *Changes
	rows  []batchtest.Row // of what is over
	known *schema.Table
	skip  func() bool
}

func (c *logTarget) Known(string, string) (*schema.Table, error) { return c.known, nil }

func (c *logTarget) Emptied(string, string, Change) error { return nil }

func (c *logTarget) Rows(t *schema.Table) (*Rows, error) {
	if c.into != nil {
		c.into.Over = true
		c.take()
	}
	c.known = t
	var err error
	if c.into, err = NewChanges(t, memory.DefaultAllocator); err != nil {
		return nil, err
	}
	c.into.Micros = new(int64)
	r, err := NewRows(t, c.into)
	if err == nil {
		r.Skip = c.skip
	}
	return r, err
}

func (c *logTarget) take() {
	b := c.into.Batch()
	defer b.Release()
	rows, err := batchtest.Rows(b.Rows)
	if err != nil {
		panic(err)
	}
	if b.Ops != nil {
		panic("a table without a key has ops")
	}
	c.rows = append(c.rows, rows...)
}

func (c *logTarget) text(t *testing.T) string {
	t.Helper()
	if c.into == nil {
		return ""
	}
	c.take()
	var lines []string
	var head []string
	for _, f := range c.into.Table.Columns {
		head = append(head, f.Name+" "+f.Native)
	}
	lines = append(lines, strings.Join(head, ", "))
	for _, row := range c.rows {
		lines = append(lines, row.String())
	}
	return strings.Join(lines, "\n")
}

func TestLogJSON(t *testing.T) {
	const all = `
		# What a shop's pages send.
		at      timestamptz(ms)  meta.time
		user    string           user.id
		whole   json             user      # all of it
		n       int
		big     long
		price   decimal(5,2)
		f       float
		d       double
		ok      boolean
		day     date
		local   timestamp
		raw     binary
		hex     binary(hex)
		"a.b"   string           "x.y"."z"
		more    json             *
	`
	for _, c := range []struct{ name, schema, text, want string }{
		{
			"all types", all,
			`{"meta":{"time":1772240523456},"user":{"id":7,"name":"é"},"n":-5,"big":9223372036854775807,"price":"-12.30","f":1.5,"d":1e3,"ok":true,` +
				`"day":"2026-02-28","local":"2026-02-28 01:02:03.5","raw":"AAH/","hex":"00ff","x.y":{"z":"deep"},"other":[1,"x"],"last" : null}`,
			`at timestamp(6), user longtext, whole json, n int, big bigint, price decimal(5,2), f float, d double, ok bit(1), day date, local datetime(6), raw longblob, hex longblob, a.b longtext, more json
"2026-02-28 01:02:03.456000Z" | "7" | "{\"id\":7,\"name\":\"é\"}" | -5 | 9223372036854775807 | "-12.30" | 1.5f | 1000d | true | "2026-02-28" | "2026-02-28 01:02:03.500000" | x'0001ff' | x'00ff' | "deep" | "{\"other\":[1,\"x\"],\"last\" : null}"`,
		},
		{"nothing", "a string\nb long b.c\nd json *", `{"b":null}{}`, "a longtext, b bigint, d json\nNULL | NULL | NULL\nNULL | NULL | NULL"},
		{"several", "a string", "{\"a\":1}\n{\"a\":\"\\u00fc\\n\"}\r\n[{\"a\":true},{\"a\":{\"b\":[]}}] [] {\"a\":[ ]}\n", `a longtext
"1"
"ü\n"
"true"
"{\"b\":[]}"
"[ ]"`},
		{"names with escapes", `"a\"" long`, `{"a\"":1}{"\u0061\u0022":2}`, "a\" bigint\n1\n2"},
		{"the first counts", "a long", `{"a":1,"a":2}`, "a bigint\n1"},
		{"twice", "a long x\nb string x", `{"x":"12"}`, "a bigint, b longtext\n12 | \"12\""},
		{"numbers", "a long\nb int\nc decimal(38,0)\nd double\ne boolean", `{"a":7.0,"b":"-3","c":99999999999999999999999999999999999999,"d":"1","e":0}{"a":-1e3}`, `a bigint, b int, c decimal(38,0), d double, e bit(1)
7 | -3 | "99999999999999999999999999999999999999" | 1d | false
-1000 | NULL | NULL | NULL | NULL`},
		{"order does not matter", "a long\nb long\nc long", `{"c":3,"x":{"a":9},"b":2,"a":1}`, "a bigint, b bigint, c bigint\n1 | 2 | 3"},
		{"json keeps quotes", "a json\nb string", `{"a":"x","b":"x"}`, `a json, b longtext
"\"x\"" | "x"`},
		{"a mark of byte order", "a long", "\ufeff{\"a\":1}", "a bigint\n1"},
		{"no value", "a long", "", ""},
		{"null", "a long", " null\n", ""},
		{"blanks", "a long", " \n", "a bigint"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := logLines(t, LogOptions{Format: "json", Columns: columnsOf(t, c.schema)}, c.text)
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestLogCSV(t *testing.T) {
	for _, c := range []struct {
		name, schema string
		o            LogOptions
		text, want   string
	}{
		{"plain", "a long\nb string\nc date", LogOptions{}, "1,x,2026-02-28\r\n2,\"a \"\"b\"\",\nc\",\n\n3,\"\",\"2026-01-01\"\r", `a bigint, b longtext, c date
1 | "x" | "2026-02-28"
2 | "a \"b\",\nc" | NULL
3 | "" | "2026-01-01"`},
		{"another delimiter", "a long\nb string", LogOptions{Delimiter: '\t'}, "1\tx,y", "a bigint, b longtext\n1 | \"x,y\""},
		{"another NULL", "a long\nb string", LogOptions{Null: `\N`}, "\\N,\n1,\"\\N\"", "a bigint, b longtext\nNULL | \"\"\n1 | \"\\\\N\""},
		{"header", "a long\nb string\nc long", LogOptions{Header: true}, "b,x,a\nu,9,1\n,,2\n", "a bigint, b longtext, c bigint\n1 | \"u\" | NULL\n2 | NULL | NULL"},
		{"header alone", "a long", LogOptions{Header: true}, "a", "a bigint"},
		{"header and numbers", "a long #2\nb string", LogOptions{Header: true}, "b,x\nu,9", "a bigint, b longtext\n9 | \"u\""},
		{"numbers", "a long #3\nb string #1", LogOptions{}, "u,x,1,y\nv\n", "a bigint, b longtext\n1 | \"u\"\nNULL | \"v\""},
		{"one column", "a string", LogOptions{}, "x\n\"\"\ny", "a longtext\n\"x\"\n\"\"\n\"y\""},
		{"the last is empty", "a string\nb string", LogOptions{}, "x,", "a longtext, b longtext\n\"x\" | NULL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.o.Format, c.o.Columns = "csv", columnsOf(t, c.schema)
			if got := logLines(t, c.o, c.text); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// TestLogInferred has columns guessed from the first message, and more with those after it.
func TestLogInferred(t *testing.T) {
	for _, c := range []struct {
		name     string
		o        LogOptions
		messages []string
		want     string
	}{
		{
			"JSON",
			LogOptions{Format: "json"},
			[]string{
				`{"id":1,"at":"2026-02-28T01:02:03+01:00","price":1.5,"ok":false,"day":"2026-02-28","tags":["a"],"none":null,"name":"x","local":"2026-02-28T01:02:03"}`,
				`{"id":2,"none":null}`, `{"none":"now","ID":3,"extra":{"a":1}}`, `{"extra":[],"id":4}`,
			},
			`id bigint, at timestamp(6), price double, ok bit(1), day date, tags json, name longtext, local datetime(6), none longtext, extra json
1 | "2026-02-28 00:02:03.000000Z" | 1.5d | false | "2026-02-28" | "[\"a\"]" | "x" | "2026-02-28 01:02:03.000000"
2 | NULL | NULL | NULL | NULL | NULL | NULL | NULL
3 | NULL | NULL | NULL | NULL | NULL | NULL | NULL | "now" | "{\"a\":1}"
4 | NULL | NULL | NULL | NULL | NULL | NULL | NULL | NULL | "[]"`,
		},
		{
			"mixed",
			LogOptions{Format: "json"},
			[]string{`{"a":1,"b":1,"c":"2026-02-28","d":true,"e":12345678901234567890,"f":{}}{"a":1.5,"b":"x","c":"today","d":1,"e":1,"f":"{"}`},
			`a double, b longtext, c longtext, d longtext, e longtext, f longtext
1d | "1" | "2026-02-28" | "true" | "12345678901234567890" | "{}"
1.5d | "x" | "today" | "1" | "1" | "{"`,
		},
		{
			"CSV",
			LogOptions{Format: "csv"},
			[]string{"1,2.5,x,2026-02-28,,007\n2,3,y,2026-03-01,,008", "3,4,z,,,", "4,5,,,now,9"},
			`c1 bigint, c2 double, c3 longtext, c4 date, c6 longtext, c5 longtext
1 | 2.5d | "x" | "2026-02-28" | "007"
2 | 3d | "y" | "2026-03-01" | "008"
3 | 4d | "z" | NULL | NULL
4 | 5d | NULL | NULL | "9" | "now"`,
		},
		{
			"CSV with a header",
			LogOptions{Format: "csv", Header: true},
			[]string{"id,at,none\n1,2026-02-28T00:00:00Z,\n", "id,at,none\n2,,\n", "none,id\n5,3", "id\n4\n"},
			`id bigint, at timestamp(6), none bigint
1 | "2026-02-28 00:00:00.000000Z"
2 | NULL
3 | NULL | 5
4 | NULL | NULL`,
		},
		{"null first", LogOptions{Format: "json"}, []string{"null", `{"a":1}`, "null"}, "a bigint\n1"},
		{"nothing yet", LogOptions{Format: "csv", Header: true}, []string{"id,at\n", ""}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := logLines(t, c.o, c.messages...); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// TestInferLog guesses types from a sample in which some cannot be read.
func TestInferLog(t *testing.T) {
	for _, c := range []struct {
		o       LogOptions
		samples []string
		want    string
	}{
		{LogOptions{Format: "json"}, []string{"", "null", "no JSON", `{"a":1,"b":null}`, `{"c":true,"a":2.5`, `{"B":"x","a":3e2}`}, "a double\nB string\n"},
		{LogOptions{Format: "csv"}, []string{"1,2", "1,2,3", "x\"", "2,x"}, "c1 long #1\nc2 string #2\n"},
		{LogOptions{Format: "csv", Header: true, Delimiter: ';', Null: "-"}, []string{"a;b;c\n-;1;\"-\""}, "b long\nc string\n"},
	} {
		samples := make([][]byte, len(c.samples))
		for i, s := range c.samples {
			samples[i] = []byte(s)
		}
		columns, err := InferLog(samples, c.o)
		if got := FormatLogSchema(columns); err != nil || got != c.want {
			t.Errorf("%q: got %v\n%s\nwant\n%s", c.samples, err, got, c.want)
		}
	}
	for _, none := range [][][]byte{nil, {[]byte("")}, {[]byte("x"), []byte("{")}, {[]byte(`{"":1}`)}, {[]byte("{\"\xff\":1}")}} {
		if columns, err := InferLog(none, LogOptions{Format: "json"}); err == nil {
			t.Errorf("%q: got %v and no error", none, columns)
		}
	}
}

// TestLogKnown has types that the table at the sink has count more than what the first
// messages look like.
func TestLogKnown(t *testing.T) {
	c := &logTarget{known: schema.New("web", "clicks", batchtest.Shape("web", "clicks", "n double", "s text", "gone int", "p decimal(10,2)", "v vector(2)").Columns, nil)}
	r := newLog(t, LogOptions{Format: "json"}, c)
	if err := r.Sample([][]byte{[]byte(`{"new":true,"n":1,"s":2}`), []byte(`{"p":3,"j":{}}`)}); err != nil {
		t.Fatal(err)
	}
	if err := r.Decode(nil, []byte(`{"n":1,"s":2,"new":true,"p":3.5}`)); err != nil {
		t.Fatal(err)
	}
	const want = `n double, s longtext, gone int, p decimal(10,2), new bit(1), j json
1d | "2" | NULL | "3.50" | true | NULL`
	if got := c.text(t); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestLogOrigin(t *testing.T) {
	c := &logTarget{}
	r := newLog(t, LogOptions{Format: "json", Origin: true}, c)
	r.At("clicks", 3, 41, time.UnixMilli(1772240523456))
	if err := r.Decode(nil, []byte(`{"a":1}{"a":2}`)); err != nil {
		t.Fatal(err)
	}
	if got := *c.into.Micros; got != 1772240523456000 {
		t.Errorf("got time %d of the change", got)
	}
	r.At("other", 0, 42, time.Time{})
	for _, m := range []string{`{"b":3}`, `{}`} {
		if err := r.Decode(nil, []byte(m)); err != nil {
			t.Fatal(err)
		}
	}
	const want = `a bigint, b bigint, _topic longtext, _partition int, _offset bigint, _time timestamp(6)
1 | "clicks" | 3 | 41 | "2026-02-28 01:02:03.456000Z"
2 | "clicks" | 3 | 41 | "2026-02-28 01:02:03.456000Z"
NULL | 3 | "other" | 0 | 42 | NULL
NULL | NULL | "other" | 0 | 42 | NULL`
	if got := c.text(t); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if err := r.Decode(nil, []byte(`{"_Time":1}`)); err == nil || !strings.Contains(err.Error(), "column _Time has the name") {
		t.Errorf("got %v", err)
	}
	if err := r.Decode(nil, []byte(`{"b":1}`)); err != nil {
		t.Error(err)
	}
}

// TestLogSkipped has messages that are there already left out, and goes on behind them.
func TestLogSkipped(t *testing.T) {
	n := 0
	c := &logTarget{skip: func() bool { n++; return n <= 2 }}
	r := newLog(t, LogOptions{Format: "json"}, c)
	for i := range 4 {
		if err := r.Decode(nil, fmt.Appendf(nil, `{"i":%d}`, i)); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := c.text(t), "i bigint\n2\n3"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// TestLogBad has bad messages between good ones: nothing of them stays, and the reason
// tells where.
func TestLogBad(t *testing.T) {
	const columns = "id int\nv date\np decimal(4,1)\nat timestamptz\nms timestamptz(ms)\nlocal timestamp\nj json\nb boolean\nraw binary\nx long deep.er\ns string"
	for _, c := range []struct {
		o         LogOptions
		bad, want string
	}{
		{LogOptions{Format: "json"}, `{"id":1}{"id":2`, "cut short"},
		{LogOptions{Format: "json"}, "{\"id\":1}\n{\"id\":\"x\"}", `line 2: column id: "x" is no number of 32 bits, at byte 16`},
		{LogOptions{Format: "json"}, "[1]", `{ is wanted at byte 2, not '1'`},
		{LogOptions{Format: "json"}, `{"id":1}]`, `the end is wanted at byte 9, not ']'`},
		{LogOptions{Format: "json"}, `[{"id":1},{"id":2}`, "cut short"},
		{LogOptions{Format: "json"}, `{"id":3000000000}`, "32 bits"},
		{LogOptions{Format: "json"}, `{"v":"2026-02-30"}`, `"2026-02-30" is no date`},
		{LogOptions{Format: "json"}, `{"p":1000}`, `"1000" is no decimal(4,1): it has more digits before the point`},
		{LogOptions{Format: "json"}, `{"id":7,"s":"y","p":1.25}`, `"1.25" is no decimal(4,1): it has more digits behind the point`},
		{LogOptions{Format: "json"}, `null null`, "the end is wanted"},
		{LogOptions{Format: "csv"}, "null", `"null" is no number`},
		{LogOptions{Format: "json"}, `{"at":"2026-02-28 01:02:03"}`, "with a zone"},
		{LogOptions{Format: "json"}, `{"at":1772240523}`, "with a zone"},
		{LogOptions{Format: "json"}, `{"ms":17722405230000000}`, "1 to 9999"},
		{LogOptions{Format: "json"}, `{"local":"2026-02-28 01:02:03Z"}`, "without a zone"},
		{LogOptions{Format: "json"}, `{"j":{"a":tru}}`, "is no JSON"},
		{LogOptions{Format: "json"}, `{"s":nul}`, "is no JSON"},
		{LogOptions{Format: "json"}, `{"b":"yes"}`, "is no boolean"},
		{LogOptions{Format: "json"}, `{"b":{}}`, "is no boolean"},
		{LogOptions{Format: "json"}, `{"raw":"%"}`, "is no base64"},
		{LogOptions{Format: "json"}, `{"deep":5}`, "{ is wanted"},
		{LogOptions{Format: "json"}, "{\"s\":\"\xff\"}", "is no UTF-8"},
		{LogOptions{Format: "json"}, "{\"s\":\"a\tb\"}", "the end of a string is wanted"},
		{LogOptions{Format: "json"}, "\x00\x00\x00\x00\x07abc", "the end is wanted at byte 1"},
		{LogOptions{Format: "csv"}, "1,,,,,,,,,,\n2,x,,,,,,,,,", `line 2: column v: "x" is no date, at byte 15`},
		{LogOptions{Format: "csv"}, "1,,", "it has 3 fields, and not 11"},
		{LogOptions{Format: "csv"}, "1,,,,,,,,,,,", "more than 11 fields"},
		{LogOptions{Format: "csv"}, `1,"x`, "cut short"},
		{LogOptions{Format: "csv"}, `1,"x"y`, "a delimiter is wanted at byte 6"},
		{LogOptions{Format: "csv"}, `1,x"y"`, "a quote stands within a field"},
		{LogOptions{Format: "csv", Header: true}, "id,s,id\n1,x,2", "two fields are named id"},
		{LogOptions{Format: "csv", Header: true}, "id,s\n1", "it has 1 fields, and not 2"},
	} {
		good := `{"id":1,"j":{"a":[1]},"s":"x"}`
		if c.o.Format == "csv" {
			good = "1,,,,,,\"[1]\",,,,x"
		}
		if c.o.Header {
			good = "s,id\nx,1"
		}
		c.o.Columns = columnsOf(t, columns)
		to := &logTarget{}
		r := newLog(t, c.o, to)
		for i := range 2 {
			if err := r.Decode(nil, []byte(good)); err != nil {
				t.Fatal(err)
			}
			err := r.Decode(nil, []byte(c.bad))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: got %v, want %s", c.bad, err, c.want)
			}
			if got := to.into.Builder.Rows(); got != i+1 || len(to.into.Ops) != i+1 {
				t.Errorf("%s: got %d rows, want %d", c.bad, got, i+1)
			}
		}
		if err := r.Decode(nil, []byte(good)); err != nil {
			t.Fatal(err)
		}
		to.take()
		for _, row := range to.rows {
			if got, want := row.String(), rowOf(t, c.o, good); got != want {
				t.Errorf("%s: beside it got %s, want %s", c.bad, got, want)
			}
		}
	}
}

// rowOf is the row of a message that is alone.
func rowOf(t *testing.T, o LogOptions, message string) string {
	t.Helper()
	_, row, _ := strings.Cut(logLines(t, o, message), "\n")
	return row
}

// TestLogBadGrown has a message that is bad behind a field that is new: the column may
// come, but no row.
func TestLogBadGrown(t *testing.T) {
	to := &logTarget{}
	r := newLog(t, LogOptions{Format: "json"}, to)
	for _, m := range []struct {
		text string
		ok   bool
	}{
		{`{}`, false}, {`{"a":1}`, true}, {`{"b":1,"a":"x"}`, false}, {`{"c":1`, false}, {`{"a":2,"c":"x"}{"a":3}`, true},
	} {
		if err := r.Decode(nil, []byte(m.text)); (err == nil) != m.ok {
			t.Errorf("%s: got %v", m.text, err)
		}
	}
	const want = "a bigint, b bigint, c longtext\n1\n2 | NULL | \"x\"\n3 | NULL | NULL"
	if got := to.text(t); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestLogFull has objects whose members are named by data.
func TestLogFull(t *testing.T) {
	to := &logTarget{}
	r := newLog(t, LogOptions{Format: "json"}, to)
	first := []byte("{")
	n := 0
	for ; n < maxLogColumns-5; n++ {
		first = fmt.Appendf(first, `"user%d":%d,`, n, n)
	}
	err := r.Decode(nil, append(first, `"last":1}`...))
	for ; err == nil; n++ {
		err = r.Decode(nil, fmt.Appendf(nil, `{"user%d":1}`, n))
	}
	if n != maxLogColumns || !strings.Contains(err.Error(), "more than 1000 fields") {
		t.Errorf("got %v after %d messages", err, n)
	}
}
