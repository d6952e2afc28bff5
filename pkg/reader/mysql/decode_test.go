package mysql

import (
	"bytes"
	"io"
	"math/big"
	"testing"
	"testing/iotest"

	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/calendar"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

func TestParseDecimal(t *testing.T) {
	for _, c := range []struct {
		text  string
		scale int
	}{
		{"0", 0},
		{"-0.0", 1},
		{"1.50", 2},
		{"-1.50", 2},
		{"9999999999999999999", 0},
		{"10000000000000000000", 0},
		{"18446744073709551615", 0},
		{"18446744073709551616", 0},
		{"-18446744073709551616.5", 1},
		{"99999999999999999999999999999999999999", 0},
		{"-99999999999999999999999999999999999999", 0},
		{"0.99999999999999999999999999999999999999", 38},
		{"0000012.30", 2},
		{"12345678901234567890.123456789012345678", 18},
	} {
		got, err := parseDecimal([]byte(c.text), 38, c.scale)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		want, _ := new(big.Rat).SetString(c.text)
		have := new(big.Rat).SetFrac(got.BigInt(), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(c.scale)), nil))
		if have.Cmp(want) != 0 {
			t.Errorf("%s: got %s", c.text, have)
		}
	}
	for _, bad := range []string{"", "-", "1.2.3", "1e5", "1.234", "12", "0x1", " 1.00", "1000.00", "-1000.00", "99999999999999999999999999999999999.00"} {
		if n, err := parseDecimal([]byte(bad), 5, 2); err == nil {
			t.Errorf("%q with 2 fractional digits: got %v, want an error", bad, n)
		}
	}
}

// packets frames payloads as a server does.
func packets(payloads ...[]byte) []byte {
	var out []byte
	seq := byte(1)
	for _, p := range payloads {
		for {
			n := min(len(p), maxPayload)
			out = append(out, byte(n), byte(n>>8), byte(n>>16), seq)
			out = append(out, p[:n]...)
			p = p[n:]
			seq++
			if n < maxPayload {
				break
			}
		}
	}
	return out
}

func TestPacketReader(t *testing.T) {
	var want [][]byte
	for _, n := range []int{1, 0, 7, 250, readSize - 4, readSize, 2*readSize + 1, maxPayload - 1, maxPayload, maxPayload + 1, 2 * maxPayload, 3, 5} {
		want = append(want, bytes.Repeat([]byte{byte(n)}, n))
	}
	for range 600 { // the sequence number wraps
		want = append(want, []byte("row"))
	}
	wire := packets(want...)
	for name, src := range map[string]io.Reader{
		"whole": bytes.NewReader(wire), "halves": iotest.HalfReader(bytes.NewReader(wire)), "data with EOF": iotest.DataErrReader(bytes.NewReader(wire)),
	} {
		p := newPacketReader(src)
		p.begin()
		for i, w := range want {
			got, err := p.next()
			if err != nil || !bytes.Equal(got, w) {
				t.Fatalf("%s: packet %d: got %d bytes, %v; want %d", name, i, len(got), err, len(w))
			}
		}
		if _, err := p.next(); err != io.EOF {
			t.Errorf("%s: got %v behind the last packet, want EOF", name, err)
		}
	}
	p := newPacketReader(bytes.NewReader([]byte{1, 0, 0, 9, 'x'}))
	p.begin()
	if _, err := p.next(); err == nil {
		t.Error("a packet out of sequence was taken")
	}
}

// everyType is a table with a column of each kind.
func everyType(t testing.TB) *schema.Table {
	var cols []schema.Column
	for _, native := range []string{
		"tinyint", "tinyint unsigned", "smallint", "smallint unsigned", "mediumint", "mediumint unsigned", "int", "int unsigned",
		"bigint", "bigint unsigned", "float", "double", "decimal(10,2)", "decimal(38,10)", "decimal(60,5)", "bit(1)", "bit(12)", "bit(64)",
		"year", "date", "datetime(6)", "timestamp", "time(3)", "varchar(20)", "blob", "enum('a','b')", "set('x','y')", "json", "point", "vector(3)",
	} {
		typ, err := schema.ParseMySQL(native)
		if err != nil {
			t.Fatal(err)
		}
		cols = append(cols, schema.Column{Name: native, Native: native, Type: typ, Arrow: typ.Arrow(), Nullable: true})
	}
	return schema.New("db", "t", cols, nil)
}

// FuzzRow gives the decoder bytes that no server sends: it may refuse them, and
// must neither panic nor leave columns of different length.
func FuzzRow(f *testing.F) {
	f.Add([]byte{0})
	f.Add(append(make([]byte, 6), bytes.Repeat([]byte{1}, 200)...))
	f.Add(append([]byte{0}, bytes.Repeat([]byte{0xff}, 10)...))
	table := everyType(f)
	f.Fuzz(func(t *testing.T, p []byte) {
		mem := memory.NewCheckedAllocator(memory.DefaultAllocator)
		defer mem.AssertSize(t, 0)
		b, err := batch.NewBuilder(table, mem)
		if err != nil {
			t.Fatal(err)
		}
		d, err := newRowDecoder(table, b, calendar.Null, nil)
		if err != nil {
			t.Fatal(err)
		}
		if d.row(p) != nil {
			for i := range b.Columns { // a reader stops here; the test gives the memory back
				b.Columns[i].Null()
			}
			b.EndRow(0)
		}
		b.Batch().Release()
	})
}
