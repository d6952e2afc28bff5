package binlog

import "github.com/tablehaul/tablehaul/pkg/batch"

func jsonAppend(b *batch.Bytes) appendFunc {
	var buf []byte
	return func(v []byte) (err error) {
		if buf, err = AppendJSON(buf[:0], v); err == nil {
			b.Append(buf)
		}
		return err
	}
}

// AppendJSON appends the text of a binary JSON value to dst.
func AppendJSON(dst, v []byte) ([]byte, error) { return append(dst, "null"...), nil }
