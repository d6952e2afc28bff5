package literal

import (
	"encoding/binary"
	"encoding/hex"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

// What MySQL 9.7 stores, and what its ST_AsText says of it; but for the order of the axes of
// SRID 4326, where that says POINT(10 20).
var geometries = []struct{ stored, text string }{
	{"000000000101000000000000000000F03F0000000000000040", "POINT(1 2)"},
	{"E6100000010100000000000000000034400000000000002440", "POINT(20 10)"},
	{"000000000101000000000000000000F83F00000000000002C0", "POINT(1.5 -2.25)"},
	{"0000000001010000009A9999999999B93FEA8CA039593E2946", "POINT(0.1 1e+30)"}, // 1e30 there
	{"000000000101000000343333333333D33F00000000006AF840", "POINT(0.30000000000000004 100000)"},
	{"0000000001020000000200000000000000000000000000000000000000000000000000F03F000000000000F03F", "LINESTRING(0 0,1 1)"},
	{
		"00000000010300000002000000040000000000000000000000000000000000000000000000000024400000000000000000000000000000244000000000000024400000000000000000000000000000000004000000000000000000F03F000000000000F03F0000000000000040000000000000F03F00000000000000400000000000000040000000000000F03F000000000000F03F",
		"POLYGON((0 0,10 0,10 10,0 0),(1 1,2 1,2 2,1 1))",
	},
	{"000000000104000000020000000101000000000000000000000000000000000000000101000000000000000000F03F000000000000F03F", "MULTIPOINT((0 0),(1 1))"},
	{
		"0000000001050000000200000001020000000200000000000000000000000000000000000000000000000000F03F000000000000F03F0102000000020000000000000000000040000000000000004000000000000008400000000000000840",
		"MULTILINESTRING((0 0,1 1),(2 2,3 3))",
	},
	{
		"000000000106000000020000000103000000010000000400000000000000000000000000000000000000000000000000F03F0000000000000000000000000000F03F000000000000F03F000000000000000000000000000000000103000000010000000400000000000000000014400000000000001440000000000000184000000000000014400000000000001840000000000000184000000000000014400000000000001440",
		"MULTIPOLYGON(((0 0,1 0,1 1,0 0)),((5 5,6 5,6 6,5 5)))",
	},
	{
		"000000000107000000030000000101000000000000000000F03F000000000000F03F01020000000200000000000000000000000000000000000000000000000000F03F000000000000F03F010700000000000000",
		"GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,1 1),GEOMETRYCOLLECTION EMPTY)",
	},
	{"00000000010700000000000000", "GEOMETRYCOLLECTION EMPTY"},
	// The other byte order, and both of them in one.
	{"0000000000000000013FF00000000000004000000000000000", "POINT(1 2)"},
	{"0000000000000000040000000201010000000000000000000000000000000000000000000000013FF00000000000003FF0000000000000", "MULTIPOINT((0 0),(1 1))"},
}

func stored(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestAppendWKT(t *testing.T) {
	for _, g := range geometries {
		if got, err := AppendWKT([]byte("x"), stored(t, g.stored)); err != nil || string(got) != "x"+g.text {
			t.Errorf("%s: got %s, %v", g.text, got, err)
		}
	}
}

// What is cut anywhere, or longer, is an error, and nothing is appended; what has other bytes
// in it is no panic.
func TestAppendWKTBroken(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	for _, g := range geometries {
		whole := stored(t, g.stored)
		for n := range whole {
			if got, err := AppendWKT([]byte("x"), whole[:n]); err == nil || string(got) != "x" {
				t.Errorf("%s, cut at %d: got %q, %v", g.text, n, got, err)
			}
		}
		if got, err := AppendWKT(nil, append(whole, 0)); err == nil {
			t.Errorf("%s and a byte: got %q", g.text, got)
		}
		for range 20_000 {
			other := append([]byte(nil), whole...)
			for range 1 + r.IntN(3) {
				other[r.IntN(len(other))] = byte(r.IntN(256))
			}
			_, _ = AppendWKT(nil, other)
		}
	}
	inf := stored(t, geometries[0].stored)
	binary.LittleEndian.PutUint64(inf[9:], math.Float64bits(math.Inf(1)))
	for name, value := range map[string][]byte{
		"no place": inf, "byte order": stored(t, "00000000020100000000000000000000000000000000000000"),
		"unknown type": stored(t, "00000000010800000000000000"), "within a multiple": stored(t, "00000000010400000001000000010200000000000000"),
	} {
		if _, err := AppendWKT(nil, value); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestAppendWKTDeep(t *testing.T) {
	nested := func(levels int) []byte {
		value := []byte{0, 0, 0, 0}
		for range levels {
			value = append(value, 1, 7, 0, 0, 0, 1, 0, 0, 0)
		}
		return append(value, 1, 7, 0, 0, 0, 0, 0, 0, 0)
	}
	if _, err := AppendWKT(nil, nested(100)); err != nil {
		t.Error(err)
	}
	for _, levels := range []int{101, 1_000_000} {
		if _, err := AppendWKT(nil, nested(levels)); err == nil || !strings.Contains(err.Error(), "levels deep") {
			t.Errorf("%d: %v", levels, err)
		}
	}
}
