package binlog

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/hint"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// errLabel is about a label that information_schema, whose own charset has no
// more than three bytes a character, may have lost characters of.
var errLabel = hint.Wrap(errors.New("the label has a question mark, which may stand for a character that the server cannot list"),
	"SET GLOBAL binlog_row_metadata = FULL, which puts labels into the log, and read the table anew")

// doubtful reports whether a label in the schema may not be what it is.
func doubtful(c *schema.Column, w *MapColumn, label string) bool {
	switch c.Charset {
	case "utf8mb4", "utf16", "utf16le", "utf32", "gb18030":
		return w.Labels == nil && strings.Contains(label, "?")
	}
	return false
}

// labels returns the labels of an ENUM or SET in UTF-8: those that the map has,
// which hold for its events even where the table has been altered since.
func labels(c *schema.Column, w *MapColumn, o *Options) ([]string, error) {
	if w.Labels == nil {
		return c.Type.Labels, nil
	}
	convert, err := o.Charsets.column(c, w)
	if err != nil {
		return nil, err
	}
	out := make([]string, len(w.Labels))
	for i, l := range w.Labels {
		text, err := convert.text(l)
		if err != nil {
			return nil, err
		}
		out[i] = string(text)
	}
	return out, nil
}

// enumAppend appends labels; 0 is the empty string of the error value.
func enumAppend(c *schema.Column, w *MapColumn, b *batch.Bytes, o *Options) (appendFunc, error) {
	list, err := labels(c, w, o)
	if err != nil {
		return nil, err
	}
	texts, doubt := make([][]byte, 1, len(list)+1), make([]bool, 1, len(list)+1)
	for _, l := range list {
		texts, doubt = append(texts, []byte(l)), append(doubt, doubtful(c, w, l))
	}
	return func(v []byte) error {
		n := littleEndian(v)
		if n >= uint64(len(texts)) {
			return fmt.Errorf("a row in the log has label %d of %d", n, len(texts)-1)
		}
		if doubt[n] {
			return errLabel
		}
		b.Append(texts[n])
		return nil
	}, nil
}

// setAppend appends labels with commas between them.
func setAppend(c *schema.Column, w *MapColumn, b *batch.Bytes, o *Options) (appendFunc, error) {
	list, err := labels(c, w, o)
	if err != nil {
		return nil, err
	}
	var buf []byte
	return func(v []byte) error {
		buf = buf[:0]
		n := littleEndian(v)
		if len(list) < 64 && n>>len(list) != 0 {
			return fmt.Errorf("a row in the log has labels %#x of %d", n, len(list))
		}
		for i := 0; n != 0; i, n = i+1, n>>1 {
			if n&1 == 0 {
				continue
			}
			if len(buf) > 0 { // as the server does where the first label is empty
				buf = append(buf, ',')
			}
			if doubtful(c, w, list[i]) {
				return errLabel
			}
			buf = append(buf, list[i]...)
		}
		b.Append(buf)
		return nil
	}, nil
}

// textOf returns how to print MariaDB's types that are stored as bytes and read
// as text; nil for others.
func textOf(native string, b *batch.Bytes) appendFunc {
	var buf []byte
	size, format := 16, appendUUID
	switch strings.ToLower(native) {
	case "uuid":
	case "inet6":
		format = appendIP
	case "inet4":
		size, format = 4, appendIP
	default:
		return nil
	}
	full := make([]byte, size)
	return func(v []byte) error {
		if len(v) > size {
			return errValue
		}
		clear(full[copy(full, v):]) // zero bytes at the end may have been left out
		buf = format(buf[:0], full)
		b.Append(buf)
		return nil
	}
}

// appendUUID prints 16 bytes in the order in which they are stored.
func appendUUID(dst, v []byte) []byte {
	for i, end := range []int{4, 6, 8, 10, 16} {
		if i > 0 {
			dst = append(dst, '-')
		}
		start := []int{0, 4, 6, 8, 10}[i]
		dst = hex.AppendEncode(dst, v[start:end])
	}
	return dst
}

// appendIP prints 4 or 16 bytes.
func appendIP(dst, v []byte) []byte {
	ip, _ := netip.AddrFromSlice(v) // of a right length
	return ip.AppendTo(dst)
}

// unpacked decompresses the values of MariaDB's COMPRESSED columns before next.
// What they grow by is added to grown.
func unpacked(w *MapColumn, grown *int, next appendFunc) appendFunc {
	if w.Type != typeBlobCompressed && w.Type != typeVarcharCompressed {
		return next
	}
	var buf bytes.Buffer
	return func(v []byte) error {
		if len(v) == 0 {
			return next(v)
		}
		if v[0] == 0 { // stored as it is
			return next(v[1:])
		}
		// Method 8 is deflate; then whether the zlib header is left out, and how
		// many bytes of length follow.
		lengthBytes := int(v[0] & 7)
		if v[0]>>4 != 8 || len(v) <= lengthBytes {
			return errValue
		}
		want := bigEndian(v[1 : 1+lengthBytes])
		src := io.Reader(bytes.NewReader(v[1+lengthBytes:]))
		if v[0]&8 != 0 {
			src = flate.NewReader(src)
		} else {
			z, err := zlib.NewReader(src)
			if err != nil {
				return fmt.Errorf("decompress: %w", err)
			}
			src = z
		}
		buf.Reset()
		if _, err := buf.ReadFrom(io.LimitReader(src, int64(min(want, 1<<32))+1)); err != nil {
			return fmt.Errorf("decompress: %w", err)
		}
		if uint64(buf.Len()) != want {
			return errValue
		}
		*grown += buf.Len()
		return next(buf.Bytes())
	}
}
