package parquet

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// texts are pages of many alphabets.
func texts(size int) map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	gen := func(f func(i int) byte) []byte {
		b := make([]byte, size)
		for i := range b {
			b[i] = f(i)
		}
		return b
	}
	return map[string][]byte{
		"digits":  gen(func(int) byte { return byte('0' + r.IntN(10)) }),
		"two":     gen(func(int) byte { return byte('a' + r.IntN(2)) }),
		"letters": gen(func(int) byte { return byte('A' + r.IntN(58)) }),
		"ascii":   gen(func(int) byte { return byte(r.IntN(129)) }),
		"skewed":  gen(func(int) byte { return byte(min(r.ExpFloat64()*4, 128)) }),
		"very":    gen(func(int) byte { return byte(min(128>>r.IntN(8)>>r.IntN(8), 120)) }),
		"one":     gen(func(int) byte { return 'x' }),
		"binary":  gen(func(int) byte { return byte(r.IntN(256)) }),
		"late":    gen(func(i int) byte { return byte('0' + r.IntN(10)*min(1, i*5/max(size, 1)) + 40*(i/(zstdBlock*2+7)%2)) }),
		"fibonacci": gen(func(int) byte {
			n := 0
			for r.IntN(3) > 0 && n < 60 {
				n++
			}
			return byte(n)
		}),
	}
}

func TestHuffmanFramesDecode(t *testing.T) {
	d, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	h := new(huffman) // used again and again, as columns do
	for _, size := range []int{0, 1, 5, 1023, 1024, 1027, 4099, 70001, zstdBlock - 1, zstdBlock, zstdBlock + 1, zstdBlock + 1024, 1 << 20, 1<<20 + 333} {
		for name, src := range texts(size) {
			prefix := []byte("before")
			out, ok := h.frame(bytes.Clone(prefix), src)
			if !ok {
				if !bytes.Equal(out, prefix) {
					t.Fatalf("%s %d: refused, but wrote", name, size)
				}
				continue
			}
			got, err := d.DecodeAll(out[len(prefix):], nil)
			if err != nil || !bytes.Equal(got, src) {
				t.Fatalf("%s %d: %v", name, size, err)
			}
		}
	}
	if _, ok := h.frame(nil, texts(1 << 20)["digits"]); !ok {
		t.Fatal("digits were refused")
	}
}

func TestStoredFrameDecodes(t *testing.T) {
	d, _ := zstd.NewReader(nil)
	for _, size := range []int{0, 1, zstdBlock, zstdBlock + 1, 3 * zstdBlock} {
		src := texts(size)["binary"]
		got, err := d.DecodeAll(storedFrame(nil, src), nil)
		if err != nil || !bytes.Equal(got, src) {
			t.Fatalf("%d: %v", size, err)
		}
	}
}

func BenchmarkCompress(b *testing.B) {
	for _, name := range []string{"digits", "letters", "ascii"} {
		src := texts(1 << 20)[name]
		b.Run("huffman/"+name, func(b *testing.B) {
			h := new(huffman)
			var out []byte
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				out, _ = h.frame(out[:0], src)
			}
			b.ReportMetric(float64(len(out))/float64(len(src)), "ratio")
		})
		b.Run("zstd/"+name, func(b *testing.B) {
			e, _ := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
			var out []byte
			b.SetBytes(int64(len(src)))
			for b.Loop() {
				out = e.EncodeAll(src, out[:0])
			}
			b.ReportMetric(float64(len(out))/float64(len(src)), "ratio")
		})
	}
}

func FuzzFrame(f *testing.F) {
	f.Add([]byte("0123456789-0123456789"), uint16(3000))
	f.Add([]byte("aaaaaaaaaaaaaaaaaaaaaaaab"), uint16(20))
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		f.Fatal(err)
	}
	h := new(huffman)
	f.Fuzz(func(t *testing.T, seed []byte, times uint16) {
		// Long enough to be worth a block, and not the same all over.
		var src []byte
		for i := range int(times)%4000 + 40 {
			for _, c := range seed {
				src = append(src, c+byte(i*len(src))&3)
			}
			if len(src) > 600<<10 {
				break
			}
		}
		for _, out := range [][]byte{func() []byte { out, _ := h.frame(nil, src); return out }(), storedFrame(nil, src)} {
			if len(out) == 0 {
				continue
			}
			if got, err := d.DecodeAll(out, nil); err != nil || !bytes.Equal(got, src) {
				t.Fatalf("%d bytes: %v", len(src), err)
			}
		}
	})
}
