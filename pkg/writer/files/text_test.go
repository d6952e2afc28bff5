package files

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/writer/kept"
)

// FuzzText writes texts and bytes in every format and reads them back as rewriting does.
func FuzzText(f *testing.F) {
	for _, s := range []string{"", "a", `"`, `\`, `\"`, "\\\\\"", ",", "\t\n\r\x00", `\N`, "null", "a\nb", "ü漢\U0001F600", `x\`, `"",""`} {
		f.Add(s, []byte(s), false)
	}
	f.Add("x", []byte{0, 0xff}, true)
	columns := []kept.Column{{Name: `a "b"`, Type: "string", Nullable: true}, {Name: "c", Type: "binary", Nullable: true}, {Name: "a", Type: "string", Nullable: true}}
	types := []arrow.DataType{arrow.BinaryTypes.String, arrow.BinaryTypes.Binary, arrow.BinaryTypes.String}
	f.Fuzz(func(t *testing.T, s string, b []byte, null bool) {
		s = string(bytes.ToValidUTF8([]byte(s), []byte("?"))) // as all text behind a reader is
		sb, bb := array.NewStringBuilder(memory.DefaultAllocator), array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
		for range 2 {
			sb.Append(s)
			bb.Append(b)
		}
		if null {
			sb.AppendNull()
			bb.AppendNull()
		}
		text, bin := sb.NewArray(), bb.NewArray()
		for _, format := range []Format{CSV, TSV, JSONL} {
			var out bytes.Buffer
			enc, err := newTextFile(&out, format, columns, types, "none", true)
			storeMustFuzz(t, err)
			storeMustFuzz(t, enc.rows([]arrow.Array{text, bin, text}, 0, text.Len()))
			storeMustFuzz(t, enc.end())
			w, err := formOf(format, "none", format != JSONL, columns)
			storeMustFuzz(t, err)
			rd := bufio.NewReader(&out)
			if w.header {
				_, err := readRecord(rd, format)
				storeMustFuzz(t, err)
			}
			rows := 0
			for {
				line, err := readRecord(rd, format)
				if errors.Is(err, io.EOF) {
					break
				}
				storeMustFuzz(t, err)
				fields, err := w.split(line, nil)
				storeMustFuzz(t, err)
				if len(fields) != 3 {
					t.Fatalf("%s: %q has %d values", format, line, len(fields))
				}
				if rows == 2 {
					if !fields[0].null || !fields[1].null {
						t.Errorf("%s: %q is not NULL", format, line)
					}
				} else if got := string(fields[2].text); fields[0].null || string(fields[0].text) != s || got != s {
					t.Errorf("%s: got %q, want %q", format, got, s)
				} else {
					back := array.NewBinaryBuilder(memory.DefaultAllocator, arrow.BinaryTypes.Binary)
					storeMustFuzz(t, appendField(back, fields[1].text))
					if got := back.NewBinaryArray().Value(0); !bytes.Equal(got, b) || fields[1].null {
						t.Errorf("%s: got %x, want %x", format, got, b)
					}
				}
				rows++
			}
			if rows != text.Len() {
				t.Errorf("%s: got %d rows of %d", format, rows, text.Len())
			}
		}
	})
}

func storeMustFuzz(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Objects that this program writes, and those that others have written anew, are cut alike.
func TestSplitJSON(t *testing.T) {
	f, err := formOf(JSONL, "none", false, []kept.Column{{Name: "a", Type: "int"}, {Name: `b"`, Type: "string"}, {Name: "v", Type: "array<float>"}, {Name: "d", Type: "double"}})
	storeMust(t, err)
	for _, line := range []string{
		`{"a":1,"b\"":"x","v":[1,2.5],"d":1e-7}`, `{"a":null,"b\"":null,"v":null,"d":null}`, `{"a":-1,"b\"":"","v":[],"d":0}`,
		`{"a":1,"b\"":"\\","v":[1],"d":-0.0}`, `{"a":1,"b\"":"\"}{,\u0001ü😀\n","v":[1],"d":1}`, `{"a":1,"b\"":"null","v":[1],"d":1}`,
	} {
		own, ok := f.splitOwnJSON([]byte(line), nil)
		any, err := f.splitJSON([]byte(line), nil)
		if !ok || err != nil || len(own) != len(any) {
			t.Errorf("%s: %v, %v", line, ok, err)
			continue
		}
		for i := range own {
			if own[i].null != any[i].null || !own[i].null && string(own[i].text) != string(any[i].text) {
				t.Errorf("%s: %q, and %q", line, own[i].text, any[i].text)
			}
		}
	}
	if own, ok := f.splitOwnJSON([]byte(`{"a":1,"b\"":"x"}`), nil); !ok || len(own) != 2 {
		t.Error("an object of an older file")
	}
	for _, line := range []string{
		``, `{`, `{}`, `{"a":`, `{"a":1`, `{"a":1,`, `{"b\"":"x"}`, `{"a": 1}`, `{"a":1 }`, `{"a":1,"b\"":"x}`, `{"a":1,"b\"":"x\`, `{"a":1,"b\"":"x\"`, `{"a":1,"b\"":"x","v":[1`,
		`{"a":1,"b\"":"x","v":[1],"d":1,"e":1}`, `{"a":1,"b\"":"x","v":[1],"d":1}}`, "{\"a\":1,\"b\\\"\":\"\x01\",\"v\":[1],\"d\":1}",
	} {
		if own, ok := f.splitOwnJSON([]byte(line), nil); ok {
			t.Errorf("%s: %v", line, own)
		}
	}
}
