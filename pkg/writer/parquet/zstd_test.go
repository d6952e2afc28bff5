package parquet

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/klauspost/compress/zstd"
)

// contents are pages of different nature.
func contents() map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	fill := func(n int, f func(i int) byte) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = f(i)
		}
		return b
	}
	var sbtest, text []byte
	for len(sbtest) < 1<<20 {
		for range 10 {
			sbtest = fmt.Appendf(sbtest, "%011d-", r.Int64N(1e11))
		}
	}
	for len(text) < 1<<20 {
		text = fmt.Appendf(text, "customer %d of the shop at %d Main Street; ", r.IntN(100), r.IntN(30))
	}
	return map[string][]byte{
		"empty": nil, "one byte": {7}, "zeros": make([]byte, 1<<20), "digits": sbtest, "text": text,
		"random":            fill(1<<20, func(int) byte { return byte(r.Uint32()) }),
		"two symbols":       fill(300_001, func(int) byte { return byte(r.IntN(2)) }),
		"last block of one": fill(4*maxBlock+1, func(i int) byte { return byte('0' + r.IntN(10)) }),
		"rare symbol":       fill(2*maxBlock, func(i int) byte { return byte(i / (2*maxBlock - 1)) }),
		"ramp":              fill(1<<20, func(i int) byte { return byte(i >> 12) }),
	}
}

func TestZstdRoundTrip(t *testing.T) {
	dec, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	codec, err := compress.GetCodec(compress.Codecs.Zstd)
	if err != nil {
		t.Fatal(err)
	}
	e := pageEncoders.New().(*pageEncoder)
	for name, src := range contents() {
		for way, frame := range map[string][]byte{"codec": codec.EncodeLevel(nil, src, 1), "literals": e.literals(nil, src)} {
			got, err := dec.DecodeAll(frame, nil)
			if err != nil || !bytes.Equal(got, src) {
				t.Errorf("%s by %s: got %d bytes of %d, %v", name, way, len(got), len(src), err)
			}
			if bound := codec.CompressBound(int64(len(src))); int64(len(frame)) > bound {
				t.Errorf("%s by %s: %d bytes, more than the bound of %d", name, way, len(frame), bound)
			}
		}
	}
}

// TestZstdChoice wants literals where matching gains nothing, and matching
// where it does.
func TestZstdChoice(t *testing.T) {
	e := pageEncoders.New().(*pageEncoder)
	for name, want := range map[string]bool{"digits": true, "random": true, "text": false, "zeros": false} {
		src := contents()[name]
		if got := e.matchless(src); got != want {
			t.Errorf("%s: matchless is %v, want %v", name, got, want)
		}
	}
	digits := contents()["digits"]
	if plain, matched := len(e.literals(nil, digits)), len(e.zstd.EncodeAll(digits, nil)); plain > matched {
		t.Errorf("digits take %d bytes as literals, %d with matching", plain, matched)
	}
}

func FuzzZstd(f *testing.F) {
	dec, err := zstd.NewReader(nil)
	if err != nil {
		f.Fatal(err)
	}
	e := pageEncoders.New().(*pageEncoder)
	f.Add([]byte("aaaaaaaaaaaaaaaaaaaaaaab"), 3)
	f.Fuzz(func(t *testing.T, seed []byte, times int) {
		src := bytes.Repeat(seed, 1+times&0xfff)
		got, err := dec.DecodeAll(e.literals(nil, src), nil)
		if err != nil || !bytes.Equal(got, src) {
			t.Fatalf("got %d bytes of %d: %v", len(got), len(src), err)
		}
	})
}

func BenchmarkZstd(b *testing.B) {
	e := pageEncoders.New().(*pageEncoder)
	for _, name := range []string{"digits", "text"} {
		src := contents()[name]
		var dst []byte
		for way, f := range map[string]func([]byte, []byte) []byte{"literals": e.literals, "matching": func(d, s []byte) []byte { return e.zstd.EncodeAll(s, d) },
			"codec": zstdCodec{}.Encode} {
			b.Run(name+"/"+way, func(b *testing.B) {
				b.SetBytes(int64(len(src)))
				for b.Loop() {
					dst = f(dst[:0], src)
				}
				b.ReportMetric(float64(len(src))/float64(len(dst)), "ratio")
			})
		}
	}
}
