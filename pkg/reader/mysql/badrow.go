package mysql

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/tablehaul/tablehaul/pkg/batch"
	"github.com/tablehaul/tablehaul/pkg/reader/mysql/calendar"
	"github.com/tablehaul/tablehaul/pkg/schema"
)

// maxKeyText is how many bytes of a key's value a message shows.
const maxKeyText = 60

// badRow adds to the error of a row that cannot be decoded which row it is, if the
// table has a key and that can be read.
func badRow(t *schema.Table, p []byte, err error) error {
	if key := rowKey(t, p); key != "" {
		return fmt.Errorf("%w, in the row with %s", err, key)
	}
	return err
}

// rowKey decodes the row p once more, with dates that no calendar holds let pass
// outside of the key, and returns its key as "a = 1, b = 'x'"; "" if it has none.
func rowKey(t *schema.Table, p []byte) string {
	b, err := batch.NewBuilder(t, memory.DefaultAllocator)
	if err != nil || len(t.Key) == 0 {
		return ""
	}
	d, err := newRowDecoder(t, b, calendar.Epoch, nil)
	if err != nil {
		return ""
	}
	for _, k := range t.Key {
		d.columns[k] = decoder(t.Columns[k], b.Columns[k], calendar.Fail.Of(t, k, nil))
	}
	if d.row(p) != nil {
		return ""
	}
	row := b.Batch()
	defer row.Release()
	var parts []string
	for _, k := range t.Key {
		col := row.Rows.Column(k)
		text := col.ValueStr(0)
		if arrow.IsBinaryLike(col.DataType().ID()) || arrow.IsLargeBinaryLike(col.DataType().ID()) {
			text = shortText(text)
		}
		parts = append(parts, t.Columns[k].Name+" = "+text)
	}
	return strings.Join(parts, ", ")
}

// shortText puts a text in quotes, and cuts it short if it is long.
func shortText(text string) string {
	if len(text) <= maxKeyText {
		return strconv.Quote(text)
	}
	cut := maxKeyText
	for cut > 0 && !utf8.RuneStart(text[cut]) {
		cut--
	}
	return strconv.Quote(text[:cut]) + "…"
}
