package main

import (
	"net"
	"slices"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/packet"
)

func frame(payload ...byte) []byte {
	n := len(payload)
	return append([]byte{byte(n), byte(n >> 8), byte(n >> 16), 0}, payload...)
}

// TestStream sends a result over a real socket, cut at awkward places.
func TestStream(t *testing.T) {
	header := slices.Concat(frame(1), frame(slices.Repeat([]byte{3}, 40)...), frame(0xfe, 0, 0, 2, 0))
	var rows []byte
	const want = 5000
	for i := range want {
		rows = append(rows, frame(slices.Repeat([]byte{byte(i % 250)}, 1+i%300)...)...)
	}
	// A row longer than the buffer, and one that begins like an EOF packet.
	rows = append(rows, frame(slices.Repeat([]byte{7}, blockSize+100)...)...)
	rows = append(rows, frame(slices.Repeat([]byte{0xfe}, 20)...)...)
	for name, end := range map[string][]byte{
		"whole": frame(0xfe, 0, 0, 2, 0), "killed": frame(append([]byte{0xff, 0x25, 0x05, '#'}, "70100killed"...)...), "cut": frame(1, 2, 3)[:5],
	} {
		n, err := countOver(t, slices.Concat(header, rows, end))
		if n != want+2 {
			t.Errorf("%s: got %d rows, want %d", name, n, want+2)
		}
		if (err == nil) != (name == "whole") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func countOver(t *testing.T, data []byte) (int64, error) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		for step := 1; len(data) > 0; step = step*3 + 1 {
			n := min(step, len(data))
			conn.Write(data[:n])
			data = data[n:]
		}
	}()
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	s, err := newStream(&client.Conn{Conn: &packet.Conn{Conn: conn}})
	if err != nil {
		t.Fatal(err)
	}
	if err := skipHeader(s.next); err != nil {
		t.Fatal(err)
	}
	return s.count()
}

func TestBinaryRow(t *testing.T) {
	columns := []column{
		{"a", kindInt8},
		{"b", kindUint16},
		{"c", kindUint32},
		{"d", kindDecimal(12, 2)},
		{"e", kindString},
		{"f", kindDatetime},
		{"g", kindDate},
		{"h", kindInt64},
		{"i", kindString},
	}
	row := slices.Concat([]byte{0, 0, 1 << 2}, // the ninth column is NULL: bit 10
		[]byte{0xff}, []byte{0xff, 0xff}, []byte{0, 0, 0, 0xff}, []byte("\x06-12.34"), []byte("\x02hi"),
		[]byte{11, 0xe7, 7, 3, 4, 5, 6, 7, 1, 0, 0, 0}, []byte{4, 0xd0, 7, 2, 29}, []byte{0xfe, 255, 255, 255, 255, 255, 255, 255})
	b := array.NewRecordBuilder(memory.DefaultAllocator, throwawaySchema(columns))
	defer b.Release()
	b.Reserve(1)
	if err := binaryRow(row, newAppenders(columns, b, true)); err != nil {
		t.Fatal(err)
	}
	rec := b.NewRecordBatch()
	defer rec.Release()
	want := []string{"-1", "65535", "4278190080", "-12.34", "hi", "2023-03-04T05:06:07.000001Z", "2000-02-29", "-2", "(null)"}
	for i, w := range want {
		if got := rec.Column(i).ValueStr(0); got != w {
			t.Errorf("column %s: got %s, want %s", columns[i].name, got, w)
		}
	}
	b.Reserve(1)
	if err := binaryRow(append(row, 0), newAppenders(columns, b, true)); err == nil {
		t.Error("a row with a byte too many is taken")
	}
}

func TestTextRow(t *testing.T) {
	columns := []column{{"id", kindInt32}, {"c", kindString}, {"n", kindString}}
	b := array.NewRecordBuilder(memory.DefaultAllocator, throwawaySchema(columns))
	defer b.Release()
	b.Reserve(1)
	if err := textRow([]byte("\x03-42\x03abc\xfb"), newAppenders(columns, b, false)); err != nil {
		t.Fatal(err)
	}
	rec := b.NewRecordBatch()
	defer rec.Release()
	for i, w := range []string{"-42", "abc", "(null)"} {
		if got := rec.Column(i).ValueStr(0); got != w {
			t.Errorf("column %d: got %s, want %s", i, got, w)
		}
	}
}

func TestCivil(t *testing.T) {
	for day := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC); day.Year() < 2500; day = day.AddDate(0, 0, 17) {
		if got, want := civil(day.Year(), int(day.Month()), day.Day()), int32(day.Unix()/86400); got != want {
			t.Fatalf("%s: got %d, want %d", day.Format(time.DateOnly), got, want)
		}
	}
}
