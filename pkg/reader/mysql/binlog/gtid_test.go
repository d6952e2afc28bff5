package binlog

import (
	"bytes"
	"strings"
	"testing"
)

const (
	uuidA = "00000000-0000-0000-0000-00000000000a"
	uuidB = "00000000-0000-0000-0000-00000000000b"
)

func mustSet(t *testing.T, text string) Set {
	t.Helper()
	s, err := ParseSet(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSetText prints sets as the server does, whatever they are written like.
func TestSetText(t *testing.T) {
	for text, want := range map[string]string{
		"":                                    "",
		uuidA + ":1":                          uuidA + ":1",
		uuidA + ":5-7:1-3:4":                  uuidA + ":1-7",
		strings.ToUpper(uuidA) + ": 2-2":      uuidA + ":2",
		uuidB + ":1, \n" + uuidA + ":7:9-9:8": uuidA + ":7-9," + uuidB + ":1",
		uuidA + ":1-5:Tag:1-3:5:other:2":      uuidA + ":1-5:other:2:tag:1-3:5",
		uuidA + ":tag:3," + uuidB + ":9," + uuidA + ":1":   uuidA + ":1:tag:3," + uuidB + ":9",
		uuidA + ":9223372036854775806":                     uuidA + ":9223372036854775806",
		uuidA + ":1-3," + uuidA + ":2-10," + uuidA + ":11": uuidA + ":1-11",
	} {
		s := mustSet(t, text)
		if got := s.String(); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
		back, err := DecodeSet(s.Encode())
		if err != nil || back.String() != want {
			t.Errorf("%q: encoded and decoded it is %q, %v", text, back, err)
		}
	}
	for _, bad := range []string{"x", uuidA, uuidA + ":", uuidA + ":0", uuidA + ":3-2", uuidA + ":-1", uuidA + ":tag", uuidA[:35] + ":1", uuidA + ":" + strings.Repeat("x", 33) + ":1"} {
		if s, err := ParseSet(bad); err == nil {
			t.Errorf("%q passes as %q", bad, s)
		}
	}
}

func TestSetAlgebra(t *testing.T) {
	for _, c := range []struct{ a, b, minus, union, both string }{
		{uuidA + ":1-10", uuidA + ":3-4:8", uuidA + ":1-2:5-7:9-10", uuidA + ":1-10", uuidA + ":3-4:8"},
		{uuidA + ":1-10", uuidB + ":1-10", uuidA + ":1-10", uuidA + ":1-10," + uuidB + ":1-10", ""},
		{uuidA + ":2-3:6", uuidA + ":1-10", "", uuidA + ":1-10", uuidA + ":2-3:6"},
		{uuidA + ":1-5:t:1-5", uuidA + ":t:4-9", uuidA + ":1-5:t:1-3", uuidA + ":1-5:t:1-9", uuidA + ":t:4-5"},
		{"", uuidA + ":1", "", uuidA + ":1", ""},
	} {
		a, b := mustSet(t, c.a), mustSet(t, c.b)
		for name, p := range map[string]struct {
			got  Set
			want string
		}{"minus": {a.Minus(b), c.minus}, "union": {a.Union(b), c.union}, "both": {a.Intersect(b), c.both}} {
			if got := p.got.String(); got != p.want {
				t.Errorf("%s %s %s: got %q, want %q", c.a, name, c.b, got, p.want)
			}
		}
		if a.String() != mustSet(t, c.a).String() {
			t.Errorf("%s has become %s", c.a, a)
		}
		if got, want := a.Covers(b), c.union == a.String(); got != want {
			t.Errorf("%s covers %s: got %v", c.a, c.b, got)
		}
	}
}

// TestSetNumbers adds and removes single numbers in any order.
func TestSetNumbers(t *testing.T) {
	uuid, _ := ParseUUID(uuidA)
	s, src := Set{}, Source{UUID: uuid}
	for _, n := range []uint64{5, 1, 3, 2, 9, 4, 7, 8, 3} {
		s.Add(src, n)
	}
	if got, want := s.String(), uuidA+":1-5:7-9"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	for n := uint64(0); n < 12; n++ {
		if got, want := s.Contains(src, n), n >= 1 && n <= 9 && n != 6; got != want {
			t.Errorf("contains %d: got %v", n, got)
		}
	}
	for n := uint64(1); n < 10; n++ {
		s.Remove(src, n)
	}
	if len(s) != 0 {
		t.Errorf("left is %s", s)
	}
}

// TestEncodeTagged compares with bytes as a server of 8.3 sends them.
func TestEncodeTagged(t *testing.T) {
	want := append([]byte{1, 1, 0, 0, 0, 0, 0, 1}, make([]byte, 15)...)
	want = append(want, 0x0a, 6, 't', 'a', 'g', 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0)
	if got := mustSet(t, uuidA+":tag:2-3").Encode(); !bytes.Equal(got, want) {
		t.Errorf("got  %x\nwant %x", got, want)
	}
}

func TestList(t *testing.T) {
	parse := func(text string) List {
		l, err := ParseList(text)
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	l, o := parse("1-2-7,0-1-5"), parse("0-9-3,1-2-9,4-4-4")
	if got, want := l.String(), "0-1-5,1-2-7"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := l.Earlier(o).String(), "0-9-3,1-2-7"; got != want {
		t.Errorf("earlier: got %s, want %s", got, want)
	}
	if got, want := l.Later(o).String(), "0-1-5,1-2-9,4-4-4"; got != want {
		t.Errorf("later: got %s, want %s", got, want)
	}
	if l.Covers(o) || !l.Covers(parse("0-3-5")) || l.Covers(parse("4-1-1")) {
		t.Error("covers")
	}
	m, err := ParseMarks("0-1-5,0-2-9")
	if err != nil || !m.Cover(parse("0-1-5")) || m.Cover(parse("0-1-6")) || m.Cover(parse("0-3-1")) {
		t.Errorf("marks: %v", err)
	}
	for _, bad := range []string{"1", "1-2", "a-b-c", "1-2-3-4", "1--3"} {
		if l, err := ParseList(bad); err == nil {
			t.Errorf("%q passes as %s", bad, l)
		}
	}
}

// TestTaggedGTID reads an event as the library of serialization writes it.
func TestTaggedGTID(t *testing.T) {
	body := append([]byte{2, 0, 0, 0, 2}, 2)                // version 1, size, last field; flags 1
	body = append(append(body, make([]byte, 15)...), 10<<1) // each byte of the UUID is a number
	body = append(body, 4, 5<<2)                            // number 5, with a sign
	body = append(body, 6, 3<<1, 'z', 'z', 'y')             // tag
	body = append(body, 8, 0, 10, 0)                        // last committed, sequence
	body = append(body, 12, 0x7f, 1, 2, 3, 4, 5, 6, 0)      // time in eight bytes
	g, err := ParseTaggedGTID(body)
	if err != nil || g.String() != uuidA+":zzy:5" || g.Time != 0x00060504030201 {
		t.Errorf("got %s at %x, %v", g.String(), g.Time, err)
	}
	for i := range len(body) - 8 {
		if g, err := ParseTaggedGTID(body[:i]); err == nil && i < len(body)-16 {
			t.Errorf("%d bytes pass as %s", i, g.String())
		}
	}
}
