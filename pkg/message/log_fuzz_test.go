package message

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/tablehaul/tablehaul/pkg/batch/batchtest"
)

// fuzzLog decodes a text behind a good message, and checks that what comes of it is whole.
// It returns the rows that the text has brought.
func fuzzLog(t *testing.T, o LogOptions, good string, text []byte) ([]batchtest.Row, error) {
	c := &logTarget{}
	r := newLog(t, o, c)
	if err := r.Decode(nil, []byte(good)); err != nil {
		t.Fatal(err)
	}
	_ = r.Sample([][]byte{text})
	err := r.Decode(nil, text)
	c.take()
	if err != nil && len(c.rows) != 1 {
		t.Fatalf("%q: %d rows of a message that is refused: %v", text, len(c.rows)-1, err)
	}
	again := r.Decode(nil, text)
	n := len(c.rows)
	c.take()
	if (err == nil) != (again == nil) || err == nil && len(c.rows) != 2*n-1 {
		t.Fatalf("%q: %d rows and %v, then %d rows and %v", text, n-1, err, len(c.rows)-n, again)
	}
	if err := r.Decode(nil, []byte(good)); err != nil {
		t.Fatalf("%q: no good message goes behind it: %v", text, err)
	}
	last := len(c.rows)
	c.take()
	if got, want := c.rows[last], c.rows[0]; len(c.rows) != last+1 || got[0] != want[0] || slices.ContainsFunc(got[len(want):], func(v any) bool { return v != nil }) {
		t.Fatalf("%q: behind it %v is read as %v", text, want, got)
	}
	return c.rows[1:n], err
}

// FuzzLogJSON has every object that others take for JSON be read, with the same value.
func FuzzLogJSON(f *testing.F) {
	for _, s := range []string{
		`{"a":"x","b":{"c":1},"t":"2026-02-28T00:00:00Z","n":1,"d":[1.5]}`, "{\"a\":1}\n{\"a\":null}", `[{"a":"\ud83d\ude00\u0000"},{}]`, `{"A":1,"a":2}`, "{\"a\":\"\xff\"}", `{"a`, `[[]]`,
	} {
		f.Add([]byte(s))
	}
	columns := columnsOf(f, "a string\nb long b.c\nt timestamptz\nn decimal(10,2)\nd json\nrest json *\n")
	f.Fuzz(func(t *testing.T, text []byte) {
		_, _ = fuzzLog(t, LogOptions{Format: "json", Columns: columns}, `{"a":"x"}`, text)
		_, _ = fuzzLog(t, LogOptions{Format: "json"}, `{"a":"x"}`, text)

		rows, err := fuzzLog(t, LogOptions{Format: "json", Columns: columnsOf(t, "rest string *")}, `{}`, text)
		var want map[string]json.RawMessage
		if json.Unmarshal(text, &want) != nil || want == nil || bytes.Count(text, []byte("{"))+bytes.Count(text, []byte("[")) > maxDepth {
			return
		}
		if err != nil || len(rows) != 1 {
			if !strings.Contains(err.Error(), "UTF-8") {
				t.Fatalf("%q: got %d rows, %v", text, len(rows), err)
			}
			return
		}
		var got map[string]json.RawMessage
		if rest, _ := rows[0][0].(string); rest != "" {
			if err := json.Unmarshal([]byte(rest), &got); err != nil {
				t.Fatalf("%q: got %q", text, rest)
			}
		}
		if len(got) != len(want) {
			t.Fatalf("%q: got %d members, want %d", text, len(got), len(want))
		}
	})
}

// FuzzLogCSV has every text read as encoding/csv reads it, or refused by both.
func FuzzLogCSV(f *testing.F) {
	for _, s := range []string{"a,b\nc,d", "\"a\nb\",\"\"\"\"\r\n,\n", "a;b\r", "\"x\"y,z", "x\"y\",z", "\"", "1,2026-02-28\n2,\n", "\n\n,\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		_, _ = fuzzLog(t, LogOptions{Format: "csv"}, "x,1", text)
		_, _ = fuzzLog(t, LogOptions{Format: "csv", Header: true}, "x,y\n1,2", text)

		rows, err := fuzzLog(t, LogOptions{Format: "csv", Columns: columnsOf(t, "a string\nb string"), Null: "\x00"}, "x,y", text)
		if err != nil && strings.Contains(err.Error(), "UTF-8") || bytes.Contains(text, []byte("\r")) || bytes.Contains(text, []byte("\x00")) || bytes.HasPrefix(text, utf8BOM) {
			return // encoding/csv makes LF of CR LF within quotes
		}
		r := csv.NewReader(bytes.NewReader(text))
		r.FieldsPerRecord = 2
		var want [][]string
		var wantErr error
		for {
			record, err := r.Read()
			if err == io.EOF {
				break
			}
			if err != nil {
				wantErr = err
				break
			}
			want = append(want, record)
		}
		if (err == nil) != (wantErr == nil) {
			t.Fatalf("%q: got %v, want %v", text, err, wantErr)
		}
		if err != nil {
			return
		}
		for i, row := range rows {
			if i >= len(want) || row[0] != want[i][0] || row[1] != want[i][1] {
				t.Fatalf("%q: row %d: got %v, want %q", text, i, row, want)
			}
		}
		if len(rows) != len(want) {
			t.Fatalf("%q: got %d rows, want %d", text, len(rows), len(want))
		}
	})
}

// FuzzLogSchema has what is read be written so that it is read again.
func FuzzLogSchema(f *testing.F) {
	f.Add("a long\n\"b c\" decimal(10,2) x.\"y.z\" # comment\nat timestamptz(ms) t\nr json *\nn string #3\n")
	f.Fuzz(func(t *testing.T, text string) {
		columns, err := ParseLogSchema(text)
		if err != nil {
			return
		}
		want := FormatLogSchema(columns)
		again, err := ParseLogSchema(want)
		if err != nil || FormatLogSchema(again) != want {
			t.Fatalf("%q: %q is read as %q, %v", text, want, FormatLogSchema(again), err)
		}
	})
}
