package message

import (
	"fmt"
	"testing"
)

// BenchmarkLog reads lines of a web server's log.
func BenchmarkLog(b *testing.B) {
	const columns = "at timestamptz\nip string\nmethod string\npath string\nstatus int\nbytes long\nduration double\nuser string user.id"
	for _, c := range []struct {
		name  string
		o     LogOptions
		lines int // of a message
		line  string
	}{
		{"json", LogOptions{Format: "json", Columns: columnsOf(b, columns)}, 1, `{"at":"2026-02-28T01:02:03.456Z","ip":"203.0.113.77","method":"GET","path":"/shop/items/%d","status":200,"bytes":51234,"duration":0.0123,"user":{"id":"u-4711","plan":"free"}}`},
		{"json/inferred", LogOptions{Format: "json"}, 1, `{"at":"2026-02-28T01:02:03.456Z","ip":"203.0.113.77","method":"GET","path":"/shop/items/%d","status":200,"bytes":51234,"duration":0.0123,"user":{"id":"u-4711","plan":"free"}}`},
		{"json/100", LogOptions{Format: "json", Columns: columnsOf(b, columns), Origin: true}, 100, `{"at":"2026-02-28T01:02:03.456Z","ip":"203.0.113.77","method":"GET","path":"/shop/items/%d","status":200,"bytes":51234,"duration":0.0123,"user":{"id":"u-4711","plan":"free"}}` + "\n"},
		{"csv", LogOptions{Format: "csv", Columns: columnsOf(b, columns)}, 1, `2026-02-28T01:02:03.456Z,203.0.113.77,GET,/shop/items/%d,200,51234,0.0123,u-4711`},
		{"csv/header", LogOptions{Format: "csv", Header: true}, 100, "2026-02-28T01:02:03.456Z,203.0.113.77,GET,\"/shop/items/%d\",200,51234,0.0123,u-4711\n"},
	} {
		b.Run(c.name, func(b *testing.B) {
			const rows = 1000
			var messages [][]byte
			size := 0
			for i := 0; i < rows; i += c.lines {
				var m []byte
				if c.o.Header {
					m = []byte("at,ip,method,path,status,bytes,duration,user\n")
				}
				for j := range c.lines {
					m = fmt.Appendf(m, c.line, i+j)
				}
				messages, size = append(messages, m), size+len(m)
			}
			to := &logTarget{}
			r := newLog(b, c.o, to)
			b.ReportAllocs()
			for range b.N {
				for _, m := range messages {
					if err := r.Decode(nil, m); err != nil {
						b.Fatal(err)
					}
				}
				ops := to.into.Ops
				to.into.Batch().Release()
				to.into.Ops = ops[:0]
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*rows), "ns/row")
			b.ReportMetric(float64(size)/rows, "B/row")
		})
	}
}
